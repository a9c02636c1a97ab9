"""Files the company keeps itself: exchange rates, and a note that no contract knows."""

from datetime import timedelta

from ingestion.demo.delivery import Deliveries
from ingestion.demo.shopping import usd_rate
from ingestion.demo.world import World

UNKNOWN = "misc/notes.csv"


def write(world: World, book: Deliveries) -> None:
    """Rates of every day up to the last calm one, the last day's rate on day 2, and the unknown file."""
    calendar = world.calendar
    header = ("rate_on", "currency", "rate")
    file = book.csv(1, "reference/exchange_rates.csv", header)
    for back in range(calendar.days - 1, 0, -1):
        day = calendar.end - timedelta(days=back)
        file.row({"rate_on": day.isoformat(), "currency": "USD", "rate": usd_rate(day)})
    file.close()
    file = book.csv(2, f"reference/exchange_rates_{calendar.end:%Y%m%d}.csv", header)
    file.row({"rate_on": calendar.end.isoformat(), "currency": "USD", "rate": usd_rate(calendar.end)})
    file.close()
    notes = book.csv(1, UNKNOWN, ("日付", "メモ"))
    notes.row({"日付": calendar.end.isoformat(), "メモ": "棚卸しの予定を確認する"})
    notes.close()
    book.uncontracted.append(UNKNOWN)
