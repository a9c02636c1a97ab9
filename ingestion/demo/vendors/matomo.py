"""Matomo visits of a third site, as the Live API returns them: a bare list of visits, each with its actions."""

import json

from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted
from ingestion.demo.vendors.ga4 import events_of
from ingestion.demo.vendors.snowplow import picked
from ingestion.demo.web import Session
from ingestion.demo.words import PAGES, TRAFFIC
from ingestion.demo.world import World

_SITE = "https://help.kizuna.example.jp"


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: all visits up to its end. Day 2: the new ones, and the last of day 1 once more with an action more."""
    visits = picked(world, 3)
    old = [visit for visit in visits if visit.start < world.calendar.cut1]
    new = [visit for visit in visits if visit.start >= world.calendar.cut1]
    _page(book, 1, [_visit(visit) for visit in old[:-1]] + [_visit(visit, without=1) for visit in old[-1:]])
    _page(book, 2, [_visit(visit) for visit in old[-1:] + new])
    actions = sum(len(events_of(visit)) for visit in visits)
    return [
        Planted("staging.stg_matomo__visits", "true", len(visits)),
        Planted("staging.stg_matomo__events", "true", actions),
        Planted("core.fct_sessions", "event_source = 'matomo'", actions, "sum(events)"),
    ]


def _page(book: Deliveries, day: int, visits: list[dict[str, object]]) -> None:
    file = book.lines(day, f"matomo/visits_{day}.json")
    file.write(json.dumps(visits, ensure_ascii=False))
    file.truth.rows = len(visits)
    file.close()


def _visit(session: Session, without: int = 0) -> dict[str, object]:
    events = events_of(session)
    events = events[: len(events) - without]
    actions = [
        {
            "type": "action" if event.name == "page_view" else "event",
            **({} if event.name == "page_view" else {"eventCategory": "site", "eventAction": event.name}),
            "url": _SITE + PAGES[event.page][0],
            "pageTitle": PAGES[event.page][1],
            "timestamp": event.micros // 1_000_000,
        }
        for event in events
    ]
    return {
        "idSite": 3,
        "idVisit": session.start,
        "visitorId": f"mt{session.device}",
        "userId": session.user or None,
        "visitIp": "0.0.0.0",
        "firstActionTimestamp": events[0].micros // 1_000_000,
        "lastActionTimestamp": events[-1].micros // 1_000_000,
        "deviceType": "Smartphone",
        "country": "Japan",
        "referrerType": "website",
        "referrerName": TRAFFIC[session.source][0],
        "actionDetails": actions,
    }
