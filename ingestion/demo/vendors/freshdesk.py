"""Freshdesk tickets of a second help desk: moments filled and durations mostly empty, as its exports are."""

import numpy as np

from ingestion.demo.clock import DAY, local
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_csv
from ingestion.demo.world import World

HEADER = (
    "Ticket ID", "Subject", "Status", "Priority", "Source", "Type", "Agent", "Group", "Created time", "Due by Time",
    "Resolved time", "Closed time", "Last update time", "Initial response time", "Time tracked",
    "First response time (in hrs)", "Resolution time (in hrs)", "Agent interactions", "Customer interactions",
    "Resolution status", "First response status", "Tags", "Survey results", "Product", "Full name", "Email",
    "Work phone", "Mobile phone", "Contact ID",
)  # fmt: skip
SURVEY = {"Extremely Happy": 5, "Happy": 4, "Neutral": 3, "Unhappy": 2, "Extremely Unhappy": 1, "": 0}


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: one export of every ticket. Day 2: the tickets of the last day."""
    rng = np.random.default_rng([world.seed, 102])
    calendar = world.calendar
    rows: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    tickets = answered = ratings = 0
    for person in world.people:
        if person.index % 5 != 2:
            continue
        roll = rng.random(4)
        opened = person.entry + int(roll[0] * (calendar.cut2 - person.entry - 1))
        reply, solved = opened + 60 * int(10 + 200 * roll[1]), opened + 3_600 * int(5 + 40 * roll[2])
        day = calendar.delivery(opened)
        cut = world.cut(day)
        done = solved < cut
        rating = list(SURVEY)[int(roll[3] * 6)] if done else ""
        tickets += 1
        answered += reply < cut
        ratings += SURVEY[rating]
        rows[day].append(
            {
                "Ticket ID": 50_000 + person.index,
                "Subject": "定期便について",
                "Status": "Closed" if solved + DAY < cut else ("Resolved" if done else "Open"),
                "Priority": ("Low", "Medium", "High", "Urgent")[person.index % 4],
                "Source": ("Email", "Portal", "Phone", "Chat")[person.index % 4],
                "Type": "Question",
                "Agent": "agent.ono",
                "Group": "Box",
                "Created time": local(opened),
                "Resolved time": local(solved) if done else "",
                "Closed time": local(solved + DAY) if solved + DAY < cut else "",
                "Last update time": local(max(m for m in (opened, reply, solved, solved + DAY) if m < cut)),
                "Initial response time": local(reply) if reply < cut else "",
                "Agent interactions": int(reply < cut),
                "Customer interactions": 1,
                "Survey results": rating,
                "Full name": f"{person.last} {person.first}",
                "Email": person.email,
                "Mobile phone": person.phone,
                "Contact ID": 9_000_000 + person.index,
            }
        )
    for day, told in rows.items():
        write_csv(book, day, f"freshdesk/tickets_day{day}.csv", HEADER, told)
    source = "source = 'freshdesk'"
    return [
        Planted("core.fct_interactions", f"{source} and customer_id is not null", tickets),
        Planted("core.fct_interactions", f"{source} and first_response_minutes is not null", answered),
        Planted("marts.support_interactions", source, ratings, "coalesce(sum(csat), 0)"),
    ]
