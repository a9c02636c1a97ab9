"""The planted truth, written beside the deliveries, so that a test can check every published number exactly."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from ingestion.demo.clock import TIMEZONE, local_day
from ingestion.demo.delivery import Deliveries
from ingestion.demo.linkage import day_of, usable
from ingestion.demo.truth_churn import write_churn
from ingestion.demo.truth_numbers import (
    DayTruth,
    cohorts,
    day_truth,
    nps,
    order_totals,
    order_yen,
    person_code,
    write_csv,
    write_sessions,
    write_support,
)
from ingestion.demo.truth_support import write_support_metrics
from ingestion.demo.vendors.ga4 import Seen
from ingestion.demo.web import LOGIN_WINDOW_DAYS
from ingestion.demo.world import ACTIVE_DAYS, World

DEFINITIONS = {
    "component": "records tied by shared usable identifiers (typed); named after its first record as source|key",
    "usable": "not a placeholder, role address or call-centre number; a device with two or more logins ties nobody",
    "nameless": "an order without any usable identifier is a customer of its own",
    "known": "component with any record other than ga4.device",
    "gross": "order total with tax and shipping, in yen; US dollars at the rate of the order's local day",
    "net": "gross less the refund total that the deliveries up to the day show; refunds count on the order's day",
    "counted": "neither cancelled (by the day) nor a test; a fully refunded order is counted with net 0",
    "nps": "latest valid answer per component and local month of answering; promoter 9-10, passive 7-8, detractor 0-6",
    "region": "prefecture in Salesforce MailingState, Shopify province code or Billing Province Name; empty if none",
    "cohort": "local month of the component's first counted order; months_since = calendar months",
    "first_response_minutes": "Zendesk calendar reply time; Amazon Connect wait from initiation to agent, in seconds",
    "support.csv": "seconds from opening, by the clock and within Monday to Friday 9-18 without Japanese holidays; "
    "sla_met of the first reply; fcr: solved, not reopened, nothing new on the topic (fcr_proxy: at all) for 7 days",
    "sessions": "attribution by the rule: login in the session, else the previous login on the device, else its first "
    f"login if within {LOGIN_WINDOW_DAYS} days after the session, else nobody; person_present is who really sat there",
    "churn.csv": "who bought in the 180 days before as_of: chance of no purchase in the 90 days after, from the "
    "process that drew the purchases and what had happened by then; silent: it came true; troubled: the latest "
    "purchase went wrong and its ticket was there",
    "line": "physical line, 1-based; for a row that spans lines, the line on which it begins",
}


def write_truth(world: World, seen: Seen, book: Deliveries, folder: Path) -> dict[str, object]:
    """Write all truth files; returns the summary that also stands in truth.json."""
    folder.mkdir(parents=True, exist_ok=True)
    days = [day_truth(world, seen, 1), day_truth(world, seen, 2)]
    _write_people(world, folder)
    _write_records(days, folder)
    summary: dict[str, object] = {}
    ltv = [order_totals(world, truth) for truth in days]
    write_csv(
        folder,
        "ltv.csv",
        ("as_of", "component", "orders", "gross", "refunded", "net"),
        (row for rows in ltv for row in rows),
    )
    _write_orders(world, days, folder)
    write_csv(
        folder,
        "cohorts.csv",
        ("as_of", "cohort_month", "months_since", "customers", "cohort_size"),
        (row for truth in days for row in cohorts(world, truth)),
    )
    write_csv(
        folder,
        "nps.csv",
        ("as_of", "month", "segment_type", "segment", "promoters", "passives", "detractors"),
        (row for truth in days for row in nps(world, truth)),
    )
    write_support(world, days, folder)
    write_support_metrics(world, days, folder)
    write_sessions(world, seen, days[1], folder)
    write_churn(world, folder)
    _write_files(book, folder)
    _write_spike(world, days[1], folder)
    for truth, rows in zip(days, ltv, strict=True):
        summary[truth.as_of] = {
            "known_customers": len(truth.known),
            "anonymous_customers": len(set(truth.component.values())) - len(truth.known),
            "source_records": len(truth.records),
            "unmapped": dict(Counter(r.reason for r in truth.records if r.reason)),
            "net_ltv_yen": sum(int(str(row[5])) for row in rows),
            "customers_with_orders": sum(1 for row in rows if row[1]),
        }
    content = {
        "seed": world.seed,
        "people": len(world.people),
        "timezone": TIMEZONE,
        "currency": "JPY",
        "start": world.calendar.start.isoformat(),
        "end": world.calendar.end.isoformat(),
        "late_events": seen.late,
        "days": summary,
        "definitions": DEFINITIONS,
    }
    (folder / "truth.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return summary


def _write_people(world: World, folder: Path) -> None:
    write_csv(
        folder,
        "people.csv",
        ("person", "region", "prefecture", "birth_on", "entered_at"),
        ((p.code, p.region, p.prefecture.name, p.birth.isoformat(), day_of(p.entry)) for p in world.people),
    )


def _write_records(days: list[DayTruth], folder: Path) -> None:
    first, last = days
    before = {record.name: record for record in first.records}
    write_csv(
        folder,
        "who_is_who.csv",
        ("source", "record_key", "alt_key", "person", "delivery", "component_day1", "component_day2", "reason"),
        (
            (
                r.source,
                r.key,
                r.alt_key,
                person_code(r.person),
                1 if r.name in before else 2,
                first.component.get(r.name, ""),
                last.component.get(r.name, ""),
                r.reason,
            )
            for r in last.records
        ),
    )
    write_csv(
        folder,
        "identifiers.csv",
        ("source", "record_key", "identifier_type", "value", "usable", "delivery"),
        (
            (
                r.source,
                r.key,
                kind,
                value,
                int(usable(value)),
                1 if r.name in before and (kind, value) in before[r.name].identifiers else 2,
            )
            for r in last.records
            for kind, value in r.identifiers
        ),
    )
    rows = []
    for truth in days:
        size = Counter(truth.component.values())
        sources: dict[str, set[str]] = defaultdict(set)
        persons: dict[str, set[int]] = defaultdict(set)
        for record in truth.records:
            if record.name in truth.component:
                sources[truth.component[record.name]].add(record.source)
                persons[truth.component[record.name]].add(record.person)
        rows += [
            (
                truth.as_of,
                label,
                int(label in truth.known),
                size[label],
                "+".join(sorted(sources[label])),
                "+".join(person_code(person) for person in sorted(persons[label])),
                truth.region.get(label, ""),
            )
            for label in sorted(size)
        ]
    write_csv(folder, "components.csv", ("as_of", "component", "known", "records", "sources", "person", "region"), rows)


def _write_orders(world: World, days: list[DayTruth], folder: Path) -> None:
    cut1, cut2 = world.calendar.cut1, world.calendar.cut2
    header = (
        "order",
        "order_id",
        "person",
        "component_day1",
        "component_day2",
        "ordered_on",
        "currency",
        "total",
        "total_yen",
        "refunded_day1",
        "refunded_day2",
        "cancelled_day1",
        "cancelled_day2",
        "test",
        "delivery",
    )
    write_csv(
        folder,
        "orders.csv",
        header,
        (
            (
                o.name,
                o.order_id,
                person_code(o.person),
                days[0].component.get(("shopify.order", o.name), ""),
                days[1].component.get(("shopify.order", o.name), ""),
                local_day(o.created).isoformat(),
                o.currency,
                o.total,
                order_yen(o, o.total),
                o.refunded(1),
                o.refunded(2),
                int(o.is_cancelled(cut1)),
                int(o.is_cancelled(cut2)),
                int(o.is_test),
                world.calendar.delivery(o.created),
            )
            for o in world.orders
        ),
    )


def _write_files(book: Deliveries, folder: Path) -> None:
    bad, again = Counter(m.path for m in book.malformed), Counter(d.path for d in book.duplicates)
    seen: dict[str, str] = {}
    rows = []
    for file in sorted(book.files, key=lambda f: (f.delivery, f.path)):
        same_as = seen.setdefault(file.sha256, file.path)
        contract = int(file.path not in book.uncontracted)
        copy = same_as if same_as != file.path else ""
        rows.append((file.delivery, file.path, file.rows, bad[file.path], again[file.path], contract, copy))
    header = ("delivery", "file", "rows", "malformed", "duplicates", "contract", "same_content_as")
    write_csv(folder, "files.csv", header, rows)
    write_csv(
        folder,
        "malformed.csv",
        ("file", "line", "column", "code", "raw"),
        ((m.path, m.line, m.column, m.family, m.raw) for m in sorted(book.malformed, key=lambda m: (m.path, m.line))),
    )
    write_csv(
        folder,
        "duplicates.csv",
        ("file", "line", "first_line"),
        ((d.path, d.line, d.first_line) for d in sorted(book.duplicates, key=lambda d: (d.path, d.line))),
    )


def _write_spike(world: World, truth: DayTruth, folder: Path) -> None:
    spike = world.spike
    owner = {
        person: truth.component["delighted.person", str(world.people[person].delighted_id)] for person in spike.affected
    }
    content = {
        "segment_type": "region",
        "segment": spike.region,
        "day": spike.day.isoformat(),
        "active_days": ACTIVE_DAYS,
        "active": [person_code(person) for person in spike.active],
        "affected": [person_code(person) for person in spike.affected],
        "affected_components": [owner[person] for person in spike.affected],
        "tickets": [ticket.ticket_id for ticket in world.tickets if ticket.spike],
        "bad_ratings": sum(1 for ticket in world.tickets if ticket.spike and ticket.rating == "bad"),
    }
    (folder / "spike.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
