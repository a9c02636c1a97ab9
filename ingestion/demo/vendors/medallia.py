"""Medallia feedback requests: sent, delivered, answered, so that a response rate has its denominators."""

import numpy as np

from ingestion.demo.clock import stamp_z
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_csv
from ingestion.demo.world import World

HEADER = (
    "request_id", "request_created_at", "request_sent_at", "request_delivery_status", "response_received_at",
    "star_rating", "comments", "channel", "ext_interaction_id", "tags", "employee_custom_id", "customer_name",
    "request_sent_to", "customer_custom_id",
)  # fmt: skip


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: every request so far. Day 2: those of the last day. Every fourth person is asked."""
    rng = np.random.default_rng([world.seed, 106])
    calendar = world.calendar
    rows: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    asked = {"is_sent": 0, "is_delivered": 0, "is_answered": 0}
    stars = 0
    for person in world.people:
        if person.index % 4 != 3:
            continue
        roll = rng.random(3)
        sent = person.entry + int(roll[0] * (calendar.cut2 - person.entry - 1))
        day = calendar.delivery(sent)
        status = "suppressed" if roll[1] < 0.05 else ("bounced" if roll[1] < 0.15 else "delivered")
        answered = status == "delivered" and roll[1] < 0.6 and sent + 3_600 < world.cut(day)
        asked["is_sent"] += status != "suppressed"
        asked["is_delivered"] += status == "delivered"
        asked["is_answered"] += answered
        rating = 1 + int(roll[2] * 5)
        stars += rating if answered else 0
        cells = (f"md-{person.index:06d}", stamp_z(sent - 60), "" if status == "suppressed" else stamp_z(sent), status,
                 stamp_z(sent + 3_600) if answered else "", rating if answered else "", "", "email", "", "", "e1",
                 f"{person.last} {person.first}", person.email, f"M{person.index:06d}")  # fmt: skip
        rows[day].append(dict(zip(HEADER, cells, strict=True)))
    for day, told in rows.items():
        write_csv(book, day, f"medallia/feedback_day{day}.csv", HEADER, told)
    source = "source = 'medallia' and kind = 'csat'"
    return [
        *(Planted("staging.stg_medallia__feedback", flag, number) for flag, number in asked.items()),
        Planted("marts.survey_responses", f"{source} and customer_id is not null", asked["is_answered"]),
        Planted("marts.survey_responses", source, stars, "coalesce(sum(score), 0)"),
    ]
