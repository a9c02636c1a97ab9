"""The club's subscriptions as a billing system exports them, a line per subscription and change; a mapping contract."""

from datetime import timedelta

from ingestion.demo.club import PLANS, RAISED, Club, leaving, make_club
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, company_contract, write_csv
from ingestion.demo.truth_numbers import write_csv as write_truth
from ingestion.demo.world import World

CONTRACT = """\
# The club's subscriptions: each delivery has everything that changed, a line per subscription and change.
source: billing
maps_to: subscription
files: ["**/subscriptions*.csv"]
format: csv
times: {timezone: Asia/Tokyo, formats: [iso]}
fields:
  subscription_key: {column: Subscription}
  email: {column: Email}
  plan: {column: Plan}
  currency: {column: Currency}
  amount: {column: Amount}
  billing_interval: {column: Interval, values: {monthly: month, yearly: year}}
  started_at: {column: Started}
  cancelled_at: {column: Cancelled}
  ended_at: {column: Ended}
  updated_at: {column: Changed}
"""
HEADER = (
    "Subscription", "Email", "Plan", "Currency", "Amount", "Interval", "Started", "Cancelled", "Ended", "Changed",
)  # fmt: skip
HORIZON_DAYS = 90


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: every line up to the calm day; day 2: those of the last day. And `truth/contract_churn.csv`."""
    company_contract(book, "billing.yml", CONTRACT)
    club = make_club(world)
    last = world.calendar.days - 1
    lines = {1: [], 2: []}  # type: dict[int, list[dict[str, object]]]
    for member in range(len(club.person)):
        for day, line in _lines(world, club, member):
            if day <= last:
                lines[1 if day < last else 2].append(line)
    for delivery, rows in lines.items():
        write_csv(book, delivery, f"billing/subscriptions_day{delivery}.csv", HEADER, rows)
    _write_truth(world, club, book)
    running = (club.start <= last) & ((club.end < 0) | (club.end > last))
    source = "source = 'billing'"
    return [
        Planted("core.fct_subscriptions", source, len(club.person)),
        Planted("core.fct_subscriptions", f"{source} and is_running", int(running.sum())),
        Planted("core.fct_subscriptions", f"{source} and customer_id is not null", len(club.person)),
        Planted("core.fct_subscriptions", f"{source} and cancelled_at is not null", int((club.stop >= 0).sum())),
    ]


def _lines(world: World, club: Club, member: int) -> list[tuple[int, dict[str, object]]]:
    """(day, line) of every change of one subscription; each line has the state after it."""
    name, price, months, _, _ = PLANS[club.plan[member]]
    start, raised, stop, end = (int(c[member]) for c in (club.start, club.raised, club.stop, club.end))
    changes = sorted({start, *(d for d in (raised, stop, end) if d >= 0)})
    found = []
    for day in changes:
        amount = round(price * RAISED) if 0 <= raised <= day else price
        found.append(
            (
                day,
                {
                    "Subscription": f"club-{world.people[int(club.person[member])].index:06d}",
                    "Email": world.people[int(club.person[member])].email,
                    "Plan": name,
                    "Currency": "JPY",
                    "Amount": amount,
                    "Interval": "yearly" if months == 12 else "monthly",
                    "Started": _stamp(world, start),
                    "Cancelled": _stamp(world, stop) if 0 <= stop <= day else "",
                    "Ended": _stamp(world, end) if 0 <= end <= day else "",
                    "Changed": _stamp(world, day),
                },
            )
        )
    return found


def _stamp(world: World, day: int) -> str:
    """Noon of a day, so that no zone moves it to another."""
    return f"{world.calendar.start + timedelta(days=day)}T12:00:00"


def _write_truth(world: World, club: Club, book: Deliveries) -> None:
    """contract_churn.csv: everybody under contract one horizon before the last day."""
    folder = book.out / "truth"
    folder.mkdir(parents=True, exist_ok=True)
    if world.calendar.days <= HORIZON_DAYS:
        return
    found = leaving(world, club, world.calendar.end - timedelta(days=HORIZON_DAYS), HORIZON_DAYS)
    rows = zip(
        found.person.tolist(), found.probability.tolist(), found.left.tolist(), found.troubled.tolist(), strict=True
    )
    write_truth(
        folder,
        "contract_churn.csv",
        ("as_of", "person", "probability", "left", "troubled"),
        (
            (found.as_of.isoformat(), world.people[who].code, f"{p:.6f}", left, trouble)
            for who, p, left, trouble in rows
        ),
    )
