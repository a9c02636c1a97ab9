"""Blocks read as a whole give what the exact reader gives, row by row and reject by reject."""

from __future__ import annotations

import csv
import io
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion.contract import Column, Contract, Dialect, Times
from ingestion.parse import engine, parse_exactly, parse_file
from ingestion.readers import blocks, delimited
from ingestion.readers.base import FileRefused, Notes
from ingestion.readers.count import count_records

TYPES: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "required": True},
    {"type": "integer", "min": 0},
    {"type": "decimal"},
    {"type": "timestamp"},
    {"type": "boolean"},
]
VALUES = {
    "string": ["", "a", "髙﨑", 'say "x"', "two\nlines", "three\r\nmore\n", ", ;", "\x0b", "\u2028", "'", "é" * 20],
    "integer": ["1", "0", "-5", "9.5", "12", ""],
    "decimal": ["1.5", "2.25", "", "1,5", "7"],
    "timestamp": ["2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "2026-02-30", ""],
    "boolean": ["true", "0", "maybe", ""],
}
CON = engine()
DAMAGE = ['"', '""', "\0", "\r", "\n", "x,", '",', "\n\n", '\n"', "\ufeff", '5" pipe,', "\x01"]


def outcome(way: Any, path: Path, contract: Contract, *arguments: str) -> tuple[Any, ...]:
    """Everything a reader says of a file, and what the counter says."""
    notes = Notes()
    rows: list[Any] = []
    rejects: list[Any] = []
    try:
        for parsed in way(CON, path, contract, *arguments, "0" * 64, notes):
            rows += parsed.good.to_pylist()
            rejects += [(r.line, r.code, r.column, r.reason, r.raw, r.problems) for r in parsed.rejects]
    except FileRefused as refused:
        return ("refused", refused.code, refused.reason, refused.line, refused.raw)
    return rows, rejects, notes.duplicates, notes.lines, notes.header, notes.drift()


def make_file(dice: random.Random, path: Path) -> Contract:
    """A generated file, one in two with damage of some kind."""
    encoding = dice.choice(["utf-8", "utf-8", "utf-8", "cp932", "utf-16", "latin-1"])
    delimiter, quote = dice.choice([",", ",", ";", "\t"]), dice.choice(['"', '"', '"', "'"])
    end = dice.choice(["\n", "\n", "\r\n"])
    kinds = [dice.choice(TYPES) for _ in range(dice.randint(1, 5))]
    names = [f"c{n}" for n in range(len(kinds))]
    extra = [f'x "{n}"' for n in range(dice.choice([0, 0, 2]))]
    table = [
        [dice.choice(VALUES[str(kind["type"])]) for kind in kinds] + [dice.choice(VALUES["string"]) for _ in extra]
        for _ in range(dice.randint(0, 60))
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=dice.choice([0, 0, 1]))
    writer.writerow([*names, *extra])
    for row in table:
        writer.writerow(row)
        if dice.random() < 0.05:
            text.write(dice.choice([end, "short" + end, delimiter.join("wide" * 9) + end]))
    written = text.getvalue()
    if dice.random() < 0.3:
        written = written.removesuffix(end)
    for _ in range(dice.choice([0, 0, 1, 1, 3])):
        place = dice.randrange(len(names) * 2, len(written)) if len(written) > len(names) * 2 else len(written)
        written = written[:place] + dice.choice(DAMAGE) + written[place:]
    content = bytearray(written.encode(encoding, "replace"))
    if dice.random() < 0.15 and encoding != "utf-16":
        content.insert(dice.randint(len(content) // 2, len(content)), dice.choice([0xFF, 0xA0, 0x80, 0xFD]))
    path.write_bytes(content)
    return Contract(
        name="t", source="t", entity="t", files=(), format="csv", known=("x*",) if dice.random() < 0.5 else (),
        identical_rows=dice.choice(["duplicate", "duplicate", "keep"]),
        dialect=Dialect(
            delimiter=delimiter, quote=quote if dice.random() < 0.9 else None, encodings=(encoding,),
            escape=dice.choice([None, None, None, "\\"]),
        ),
        times=Times(timezone="Asia/Tokyo"),
        columns=(
            *(Column.model_validate({"name": n, "from": n, **k}) for n, k in zip(names, kinds, strict=True)),
            Column.model_validate({"name": "id", "generated": True}),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("block", [64, 700, 1 << 20])
def test_both_readers_say_the_same_of_generated_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", block)
    monkeypatch.setattr(blocks, "_PIECE", 40)
    monkeypatch.setattr(delimited, "_FEW_LINES", 2)
    dice = random.Random(block)
    for trial in range(80):
        path = tmp_path / f"{trial}.csv"
        contract = make_file(dice, path)
        expected = outcome(parse_exactly, path, contract)
        assert outcome(parse_file, path, contract, "csv") == expected, (trial, path.read_bytes())
        if expected[0] != "refused":
            count = count_records(path, contract, "csv", contract.dialect.encodings[0])
            rows, rejects, duplicates, lines, *_ = expected
            assert (len(rows) + len(rejects) + duplicates, lines) == (count.rows, count.lines), path.read_bytes()


def test_files_in_order_are_not_read_record_by_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read exactly")

    path = tmp_path / "x.csv"
    path.write_text("c0,c1\n" + 'a,"two\nlines"\n\nb\nc,d\na,"two\nlines"\n' * 1000, newline="")
    contract = Contract(
        name="t", source="t", entity="t", files=(), format="csv",
        columns=tuple(Column.model_validate({"name": n, "from": n}) for n in ("c0", "c1")),
    )  # fmt: skip
    expected = outcome(parse_exactly, path, contract)
    monkeypatch.setattr(delimited._Reader, "exactly", never)
    assert outcome(parse_file, path, contract, "csv") == expected
    assert (len(expected[0]), len(expected[1]), expected[2]) == (2, 1, 3997)


def test_what_is_met_again_is_found_over_merged_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from ingestion.readers import seen as memory

    monkeypatch.setattr(memory, "_FAN", 3)
    dice = np.random.default_rng(7)
    seen, met = memory.SeenRows(1 << 14), set()
    for _ in range(60):
        keys = dice.integers(0, 60, (2, dice.integers(0, 90)), dtype=np.uint64) << np.uint64(58)
        again = seen.repeats(keys)
        for key, found in zip(map(tuple, keys.T.tolist()), again, strict=True):
            assert found == (key in met)
            met.add(key)


def test_a_time_beyond_the_years_that_python_knows_has_no_place_in_the_span() -> None:
    import pyarrow as pa

    from ingestion.batch_files import EventSpan

    contract = Contract(
        name="t", source="t", entity="t", files=(), format="csv", event_time="at",
        columns=(Column.model_validate({"name": "at", "from": "at", "type": "timestamp"}),),
    )  # fmt: skip
    span = EventSpan(contract)
    beyond, fine = 253402300800_000000, 1_767_225_600_000000
    span.add(pa.table({"at": pa.array([fine, beyond, None], pa.timestamp("us"))}))
    assert span.first == span.last == datetime(2026, 1, 1)
