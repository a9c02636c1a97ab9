"""Plausible's export of a site: totals of a day, in which nobody can be told apart."""

from collections import Counter

from ingestion.demo.clock import DAY, local_day
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_csv
from ingestion.demo.words import PAGES
from ingestion.demo.world import World

VISITORS = ("date", "visitors", "pageviews", "bounces", "visits", "visit_duration")
PAGE = ("date", "hostname", "page", "visits", "visitors", "pageviews", "exits", "time_on_page")
_DAYS = 60


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: two months. Day 2: the last three days again, and the last one."""
    calendar = world.calendar
    recent = [s for s in world.sessions if calendar.cut1 - _DAYS * DAY <= s.start < calendar.cut2]
    days = sorted({local_day(session.start) for session in recent})
    visits = Counter(local_day(session.start) for session in recent)
    pages = Counter[object]()
    for session in recent:
        pages[local_day(session.start)] += session.pages
    rows = [
        {
            "date": day.isoformat(),
            "visitors": visits[day],
            "pageviews": pages[day],
            "bounces": visits[day] // 3,
            "visits": visits[day],
            "visit_duration": visits[day] * 45,
        }
        for day in days
    ]
    by_page = [
        {"date": row["date"], "hostname": "www.example.jp", "page": PAGES[0][0], "visits": row["visits"],
         "visitors": row["visitors"], "pageviews": row["pageviews"], "exits": 0, "time_on_page": 60}
        for row in rows
    ]  # fmt: skip
    for delivery, part in ((1, slice(0, -1)), (2, slice(-4, None))):
        for name, header, values in (("visitors", VISITORS, rows), ("pages", PAGE, by_page)):
            write_csv(
                book, delivery, f"plausible/imported_{name}_{days[0]:%Y%m%d}_{delivery}.csv", header, values[part]
            )
    return [
        Planted("staging.stg_plausible__visitors", "true", sum(pages.values()), "sum(pageviews)"),
        Planted("staging.stg_plausible__pages", "true", len(days)),
        # Totals are no visits of anybody.
        Planted("core.fct_sessions", "event_source = 'plausible'", 0),
    ]
