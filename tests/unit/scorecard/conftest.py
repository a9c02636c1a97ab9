"""A small published database with the columns of the marts that the scorecard reads, and two companies."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from kizuna.settings import Company

AS_OF = date(2026, 6, 30)
REGIONS = ("関東", "関西", "中部", "九州", "北海道", "東北")

TABLES = """
create schema marts;
create table marts.customer_360(customer_id varchar, is_known boolean, region varchar, first_seen_at timestamp);
create table marts.identity_bands(kpi varchar, ruleset varchar, low double, high double);
create table marts.kpi_daily(kpi varchar, segment_type varchar, segment varchar, day date, value double,
    numerator decimal(20,2));
create table marts.nps_by_period(period_type varchar, period date, segment_type varchar, segment varchar,
    survey_kind varchar, nps double, ci_low double, ci_high double, respondents bigint, is_complete boolean);
create table marts.retention_cohorts(definition varchar, cohort_month date, period_number bigint, cohort_size bigint,
    returned bigint, is_complete boolean);
create table marts.churn_risk(customer_id varchar, kind varchar, band varchar, reason varchar);
create table marts.churn_risk_daily(segment_type varchar, segment varchar, day date, as_of date, scored bigint,
    at_risk bigint, share double, baseline double, value_at_risk decimal(18,2), is_spike boolean);
create table marts.support_interactions(interaction_id varchar, continues_interaction_id varchar, opened_on date,
    first_response_minutes decimal(18,2), is_owner boolean);
create table marts.data_state(source varchar, entity varchar, files bigint, rows_in bigint, accepted bigint,
    quarantined bigint, duplicates bigint, last_event_at timestamp, freshness_days bigint, raw_gate varchar);
"""

TARGETS = """
create table marts.kpi_definitions as select 'net_revenue' as kpi, 'Net revenue' as name_en, '純売上' as name_ja;
insert into marts.kpi_definitions values ('sla_met_share', 'Answered within target', '目標時間内の応答率');
create table marts.kpi_progress as select * from (values
  ('net_revenue', 'money', 'region', '関東', '2026-Q3', date '2026-09-30', 'shop <b>', 9000::decimal(20,6),
    1234::decimal(20,6), 8000.4::double, 7000.0::double, 9001.0::double, 'at_risk'),
  ('sla_met_share', 'share', 'overall', 'all', '2026-06', date '2026-06-30', 'desk', 0.9, 0.95, 0.95, 0.95, 0.95,
    'met'),
  ('net_revenue', 'money', 'overall', 'all', '2026', date '2026-12-31', 'head.of.sales@example.com', 50000000,
    11964028, 24099292.0, 22493050.0, 25705534.0, 'missed'),
  ('net_revenue', 'money', 'overall', 'all', '2027', date '2027-12-31', 'shop', 50000000, 0, null, null, null,
    'not_started'))
as listed(kpi, unit, segment_type, segment, period, period_end, owner, target, actual, forecast, forecast_low,
    forecast_high, status);
