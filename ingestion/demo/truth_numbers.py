"""Numbers of the planted truth: money, loyalty, retention, first responses and sessions of shared devices."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from ingestion.demo.clock import DAY, local_day
from ingestion.demo.linkage import Record, components, day_of, records, shared_devices
from ingestion.demo.shopping import Order, usd_rate
from ingestion.demo.vendors.amazon_connect import contact_id
from ingestion.demo.vendors.ga4 import Seen, events_of
from ingestion.demo.vendors.zendesk import status_at
from ingestion.demo.web import LOGIN_WINDOW_DAYS
from ingestion.demo.world import World


@dataclass(frozen=True)
class DayTruth:
    """What is derivable from the deliveries up to one day."""

    day: int
    as_of: str
    records: list[Record]
    component: dict[tuple[str, str], str]
    region: dict[str, str]
    known: set[str]


def day_truth(world: World, seen: Seen, day: int) -> DayTruth:
    """Records, components and their regions as of day 1 or day 2."""
    found = records(world, seen, day)
    component = components(found)
    region: dict[str, str] = {}
    known: set[str] = set()
    for record in found:
        label = component.get(record.name)
        if label is None:
            continue
        if record.region and region.setdefault(label, record.region) != record.region:
            raise AssertionError(f"component {label} lies in two regions; the demo must not join two people")
        if record.source != "ga4.device":
            known.add(label)
    return DayTruth(day, local_day(world.cut(day) - 1).isoformat(), found, component, region, known)


def write_csv(folder: Path, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (folder / name).open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def person_code(person: int) -> str:
    return f"P{person:06d}" if person >= 0 else ""


def order_yen(order: Order, amount: int) -> int:
    """Amount in yen at the rate of the order's local day; always whole."""
    if order.currency == "JPY":
        return amount
    yen = Decimal(usd_rate(local_day(order.created))) * amount
    if yen != int(yen):
        raise AssertionError(f"{order.name}: {yen} is not whole yen")
    return int(yen)


def _counted(world: World, truth: DayTruth) -> list[tuple[Order, str]]:
    """Orders that count, with their component (empty when the order names nobody)."""
    cut = world.cut(truth.day)
    return [
        (order, truth.component.get(("shopify.order", order.name), ""))
        for order in world.orders
        if order.created < cut and not order.is_test and not order.is_cancelled(cut)
    ]


def order_totals(world: World, truth: DayTruth) -> list[tuple[object, ...]]:
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for order, label in _counted(world, truth):
        cell = totals[label]
        cell[0] += 1
        cell[1] += order_yen(order, order.total)
        cell[2] += order_yen(order, order.refunded(truth.day))
    return [
        (truth.as_of, label, count, gross, refunded, gross - refunded)
        for label, (count, gross, refunded) in sorted(totals.items())
    ]


def _month(epoch: int) -> tuple[int, int]:
    day = local_day(epoch)
    return day.year, day.month


def cohorts(world: World, truth: DayTruth) -> list[tuple[object, ...]]:
    active: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for order, label in _counted(world, truth):
        if label:
            active[label].add(_month(order.created))
    size: Counter[tuple[int, int]] = Counter()
    cells: Counter[tuple[tuple[int, int], int]] = Counter()
    for months in active.values():
        first = min(months)
        size[first] += 1
        for year, month in months:
            cells[first, (year - first[0]) * 12 + month - first[1]] += 1
    return [
        (truth.as_of, f"{first[0]}-{first[1]:02d}", since, count, size[first])
        for (first, since), count in sorted(cells.items())
    ]


def nps(world: World, truth: DayTruth) -> list[tuple[object, ...]]:
    cut = world.cut(truth.day)
    latest: dict[tuple[str, tuple[int, int]], tuple[int, str, int]] = {}
    for answer in world.answers:
        if answer.kind != "nps" or answer.created >= cut:
            continue
        label = truth.component["delighted.person", str(world.people[answer.person].delighted_id)]
        key = (label, _month(answer.created))
        latest[key] = max(latest.get(key, (0, "", 0)), (answer.created, answer.response_id, answer.score_at(truth.day)))
    counts: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (label, month), (_, _, score) in latest.items():
        place = 0 if score >= 9 else (1 if score >= 7 else 2)
        for kind, segment in (("all", "all"), ("region", truth.region.get(label, "unknown"))):
            counts[f"{month[0]}-{month[1]:02d}", kind, segment][place] += 1
    return [(truth.as_of, *key, *values) for key, values in sorted(counts.items())]


