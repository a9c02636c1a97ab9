"""Columns typed as a whole are what the query makes of them row by row; where one text is odd they are left to it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from ingestion.contract import Column, Contract, Numbers, Times
from ingestion.parse import engine
from ingestion.readers.base import text_table
from ingestion.typing_sql import typing_query
from ingestion.usual import UsualColumns

CON = engine()
ZONES = ["UTC", "Asia/Tokyo", "America/New_York"]

ODD: dict[str, list[str]] = {
    "integer": ["+3", " 4", "3.0", "1_000", "1e3", "-", "1-2", "９", "9" * 19, "0x1F", "true"],
    "decimal": ["+1.5", "1.", ".5", "1.255", "1e2", "NaN", "-", ".", "1.2.3", "1,5", "1,234.5", "0" * 20, " 1 "],
    "boolean": ["TRUE", "Yes", "2", " t"],
    "date": ["2026-02-30", "2026-6-3", "20260630", "0000-01-01", "2026-06-30 ", "30/06/2026", "2038-01-01"],
    "timestamp": [
        "2026-02-30 10:00:00", "2026-06-30 24:00:00", "2026-06-30T10:00", "2026-03-08 02:30:00", "2026-11-01 01:30:00",
        "2026-06-30 10:00:00 +0900", "2026-06-30T10:00:00.1234Z", "2026-06-30T10:00:00+23:59", "2026-06-30t10:00:00",
        "2026-06-30T10+0900", "1969-12-31 23:00:00", "2038-01-01T00:00:00Z", "1e15", "17828000000000000000",
    ],
    "string": [" a", "é\n", "N/A", "jpy", "XXX", "EURO", "'"],
    "json": ["{", "[1,", "1 2", "nul"],
}  # fmt: skip


def usual(dice: random.Random, kind: str, entry: str) -> str:
    """A text as nearly every file has it."""
    day = datetime(2000, 1, 1) + timedelta(seconds=dice.randrange(25 * 366 * 86_400))
    match kind:
        case "integer":
            return str(dice.randrange(-50, 5000))
        case "decimal":
            return f"{dice.randrange(-20, 900)}.{dice.randrange(100):02d}"
        case "boolean":
            return dice.choice(["true", "0", "no", "1"])
        case "date" | "timestamp" if "%" in entry:
            return day.strftime(entry)
        case "date":
            return f"{day:%Y-%m-%d}"
        case "timestamp" if entry.startswith("epoch"):
            return str(int(day.timestamp() * {"epoch_s": 1, "epoch_ms": 1000, "epoch_us": 1_000_000}[entry]))
        case "timestamp":
            return f"{day:%Y-%m-%dT%H:%M:%S}"
        case "json":
            return dice.choice(['{"a": 1}', "[]", "7"])
    return dice.choice(["EUR", "JPY", "USD", "KWD"])


def a_column(dice: random.Random, name: str) -> dict[str, Any]:
    kind = dice.choice(list(ODD))
    column: dict[str, Any] = {"name": name, "from": name, "type": kind}
    if kind in ("integer", "decimal") and dice.random() < 0.5:
        column |= {"min": dice.choice([-50, 0, "0.001", 1.5]), "max": dice.choice([900, 5000])}
        if kind == "integer":
            column["min"] = dice.choice([-50, 0, 1.5])
    if kind == "decimal":
        column |= {"scale": dice.choice([2, 2, 0, 4]), "round": dice.random() < 0.3}
        if dice.random() < 0.5:
            column["currency"] = "code"
    if kind == "date":
        column["formats"] = [[], ["iso"], ["%Y%m%d", "iso"], ["%d/%m/%Y"], ["%Y-%m"], ["epoch_s"]][dice.randrange(4)]
    if kind == "timestamp":
        column["formats"] = dice.choice(
            [[], ["iso"], ["epoch_s"], ["epoch_ms", "iso"], ["epoch_us"], ["%Y/%m/%d %H:%M"], ["%m/%d/%Y %I:%M %p"]]
        )
        column["timezone"] = dice.choice([None, *ZONES])
    if kind == "string":
        column |= dice.choice(
            [{}, {"allowed": ["EUR", "JPY", "USD", "KWD"]}, {"pattern": "[A-Z]{3}|é."}, {"iso4217": True},
             {"values": {"EUR": "euro", "JPY": "yen"}, "allowed": ["euro", "yen", "USD", "KWD"]}, {"strip_prefix": "'"}]
        )  # fmt: skip
    column["required"] = dice.choice([False, False, True])
    column["null_markers"] = dice.choice([None, None, ["", "N/A"], []])
    return column


@pytest.mark.parametrize("seed", range(3))
def test_a_column_told_as_a_whole_is_what_the_query_makes_of_it(seed: int) -> None:
    dice = random.Random(seed)
    told, left = 0, 0
    for _ in range(20):
        columns = [a_column(dice, f"c{n}") for n in range(8)]
        columns += [
            {"name": "code", "from": "code", "iso4217": True},
            {"name": "fixed", "value": "7", "type": "integer"},
            {"name": "gone", "from": "gone", "type": "date"},
        ]
        contract = Contract(
            name="t", source="t", entity="t", files=(), format="csv",
            times=Times(timezone=dice.choice(ZONES), ambiguous=dice.choice(["first", "quarantine"])),
            numbers=Numbers(decimal_separator=dice.choice(".."), thousands_separator=dice.choice([None, ","])),
            columns=tuple(Column.model_validate(column) for column in columns),
        )  # fmt: skip
        count = dice.randrange(1, 30)
        cells: dict[str, list[str | None]] = {}
        for column in columns[:-2]:
            kind = str(column.get("type", "string"))
            entry = (column.get("formats") or ["iso"])[0]
            texts: list[str | None] = [usual(dice, kind, entry) for _ in range(count)]
            tail = dice.choice(["", "", "Z", "+09:00", "-0330"]) if kind == "timestamp" and entry == "iso" else ""
            texts = [f"{text}{tail}" for text in texts]
            for rate, others in ((0.2, ["", None]), (0.15, ODD[kind])):
                if dice.random() < rate:
                    texts[dice.randrange(count)] = dice.choice(others)
            cells[str(column["name"])] = texts
        chunk = text_table(contract, cells, lines=[1] * count, extra=[None] * count, found=[None] * count)
        CON.register("chunk", chunk)
        exact = CON.execute(typing_query(contract, "chunk", file_hash="")).to_arrow_table()
        problems = ";".join(exact["_problems"].to_pylist())
        found = UsualColumns(contract, {name: chunk[name] for name in cells}, count).all()
        for number, column in enumerate(columns):
            name = str(column["name"])
            if name not in found:
                left += 1
                continue
            told += 1
            assert found[name].type == exact[name].type
            assert found[name].to_pylist() == exact[name].to_pylist(), (column, cells.get(name))
            assert f"{number}:" not in problems, (column, cells.get(name))
    # Files are made of usual texts, so most columns are told; and odd ones were there.
    assert told > 100 and left > 20


def test_no_odd_text_is_told_otherwise_than_by_the_query() -> None:
    for kind, texts in ODD.items():
        forms = {"date": ["iso", "%Y%m%d", "%d/%m/%Y"], "timestamp": ["iso", "epoch_us"]}.get(kind, [""])
        for text, entry in ((text, entry) for text in texts for entry in forms):
            column = {"name": "c", "from": "c", "type": kind, "formats": [entry] if entry else []}
            contract = Contract(
                name="t", source="t", entity="t", files=(), format="csv", times=Times(timezone="America/New_York"),
                columns=(Column.model_validate(column),),
            )  # fmt: skip
            cells: dict[str, list[str | None]] = {"c": [text, text]}
            chunk = text_table(contract, cells, lines=[1, 2], extra=[None] * 2, found=[None] * 2)
            CON.register("chunk", chunk)
            exact = CON.execute(typing_query(contract, "chunk", file_hash="")).to_arrow_table()
            found = UsualColumns(contract, {"c": chunk["c"]}, 2).all()
            assert "c" not in found or found["c"].to_pylist() == exact["c"].to_pylist(), (text, entry)
            assert "c" not in found or exact["_problems"].to_pylist() == ["", ""], (text, entry)


@pytest.mark.parametrize(
    ("column", "text", "numbers"),
    [
        ({"type": "decimal"}, "1,50", Numbers(decimal_separator=",")),
        ({"type": "decimal", "currency": "code"}, "100.00", Numbers()),
        ({"type": "timestamp"}, "2026-01-02T03:04:05Z", Numbers()),
        ({"type": "timestamp"}, "2026-01-02 03:04:05", Numbers()),
        ({"type": "date", "formats": ["%Y/%m/%d"]}, "2026/01/02", Numbers()),
        ({"required": True, "pattern": "[A-Z]{3}"}, "EUR", Numbers()),
    ],
)
def test_what_files_usually_hold_needs_no_query(column: dict[str, Any], text: str, numbers: Numbers) -> None:
    contract = Contract(
        name="t", source="t", entity="t", files=(), format="csv", times=Times(timezone="Asia/Tokyo"), numbers=numbers,
        columns=(Column.model_validate({"name": "c", "from": "c"} | column),
                 Column.model_validate({"name": "code", "from": "code"})),
    )  # fmt: skip
    cells: dict[str, list[str | None]] = {"c": [text, text], "code": ["JPY", None]}
    table = text_table(contract, cells, lines=[1, 2], extra=[None] * 2, found=[None] * 2)
    assert "c" in UsualColumns(contract, {name: table[name] for name in cells}, 2).all()
