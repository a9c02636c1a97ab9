"""A Typeform after the delivery: columns headed by questions, choices in one cell, e-mail as a hidden field."""

import numpy as np

from ingestion.demo.clock import utc
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, company_contract, write_csv
from ingestion.demo.world import World

CONTRACT = """\
# The form's questions are its column headers; email is a hidden field.
extends: typeform/responses
files: ["**/delivery*.csv"]
columns:
  survey: {value: delivery}
  touchpoint: {value: delivery}
  email: {from: email}
  csat_score: {from: 配送に満足しましたか？}
  choices: {from: 良かった点は？}
  comment: {from: ご意見}
"""
HEADER = ("#", "配送に満足しましたか？", "良かった点は？", "ご意見", "email", "Start Date (UTC)", "Submit Date (UTC)",
          "Network ID")  # fmt: skip


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: one export. Day 2: the answers of the last day. Every sixth person answers."""
    rng = np.random.default_rng([world.seed, 105])
    calendar = world.calendar
    company_contract(book, "typeform_delivery.yml", CONTRACT)
    rows: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    scores = []
    for person in world.people:
        if person.index % 6 != 3:
            continue
        roll = rng.random(2)
        sent = person.entry + int(roll[0] * (calendar.cut2 - person.entry - 1))
        scores.append(1 + int(roll[1] * 5))
        cells = (f"tf{person.index:08x}", scores[-1], "早さ / 梱包" if scores[-1] > 3 else "", "", person.email,
                 utc(sent - 60), utc(sent), f"n{person.index}")  # fmt: skip
        rows[calendar.delivery(sent)].append(dict(zip(HEADER, cells, strict=True)))
    for day, told in rows.items():
        write_csv(book, day, f"typeform/delivery_day{day}.csv", HEADER, told)
    source = "source = 'typeform' and kind = 'csat'"
    return [
        Planted("marts.survey_responses", f"{source} and customer_id is not null", len(scores)),
        Planted("marts.survey_responses", source, sum(scores), "sum(score)"),
        Planted("staging.stg_typeform__responses", "choices = '早さ / 梱包'", sum(score > 3 for score in scores)),
    ]
