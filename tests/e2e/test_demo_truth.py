"""What the demo company publishes is what was planted, exactly: people, money, loyalty, retention, one spike.

The truth names components of records that share identifiers; a published number of a component is looked up through
the build's map of records to customers, which is first shown to be the same partition.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from demo_day import DAYS, Day, day, differences

from analytics.alerts.parts import listed
from analytics.alerts.words import WORDS, segment_name
from kizuna.pseudonym import pseudonym

__all__ = ["day"]


def test_each_day_is_one_version(demo: Any) -> None:
    assert demo.versions() == [1, 2]
    assert {number: demo.manifest(number)["as_of"] for number in DAYS} == DAYS
    assert demo.manifest()["version"] == 2


def test_customers_and_visitors_are_as_many_as_planted(day: Day) -> None:
    planted = day.demo.truth_json("truth")["days"][day.as_of]
    counts = dict(day.published("SELECT is_known, count(*) FROM marts.customer_360 GROUP BY is_known"))
    assert counts == {True: planted["known_customers"], False: planted["anonymous_customers"]}
    known = {row["component"]: row["known"] == "1" for row in day.truth("components")}
    found = dict(day.published("SELECT customer_id, is_known FROM marts.customer_360"))
    assert differences({day.customer.get(label): is_known for label, is_known in known.items()}, found) == []


def test_records_form_exactly_the_planted_groups(day: Day) -> None:
    mapped = {
        (source, key): customer
        for source, key, customer in day.build("SELECT source, record_key, customer_id FROM identity.customer_map")
    }
    assert mapped.keys() == day.component.keys()
    pairs = {(day.component[record], customer) for record, customer in mapped.items()}
    assert len(pairs) == len({component for component, _ in pairs}) == len({customer for _, customer in pairs})
    nobody = {(row["source"], row["record_key"]): row["reason"] for row in day.truth("who_is_who") if row["reason"]}
    unmapped = {(source, key): why for source, key, why in day.build("SELECT * FROM identity.unmapped")}
    assert differences(nobody, unmapped) == []


def test_published_identifiers_lead_to_the_planted_groups(day: Day) -> None:
    """The same partition once more, from what is published alone and the pseudonyms of planted addresses."""
    published = defaultdict(set)
    for customer, kind, hashed in day.published(
        "SELECT customer_id, identifier_type, identifier_hash FROM marts.customer_identifiers"
    ):
        published[kind, hashed].add(customer)
    looked_up = 0
    wrong = []
    for row in day.truth("identifiers"):
        component = day.component.get((row["source"], row["record_key"]))
        kind = row["identifier_type"]
        if component is None or row["usable"] == "0" or kind not in {"email", "phone", "user_id"}:
            continue
        looked_up += 1
        hashed = pseudonym(day.demo.key, kind, row["value"])
        if published[kind, hashed] != {day.customer.get(component)}:
            wrong.append((row["source"], row["record_key"], kind))
    assert wrong[:8] == []
    assert looked_up > 10_000


def test_lifetime_value_is_right_to_the_yen(day: Day) -> None:
    planted = {
        day.customer[row["component"]]: tuple(int(row[name]) for name in ("orders", "gross", "refunded", "net"))
        for row in day.truth("ltv")
    }
    rows = day.published("SELECT customer_id, orders, gross, refunds, net FROM marts.ltv_by_customer")
    found = {customer: tuple(map(int, values)) for customer, *values in rows}
    assert all(value == int(value) for _, *values in rows for value in values)
    buyers = {customer: values for customer, values in found.items() if any(values)}
    assert differences(planted, buyers) == []
    truth = day.demo.truth_json("truth")["days"][day.as_of]
    assert sum(net for *_, net in found.values()) == truth["net_ltv_yen"]
    assert len(buyers) == truth["customers_with_orders"]
    assert {currency for (currency,) in day.published("SELECT DISTINCT currency FROM marts.ltv_by_customer")} == {"JPY"}


def test_the_same_money_stands_in_every_mart(day: Day) -> None:
    total = day.demo.truth_json("truth")["days"][day.as_of]["net_ltv_yen"]
    for query in (
        "SELECT sum(net_revenue) FROM marts.customer_360",
        "SELECT sum(net) FROM marts.ltv_by_cohort",
        "SELECT sum(net) FROM marts.retention_cohorts WHERE definition = 'first_order_month'",
    ):
        assert day.published(query) == [(Decimal(total),)], query


def test_every_order_of_the_raw_files_is_in_the_marts_or_left_out_for_a_reason(day: Day) -> None:
    """Per currency, to its smallest unit: raw rows, what was planted, and what the mart counts or excludes and why."""
    planted: dict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in day.truth("orders"):
        known = row[f"component_day{day.number}"]
        gone = "cancelled" if row[f"cancelled_day{day.number}"] == "1" else "counted" if known else "nobody_known"
        fate = row["currency"], "test" if row["test"] == "1" else gone
        orders, gross = planted[fate]
        planted[fate] = (orders + 1, gross + Decimal(row["total"]))
    rows = day.published("SELECT order_currency, fate, orders, gross FROM marts.revenue_reconciliation")
    found = {(currency, fate): (orders, gross) for currency, fate, orders, gross in rows}
    assert differences(planted, found) == []
    assert {fate for _, fate in found} >= {"counted", "cancelled", "test"} and {c for c, _ in found} == {"JPY", "USD"}
    raw = day.build(
        "SELECT currency, count(*), sum(total) FROM (SELECT DISTINCT name, upper(currency) AS currency, total "
        "FROM raw.shopify__orders WHERE total IS NOT NULL) GROUP BY currency ORDER BY currency"
    )
    told = day.published(
        "SELECT order_currency, sum(orders), sum(gross) FROM marts.revenue_reconciliation GROUP BY 1 ORDER BY 1"
    )
    assert raw == told
    # What counts here is what customers are shown to have brought; what names nobody is in no customer's value.
    counted = day.published(
        "SELECT sum(gross_reporting), sum(net_reporting) FROM marts.revenue_reconciliation WHERE fate = 'counted'"
    )
    assert counted == day.published("SELECT sum(gross), sum(net) FROM marts.ltv_by_customer")


def test_the_band_of_the_usual_rules_is_what_is_published(day: Day) -> None:
    """Each KPI of identity_bands beside the mart that publishes it; the rules do make a difference."""
    buyers = "SELECT {} FROM marts.customer_360 WHERE orders > 0"
    published = {
        "known_customers": "SELECT count(*) FROM marts.customer_360 WHERE is_known",
        "customers_with_orders": buyers.format("count(*)"),
        "orders_per_customer": buyers.format("round(sum(orders) / count(*), 6)"),
        "repeat_purchase_share": buyers.format("round(count_if(orders > 1) / count(*), 6)"),
        "net_revenue_per_customer": "SELECT round(sum(net) / count(*), 6) FROM marts.ltv_by_customer WHERE orders > 0",
        "month_1_retention": "SELECT round(sum(returned) / sum(cohort_size), 6) FROM marts.retention_cohorts "
        "WHERE definition = 'first_order_month' AND period_number = 1 AND is_complete",
        "session_stitch_rate": "SELECT value FROM marts.identity_audit WHERE metric = 'session_stitch_rate'",
        **{
            kpi: f"SELECT value FROM marts.kpi_daily WHERE kpi = '{kpi}' AND segment_type = 'overall' AND day = as_of"
            for kpi in ("active_customers_90d", "nps_relational_28d", "nps_transactional_28d")
        },
    }
    rows = day.published("SELECT kpi, value, low, high FROM marts.identity_bands WHERE ruleset = 'default'")
    found = {kpi: value for kpi, value, _, _ in rows}
    stated = {kpi: day.published(query) for kpi, query in published.items()}
    # The demo company asks no relational NPS: neither table says anything of it.
    assert stated.pop("nps_relational_28d") == []
    assert found == {kpi: pytest.approx(float(value), abs=1e-6) for kpi, ((value,),) in stated.items()}
    assert all(low <= value <= high for _, value, low, high in rows)
    assert {kpi for kpi, _, low, high in rows if low < high} >= {"known_customers", "repeat_purchase_share"}
    counts = day.published("SELECT ruleset, value FROM marts.identity_bands WHERE kpi = 'customers_with_orders'")
    by_ruleset = dict(counts)
    assert by_ruleset["strict"] > by_ruleset["default"] >= by_ruleset["loose"], "stricter rules join fewer people"


def test_attributes_are_told_with_their_record_and_without_a_name(day: Day) -> None:
    published = {hashed for (hashed,) in day.published("SELECT DISTINCT record_key_hash FROM marts.identity_links")}
    rows = day.published("SELECT attribute, value, record_key_hash, is_withheld FROM marts.customer_attributes")
    assert {attribute for attribute, value, _, _ in rows if value is None} == {
        "first_name",
        "last_name",
        "email",
        "phone",
    }
    assert all(is_withheld == (value is None) for _, value, _, is_withheld in rows)
    assert len({hashed for _, _, hashed, _ in rows} & published) > 1000
    regions = day.published(
        "SELECT count(*) FROM marts.customer_attributes JOIN marts.customer_360 USING (customer_id) "
        "WHERE attribute = 'region' AND value = region"
    )
    known = day.published("SELECT count(*) FROM marts.customer_360 WHERE region <> 'unknown'")
    assert regions == known
    assert known[0][0] > 1000


def test_nps_counts_are_exact(day: Day) -> None:
    planted = {
        (row["month"], "overall" if row["segment_type"] == "all" else row["segment_type"], row["segment"]): tuple(
            int(row[name]) for name in ("promoters", "passives", "detractors")
        )
        for row in day.truth("nps")
    }
    found = {
        (month, segment_type, segment): (promoters, passives, detractors)
        for month, segment_type, segment, promoters, passives, detractors in day.published(
            "SELECT strftime(period, '%Y-%m'), segment_type, segment, promoters, passives, detractors "
            "FROM marts.nps_by_period WHERE period_type = 'month' AND kind = 'nps' AND segment_type <> 'touchpoint'"
        )
    }
    assert differences(planted, found) == []
    for values, nps in day.published(
        "SELECT [promoters, passives, detractors], nps FROM marts.nps_by_period WHERE kind = 'nps'"
    ):
        assert nps == pytest.approx(100 * (values[0] - values[2]) / sum(values), abs=1e-6)


def test_retention_cohorts_are_exact(day: Day) -> None:
    planted = {
        (row["cohort_month"], int(row["months_since"])): (int(row["customers"]), int(row["cohort_size"]))
        for row in day.truth("cohorts")
    }
    rows = day.published(
        "SELECT strftime(cohort_month, '%Y-%m'), period_number, returned, cohort_size, returned_unbounded "
        "FROM marts.retention_cohorts WHERE definition = 'first_order_month'"
    )
    found = {(cohort, number): (returned, size) for cohort, number, returned, size, _ in rows}
    # The truth lists months in which somebody came back; the mart also says when nobody did.
    silent = {key: (0, found[key][1]) for key in found.keys() - planted.keys() if found[key][0] == 0}
    assert differences(planted | silent, found) == []
    sizes = {cohort: size for (cohort, _), (_, size) in planted.items()}
    assert all(size == sizes[cohort] for (cohort, _), (_, size) in silent.items())


def test_sessions_on_shared_devices_go_to_who_was_logged_in(demo: Any) -> None:
    day = Day(demo, 2)
    planted = {
        (row["user_pseudo_id"], row["ga_session_id"]): (
            day.customer[row["attributed_component"]] if row["attributed_component"] else None,
            row["attribution"],
        )
        for row in demo.truth("shared_device_sessions")
    }
    shared = {device for device, _ in planted}
    found = {
        (device, session): (customer, attribution)
        for device, session, customer, attribution in day.build(
            "SELECT DISTINCT e.device_id, e.ga_session_id, s.customer_id, s.attribution "
            "FROM staging.stg_ga4__events e JOIN core.fct_sessions s ON s.session_id = 'ga4:' || e.session_key"
        )
        if device in shared
    }
    assert differences(planted, found) == []
    assert {attribution for _, attribution in planted.values()} == {"login", "slice_before", "slice_next", "anonymous"}


def test_no_web_event_is_lost_on_the_way_to_sessions(day: Day) -> None:
    planted = next(row for row in day.demo.truth("web") if int(row["day"]) == day.number)
    counted = day.build("SELECT count(*), sum(events) FROM core.fct_sessions")
    assert counted == [(int(planted["sessions"]), int(planted["events"]))]


def test_exactly_the_planted_spike_and_no_other(day: Day) -> None:
    spike = day.demo.truth_json("spike")
    planted = [(spike["segment_type"], spike["segment"], spike["day"])] if day.number == 2 else []
    found = day.published(
        "SELECT segment_type, segment, CAST(day AS VARCHAR) FROM marts.churn_risk_daily "
        "WHERE (is_spike OR status IN ('spike', 'level_shift')) AND segment_type IN ('region', 'overall')"
    )
    assert found == planted
    # The same customers show in other cuts, on that day only.
    elsewhere = day.published("SELECT DISTINCT CAST(day AS VARCHAR) FROM marts.churn_risk_daily WHERE is_spike")
    assert {found for (found,) in elsewhere} <= {found for _, _, found in planted}
    days = day.published("SELECT count(DISTINCT day) FROM marts.churn_risk_daily WHERE status = 'calm'")
    assert days[0][0] >= 30, "too few judged days for calm to mean anything"


def test_the_people_who_were_hit_are_at_high_risk_and_live_in_the_region(demo: Any) -> None:
    day, spike = Day(demo, 2), demo.truth_json("spike")
    found = {
        customer: (region, band)
        for customer, region, band in day.published("SELECT customer_id, region, band FROM marts.churn_risk")
    }
    hit = [found[day.customer[component]] for component in spike["affected_components"]]
    assert {region for region, _ in hit} == {spike["segment"]}
    assert sum(band == "high" for _, band in hit) / len(hit) > 0.9


def test_the_week_after_day_one_and_one_alert_after_day_two(demo: Any) -> None:
    spike = demo.truth_json("spike")
    messages = demo.control("SELECT key, channel, state, created_at FROM outbox ORDER BY message_id")
    assert [tuple(message[:3]) for message in messages] == [
        ("digest:weekly:2026-W26", "#cx-alerts", "preview"),
        (f"churn:region:{spike['segment']}:{spike['day']}:open", "#cx-alerts", "preview"),
    ]
    first, second = (found[0] for found in demo.control("SELECT published_at FROM publications ORDER BY version"))
    assert first < messages[0][3] < second < messages[1][3]
    *pages, index = sorted(path.name for path in (demo.path / "previews").iterdir())
    assert len(pages) == 2 and index == "index.html"
    digest, page = ((demo.path / "previews" / name).read_text(encoding="utf-8") for name in pages)
    week = "day BETWEEN DATE '2026-06-22' AND DATE '2026-06-28'"
    revenue = demo.published(f"SELECT sum(numerator) FROM marts.kpi_daily WHERE kpi = 'net_revenue' AND {week} "
                             "AND segment_type = 'overall'")[0][0]  # fmt: skip
    assert f"{revenue:,.0f}円" in digest
    figures = "SELECT at_risk, scored FROM marts.churn_risk_daily WHERE is_spike AND segment_type = 'region'"
    assert [f"{at_risk}人 / {scored}人" in page for at_risk, scored in demo.published(figures)] == [True]
    assert spike["segment"] in page


def test_the_other_cuts_in_which_the_same_people_show_are_named_in_that_alert_and_open_nothing(demo: Any) -> None:
    """The spike is planted in one region; who was hit has an age, a value tier and a channel as well."""
    spike = demo.truth_json("spike")
    region = (spike["segment_type"], spike["segment"])
    spiking = demo.published("SELECT segment_type, segment FROM marts.churn_risk_daily WHERE is_spike ORDER BY ALL", 2)
    others = [cut for cut in spiking if cut != region]
    assert region in spiking and len({kind for kind, _ in others}) >= 2, spiking
    assert {kind for kind, _ in others} <= {"age_band", "value_tier", "channel_preference"}, spiking
    assert demo.control("SELECT segment_type, segment, state FROM incidents WHERE kind = 'churn_spike'") == [
        (*region, "open")
    ]
    ((payload, thread),) = demo.control("SELECT payload, thread_key FROM outbox WHERE key LIKE 'churn:%'")
    assert thread == f"churn:{region[0]}:{region[1]}:{spike['day']}"
    names = listed([segment_name(kind, segment, "ja") for kind, segment in others], "ja")
    sections = [block["text"]["text"] for block in json.loads(payload)["blocks"] if "text" in block]
    assert f"*{WORDS['ja']['also']}*\n{names}" in sections, sections


def test_quarantine_holds_exactly_the_planted_bad_rows(demo: Any) -> None:
    planted = {
        (row["file"], int(row["line"])): (row["code"], _letters(row["column"]), row["raw"].rstrip())
        for row in demo.truth("malformed")
    }
    rows = duckdb.sql(
        f"SELECT file, line, code, \"column\", raw FROM read_parquet('{demo.path}/quarantine/*/*/*.parquet')"
    ).fetchall()
    found = {(file, line): (code, _letters(column), raw.rstrip()) for file, line, code, column, raw in rows}
    assert len(rows) == len(found)
    assert differences(planted, found) == []


def test_every_file_is_accounted_for_row_by_row(demo: Any) -> None:
    planted = {}
    for row in demo.truth("files"):
        rows, bad, again = int(row["rows"]), int(row["malformed"]), int(row["duplicates"])
        if row["contract"] == "0":
            planted[row["file"]] = ("unmatched", 0, 0, 0, 0)
        elif row["same_content_as"]:
            planted[row["file"]] = ("duplicate", 0, 0, 0, 0)
        else:
            planted[row["file"]] = ("accepted", rows, rows - bad - again, bad, again)
    found = {
        path: tuple(values)
        for path, *values in demo.control("SELECT path, status, rows_in, accepted, quarantined, duplicates FROM files")
    }
    assert differences(planted, found) == []
    originals = dict(demo.control("SELECT f.path, o.path FROM files f JOIN files o ON f.duplicate_of = o.file_id"))
    assert originals == {row["file"]: row["same_content_as"] for row in demo.truth("files") if row["same_content_as"]}


def test_the_file_nobody_has_a_contract_for_is_named(demo: Any) -> None:
    unknown = [row["file"] for row in demo.truth("files") if row["contract"] == "0"]
    assert len(unknown) == 1
    assert f"no contract: landing/{unknown[0]}" in demo.ran.output


def _letters(name: str | None) -> str:
    """Vendors' headers and the contracts' column names agree in their letters and digits."""
    return "".join(filter(str.isalnum, name or "")).lower()
