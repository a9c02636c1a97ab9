"""Records, physical lines and the independent count of delimited text, whole and damaged."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest

from ingestion.contract import Column, Contract, Dialect
from ingestion.readers import count as counting
from ingestion.readers.base import Notes
from ingestion.readers.count import count_records
from ingestion.readers.csv import read_delimited
from ingestion.readers.text import open_text


def contract_of(width: int, **dialect: object) -> Contract:
    names = [chr(ord("a") + n) for n in range(width)]
    return Contract(
        name="t", source="t", entity="t", files=(), format="csv", dialect=Dialect.model_validate(dialect),
        columns=tuple(Column.model_validate({"name": name, "from": name}) for name in names),
    )  # fmt: skip


def read(
    path: Path, contract: Contract, encoding: str = "utf-8"
) -> tuple[list[tuple[object, ...]], list[object], Notes]:
    """(rows with their line, (line, code) of rejects, notes)."""
    notes, rows, rejects = Notes(encoding=encoding), [], []
    with open_text(path, encoding) as stream:
        for chunk in read_delimited(stream, contract, notes):
            for row in chunk.table.to_pylist():
                rows.append((row["_line"], *(row[column.name] for column in contract.columns)))
            rejects.extend((reject.line, reject.code) for reject in chunk.rejects)
    return rows, rejects, notes


def check(path: Path, contract: Contract, encoding: str = "utf-8") -> tuple[list[tuple[object, ...]], list[object]]:
    """Read the file and hold reader and counter against each other."""
    rows, rejects, notes = read(path, contract, encoding)
    count = count_records(path, contract, "csv", encoding)
    assert (len(rows) + len(rejects) + notes.duplicates, notes.lines) == (count.rows, count.lines)
    return rows, rejects


def test_line_is_the_physical_line_with_newlines_in_cells(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text('a,b\r\n1,"two\nlines"\r\n\r\n2,"three\r\n\r\nlines"\n3,"say ""hi"""', newline="")
    rows, rejects = check(file, contract_of(2))
    assert rows == [(2, "1", "two\nlines"), (5, "2", "three\r\n\r\nlines"), (8, "3", 'say "hi"')]
    assert rejects == []


@pytest.mark.parametrize(
    ("body", "good", "bad"),
    [
        ('1,"open\n2,x\n3,y\n', ["2", "3"], [(2, "csv.bad_quote")]),
        ('1,"a"b\n2,x\n', ["2"], [(2, "csv.bad_quote")]),
        ('1,"a"b,"c\nd"\n2,x\n', ["2"], [(2, "csv.bad_quote")]),
        ('1,x\n2,"open', ["1"], [(3, "csv.bad_quote")]),
        ('1,"open\n2,"fine"\n3,"so"\n', ["2", "3"], [(2, "csv.bad_quote")]),
        ('1,5" pipe\n2,x\n', ["1", "2"], []),
        ("1\n2,x\n3,y,z\n", ["2"], [(2, "row.ragged"), (4, "row.ragged")]),
        ("1,nul\0\n2,x\n", ["2"], [(2, "text.nul")]),
        ("\n\n1,x\n\n", ["1"], []),
    ],
)
def test_a_damaged_row_costs_no_other_row(tmp_path: Path, body: str, good: list[str], bad: list[object]) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b"a,b\n" + body.encode())
    rows, rejects = check(file, contract_of(2))
    assert [row[1] for row in rows] == good
    assert rejects == bad


def test_a_byte_that_does_not_fit_costs_only_its_row(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes("a,b\n1,髙\n".encode() + b"2,\x83\xff\n" + "3,﨑\n".encode())
    rows, rejects = check(file, contract_of(2))
    assert [row[1:] for row in rows] == [("1", "髙"), ("3", "﨑")]
    assert rejects == [(3, "encoding.invalid")]


def test_cp932_with_a_broken_byte_costs_only_its_row(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes("a,b\n1,髙﨑㈱①～ソ表\n".encode("cp932") + b"2,\xfd\xff\n4,\x81\x20\n" + "3,十\n".encode("cp932"))
    rows, rejects = check(file, contract_of(2, encodings=["cp932"]), "cp932")
    assert [row[1:] for row in rows] == [("1", "髙﨑㈱①～ソ表"), ("3", "十")]
    assert rejects == [(3, "encoding.invalid"), (4, "encoding.invalid")]


def test_cells_parted_by_blanks_need_no_quotes(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(' 00004 "19970101\n\n00005\t 19970102 \n')
    rows, rejects = check(file, contract_of(2, delimiter="whitespace", header_rows=0, columns=["a", "b"]))
    assert rows == [(1, "00004", '"19970101'), (3, "00005", "19970102")]
    assert rejects == []


def test_other_delimiters_and_escapes(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a;b\n1;'it\\'s\n;fine'\n2;x\n")
    rows, _ = check(file, contract_of(2, delimiter=";", quote="'", escape="\\"))
    assert rows == [(2, "1", "it's\n;fine"), (4, "2", "x")]


@pytest.mark.parametrize("block", [64, 1 << 20])
def test_random_tables_read_as_pythons_csv_module_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(counting, "_BLOCK", block)
    rng = random.Random(20260630)
    alphabet = ["a", "é", "髙", " ", ",", ";", '"', "\n", "\r\n", "\\", "'", "0", "\t", "\u2028", "\x0b"]
    for trial in range(150):
        delimiter, end = rng.choice([",", ";", "\t"]), rng.choice(["\n", "\r\n"])
        width = rng.randint(2, 5)
        table = [
            [f"{n}", *("".join(rng.choices(alphabet, k=rng.randint(0, 6))) for _ in range(width - 1))]
            for n in range(rng.randint(0, 30))
        ]
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=rng.choice([0, 1]))
        contract = contract_of(width, delimiter=delimiter)
        writer.writerow([column.name for column in contract.columns])
        writer.writerows(table)
        file = tmp_path / f"{trial}.csv"
        file.write_text(text.getvalue(), newline="", encoding="utf-8")
        rows, rejects = check(file, contract)
        assert [list(row[1:]) for row in rows] == table, text.getvalue()
        assert rejects == []


@pytest.mark.parametrize("block", [5, 1 << 20])
def test_random_damage_never_breaks_the_accounting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(counting, "_BLOCK", block)
    rng = random.Random(7)
    for trial in range(400):
        body = "".join(rng.choices(["1", ",", '"', "\n", "x", '""', "\r\n"], k=rng.randint(1, 60)))
        file = tmp_path / f"{trial}.csv"
        file.write_text("a,b\n" + body, newline="")
        check(file, contract_of(2))
