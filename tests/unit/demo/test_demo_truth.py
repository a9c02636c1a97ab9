"""The truth is right: counted again from the files alone, by other code than wrote it."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

JUNK = {"test@test.com", "info@example.jp", "noreply@example.com", "not-specified@example.com", "null", "0"}
BLOCKED_PHONES = {"0000000000", "00000000000", "09000000000", "0312340100", "0", "null"}


def _email(raw: str | None) -> str | None:
    value = unicodedata.normalize("NFKC", raw or "").strip().lower()
    return value if "@" in value and value not in JUNK else None


def _phone(raw: str | None) -> str | None:
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", raw or ""))
    national = "0" + digits[2:] if digits.startswith("81") else digits
    return national if len(national) >= 10 and national not in BLOCKED_PHONES else None


def _evidence(demo, day):
    """Identifiers by record, newest state of each record, from the files that have arrived by the day."""
    found: dict[tuple[str, str], set[tuple[str, str | None]]] = defaultdict(set)
    contacts, cases = {}, {}
    for path in demo.files("salesforce/", day):
        if path.endswith(("Contact.csv", "Case.csv")):
            (contacts if path.endswith("Contact.csv") else cases).update(
                {row["Id"]: row for row in demo.csv_rows(path)}
            )
    for key, row in contacts.items():
        if row["IsDeleted"] == "0" or row["MasterRecordId"]:
            found["salesforce.contact", key] = {
                ("crm", key), ("crm", row["MasterRecordId"] or None), ("email", _email(row["Email"])),
                ("phone", _phone(row["MobilePhone"])), ("phone", _phone(row["Phone"])),
            }  # fmt: skip
    for key, row in cases.items():
        if not row["ContactId"]:
            found["salesforce.case", key] = {("email", _email(row["SuppliedEmail"]))}
    for path in demo.files("shopify/", day):
        for row in demo.csv_rows(path):
            if "customers_export" in path:
                key = row["Customer ID"].lstrip("'")
                found["shopify.customer", key] |= {
                    ("user", key), ("email", _email(row["Email"])), ("phone", _phone(row["Phone"])),
                    ("phone", _phone(row["Default Address Phone"])),
                }  # fmt: skip
            else:
                pairs = {("phone", _phone(row["Billing Phone"])), ("phone", _phone(row["Phone"]))}
                found["shopify.order", row["Name"]] |= pairs | {("email", _email(row["Email"]))}
    for path in demo.files("zendesk/", day):
        for user in demo.pages(path).get("users", []):
            if user["role"] == "end-user":
                pairs = {("email", _email(user["email"])), ("phone", _phone(user["phone"]))}
                found["zendesk.user", str(user["id"])] = pairs | {("zendesk", str(user["id"]))}
    for path in demo.files("amazon_connect/", day):
        for record in demo.json_rows(path):
            if record["CustomerEndpoint"]:
                phone = record["CustomerEndpoint"]["Address"]
                found["amazon_connect.caller", phone] = {("phone", _phone(phone))}
    for path in demo.files("delighted/", day):
        for row in demo.csv_rows(path):
            pairs = {("email", _email(row["Email"])), ("phone", _phone(row["Phone"]))}
            found["delighted.person", row["Person ID"]] |= pairs | {("delighted", row["Person ID"])}
    users_of = defaultdict(set)
    for path in demo.files("ga4/", day):
        for event in demo.json_rows(path):
            users_of[event["user_pseudo_id"]] |= {event["user_id"]} if "user_id" in event else set()
    for device, users in users_of.items():
        if len(users) < 2:
            found["ga4.device", device] = {("device", device)} | {("user", user) for user in users}
        for user in users:
            found["ga4.user", user] = {("user", user)}
    return found


def _partition(evidence):
    """Sets of records that share identifiers, by repeated merging."""
    owner: dict[tuple[str, str], set] = {}
    alone = {
        frozenset({record}) for record, identifiers in evidence.items() if not any(pair[1] for pair in identifiers)
    }
    for record, identifiers in evidence.items():
        values = {pair for pair in identifiers if pair[1]}
        if not values:
            continue
        group = {record}
        for other in {id(owner[pair]): owner[pair] for pair in values if pair in owner}.values():
            group |= other
        for member in group:
            for pair in evidence[member]:
                if pair[1]:
                    owner[pair] = group
    return alone | {frozenset(group) for group in owner.values()}


@pytest.mark.parametrize("day", [1, 2])
def test_components_are_what_the_files_tie_together(demo, day):
    groups = defaultdict(set)
    for record, label in demo.component(day).items():
        if label:
            groups[label].add(record)
    assert _partition(_evidence(demo, day)) == {frozenset(group) for group in groups.values()}


def test_no_component_joins_two_people(demo):
    people = defaultdict(set)
    for row in demo.truth("who_is_who"):
        if row["component_day2"]:
            people[row["component_day2"]].add(row["person"])
    assert max(map(len, people.values())) == 1
    parts = Counter(next(iter(persons)) for persons in people.values())
    assert sum(1 for person, count in parts.items() if person and count > 1) > 20, "some people are out of reach"


def test_records_without_a_customer_have_a_reason(demo):
    for row in demo.truth("who_is_who"):
        assert bool(row["component_day2"]) != bool(row["reason"]), row
    reasons = Counter(row["reason"] for row in demo.truth("who_is_who"))
    assert {"shared_device", "staff"} <= reasons.keys() <= {"", "shared_device", "staff", "deleted"}


def test_merge_trails_chain_and_two_merges_happen_on_day_2(demo):
    paths = [path for path in demo.files("salesforce/") if path.endswith("Contact.csv")]
    exports = [{row["Id"]: row["MasterRecordId"] for row in demo.csv_rows(path)} for path in paths]
    masters = exports[-1]
    assert any(masters[master] for master in masters.values() if master), "a chain of merges"
    assert all(master in masters for master in masters.values() if master)
    fresh = [key for key, master in masters.items() if master and not exports[-2].get(key)]
    first, second = demo.component(1), demo.component(2)
    assert len(fresh) == 2
    for key in fresh:
        loser, winner = ("salesforce.contact", key), ("salesforce.contact", masters[key])
        assert first[loser] != first[winner] and second[loser] == second[winner]


def _orders(demo, day):
    """Newest version of each order: (row, file order)."""
    orders: dict[str, dict[str, str]] = {}
    for path in sorted((p for p in demo.files("shopify/", day) if "orders_export" in p), key=demo.delivery_of.get):
        for row in demo.csv_rows(path):
            if row["Total"]:
                orders[row["Name"]] = row
    return orders


def _counted(demo, day):
    rates = {row["rate_on"]: Decimal(row["rate"]) for path in demo.files("reference/") for row in demo.csv_rows(path)}
    for name, row in _orders(demo, day).items():
        if not row["Cancelled at"] and "test" not in row["Tags"]:
            rate = rates[row["Created at"][:10]] if row["Currency"] == "USD" else Decimal(1)
            yield name, row, Decimal(row["Total"]) * rate, Decimal(row["Refunded Amount"]) * rate


@pytest.mark.parametrize(("day", "as_of"), [(1, "2026-06-29"), (2, "2026-06-30")])
def test_ltv_and_cohorts_count_again_from_the_files(demo, day, as_of):
    component = demo.component(day)
    totals = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    months = defaultdict(set)
    for name, row, gross, refunded in _counted(demo, day):
        label = component["shopify.order", name]
        cell = totals[label]
        totals[label] = [cell[0] + 1, cell[1] + gross, cell[2] + refunded]
        months[label].add(int(row["Created at"][:4]) * 12 + int(row["Created at"][5:7]) - 1)
    truth = {
        row["component"]: [int(row["orders"]), Decimal(row["gross"]), Decimal(row["refunded"])]
        for row in demo.truth("ltv")
        if row["as_of"] == as_of
    }
    assert totals == truth
    assert any(gross != int(gross) for _, _, gross, _ in _counted(demo, day)) is False, "whole yen"
    assert "" not in months
    size = Counter(min(found) for found in months.values())
    cells = Counter((min(found), month - min(found)) for found in months.values() for month in found)
    counted = {
        (f"{first // 12}-{first % 12 + 1:02d}", str(since), str(count), str(size[first]))
        for (first, since), count in cells.items()
    }
    assert counted == {
        (row["cohort_month"], row["months_since"], row["customers"], row["cohort_size"])
        for row in demo.truth("cohorts")
        if row["as_of"] == as_of
    }


def test_the_odd_orders_are_there(demo):
    first, second = _orders(demo, 1), _orders(demo, 2)
    grown = [n for n, row in first.items() if Decimal(second[n]["Refunded Amount"]) > Decimal(row["Refunded Amount"])]
    assert len(grown) >= 3
    assert sum(1 for n, row in first.items() if second[n]["Cancelled at"] and not row["Cancelled at"]) >= 1
    assert Counter(row["Currency"] for row in first.values())["USD"] >= 3
    assert sum(row["Tags"] == "test" for row in first.values()) >= 3
    assert {"paid", "partially_refunded", "refunded"} <= {row["Financial Status"] for row in first.values()}
    buyers = Counter(row["person"] for row in demo.truth("orders"))
    assert 2.0 < sum(buyers.values()) / len(buyers) < 5.0


@pytest.mark.parametrize(("day", "as_of"), [(1, "2026-06-29"), (2, "2026-06-30")])
def test_nps_counts_again_from_the_files(demo, day, as_of):
    component = demo.component(day)
    region = {row["component"]: row["region"] for row in demo.truth("components") if row["as_of"] == as_of}
    answers = {}
    for path in sorted(demo.files("delighted/", day), key=demo.delivery_of.get):
        for row in demo.csv_rows(path):
            if row["Survey Type"] == "nps":
                answers[row["Response ID"]] = row
    latest = {}
    for key, row in answers.items():
        spot = (component["delighted.person", row["Person ID"]], row["Created At"][:7])
        latest[spot] = max(latest.get(spot, ("", "", "")), (row["Created At"], key, row["Score"]))
    counts = defaultdict(lambda: [0, 0, 0])
    for (label, month), (_, _, score) in latest.items():
        place = (int(score) < 9) + (int(score) < 7)
        counts[month, "all", "all"][place] += 1
        counts[month, "region", region[label] or "unknown"][place] += 1
    truth = {
        (row["month"], row["segment_type"], row["segment"]): [
            int(row[name]) for name in ("promoters", "passives", "detractors")
        ]
        for row in demo.truth("nps")
        if row["as_of"] == as_of
    }
    assert counts == truth


def test_answers_were_changed_on_day_2(demo):
    by_day = [{row["Response ID"]: row for path in demo.files("delighted/", day) for row in demo.csv_rows(path)
               if demo.delivery_of[path] == day} for day in (1, 2)]  # fmt: skip
    changed = by_day[0].keys() & by_day[1].keys()
    assert len(changed) == 2
    assert all(by_day[0][key]["Score"] != by_day[1][key]["Score"] for key in changed)
    assert all(by_day[0][key]["Updated At"] < by_day[1][key]["Updated At"] for key in changed)


@pytest.mark.parametrize(("day", "as_of"), [(1, "2026-06-29"), (2, "2026-06-30")])
def test_first_response_minutes_count_again_from_the_pages(demo, day, as_of):
    newest = {}
    for path in demo.files("zendesk/", day):
        page = demo.pages(path)
        metrics = {}
        for metric in page.get("metric_sets", []):
            metrics.setdefault((metric["ticket_id"], metric["updated_at"]), metric)
        for ticket in page.get("tickets", []):
            metric = ticket.get("metric_set") or metrics[ticket["id"], ticket["updated_at"]]
            newest[ticket["id"]] = max(
                newest.get(ticket["id"], ("",)),
                (ticket["updated_at"], metric["reply_time_in_minutes"]["calendar"], ticket["status"]),
                key=lambda state: state[0],
            )
    truth = {
        int(row["interaction"]): (
            int(row["first_response_minutes"]) if row["first_response_minutes"] else None,
            row["status"],
        )
        for row in demo.truth("interactions")
        if row["source"] == "zendesk" and row["as_of"] == as_of
    }
    assert {ticket: (minutes, status) for ticket, (_, minutes, status) in newest.items()} == truth
    assert sum(minutes is not None for minutes, _ in truth.values()) > 100


def test_shared_devices_switch_between_people(demo):
    logins, starts, ends = defaultdict(dict), defaultdict(dict), defaultdict(dict)
    for path in demo.files("ga4/"):
        for event in demo.json_rows(path):
            number = next(p["value"]["int_value"] for p in event["event_params"] if p["key"] == "ga_session_id")
            device, moment = event["user_pseudo_id"], int(event["event_timestamp"])
            starts[device][number] = min(starts[device].get(number, moment), moment)
            ends[device][number] = max(ends[device].get(number, moment), moment)
            if "user_id" in event:
                logins[device][number] = event["user_id"]
    shared = {device for device, users in logins.items() if len(set(users.values())) > 1}
    expected = {}
    for device in shared:
        before = ""
        ordered = sorted(starts[device], key=starts[device].get)
        first = next(number for number in ordered if number in logins[device])
        for number in ordered:
            user = logins[device].get(number, "")
            rule = "login" if user else ("slice_before" if before else "anonymous")
            gap = timedelta(microseconds=starts[device][first] - ends[device][number])
            if rule == "anonymous" and gap <= timedelta(days=30):
                rule = "slice_next"
            attributed = user or before or (logins[device][first] if rule == "slice_next" else "")
            expected[device, number] = (rule, attributed)
            before = user or before
    rows = demo.truth("shared_device_sessions")
    assert expected == {
        (r["user_pseudo_id"], r["ga_session_id"]): (r["attribution"], r["attributed_user"]) for r in rows
    }
    tablets = [row for row in rows if row["place"] == "tablet"]
    assert {row["attribution"] for row in tablets} == {"login", "slice_before", "slice_next", "anonymous"}
    kiosk = [row for row in rows if row["place"] == "kiosk"]
    assert len({row["user_pseudo_id"] for row in kiosk}) == 1 and len({row["login"] for row in kiosk}) > 15


def test_the_spike_hits_one_region_on_the_last_day_only(demo):
    spike = json.loads((demo.plan.truth / "spike.json").read_text(encoding="utf-8"))
    region = {row["person"]: row["region"] for row in demo.truth("people")}
    affected = set(spike["affected"])
    assert (spike["segment"], spike["day"]) == ("九州", "2026-06-30")
    assert {region[person] for person in spike["active"]} == {"九州"} and affected <= set(spike["active"])
    assert 0.42 <= len(affected) / len(spike["active"]) <= 0.48
    people = {row["record_key"]: row["person"] for row in demo.truth("who_is_who") if row["source"] == "zendesk.user"}
    urgent = {}
    for path in demo.files("zendesk/"):
        for ticket in demo.pages(path).get("tickets", []):
            if "delivery_failure" in ticket["tags"]:
                urgent[people[str(ticket["requester_id"])]] = ticket
    assert urgent.keys() == affected
    assert all((t["priority"], t["status"]) == ("urgent", "open") for t in urgent.values())
    assert {ticket["satisfaction_rating"]["score"] for ticket in urgent.values()} == {"bad", "unoffered"}
    rows = demo.truth("who_is_who")
    voices = {row["record_key"]: row["person"] for row in rows if row["source"] == "delighted.person"}
    furious = set()
    for row in demo.csv_rows("delighted/responses_20260630.csv"):
        if row["Touchpoint"] == "delivery":
            assert int(row["Score"]) <= 3 and row["Created At"].startswith("2026-06-30")
            furious.add(voices[row["Person ID"]])
    assert furious == affected
    customers = dict(zip(spike["affected"], spike["affected_components"], strict=True))
    owners = {row["component_day2"]: row["person"] for row in rows if row["source"] == "shopify.order"}
    assert all(owners[label] == person for person, label in customers.items()), "the complaint reaches the buyer"


def test_the_seventy_days_before_are_calm(demo):
    """New trouble (tickets and detractors) per region and day stays far below 5 % of the region's customers."""
    end = datetime(2026, 6, 30)
    region = {row["person"]: row["region"] for row in demo.truth("people")}
    buyers = Counter(region[person] for person in {row["person"] for row in demo.truth("orders")})
    trouble = Counter()
    for row in demo.truth("interactions"):
        day = (datetime.fromisoformat(row["opened_at"]) + timedelta(hours=9)).date()
        if row["as_of"] == "2026-06-30" and row["source"] == "zendesk":
            trouble[region[row["person"]], (end.date() - day).days] += 1
    last = trouble["九州", 0] / buyers["九州"]
    calm = max(count / buyers[place] for (place, back), count in trouble.items() if 1 <= back <= 70)
    others = max(trouble[place, 0] / buyers[place] for place in buyers if place != "九州")
    assert last > 0.15 and calm < 0.12 and others < 0.12
    june = sum(count for (_, back), count in trouble.items() if 1 <= back <= 35)
    may = sum(count for (_, back), count in trouble.items() if 36 <= back <= 70)
    assert 0.6 < june / may < 1.67, "the base rate stands still"