def write_support(world: World, days: list[DayTruth], folder: Path) -> None:
    rows: list[tuple[object, ...]] = []
    for truth in days:
        cut = world.cut(truth.day)
        for ticket in world.tickets:
            if ticket.created < cut:
                user = str(world.people[ticket.person].zendesk_id)
                rows.append(
                    (
                        truth.as_of,
                        "zendesk",
                        ticket.ticket_id,
                        person_code(ticket.person),
                        truth.component["zendesk.user", user],
                        day_of(ticket.created),
                        ticket.reply_minutes if 0 < ticket.replied < cut else "",
                        "",
                        status_at(ticket, cut),
                        ticket.rating if 0 < ticket.rated < cut else "",
                        int(ticket.spike),
                    )
                )
        for call in world.calls:
            if call.started < cut:
                label = (
                    "" if call.withheld else truth.component["amazon_connect.caller", world.people[call.person].e164]
                )
                rows.append(
                    (
                        truth.as_of,
                        "amazon_connect",
                        contact_id(call),
                        person_code(call.person),
                        label,
                        day_of(call.started),
                        "",
                        20 + call.wait if call.agent >= 0 else "",
                        "abandoned" if call.agent < 0 else "answered",
                        "",
                        0,
                    )
                )
    header = (
        "as_of",
        "source",
        "interaction",
        "person",
        "component",
        "opened_at",
        "first_response_minutes",
        "first_response_seconds",
        "status",
        "rating",
        "spike",
    )
    write_csv(folder, "interactions.csv", header, rows)


def write_sessions(world: World, seen: Seen, truth: DayTruth, folder: Path) -> None:
    """Sessions of shared devices, with the attribution that the rule gives and who was really there."""
    shared = shared_devices(seen)
    by_device = defaultdict(list)
    for session in world.sessions:
        if session.device in shared and (session.device, session.start) in seen.sessions:
            by_device[session.device].append(session)
    by_user = {person.shop_id: person.index for person in world.people if person.shop_id}
    rows: list[tuple[object, ...]] = []
    for device, sessions in sorted(by_device.items()):
        sessions.sort(key=lambda s: s.start)
        first = next((s for s in sessions if s.user), None)
        previous = ""
        for session in sessions:
            end = events_of(session)[-1].micros // 1_000_000
            user, rule = session.user, "login"
            if not user and previous:
                user, rule = previous, "slice_before"
            elif not user and first is not None and first.start - end <= LOGIN_WINDOW_DAYS * DAY:
                user, rule = first.user, "slice_next"
            elif not user:
                rule = "anonymous"
            previous = session.user or previous
            person = by_user.get(user, -1)
            label = truth.component.get(("ga4.user", user), "") if user else ""
            rows.append(
                (
                    device,
                    session.place,
                    session.start,
                    day_of(session.start),
                    session.user,
                    rule,
                    user,
                    person_code(person),
                    label,
                    person_code(session.person),
                )
            )
    header = (
        "user_pseudo_id",
        "place",
        "ga_session_id",
        "started_at",
        "login",
        "attribution",
        "attributed_user",
        "attributed_person",
        "attributed_component",
        "person_present",
    )
    write_csv(folder, "shared_device_sessions.csv", header, rows)
    events = [sum(counts[day] for counts in seen.sessions.values()) for day in (0, 1)]
    sessions_by_day = [sum(1 for counts in seen.sessions.values() if counts[day]) for day in (0, 1)]
    write_csv(
        folder, "web.csv", ("day", "sessions", "events"), ((d + 1, sessions_by_day[d], events[d]) for d in (0, 1))
    )
