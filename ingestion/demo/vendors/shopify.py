"""Shopify admin exports: one row per line item with the order's fields on the first row only; apostrophes before
phones and postal codes; times in the shop's zone; no refund date and no customer id."""

from collections import defaultdict

from ingestion.demo.clock import DAY, local_day, stamp_local
from ingestion.demo.delivery import CsvFile, Deliveries
from ingestion.demo.people import Person
from ingestion.demo.render import email_text, phone_text
from ingestion.demo.shopping import Order
from ingestion.demo.vendors.headers import SHOPIFY_CUSTOMERS, SHOPIFY_ORDERS
from ingestion.demo.words import PREFECTURES, PRODUCTS
from ingestion.demo.world import World

RECENT_DAYS = 7


def write(world: World, book: Deliveries) -> None:
    """Day 1: all orders, a file per half-year, and all customers. Day 2: recent and changed orders, all customers."""
    calendar = world.calendar
    halves: dict[tuple[int, int], list[Order]] = defaultdict(list)
    for order in world.orders:
        if order.created < calendar.cut1:
            day = local_day(order.created)
            halves[day.year, 1 + (day.month > 6)].append(order)
    for number, key in enumerate(sorted(halves), start=1):
        file = book.csv(1, f"shopify/{calendar.end:%Y-%m}/orders_export_{number}.csv", SHOPIFY_ORDERS)
        _orders(world, file, halves[key], 1, spoil=number == len(halves))
    again = [
        order
        for order in world.orders
        if order.created >= calendar.cut1 - RECENT_DAYS * DAY
        or order.refunds[0] != order.refunds[1]
        or calendar.cut1 <= order.cancelled < calendar.cut2
    ]
    file = book.csv(2, f"shopify/{calendar.end:%Y-%m-%d}/orders_export_1.csv", SHOPIFY_ORDERS)
    _orders(world, file, again, 2, spoil=False)
    _customers(world, book.csv(1, f"shopify/{calendar.end:%Y-%m}/customers_export.csv", SHOPIFY_CUSTOMERS), 1)
    _customers(world, book.csv(2, f"shopify/{calendar.end:%Y-%m-%d}/customers_export.csv", SHOPIFY_CUSTOMERS), 2)


def _orders(world: World, file: CsvFile, orders: list[Order], day: int, *, spoil: bool) -> None:
    for position, order in enumerate(orders):
        rows = _order(world, order, day)
        line = file.row(rows[0])
        for row in rows[1:]:
            file.row(row)
        if spoil and position == 9:
            file.duplicate(file.text(file.cells(rows[0])), line)
        if spoil and position == 23:
            _spoil(file, rows[0])
    file.close()


def _spoil(file: CsvFile, sample: dict[str, object]) -> None:
    ghost = {**sample, "Id": "", "Email": "", "Phone": "", "Billing Phone": ""}
    file.bad({**ghost, "Name": "#M9001", "Total": "12,80O"}, "Total", "type.decimal")
    file.bad({**ghost, "Name": "#M9002", "Created at": "2025-02-30 10:00:00 +0900"}, "Created at", "type.timestamp")
    file.bad({**ghost, "Name": "#M9003", "Lineitem quantity": "1.5"}, "Lineitem quantity", "type.integer")
    file.bad({**ghost, "Name": ""}, "Name", "value.required")
    ragged = file.cells({**ghost, "Name": "#M9004"})
    file.malformed(file.text([*ragged, "余分", "列"]), "", "row.ragged")
    file.malformed(file.text(ragged[:11]), "", "row.ragged")


def _status(order: Order, day: int, cut: int) -> str:
    refunded = order.refunded(day)
    if order.is_cancelled(cut):
        return "refunded" if refunded else "voided"
    if refunded >= order.total > 0:
        return "refunded"
    return "partially_refunded" if refunded else "paid"


