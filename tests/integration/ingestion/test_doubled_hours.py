"""An hour that clocks show twice: the contract decides which one is meant, and the rows that touched are counted."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import doubled
from ingestion.relations import create_raw_relations, list_inputs

CONTRACT = """
source: till
maps_to: order
files: ["*.csv"]
format: csv
times: {{timezone: {zone}, ambiguous: {ambiguous}, formats: [iso, "%d.%m.%Y %H:%M"]}}
fields:
  order_key: {{column: no}}
  customer_key: {{column: who}}
  ordered_at: {{column: at}}
  updated_at: {{column: changed}}
  currency: {{value: USD}}
  gross_amount: {{column: amount}}
"""
#: Clocks are set back at 02:00 in New York on 2026-11-01.
ROWS = """no,who,at,changed,amount
1,a,2026-11-01 01:30:00,2026-11-02 00:00:00,1
2,a,2026-11-01 01:30:00.5,2026-11-01 01:31:00,1
3,a,01.11.2026 01:59,,1
4,a,2026-11-01 01:30:00-05:00,,1
5,a,2026-11-01 02:00:00,,1
6,a,2026-11-01 00:59:59,,1
7,a,2026-10-25 01:30:00,2026-11-01 01:00:00,1
8,a,2026-11-01 01:30:00,,no number
"""


def load(shop: Any, zone: str, ambiguous: str = "first") -> Any:
    shop.contract("till.yml", CONTRACT.format(zone=zone, ambiguous=ambiguous))
    return shop.load("till/a.csv", ROWS)


@pytest.mark.parametrize(("ambiguous", "hour"), [("first", 5), ("second", 6)])
def test_rows_in_a_doubled_hour_are_counted_once_each(shop: Any, ambiguous: str, hour: int) -> None:
    record = load(shop, "America/New_York", ambiguous)
    assert (record.status, record.accepted, record.quarantined) == ("accepted", 7, 1)
    assert record.detail["doubled_hours"] == {"rows": 4, "taken": ambiguous}
    assert doubled.rows_of(record) == 4
    with duckdb.connect() as con:
        create_raw_relations(con, shop.settings, list_inputs(shop.store))
        assert con.execute("SELECT doubled_rows, doubled_taken FROM raw.batches").fetchall() == [(4, ambiguous)]
    assert shop.rows("mapped__order", "ordered_at")[0] == (datetime(2026, 11, 1, hour, 30),)
    assert f"the {ambiguous} of the two" in str(doubled.words(record))


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json_pages", "parquet", "xlsx"])
def test_hours_that_clocks_skip_and_days_that_do_not_exist_are_quarantined(shop: Any, kind: str) -> None:
    """New York's clocks go from 02:00 to 03:00 on 2026-03-08."""
    times = ["2026-03-08 01:59:59", "2026-03-08 02:00:00", "2026-03-08 02:59:59", "2026-03-08 03:00:00",
             "2026-02-29 12:00:00", "2026-04-31 12:00:00", "2028-02-29 12:00:00", "2026-06-30 25:00:00"]  # fmt: skip
    rows = [{"no": str(n), "who": "a", "at": at, "changed": "", "amount": "1"} for n, at in enumerate(times)]
    text = CONTRACT.format(zone="America/New_York", ambiguous="first").replace("*.csv", "*.dat")
    text = text.replace("format: csv", f"format: {kind}") + "hold: {share: 1.0}\ndrift: {retyped: evolve}\n"
    shop.contract("till.yml", text + ("json: {records: rows}\n" if kind == "json_pages" else ""))
    record = shop.load("till/a.dat", written(rows, kind))
    assert (record.status, record.accepted, record.quarantined) == ("accepted", 3, 5)
    assert {row[1:3] for row in shop.rejected(record)} == {("ordered_at", "type.timestamp")}
    assert [row[0] for row in shop.rows("mapped__order", "ordered_at")] == [
        datetime(2026, 3, 8, 6, 59, 59), datetime(2026, 3, 8, 7), datetime(2028, 2, 29, 17)
    ]  # fmt: skip


def written(rows: list[dict[str, str]], kind: str) -> bytes:
    buffer = io.BytesIO()
    match kind:
        case "csv":
            return "\n".join(",".join(row) for row in [list(rows[0]), *(list(row.values()) for row in rows)]).encode()
        case "ndjson":
            return "\n".join(map(json.dumps, rows)).encode()
        case "json_pages":
            return json.dumps({"rows": rows}).encode()
        case "parquet":
            pq.write_table(pa.Table.from_pylist(rows), buffer)
        case "xlsx":
            book = openpyxl.Workbook()
            for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
                book.active.append(row)
            book.save(buffer)
    return buffer.getvalue()


def test_where_they_are_rejected_or_never_happen_nothing_is_counted(shop: Any) -> None:
    record = load(shop, "America/New_York", "quarantine")
    assert (record.accepted, record.quarantined) == (3, 5)
    assert doubled.words(record) is None
    rows = pq.read_table(shop.home / record.quarantine_path).to_pylist()
    assert all("or clocks show it twice" in row["reason"] for row in rows if row["code"] == "type.timestamp")
    shop.contract("till.yml", CONTRACT.format(zone="Asia/Tokyo", ambiguous="first"))
    other = shop.load("till/b.csv", ROWS + "9,a,2026-11-01 01:30:00,,1\n")
    assert (other.accepted, "doubled_hours" in other.detail) == (8, False)


def test_shell_and_dagster_tell_the_count(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from kizuna.cli.ingesting import _tell
    from kizuna.cli.running import _work
    from orchestration.raw_metadata import problems_by_relation

    shop.contract("till.yml", CONTRACT.format(zone="America/New_York", ambiguous="first"))
    shop.land("till/a.csv", ROWS)
    _tell(Console(), shop.ingest())
    _work(Console(), shop.store)
    said = capsys.readouterr().out
    assert said.count("4 rows have a time that clocks showed twice") == 2
    assert problems_by_relation(shop.settings, shop.store)["raw.mapped__order"]["rows_in_doubled_hours"] == 4
