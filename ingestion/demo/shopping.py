"""Orders: purchases by a BG/NBD-like process, with discounts, refunds, cancellations, tests and some US dollars."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt

from ingestion.demo.clock import DAY, Calendar, Floats, Ints
from ingestion.demo.people import Person
from ingestion.demo.words import PRODUCTS

CALL_CENTRE = "0312340100"
CALL_CENTRE_E164 = "+81312340100"

# Per operational day: rate ~ gamma(shape, scale), drop-out after a purchase ~ beta(a, b).
RATE_SHAPE, RATE_SCALE = 1.3, 0.0125
DROP_A, DROP_B = 0.7, 3.0
# Some purchases go wrong, and most whom that happens to leave; support and surveys hear of it (ingestion.demo.care).
TROUBLE, TROUBLE_LEAVES = 0.05, 0.8
_USD_PRICE_STEP = 20
_CALL_CENTRE_PEOPLE = 30


@dataclass(slots=True)
class Order:
    """One Shopify order. Amounts are whole units of the currency; `refunds` holds the total by day 1 and by day 2."""

    person: int
    created: int
    name: str = ""
    order_id: str = ""
    lines: list[tuple[int, int, int]] = field(default_factory=list)  # product, quantity, unit price
    discount: int = 0
    code: str = ""
    shipping: int = 0
    currency: str = "JPY"
    channel: str = "web"
    fulfilled: int = 0
    cancelled: int = 0
    refunds: tuple[int, int] = (0, 0)
    is_test: bool = False
    email: str = ""
    billing_phone: str = ""
    phone: str = ""
    gift: bool = False
    trouble: bool = False

    @property
    def subtotal(self) -> int:
        """Sum of the lines less the discount."""
        return sum(quantity * price for _, quantity, price in self.lines) - self.discount

    @property
    def total(self) -> int:
        """What the customer paid: tax and shipping included."""
        return self.subtotal + self.shipping

    @property
    def taxes(self) -> int:
        """Consumption tax of 10 % contained in the total; none abroad."""
        return self.total * 10 // 110 if self.currency == "JPY" else 0

    def refunded(self, day: int) -> int:
        """Refund total that the export of day 1 or day 2 shows."""
        return self.refunds[day - 1]

    def is_cancelled(self, cut: int) -> bool:
        """True when the cancellation lies before the cut."""
        return 0 < self.cancelled < cut


def usd_rate(day: date) -> str:
    """Yen per dollar, in steps of 0.05 so that whole multiples of 20 dollars are whole yen."""
    steps = (day.toordinal() * 37) % 241
    return f"{144 + steps * 0.05:.2f}"


def _purchase_times(
    rng: np.random.Generator, fate: np.random.Generator, calendar: Calendar, people: list[Person]
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Who buys and when (epoch seconds), sorted by time, and whether that purchase goes wrong."""
    buyers = np.array([p.index for p in people if p.buyer], dtype=np.int64)
    horizon = calendar.horizon
    rate = np.maximum(rng.gamma(RATE_SHAPE, RATE_SCALE, size=buyers.size), 1e-4)
    drop = rng.beta(DROP_A, DROP_B, size=buyers.size)
    entry = np.array([(people[i].entry - calendar.begin) / DAY for i in buyers])
    now = entry + 0.3 + rng.exponential(6.0, size=buyers.size)
    who, when, wrong = [], [], []
    alive = np.flatnonzero(now < horizon)
    while alive.size:
        who.append(buyers[alive])
        when.append(now[alive])
        trouble = fate.random(alive.size) < TROUBLE
        wrong.append(trouble)
        stays = (rng.random(alive.size) >= drop[alive]) & ~(trouble & (fate.random(alive.size) < TROUBLE_LEAVES))
        now[alive] += rng.exponential(1.0, size=alive.size) / rate[alive]
        alive = alive[stays & (now[alive] < horizon)]
    moments = calendar.moments(np.concatenate(when))
    order = np.argsort(moments, kind="stable")
    return np.concatenate(who)[order], moments[order], np.concatenate(wrong)[order]


def make_orders(
    rng: np.random.Generator, fate: np.random.Generator, calendar: Calendar, people: list[Person]
) -> list[Order]:
    """All orders in order of time, named #1001 and up; `fate` decides which of them go wrong."""
    who, when, wrong = _purchase_times(rng, fate, calendar, people)
    count = who.size
    dice = rng.random((count, 10))
    spread = rng.normal(0.0, 0.22, size=(count, 3))
    orders: list[Order] = []
    for i in range(count):
        person = people[who[i]]
        order = Order(
            person=person.index,
            created=int(when[i]),
            name=f"#{1001 + i}",
            order_id=str(5_600_000_000_000 + i * 8_192 + 77),
            trouble=bool(wrong[i]),
        )
        _fill_basket(order, person.tier, dice[i], spread[i])
        _fill_contact(order, person, dice[i])
        _fill_fate(order, calendar, dice[i])
        orders.append(order)
    _plant(orders, calendar)
    return orders


