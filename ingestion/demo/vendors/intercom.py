"""Intercom conversations in the shape of the API: a list page without parts, then full conversations one per line."""

from typing import Any

import numpy as np

from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_lines, write_page
from ingestion.demo.people import Person
from ingestion.demo.world import World


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: a page of what the list told, and the full conversations. Day 2: those of the last day.

    Every fifth person writes, another fifth is written to by a campaign and says nothing.
    """
    rng = np.random.default_rng([world.seed, 103])
    calendar = world.calendar
    full: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    listed = []
    contacts = campaigns = messages = ratings = 0
    for person in world.people:
        if person.index % 5 not in (0, 1):
            continue
        roll = rng.random(3)
        begun = person.entry + int(roll[0] * (calendar.cut2 - person.entry - 1))
        day = calendar.delivery(begun)
        campaign = person.index % 5 == 1
        conversation = _conversation(
            person, begun, begun + 60 * int(3 + 90 * roll[1]), world.cut(day), roll[2], campaign
        )
        full[day].append(conversation)
        if day == 1:
            listed.append({**conversation, "conversation_parts": None, "updated_at": begun, "state": "open"})
        contacts += not campaign
        campaigns += campaign
        parts = conversation["conversation_parts"]
        messages += 1 + sum(part["part_type"] == "comment" for part in parts["conversation_parts"])
        ratings += (conversation["conversation_rating"] or {"rating": 0})["rating"]
    for day, records in full.items():
        write_lines(book, day, f"intercom/conversations_day{day}.ndjson", records)
    page = {"type": "conversation.list", "total_count": len(listed), "conversations": listed}
    write_page(book, 1, "intercom/list_00001.json", page, len(listed))
    source = "source = 'intercom'"
    return [
        Planted("core.fct_interactions", f"{source} and direction = 'inbound' and customer_id is not null", contacts),
        Planted("core.fct_interactions", f"{source} and direction = 'outbound'", campaigns),
        Planted("core.fct_messages", f"{source} and interaction_id is not null", messages),
        Planted("marts.support_interactions", source, ratings, "coalesce(sum(csat), 0)"),
    ]


def _conversation(person: Person, begun: int, reply: int, cut: int, roll: float, campaign: bool) -> dict[str, Any]:
    contact, admin = f"ic-{person.index:06d}", {"type": "admin", "id": "501", "name": "Hirano"}
    author = {"type": "user", "id": contact, "name": f"{person.last}{person.first}", "email": person.email}
    closed = reply + 1_800
    replied, done = not campaign and reply < cut, not campaign and closed < cut
    parts = []
    if replied:
        parts.append({"id": f"{contact}-1", "part_type": "comment", "body": "<p>確認します</p>", "created_at": reply,
                      "author": admin})  # fmt: skip
    if done:
        parts.append({"id": f"{contact}-2", "part_type": "close", "body": None, "created_at": closed, "author": admin})
    rated = done and roll < 0.5
    return {
        "type": "conversation",
        "id": f"8{person.index:08d}",
        "created_at": begun,
        "updated_at": closed if done else (reply if replied else begun),
        "state": "closed" if done else "open",
        "priority": "not_priority",
        "source": {
            "type": "conversation",
            "delivered_as": "campaigns_initiated" if campaign else "customer_initiated",
            "body": "<p>お知らせ</p>" if campaign else "<p>届きません</p>",
            "author": admin if campaign else author,
        },
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": contact}]},
        "admin_assignee_id": 501,
        "conversation_rating": {"rating": 1 + int(roll * 10), "remark": "", "created_at": closed} if rated else None,
        "statistics": {
            "first_contact_reply_at": None if campaign else begun,
            "first_admin_reply_at": reply if replied else None,
            "first_close_at": closed if done else None,
            "last_close_at": closed if done else None,
            "count_reopens": 0,
            "count_assignments": 1,
        },
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": parts},
    }
