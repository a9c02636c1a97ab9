"""What becomes of one cell: the typed value, or the code that says why not. A cast alone would let most pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ingestion.contract import Column, Contract, Numbers, Times
from ingestion.parse import engine
from ingestion.readers.base import text_table
from ingestion.times import usual_times
from ingestion.typing_sql import typing_query


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    return engine()


@pytest.fixture
def typed(con: duckdb.DuckDBPyConnection) -> Callable[..., Any]:
    def run(text: str | None, *, numbers: Numbers | None = None, zone: str = "UTC", **column: Any) -> Any:
        contract = Contract(
            name="t", source="t", entity="t", files=(), format="csv", times=Times(timezone=zone),
            numbers=numbers or Numbers(), columns=(Column.model_validate({"name": "c", "from": "c", **column}),),
        )  # fmt: skip
        con.register("chunk", text_table(contract, {"c": [text]}, lines=[7], extra=[None], found=[None]))
        row = con.execute(typing_query(contract, "chunk", file_hash="f" * 64)).fetchall()[0]
        return row[-1].partition(":")[2] or row[0]

    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9", 9), ("-12", -12), ("+3", 3), (" 4 ", 4), ("3.0", 3), ("", None), (None, None),
        ("9.5", "type.integer"), ("1e3", "type.integer"), ("0x1F", "type.integer"), ("1_000", "type.integer"),
        ("１２", "type.integer"), ("99999999999999999999", "type.integer"), ("true", "type.integer"),
    ],
)  # fmt: skip
def test_integers(typed: Callable[..., Any], text: str | None, expected: Any) -> None:
    assert typed(text, type="integer") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5", Decimal("1.50")), ("100", Decimal("100.00")), ("-.5", Decimal("-0.50")), ("1.2500", Decimal("1.25")),
        ("1.255", "type.decimal"), ("12,80O", "type.decimal"), ("1,000", "type.decimal"), ("NaN", "type.decimal"),
        ("inf", "type.decimal"), ("1e2", "type.decimal"), ("¥100", "type.decimal"), ("1" * 17, "type.decimal"),
    ],
)  # fmt: skip
def test_decimals_keep_every_digit_or_are_refused(typed: Callable[..., Any], text: str, expected: Any) -> None:
    assert typed(text, type="decimal") == expected


def test_a_decimal_is_rounded_only_where_the_contract_says_so(typed: Callable[..., Any]) -> None:
    assert typed("1.255", type="decimal", round=True) == Decimal("1.26")
    assert typed("0.00012345", type="decimal", scale=8) == Decimal("0.00012345")


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        ("12", "1000", Decimal("12000.00")), ("-1.5", "1000", Decimal("-1500.00")), ("1999", "0.01", Decimal("19.99")),
        ("2269.7015", "10000", Decimal("22697015.00")), (".00001", "10000", Decimal("0.10")),
        ("1999.5", "0.01", "type.decimal"), ("1,000", "1000", "type.decimal"), ("9" * 15, "10000", "type.decimal"),
    ],
)  # fmt: skip
def test_an_amount_in_another_unit_is_multiplied_or_refused(
    typed: Callable[..., Any], text: str, factor: str, expected: Any
) -> None:
    assert typed(text, type="decimal", factor=factor) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.234,56", Decimal("1234.56")), ("1234,5", Decimal("1234.50")), ("12.34", "type.decimal"),
        ("1.23,4", "type.decimal"),
    ],
)  # fmt: skip
def test_decimal_commas(typed: Callable[..., Any], text: str, expected: Any) -> None:
    numbers = Numbers(decimal_separator=",", thousands_separator=".")
    assert typed(text, type="decimal", numbers=numbers) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-30", date(2026, 6, 30)), ("2024-02-29", date(2024, 2, 29)), ("2026-02-30", "type.date"),
        ("2025-02-29", "type.date"), ("2026-6-3", "type.date"), ("30/06/2026", "type.date"), ("20260630", "type.date"),
    ],
)  # fmt: skip
def test_dates_exist(typed: Callable[..., Any], text: str, expected: Any) -> None:
    assert typed(text, type="date") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-30 10:00:00 +0900", datetime(2026, 6, 30, 1)),
        ("2026-06-30T10:00:00+09:00", datetime(2026, 6, 30, 1)),
        ("2026-06-30T10:00:00-0330", datetime(2026, 6, 30, 13, 30)),
        ("2026-06-30T10:00:00.123Z", datetime(2026, 6, 30, 10, 0, 0, 123000)),
        ("2026-06-30T10:00:00.000+0000", datetime(2026, 6, 30, 10)),
        ("2026-06-30 10:00:00 UTC", datetime(2026, 6, 30, 10)),
        ("2026-06-30 10:00:00+00", datetime(2026, 6, 30, 10)),
        ("2026-06-30", datetime(2026, 6, 30)),
        ("2025-02-30 10:00:00 +0900", "type.timestamp"),
        ("2026-06-30 24:00:00", "type.timestamp"),
        ("2026-06-30 10:60:00", "type.timestamp"),
        ("2026-06-30 10:00:00 JST", "type.timestamp"),
        ("1782810000", "type.timestamp"),
    ],
)
def test_times_are_moved_to_utc(typed: Callable[..., Any], text: str, expected: Any) -> None:
    assert typed(text, type="timestamp") == expected


def test_times_without_an_offset_are_local_to_the_contract(typed: Callable[..., Any]) -> None:
    assert typed("2026-06-30 10:00:00", type="timestamp", zone="Asia/Tokyo") == datetime(2026, 6, 30, 1)
    assert typed("2026-07-01", type="timestamp", zone="Asia/Tokyo") == datetime(2026, 6, 30, 15)
    assert typed("2026-01-15 12:00", type="timestamp", zone="America/New_York") == datetime(2026, 1, 15, 17)
    assert typed("2026-07-15 12:00", type="timestamp", zone="America/New_York") == datetime(2026, 7, 15, 16)


def test_a_local_time_that_the_clock_change_skips_does_not_exist(typed: Callable[..., Any]) -> None:
    zone = "America/New_York"
    assert typed("2026-03-08 02:30:00", type="timestamp", zone=zone) == "type.timestamp"
    assert typed("2026-03-08 03:30:00", type="timestamp", zone=zone) == datetime(2026, 3, 8, 7, 30)


@pytest.mark.parametrize(
    ("entry", "text", "expected"),
    [
        ("epoch_us", "1696470452486466", datetime(2023, 10, 5, 1, 47, 32, 486466)),
        ("epoch_ms", "1696470452486", datetime(2023, 10, 5, 1, 47, 32, 486000)),
        ("epoch_s", "1696470452", datetime(2023, 10, 5, 1, 47, 32)),
        ("epoch_s", "1696470452486466", "type.timestamp"),
        ("epoch_us", "17x9999999", "type.timestamp"),
        ("%Y%m%d", "19970101", datetime(1997, 1, 1)),
        ("%Y%m%d", "19970231", "type.timestamp"),
        ("%m/%d/%Y %I:%M %p", "3/15/2024 2:30 PM", datetime(2024, 3, 15, 14, 30)),
        ("%m/%d/%Y %I:%M %p", "15/3/2024 2:30 PM", "type.timestamp"),
        ("%Y-%m-%d %H:%M:%S %z", "2026-06-30 10:00:00 +0900", datetime(2026, 6, 30, 1)),
    ],
)
def test_declared_time_formats(typed: Callable[..., Any], entry: str, text: str, expected: Any) -> None:
    assert typed(text, type="timestamp", formats=[entry]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("TRUE", True), ("1", True), ("no", False), ("0", False), ("2", "type.boolean"), ("maybe", "type.boolean")],
)
def test_booleans(typed: Callable[..., Any], text: str, expected: Any) -> None:
    assert typed(text, type="boolean") == expected


def test_checks_name_their_code(typed: Callable[..., Any]) -> None:
    assert typed("11", type="integer", min=0, max=10) == "value.max"
    assert typed("-1", type="integer", min=0, max=10) == "value.min"
    assert typed("0.000000001", type="decimal", scale=10, min=0.00000001) == "value.min"
    assert typed("nsp", allowed=["nps", "csat"]) == "value.allowed"
    assert typed("jpy", pattern="[A-Z]{3}") == "value.pattern"
    assert typed("", required=True) == "value.required"
    assert typed("", required="header") is None
    assert typed("{bad", type="json") == "type.json"


def test_text_is_kept_as_it_is_but_for_what_the_contract_declares(typed: Callable[..., Any]) -> None:
    assert typed("  髙﨑 'x' ") == "  髙﨑 'x' "
    assert typed("'090-1111-2222", strip_prefix="'") == "090-1111-2222"
    assert typed("N/A", null_markers=["", "N/A"]) is None
    assert typed("Critical", values={"Critical": "urgent"}) == "urgent"
    assert typed("Odd", values={"Critical": "urgent"}) == "Odd"
    assert typed("'); DROP TABLE x; --", allowed=["it's"]) == "value.allowed"


def test_a_generated_key_follows_file_and_line(typed: Callable[..., Any]) -> None:
    key = typed(None, generated=True)
    assert len(key) == 32
    assert key == typed(None, generated=True)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"])
def test_times_read_as_a_column_are_those_of_the_exact_rule(zone: str) -> None:
    dice = random.Random(zone)
    con = engine()
    texts = []
    for _ in range(4000):
        moment = datetime(2000, 1, 1) + timedelta(seconds=dice.randrange(25 * 366 * 86_400))
        text = moment.strftime(dice.choice(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]))
        text += dice.choice(["", "", "Z", "+09:00", "-0330", " +0900", "+05", ".5Z", "+15:00"])
        if dice.random() < 0.5:
            place = dice.randrange(len(text))
            text = text[:place] + dice.choice("0123456789 -:T+Z.,é") + text[place + dice.choice([0, 1]) :]
        texts.append(text)
    year = [f"{2024 + n // 366}-{n % 12 + 1:02d}-{n % 31 + 1:02d} {n % 24:02d}:30:00" for n in range(4000)]
    for batch in (texts, year, sorted(year), ["2026-01-02 03:04:05"], []):
        contract = Contract(
            name="t", source="t", entity="t", files=(), format="csv", times=Times(timezone=zone),
            columns=(Column.model_validate({"name": "a", "from": "a", "type": "timestamp"}),),
        )  # fmt: skip
        n = len(batch)
        chunk = text_table(contract, {"a": list(batch)}, lines=[1] * n, extra=[None] * n, found=[None] * n)
        con.register("chunk", chunk)
        exact = con.execute(typing_query(contract, "chunk", file_hash="")).to_arrow_table()["a"].cast(pa.int64())
        told_at_once = usual_times(chunk["a"], zone).cast(pa.int64())
        for text, told, known in zip(batch, told_at_once.to_pylist(), exact.to_pylist(), strict=True):
            assert told is None or told == known, text
    assert usual_times(pa.chunked_array([["2026-01-02T03:04:05+09:00"]]), zone).null_count == 0


def test_an_hour_that_is_named_twice_is_the_declared_one(con: duckdb.DuckDBPyConnection) -> None:
    """Clocks are set back at 02:00 in New York on 2026-11-01 and by half an hour on Lord Howe Island on 2026-04-05."""
    moments = {
        ("America/New_York", "2026-11-01 01:30:00"): (datetime(2026, 11, 1, 5, 30), datetime(2026, 11, 1, 6, 30)),
        ("Australia/Lord_Howe", "2026-04-05 01:45"): (datetime(2026, 4, 4, 14, 45), datetime(2026, 4, 4, 15, 15)),
        ("America/New_York", "2026-11-01 03:30:00"): (datetime(2026, 11, 1, 8, 30),) * 2,
        ("Asia/Tokyo", "2026-11-01 01:30:00"): (datetime(2026, 10, 31, 16, 30),) * 2,
    }
    for (zone, text), (first, second) in moments.items():
        found = {}
        for fold in ("first", "second", "quarantine"):
            contract = Contract.model_validate(
                {"name": "t", "source": "t", "entity": "t", "files": (), "format": "csv",
                 "times": {"timezone": zone, "ambiguous": fold},
                 "columns": ({"name": "c", "from": "c", "type": "timestamp"},)}
            )  # fmt: skip
            con.register("chunk", text_table(contract, {"c": [text]}, lines=[1], extra=[None], found=[None]))
            row = con.execute(typing_query(contract, "chunk", file_hash="")).fetchall()[0]
            found[fold] = row[-1].partition(":")[2] or row[0]
        rejected = "type.timestamp" if first != second else first
        assert found == {"first": first, "second": second, "quarantine": rejected}, (zone, text)


@pytest.mark.parametrize(
    ("currency", "amount", "rounds", "expected"),
    [
        ("JPY", "100", False, Decimal("100.00")), ("JPY", "100.00", False, Decimal("100.00")),
        ("JPY", "100.50", False, "value.minor_units"), ("JPY", "100.50", True, Decimal("101.00")),
        ("jpy", "100.50", False, "value.minor_units"), ("EUR", "100.50", False, Decimal("100.50")),
        ("YEN", "100", False, "value.currency"), ("円", "100", False, "value.currency"),
        ("DEM", "1.95", False, Decimal("1.95")), ("EUR", "1.955", False, "type.decimal"),
    ],
)  # fmt: skip
def test_amounts_fit_their_currency(
    con: duckdb.DuckDBPyConnection, currency: str, amount: str, rounds: bool, expected: Any
) -> None:
    contract = Contract.model_validate(
        {"name": "t", "source": "t", "entity": "t", "files": (), "format": "csv", "columns": (
            {"name": "amount", "from": "amount", "type": "decimal", "currency": "code", "round": rounds},
            {"name": "code", "from": "code", "iso4217": True},
        )}
    )  # fmt: skip
    cells: dict[str, list[str | None]] = {"amount": [amount], "code": [currency]}
    con.register("chunk", text_table(contract, cells, lines=[1], extra=[None], found=[None]))
    row = con.execute(typing_query(contract, "chunk", file_hash="")).fetchall()[0]
    assert (row[-1].partition(":")[2] or row[0]) == expected