def _fill_basket(order: Order, tier: float, roll: Floats, spread: Floats) -> None:
    usd = roll[0] < 0.004
    wanted = 1 + int(roll[1] < 0.45) + int(roll[1] < 0.15)
    chosen: list[int] = []
    for k in range(wanted):
        product = int(np.clip((0.28 + 0.17 * tier + spread[k]) * len(PRODUCTS), 0, len(PRODUCTS) - 1))
        if product not in chosen:
            chosen.append(product)
    for k, product in enumerate(chosen):
        quantity = 1 + int(roll[2] < 0.18 and k == 0)
        price = PRODUCTS[product][1]
        if usd:
            price = max(_USD_PRICE_STEP, round(price / 150 / _USD_PRICE_STEP) * _USD_PRICE_STEP)
        order.lines.append((product, quantity, price))
    if usd:
        order.currency, order.shipping = "USD", _USD_PRICE_STEP
        return
    if roll[3] < 0.12:
        order.code, order.discount = "KIZUNA10", order.subtotal // 100 * 10
    order.shipping = 0 if order.subtotal >= 5_000 else 660


def _fill_contact(order: Order, person: Person, roll: Floats) -> None:
    order.email = person.email
    order.billing_phone = person.phone if person.shop_phone else ""
    order.gift = bool(roll[4] < 0.07)
    if roll[5] < 0.08 and order.currency == "JPY":
        # The till asks for a phone number, never for an address.
        order.channel, order.shipping = "pos", 0
        order.phone, order.billing_phone = order.billing_phone, ""
        if roll[5] < 0.004:
            order.email = order.phone = ""
        elif roll[5] < 0.016:
            order.email = ""
    elif roll[5] < 0.12:
        order.channel, order.phone, order.billing_phone = "shopify_draft_order", CALL_CENTRE, ""
    elif roll[5] < 0.128:
        order.email = ("info@example.jp", "null", "not-specified@example.com")[order.created % 3]


def _fill_fate(order: Order, calendar: Calendar, roll: Floats) -> None:
    order.fulfilled = order.created + int((1 + 2.5 * roll[6]) * DAY)
    if roll[7] < 0.006:
        order.is_test = True
        if roll[7] < 0.003:
            order.email, order.billing_phone, order.phone = "test@test.com", "", ""
    elif roll[7] < 0.032:
        order.cancelled, order.fulfilled = order.created + 1_800 + int(roll[8] * 100_000), 0
        order.refunds = _by_day(calendar, order.cancelled, order.total)
    elif roll[7] < 0.085:
        amount = order.total if roll[8] < 0.25 else order.lines[0][2]
        order.refunds = _by_day(calendar, order.created + int((4 + 20 * roll[9]) * DAY), min(amount, order.total))


def _by_day(calendar: Calendar, moment: int, amount: int) -> tuple[int, int]:
    return (amount if moment < calendar.cut1 else 0, amount if moment < calendar.cut2 else 0)


def _plant(orders: list[Order], calendar: Calendar) -> None:
    """What must exist at any size: refund totals that grow on day 2, a cancellation on day 2, tests, US dollars."""
    plain = [
        order
        for order in orders
        if order.currency == "JPY"
        and order.refunds == (0, 0)
        and not order.cancelled
        and not order.is_test
        and order.email
        and order.channel == "web"
    ]
    old = [order for order in plain if calendar.cut1 - 60 * DAY < order.created < calendar.cut1 - 15 * DAY]
    for order, before in zip(old[:3], (0, 0, 480), strict=False):
        order.refunds = (min(before, order.total), min(order.lines[0][2], order.total))
    # Enough people behind the call centre's number that it shows as shared at any size.
    operator = {order.person for order in orders if order.phone == CALL_CENTRE}
    for order in plain[::2]:
        if len(operator) < _CALL_CENTRE_PEOPLE and order.person not in operator:
            operator.add(order.person)
            order.channel, order.phone, order.billing_phone = "shopify_draft_order", CALL_CENTRE, ""
    fresh = [order for order in plain if calendar.cut1 - 4 * DAY < order.created < calendar.cut1]
    for order in fresh[-1:]:
        order.cancelled, order.fulfilled = calendar.cut1 + 9 * 3600, 0
        order.refunds = (0, order.total)
    early = [order for order in plain if order.created < calendar.cut1 - 90 * DAY]
    for order in early[2:5]:
        order.is_test = True
    for order in early[5:8]:
        order.currency, order.discount, order.code, order.shipping = "USD", 0, "", _USD_PRICE_STEP
        order.lines = [
            (product, quantity, _USD_PRICE_STEP * (1 + product // 4)) for product, quantity, _ in order.lines
        ]