"""

MANIFEST: dict[str, Any] = {
    "version": 12,
    "build_id": "b3f29c1d77aa",
    "as_of": AS_OF.isoformat(),
    "verdicts": [
        {"gate": gate, "relation": f"{gate}.all", "outcome": "passed"} for gate in ("raw", "identity", "core", "marts")
    ],
}


def add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """All rows in one go: row by row takes seconds."""
    columns = pa.table({f"c{place}": list(column) for place, column in enumerate(zip(*rows, strict=True))})
    connection.register("incoming", columns)
    connection.execute(f"insert into marts.{table} select * from incoming")
    connection.unregister("incoming")


def fill(connection: duckdb.DuckDBPyConnection, regions: tuple[str, ...] = REGIONS) -> None:
    """Two years of a shop, seeded: seasonal revenue, noisy NPS, falling retention, one spike in the second region."""
    rng = random.Random(7)
    customers = [
        (f"c{i}", i % 9 != 0, rng.choice(regions), datetime(2024, 7, 1) + timedelta(days=rng.randrange(728)))
        for i in range(900)
    ]
    insert(connection, "customer_360", customers)
    insert(connection, "identity_bands", [("known_customers", "default", 790.0, 1050.0)])
    kpi = []
    for offset in range(182):
        day = AS_OF - timedelta(days=181 - offset)
        total = Decimal(0)
        for weight, region in enumerate(regions, 1):
            level = 90_000 / weight * (1 + 0.25 * math.sin(offset / 29) + (0.3 if day.weekday() > 4 else 0))
            amount = Decimal(round(level * rng.uniform(0.8, 1.2)))
            total += amount
            kpi.append(("net_revenue", "region", region, day, float(amount), amount))
        kpi.append(("net_revenue", "overall", "all", day, float(total), total))
    insert(connection, "kpi_daily", kpi)
    nps = []
    for back in range(23, -1, -1):
        month, whole = add_months(AS_OF, -back), back > 0
        for kind, segment_type, segment, n in (
            ("relational", "overall", "overall", 140),
            ("transactional", "overall", "overall", 90),
            *(("relational", "region", region, 24) for region in regions),
        ):
            value = round(32 + 9 * math.sin(back / 3) + rng.uniform(-5, 5) - (40 if kind == "transactional" else 0), 6)
            half = round(150 / math.sqrt(n), 6)
            nps.append(("month", month, segment_type, segment, kind, value, value - half, value + half, n, whole))
    insert(connection, "nps_by_period", nps)
    cohorts = []
    for back in range(18, -1, -1):
        size = rng.randrange(60, 120)
        for period in range(back + 1):
            share = 1.0 if period == 0 else 0.34 * math.exp(-period / 9) * rng.uniform(0.85, 1.15)
            cohorts.append(
                ("first_order_month", add_months(AS_OF, -back), period, size, round(size * share), period < back)
            )
    insert(connection, "retention_cohorts", cohorts)
    risk = []
    for offset in range(90):
        day = AS_OF - timedelta(days=89 - offset)
        for place, region in enumerate(regions):
            scored = 260 - 30 * place
            share = 0.07 + 0.012 * place + rng.uniform(-0.008, 0.008)
            spiking = place == 1 and offset >= 88
            share += 0.11 if spiking else 0
            at_risk = round(scored * share)
            base = 0.07 + 0.012 * place
            risk.append(("region", region, day, AS_OF, scored, at_risk, round(at_risk / scored, 6), base,
                         Decimal(at_risk * 31_417), spiking))  # fmt: skip
        overall = [r for r in risk if r[2] == day and r[0] == "region"]
        at_risk, scored = sum(r[5] for r in overall), sum(r[4] for r in overall)
        risk.append(("overall", "all", day, AS_OF, scored, at_risk, round(at_risk / scored, 6), 0.095,
                     sum((r[8] for r in overall), Decimal(0)), False))  # fmt: skip
    insert(connection, "churn_risk_daily", risk)
    contacts = []
    for offset in range(300):
        for number in range(rng.randrange(4, 15)):
            minutes = None if number == 0 else Decimal(str(round(rng.lognormvariate(4.1, 0.8), 2)))
            contacts.append((f"i{offset}-{number}", None, AS_OF - timedelta(days=offset), minutes, True))
    contacts.append(("leg", "i0-0", AS_OF, Decimal("99999"), True))
    contacts.append(("i0-0", None, AS_OF, None, False))
    insert(connection, "support_interactions", contacts)
    states = [
        ("amazon_connect", "contact_records", 61, 8_412, 8_409, 3, 0, datetime(2026, 6, 30, 11, 42), 0, "passed"),
        ("delighted", "responses", 24, 3_120, 3_104, 14, 2, datetime(2026, 6, 30, 9, 5), 0, "passed"),
        ("ga4", "events", 730, 412_880, 412_852, 28, 0, datetime(2026, 6, 30, 14, 59), 0, "passed"),
        ("salesforce", "contact", 4, 2_214, 2_208, 6, 0, datetime(2026, 6, 29, 3, 0), 1, "passed"),
        ("shopify", "orders", 26, 21_884, 21_861, 17, 6, datetime(2026, 6, 30, 14, 51), 0, "passed"),
        ("zendesk", "tickets", 41, 6_318, 6_316, 2, 0, datetime(2026, 6, 30, 13, 7), 0, "passed"),
    ]
    insert(connection, "data_state", states)


@pytest.fixture(scope="session")
def make_db(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A database: ``rows=False`` leaves the marts empty, ``spike=False`` is calm, ``then`` is SQL run at the end."""
    folder = tmp_path_factory.mktemp("marts")
    made: dict[str, Path] = {}

    def full() -> Path:
        path = folder / "full.duckdb"
        if not path.exists():
            with duckdb.connect(str(path)) as connection:
                connection.execute(TABLES)
                fill(connection)
        return path

    def make(*, rows: bool = True, spike: bool = True, then: str = "") -> Path:
        name = f"{rows}-{spike}-{then}"
        if name not in made:
            made[name] = folder / str(len(made)) / "cx.duckdb"
            made[name].parent.mkdir()
            if rows:
                shutil.copyfile(full(), made[name])
            with duckdb.connect(str(made[name])) as connection:
                connection.execute("" if rows else TABLES)
                if not spike:
                    connection.execute("update marts.churn_risk_daily set is_spike = false, share = least(share, 0.13)")
                connection.execute(then)
        return made[name]

    return make


@pytest.fixture(scope="session")
def ja() -> Company:
    return Company(name="絆商店", locale="ja", timezone="Asia/Tokyo", currency="JPY")


@pytest.fixture(scope="session")
def en() -> Company:
    return Company(name="Kizuna Store", locale="en", timezone="Europe/Berlin", currency="EUR")


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    return MANIFEST


@pytest.fixture(scope="session")
def targets() -> str:
    """What adds targets to a made database: ``make_db(then=targets)``."""
    return TARGETS
