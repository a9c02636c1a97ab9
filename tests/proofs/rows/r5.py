"""R5: generated tables in generated dialects, read as Python's csv module reads them.

One trial is `CASES` files. Each is written by the csv module, loaded by a contract that types nothing, and must give
the same cells in the same order, each row at the physical line where it begins.
"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

from torture import Trial

from ingestion.contract import Column, Contract, Dialect
from ingestion.parse import engine, parse_file
from ingestion.readers.base import Notes
from ingestion.readers.count import count_records
from ingestion.readers.text import find_encoding

PROOF_TRIALS = 20
CASES = 50
ALPHABET = [*"aé髙﨑①～ソ ,;|0", "bc", "-1", "\t", "\n", "\r\n", "\\", '"', "'"]
ENCODINGS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16", "cp932": "cp932", "euc_jp": "euc_jp"}


def run_trial(seed: int, folder: Path) -> Trial:
    """`CASES` files of one seed."""
    dice = random.Random(seed)
    con = engine()
    found = [_case(dice, folder / f"{number}.csv", con) for number in range(CASES)]
    con.close()
    return Trial(CASES, tuple(f"case {n}: {text}" for n, text in enumerate(found) if text))


def _case(dice: random.Random, path: Path, con: object) -> str | None:
    encoding = dice.choice(list(ENCODINGS))
    dialect = Dialect(
        delimiter=dice.choice([",", ";", "\t", "|"]), quote=dice.choice(['"', '"', '"', "'"]),
        encodings=(ENCODINGS[encoding],),
    )  # fmt: skip
    end = dice.choice(["\n", "\n", "\r\n"])
    width = dice.randint(1, 6)
    alphabet = [text for text in ALPHABET if _fits(text, encoding)]
    table = [
        [f"{n}", *("".join(dice.choices(alphabet, k=dice.randint(0, 6))) for _ in range(width - 1))]
        for n in range(dice.randint(0, 60))
    ]
    if dice.random() < 0.1 and table:
        table.insert(dice.randrange(len(table)), list(dice.choice(table)))
    names = [f"c{n}" for n in range(width)]
    text = io.StringIO(newline="")
    writer = csv.writer(
        text, delimiter=dialect.delimiter, quotechar=dialect.quote, lineterminator=end, quoting=dice.choice([0, 1])
    )
    writer.writerows([names, *table])
    written = text.getvalue()
    if dice.random() < 0.2:
        written = written.removesuffix(end)
    path.write_bytes(written.encode(encoding))
    contract = Contract(
        name="t", source="t", entity="t", files=(), format="csv", dialect=dialect, identical_rows="keep",
        null_markers=(), columns=tuple(Column.model_validate({"name": name, "from": name}) for name in names),
    )  # fmt: skip
    notes = Notes(encoding=find_encoding(path, dialect.encodings))
    count = count_records(path, contract, "csv", notes.encoding)
    rows, lines, rejects = [], [], []
    for parsed in parse_file(con, path, contract, "csv", "0" * 64, notes):  # type: ignore[arg-type]
        rows += list(zip(*(parsed.good[name].to_pylist() for name in names), strict=True))
        lines += parsed.good["_line"].to_pylist()
        rejects += [f"{reject.line} {reject.code}" for reject in parsed.rejects]
    expected, starts = _read_by_csv(written, dialect)
    shown = f"{dialect!r} {encoding} {written!r}"
    if rejects:
        return f"rejected {rejects}: {shown}"
    if rows != expected:
        return f"cells differ: {rows} instead of {expected}: {shown}"
    if lines != starts:
        return f"lines differ: {lines} instead of {starts}: {shown}"
    if count.rows != len(expected) or count.lines != notes.lines:
        return f"counter says {count}, reader {len(rows)} in {notes.lines}: {shown}"
    return None


def _read_by_csv(written: str, dialect: Dialect) -> tuple[list[tuple[str, ...]], list[int]]:
    """Rows below the header, and the line where each begins."""
    reader = csv.reader(io.StringIO(written, newline=""), delimiter=dialect.delimiter, quotechar=dialect.quote)
    rows, starts, begins = [], [], 1
    for row in reader:
        if row:
            rows.append(tuple(row))
            starts.append(begins)
        begins = reader.line_num + 1
    return rows[1:], starts[1:]


def _fits(text: str, encoding: str) -> bool:
    try:
        return text.encode(encoding).decode(encoding) == text
    except UnicodeError:
        return False