def _order(world: World, order: Order, day: int) -> list[dict[str, object]]:
    cut, person = world.cut(day), world.people[order.person]
    created = stamp_local(order.created)
    rows: list[dict[str, object]] = []
    for product, quantity, price in order.lines:
        rows.append(
            {
                "Name": order.name,
                "Email": email_text(order.email, order.created),
                "Created at": created,
                "Lineitem quantity": quantity,
                "Lineitem name": PRODUCTS[product][0],
                "Lineitem price": _money(order, price),
                "Lineitem sku": f"KZ-{product + 1:03d}",
                "Lineitem requires shipping": "true",
                "Lineitem taxable": "true",
                "Lineitem fulfillment status": "fulfilled" if 0 < order.fulfilled < cut else "pending",
                "Vendor": "絆ストア",
                "Lineitem discount": "0",
                "Phone": _phone(order.phone, order.created),
            }
        )
    fulfilled, cancelled = 0 < order.fulfilled < cut, order.is_cancelled(cut)
    rows[0].update(
        {
            "Financial Status": _status(order, day, cut),
            "Paid at": created,
            "Fulfillment Status": "fulfilled" if fulfilled else "unfulfilled",
            "Fulfilled at": stamp_local(order.fulfilled) if fulfilled else "",
            "Accepts Marketing": "yes" if person.index % 3 else "no",
            "Currency": order.currency,
            "Subtotal": _money(order, order.subtotal),
            "Shipping": _money(order, order.shipping),
            "Taxes": _money(order, order.taxes),
            "Total": _money(order, order.total),
            "Discount Code": order.code,
            "Discount Amount": _money(order, order.discount),
            "Shipping Method": "通常配送" if order.shipping else "送料無料",
            "Cancelled at": stamp_local(order.cancelled) if cancelled else "",
            "Payment Method": "(for testing) Bogus Gateway" if order.is_test else "Shopify Payments",
            "Refunded Amount": _money(order, order.refunded(day)),
            "Id": order.order_id,
            "Tags": "test" if order.is_test else ("電話注文, VIP" if order.channel == "shopify_draft_order" else ""),
            "Risk Level": "Low",
            "Source": order.channel,
            "Outstanding Balance": _money(order, 0),
            "Tax 1 Name": "消費税 10%" if order.taxes else "",
            "Tax 1 Value": _money(order, order.taxes) if order.taxes else "",
            "Notes": "のし：御祝\n名入れ：髙﨑" if order.gift else "",
        }
    )
    if order.channel != "pos":
        rows[0].update(_addresses(order, person))
    return rows


def _addresses(order: Order, person: Person) -> dict[str, object]:
    """Billing is the buyer; a gift goes to somebody in another prefecture whose phone is not given."""
    place, name = person.prefecture, f"{person.last} {person.first}"
    values: dict[str, object] = {
        "Billing Name": name,
        "Billing Street": person.street,
        "Billing Address1": person.street,
        "Billing City": place.city,
        "Billing Zip": "'" + person.postal,
        "Billing Province": place.iso,
        "Billing Country": "JP",
        "Billing Phone": _phone(order.billing_phone, order.created + 2),
        "Billing Province Name": place.name,
    }
    if order.gift:
        place, name = PREFECTURES[order.created % len(PREFECTURES)], f"{person.last} 様方"
    values |= {
        "Shipping Name": name,
        "Shipping City": place.city,
        "Shipping Zip": f"'{place.postal}-0001" if order.gift else "'" + person.postal,
        "Shipping Province": place.iso,
        "Shipping Country": "JP",
        "Shipping Province Name": place.name,
        "Shipping Phone": "" if order.gift else _phone(order.billing_phone, order.created),
    }
    return values


def _money(order: Order, amount: int) -> str:
    return f"{amount}.00" if order.currency == "USD" else str(amount)


def _phone(national: str, salt: int) -> str:
    return "'" + phone_text(national, salt) if national else ""


def _customers(world: World, file: CsvFile, day: int) -> None:
    cut = world.cut(day)
    spent: dict[int, int] = defaultdict(int)
    count: dict[int, int] = defaultdict(int)
    for order in world.orders:
        if order.created < cut and not order.is_test and not order.is_cancelled(cut) and order.currency == "JPY":
            spent[order.person] += order.total - order.refunded(day)
            count[order.person] += 1
    for person in world.people:
        if not person.shop_id or person.entry >= cut:
            continue
        phone = person.phone if person.shop_phone else ""
        file.row(
            {
                "Customer ID": "'" + person.shop_id,
                "First Name": person.first,
                "Last Name": person.last,
                "Email": email_text(person.email, person.index),
                "Accepts Email Marketing": "yes" if person.index % 3 else "no",
                "Default Address Company": world.companies[person.company].name if person.company >= 0 else "",
                "Default Address Address1": person.street,
                "Default Address City": person.prefecture.city,
                "Default Address Province Code": person.prefecture.iso,
                "Default Address Country Code": "JP",
                "Default Address Zip": "'" + person.postal,
                "Default Address Phone": _phone(phone, person.index),
                "Phone": "'+81" + phone[1:] if phone and person.index % 2 else "",
                "Accepts SMS Marketing": "no",
                "Total Spent": str(spent[person.index]),
                "Total Orders": str(count[person.index]),
                "Note": "",
                "Tax Exempt": "no",
                "Tags": "VIP" if spent[person.index] > 60_000 else "",
            }
        )
    file.close()
