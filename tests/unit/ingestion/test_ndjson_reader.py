"""Lines of JSON read as blocks give what Python's reader gives line by line, row by row and reject by reject."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from ingestion.contract import Column, Contract, Times
from ingestion.parse import engine, parse_exactly, parse_file
from ingestion.readers import ndjson
from ingestion.readers.base import Notes
from ingestion.readers.count import count_records
from ingestion.readers.json_whole import WholeBlocks

CON = engine()
COLUMNS: list[dict[str, Any]] = [
    {"name": "key", "from": "id", "required": True},
    {"name": "number", "from": "n", "type": "integer"},
    {"name": "amount", "from": "sum.value", "type": "decimal", "scale": 4, "aliases": ["total"]},
    {"name": "unit", "from": "sum.unit"},
    {"name": "deep", "from": "a.b.c"},
    {"name": "place", "from": "p[page]", "aliases": ["fallback"]},
    {"name": "spent", "from": "p[msec]", "type": "integer"},
    {"name": "list", "from": "p", "type": "json"},
    {"name": "whole", "from": "w", "type": "json"},
    {"name": "at", "from": "at", "type": "timestamp"},
    {"name": "row", "generated": True},
]
TEXTS = [
    "",
    "a",
    "髙﨑①",
    'say "x"',
    "back\\slash",
    "tab\t",
    "{not json",
    "[1]",
    ", NaN, ",
    ": -0 ",
    "1e5",
    "\x1f",
    "\x7f",
]
NUMBERS = [
    "0", "-0", "-0.0", "1", "-17", "1.50", "1e5", "1E-7", "0.00001", "0.0001", "123456789012345.5",
    "1234567890123456.5", "12345678901234567.25", "9007199254740993", "18446744073709551616", "1e400",
    "123456789012345678901234567890", "0.1000000000000000055511151231257827", "NaN", "-Infinity", "nan", "01", "+1",
]  # fmt: skip
ODD = [
    "", " ", "null", "5", '"x"', "[]", "[{}]", "{}", "{", '{"id":"1",}', '{"id":["1",]}', '{"id":"1"} x', "{'id':1}",
    '{"id":"1" , "n" :5}', '{"id":"1","id":"2"}', '{"id":"1","sum":{"value":1,"value":2}}', '{"id":"1","ID":"2"}',
    '{"id":"1","sum":5}', '{"id":"1","sum":[1]}', '{"id":"1","sum":{}}', '{"id":"1","a":{"b":7}}',
    '{"id":"1","p":{"key":"page"}}', '{"id":"1","p":[5,{"key":"page"}]}', '{"id":"1","p":[{"key":"page","value":"x"}]}',
    '{"id":"1","p":[{"key":"page","value":{"string_value":null,"int_value":[1]}}]}', '{"id":"1","p":[]}',
    '{"id":{"x":1}}', '{"id":true,"n":"x"}', '{"id":"\\u0000"}', '{"id":"\\ud83d\\ude00"}', '{"id":"\\ud83d"}',
    '{"id":"a\\u0009b","w":"\\u001f"}', '{"id":"1","w":[1.0,1e3, "\\/"]}', '{"id":"1","":1}', '{"id":"1","a\\"b":1}',
    '{"id":"1","x":[1,\t2]}', '{"id":"1","x":  NaN}', '{"id":"1","x":[[[]]],"y":{"z":{}}}', "[" * 3000 + "]" * 3000,
    '{"id":"1","w":' + "[" * 1500 + "]" * 1500 + "}", '{"id":"1","extra":null}', "\ufeff{}", '{"a":{"b":{"c":2}}}',
]  # fmt: skip


#: Of files in which every key has one type: the types, texts, and what a line may hold beside them.
KINDS = ["text", "text", "time", "integer", "number", "flag", "object", "list", "texts", "null", "mixed"]
SHAPED_TEXTS = [
    "",
    "a",
    "髙﨑①",
    'say "x"',
    "back\\slash",
    "tab\t",
    "{no",
    "[1]",
    ", NaN, ",
    "\x1f",
    "\x7f",
    "\u2028",
    "-0",
]
SHAPELESS = [
    '{"id":"1","id":"2"}', '{"id":"1","n":null,"n":5}', '{"id":"1",}', '{"id":"1"}{"id":"2"}', '{"id":"1"', "[]", "7",
    '{"id":{"x":1}}', '{"id":"\\ud800"}', '{"id":"\\u0000"}', '{"id":"1","n":1e2}', '{"id":"1","n":-0}', "{}", " {} ",
    '{"id":"1","p":[null]}', '{"id":"1","p":[{"key":null}]}', '{"id":"1","p":{}}', '{"id":"1","sum":7}', "\ufeff{}",
    '{"id":"1","w":NaN}', '{"id":"1","n":12345678901234567890}', '{"id":"1","a":{"b":[]}}', '{"id":"1","new":{"k":1}}',
    '{"id":"1","w":' + "[" * 900 + "]" * 900 + "}", '{"id":"1","ID":"2"}', "",
]  # fmt: skip


def contract(**more: Any) -> Contract:
    return Contract(
        name="t", source="t", entity="t", files=(), format="ndjson", known=("x*",), times=Times(timezone="UTC"),
        columns=tuple(Column.model_validate(column) for column in COLUMNS), **more,
    )  # fmt: skip


def outcome(way: Any, path: Path, by: Contract, *arguments: str) -> tuple[Any, ...]:
    """Everything a reader says of a file."""
    notes = Notes()
    rows: list[Any] = []
    rejects: list[Any] = []
    for parsed in way(CON, path, by, *arguments, "0" * 64, notes):
        rows += parsed.good.to_pylist()
        rejects += [(r.line, r.code, r.column, r.reason, r.raw, r.problems) for r in parsed.rejects]
    return rows, sorted(rejects), notes.duplicates, notes.lines, notes.encoding, notes.drift()


def make_line(dice: random.Random) -> bytes:
    """A line as an exporter writes it, or one that no exporter should write."""
    if dice.random() < 0.15:
        return dice.choice(ODD).encode()

    def text() -> str:
        return json.dumps("".join(dice.choices(TEXTS, k=2)), ensure_ascii=dice.random() < 0.5)

    def number() -> str:
        if dice.random() < 0.5:
            found = repr(struct.unpack("<d", struct.pack("<Q", dice.getrandbits(64)))[0])
            return found if found[-1] != "f" else "1"
        return dice.choice([*NUMBERS, repr(dice.uniform(-1e6, 1e6)), repr(dice.uniform(0, 1e-3))])

    def value() -> str:
        return dice.choice([text, text, number, lambda: "true", lambda: "null", lambda: f"[{number()},{text()}]"])()

    comma, colon = dice.choice([(",", ":"), (", ", ": ")])
    blank = " " if dice.random() < 0.05 else ""

    def written(parts: list[tuple[str, str]]) -> str:
        kept = [part for part in parts if dice.random() < 0.7]
        if dice.random() < 0.1:
            dice.shuffle(kept)
        return "{" + comma.join(f'"{key}"{colon}{blank}{text}' for key, text in kept) + "}"

    def entry(key: str) -> str:
        kind = dice.choice(["string_value", "int_value", "double_value"])
        return f'{{"key"{colon}"{key}"{comma}"value"{colon}{{"{kind}"{colon}{dice.choice([text, number])()}}}}}'

    entries = "[" + comma.join(entry(dice.choice(["page", "msec", "other"])) for _ in range(dice.randint(0, 3))) + "]"
    line = written(
        [
            ("id", value()), ("n", value()), ("sum", written([("value", value()), ("unit", value()), ("x", value())])),
            ("a", written([("b", written([("c", value()), ("more", value())])), ("z", value())])), ("p", entries),
            ("w", value()), ("at", '"2026-01-02T03:04:05Z"'), ("total", value()), ("x1", value()), ("y", value()),
        ]
    )  # fmt: skip
    found = (dice.choice(["", "", "", " ", "\t"]) + line).encode()
    if dice.random() < 0.03:
        found = found[: len(found) // 2] + b"\xff" + found[len(found) // 2 :]
    return found


@pytest.mark.parametrize("block", [300, 5000, 1 << 20])
def test_both_readers_say_the_same_of_generated_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(ndjson, "BLOCK", block)
    dice = random.Random(block)
    for trial in range(12):
        lines = [make_line(dice) for _ in range(dice.randint(0, 120))]
        lines += dice.choices(lines, k=len(lines) // 8)
        end = dice.choice([b"\n", b"\n", b"\r\n"])
        content = dice.choice([b"", b"", b"\xef\xbb\xbf"]) + end.join(lines) + dice.choice([b"", end])
        path = tmp_path / f"{trial}.ndjson"
        path.write_bytes(content)
        by = contract(identical_rows=dice.choice(["duplicate", "duplicate", "keep"]))
        expected = outcome(parse_exactly, path, by)
        found = outcome(parse_file, path, by, "ndjson")
        for part, other in zip(found, expected, strict=True):
            assert part == other, trial
        count = count_records(path, by, "ndjson", "utf-8")
        rows, rejects, duplicates, physical, *_ = expected
        assert (len(rows) + len(rejects) + duplicates, physical) == (count.rows, count.lines)


def test_lines_as_exporters_write_them_are_not_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read one by one")

    lines = [
        {
            "id": f"髙 {n}", "n": n, "sum": {"value": f"{n}.50", "unit": "JPY", "other": n}, "a": None, "flag": True,
            "p": [{"key": "page", "value": {"string_value": "x, y: z"}}, {"key": "msec", "value": {"int_value": "7"}}],
            "w": {"b": [1.5, -2, {}], "a": []},
        }
        for n in range(500)
    ]  # fmt: skip
    path = tmp_path / "x.ndjson"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [*lines, *lines[:40]]))
    expected = outcome(parse_exactly, path, contract())
    monkeypatch.setattr(ndjson._Reader, "_read_one_by_one", never)
    assert outcome(parse_file, path, contract(), "ndjson") == expected
    assert (len(expected[0]), expected[1], expected[2]) == (500, [], 40)
    assert expected[0][7]["_extra"] == '{"flag":true,"sum":{"other":7}}'


def test_a_value_in_place_of_an_object_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text('{"id":"1","sum":"five","a":{"b":[1]}}\n')
    (row,) = outcome(parse_file, path, contract(), "ndjson")[0]
    assert (row["unit"], row["_extra"]) == (None, '{"a":{"b":[1]},"sum":"five"}')


def test_many_keys_that_are_no_columns_are_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text("".join(json.dumps({"id": str(n), f"k{n}": n}) + "\n" for n in range(400)))
    by = contract()
    assert outcome(parse_file, path, by, "ndjson") == outcome(parse_exactly, path, by)


def value(dice: random.Random, kind: str) -> Any:
    match kind:
        case "text":
            return "".join(dice.choices(SHAPED_TEXTS, k=2))
        case "time":
            return "2026-01-02 03:04:05"
        case "integer":
            return dice.randrange(-9, 9)
        case "number":
            return dice.choice([1, 2.5, -0.0, 1e-9])
        case "flag":
            return dice.random() < 0.5
        case "object":
            return {"k": value(dice, "text"), "l": {}} if dice.random() < 0.8 else {}
        case "list":
            return [dice.randrange(9) for _ in range(dice.randrange(3))]
        case "texts":
            return [value(dice, "text")] * dice.randrange(3)
        case "mixed":
            return value(dice, dice.choice(["text", "integer"]))
    return None


def make_file(dice: random.Random, path: Path) -> None:
    """Lines of one shape, some keys left out or null; the values of a parameter are of one kind."""
    kinds = {key: dice.choice(KINDS[:-1]) for key in ("w", "x1", "y", "more", "z")}
    kinds |= {key: dice.choice(KINDS[:4]) for key in ("deep", "unit", "total", "fallback")}
    kinds |= {"n": dice.choice(["integer", "text"]), "v": dice.choice(["text", "number", "integer"])}
    if dice.random() < 0.2:
        kinds["y"] = "mixed"
    int_value = dice.choice(["text", "integer"])
    compact = dice.random() < 0.5

    def of(key: str) -> Any:
        return None if dice.random() < 0.1 else value(dice, kinds[key])

    def entry() -> dict[str, Any]:
        kind = dice.choice(["string_value", "int_value", "double_value"])
        of_kind = {"int_value": int_value, "double_value": "number"}.get(kind, "text")
        return {"key": dice.choice(["page", "msec", "x"]), "value": {kind: value(dice, of_kind)}}

    lines = []
    for n in range(dice.randrange(1, 120)):
        record = {
            "id": str(n % 50), "n": of("n"), "sum": {"value": of("v"), "unit": of("unit"), "x": of("x1")},
            "a": {"b": {"c": of("deep"), "more": of("more")}, "z": of("z")}, "p": [entry() for _ in range(n % 3)],
            "w": of("w"), "at": "2026-01-02T03:04:05Z", "total": of("total"), "x1": of("x1"), "y": of("y"),
            "fallback": of("fallback"),
        }  # fmt: skip
        kept = {key: found for key, found in record.items() if dice.random() < 0.9}
        separators = (",", ":") if compact else (", ", ": ")
        lines.append(json.dumps(kept, ensure_ascii=dice.random() < 0.3, separators=separators))
    for _ in range(dice.choice([0, 0, 0, 1, 3])):
        lines[dice.randrange(len(lines))] = dice.choice(SHAPELESS)
    end = dice.choice(["\n", "\n", "\r\n"])
    path.write_bytes((end.join(lines) + dice.choice(["", end])).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("block", [5000, 1 << 20])
def test_whole_blocks_say_what_the_lines_say_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(ndjson, "BLOCK", block)
    read, tried = [0], [0]
    as_it_is = WholeBlocks.read

    def counted(self: WholeBlocks, *arguments: Any) -> Any:
        found = as_it_is(self, *arguments)
        tried[0] += 1
        read[0] += found is not None and bool(found[1].any())
        return found

    monkeypatch.setattr(WholeBlocks, "read", counted)
    dice = random.Random(block)
    for trial in range(25):
        path = tmp_path / f"{trial}.ndjson"
        make_file(dice, path)
        expected = outcome(parse_exactly, path, contract())
        for part, other in zip(outcome(parse_file, path, contract(), "ndjson"), expected, strict=True):
            assert part == other, trial
    assert read[0] > tried[0] / 3 > 5


def test_what_exporters_write_is_read_by_arrow_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("not read as a whole")

    path = tmp_path / "x.ndjson"
    with path.open("w", encoding="utf-8") as stream:
        for n in range(300):
            entries = [
                {"key": "page", "value": {"string_value": f"x, {n}"}},
                {"key": "msec", "value": {"int_value": n}},
            ]
            record = {
                "id": f"髙 {n}",
                "n": n,
                "sum": {"value": f"{n}.50", "x": "2026-01-01"},
                "p": entries,
                "w": {"b": []},
            }
            stream.write(json.dumps(record | ({"at": "2026-01-02T03:04:05Z"} if n % 7 else {"y": [n]})) + "\n")
        stream.write('{"id":"zero","n":-0,"y":[-0]}\n')
    expected = outcome(parse_exactly, path, contract())
    monkeypatch.setattr(ndjson._Reader, "_read_by_engine", never)
    monkeypatch.setattr(ndjson._Reader, "_read_one_by_one", never)
    assert outcome(parse_file, path, contract(), "ndjson") == expected
    assert (len(expected[0]), expected[0][300]["number"], expected[0][300]["_extra"]) == (301, 0, '{"y":[0]}')
    assert expected[0][7]["_extra"] == '{"sum":{"x":"2026-01-01"},"y":[7]}'
