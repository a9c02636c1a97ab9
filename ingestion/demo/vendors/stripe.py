"""Stripe payments and customers: a small shop beside the main one, in both header generations of the export."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ingestion.demo.clock import DAY, utc
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_csv
from ingestion.demo.people import Person
from ingestion.demo.world import World

OLD = (
    "id", "Description", "Seller Message", "Created (UTC)", "Amount", "Amount Refunded", "Currency",
    "Converted Amount", "Converted Amount Refunded", "Fee", "Tax", "Converted Currency", "Mode", "Status",
    "Statement Descriptor", "Customer ID", "Customer Description", "Customer Email", "Captured", "Card ID",
    "Invoice ID", "Transfer",
)  # fmt: skip
NEW = (
    "id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Captured", "Converted Amount",
    "Converted Amount Refunded", "Converted Currency", "Decline Reason", "Description", "Fee", "Mode",
    "PaymentIntent ID", "Refunded date (UTC)", "Statement Descriptor", "Status", "Seller Message", "Customer ID",
    "Customer Email", "Invoice ID",
)  # fmt: skip
CUSTOMERS = ("id", "Description", "Email", "Name", "Created (UTC)", "Delinquent", "Phone", "Total Spend")


@dataclass(frozen=True)
class _Payment:
    number: int
    person: Person
    made: int
    yen: int
    status: str
    captured: bool
    test: bool
    guest: bool
    refund: int
    refunded: int
    old: bool

    @property
    def counts(self) -> bool:
        return self.status == "Paid" and self.captured and not self.test

    def given_back(self, cut: int) -> int:
        return self.refund if self.refund and self.refunded < cut else 0


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: both generations of payments, and the customers. Day 2: new payments, and what was refunded that day."""
    calendar = world.calendar
    payments = list(_payments(world))
    for day, cut in ((1, calendar.cut1), (2, calendar.cut2)):
        known = [p for p in payments if p.made < cut]
        if day == 2:
            known = [p for p in known if p.made >= calendar.cut1 or p.given_back(cut) != p.given_back(calendar.cut1)]
        for header, old, name in ((OLD, True, "payments"), (NEW, False, "unified_payments")):
            rows = [_row(payment, header, cut) for payment in known if payment.old == old]
            write_csv(book, day, f"stripe/day{day}/{name}.csv", header, rows)
    customers: list[dict[str, object]] = []
    buyers = {p.person.index: p for p in reversed(payments) if not p.guest}
    for index, first in sorted(buyers.items()):
        spent = sum(p.yen - p.refund for p in payments if p.person.index == index and p.counts)
        person = first.person
        cells = (_customer(person), "", person.email, f"{person.last} {person.first}", utc(person.entry), "false",
                 person.phone, spent)  # fmt: skip
        customers.append(dict(zip(CUSTOMERS, cells, strict=True)))
    write_csv(book, 1, "stripe/customers.csv", CUSTOMERS, customers)
    counted = [p for p in payments if p.counts]
    given = [p for p in payments if p.given_back(calendar.cut2)]
    source = "source = 'stripe'"
    return [
        Planted("core.fct_orders", source, len(payments)),
        Planted("core.fct_orders", f"{source} and is_counted and customer_id is not null", len(counted)),
        Planted("core.fct_orders", f"{source} and is_counted", sum(p.yen for p in counted), "sum(gross_amount)"),
        Planted("core.fct_refunds", source, len(given)),
        Planted("core.fct_refunds", source, sum(p.refund for p in given), "sum(amount)"),
        Planted("core.fct_refunds", f"{source} and refund_date_known", sum(not p.old for p in given)),
        Planted("staging.canonical__contact", "source_name = 'stripe'", len(buyers)),
    ]


def _payments(world: World) -> Iterator[_Payment]:
    rng = np.random.default_rng([world.seed, 101])
    calendar = world.calendar
    middle = calendar.cut1 - 120 * DAY
    number = 0
    for person in world.people:
        if person.index % 4 not in (1, 2):
            continue
        for _ in range(1 + person.index % 3):
            roll = rng.random(4)
            number += 1
            made = person.entry + int(roll[0] * (calendar.cut2 - person.entry - 1))
            yen = 1_000 + int(roll[1] * 80) * 100
            failed, uncaptured, test = roll[2] < 0.08, 0.08 <= roll[2] < 0.12, 0.12 <= roll[2] < 0.15
            back = roll[2] > 0.8 and not test
            yield _Payment(
                number,
                person,
                made,
                yen,
                status="Failed" if failed else "Paid",
                captured=not (failed or uncaptured),
                test=bool(test),
                guest=person.index % 4 == 2,
                refund=(yen if roll[3] < 0.5 else yen // 2) if back else 0,
                refunded=made + 3 * DAY if back else 0,
                old=made < middle,
            )


def _customer(person: Person) -> str:
    return f"cus_demo{person.index:06d}"


def _row(payment: _Payment, header: tuple[str, ...], cut: int) -> dict[str, object]:
    back = payment.given_back(cut)
    status = payment.status
    if back:
        status = "Refunded" if back == payment.yen else "Partially refunded"
    values: dict[str, object] = {
        "id": f"ch_demo{payment.number:06d}",
        "Description": f"Box {payment.number}",
        "Seller Message": "Payment complete." if payment.captured else "The bank declined the payment.",
        "Created (UTC)": utc(payment.made),
        "Created date (UTC)": utc(payment.made),
        "Amount": payment.yen,
        "Amount Refunded": back,
        "Currency": "jpy",
        "Converted Amount": payment.yen,
        "Converted Amount Refunded": back,
        "Converted Currency": "jpy",
        "Fee": round(payment.yen * 0.036),
        "Mode": "Test" if payment.test else "Live",
        "Status": status,
        "Captured": "true" if payment.captured else "false",
        "Customer ID": "" if payment.guest else _customer(payment.person),
        "Customer Email": payment.person.email,
        "Refunded date (UTC)": utc(payment.refunded) if back else "",
    }
    return {name: value for name, value in values.items() if name in header}
