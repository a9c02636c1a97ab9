"""Files as people make them by hand: each is told what is wrong with it and what to do, and nothing of it is lost."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from ingestion.contract import Contract
from ingestion.contract_files import load_own
from ingestion.parse import engine
from ingestion.reading import Job, Reading, read_job

CONTRACT = """
source: till
maps_to: order
files: ["*.{suffix}"]
format: {kind}
times: {{timezone: UTC, formats: [iso]}}
fields:
  order_key: {{column: Receipt}}
  customer_key: {{column: Card}}
  ordered_at: {{column: When}}
  currency: {{value: EUR}}
  gross_amount: {{column: Total}}
"""
HEADER = "Receipt,Card,When,Total\n"
ROW = "R1,C1,2026-06-01,1.50\n"


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(contents, kind) -> (what came of the file, its quarantined rows), read as a child of a run does."""
    folder = tmp_path_factory.mktemp("files")
    con = engine()
    contracts: dict[str, Contract] = {}
    for kind in ("csv", "ndjson", "xlsx"):
        path = folder / f"{kind}.yml"
        path.write_text(CONTRACT.format(suffix=kind, kind=kind))
        contracts[kind] = load_own(path)

    def run(content: str | bytes, kind: str = "csv") -> tuple[Reading, list[dict[str, Any]]]:
        file, rejected = folder / f"file.{kind}", folder / "rejected.parquet"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        rejected.unlink(missing_ok=True)
        job = Job(
            place=bytes(file).hex(), kind=kind, contract=contracts[kind], name=file.name, content_hash="0" * 64,  # type: ignore[arg-type]
            bytes=file.stat().st_size, batch_id="0" * 32, loaded_at=datetime(2026, 7, 1),
            raw=folder / "raw.parquet", quarantine=rejected,
        )  # fmt: skip
        found = read_job(con, job)
        run.accepted = pq.read_table(job.raw).to_pylist() if found.accepted else []  # type: ignore[attr-defined]
        return found, pq.read_table(rejected).to_pylist() if rejected.exists() else []

    yield run
    con.close()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ((HEADER + ROW).replace(",", ";"), "parted by ';': declare that as dialect.delimiter"),
        ((HEADER + ROW).replace(",", "\t"), "parted by tabs"),
        ("sep=,\n" + HEADER + ROW, "stand in line 2: have it exported without what is above"),
        ("Report of June\n\n" + HEADER + ROW, "stand in line 3"),
        (ROW * 2, "`header_rows: 0`"),
        (HEADER.replace("Total", "Amount") + ROW, "'Amount' may be the new name of 'Total'"),
        (HEADER.replace("Total", '"Total\n(incl. tax)"') + ROW, "may be the new name of 'Total'"),
        (HEADER.replace("Receipt", "No") + ROW, "'No' may be the new name of 'Receipt'"),
    ],
)
def test_a_header_that_is_not_found_is_looked_for(read: Any, content: str, told: str) -> None:
    reading, _ = read(content)
    assert reading.refusal.code == "header.missing_column"
    assert told in reading.refusal.reason
    assert (reading.refusal.line, reading.refusal.rows > 0) == (1, True)


@pytest.mark.parametrize("sign", ["\ufeff\ufeff", "\u200b", " \u200e"])
def test_signs_that_nobody_sees_are_no_part_of_a_name(read: Any, sign: str) -> None:
    reading, _ = read(sign + HEADER.replace("Card", "Card\u200b") + ROW)
    assert (reading.accepted, reading.notes.added, reading.notes.dropped) == (1, set(), set())


def test_days_that_a_spreadsheet_numbered_are_recognised(read: Any) -> None:
    reading, rows = read(HEADER + "R1,C1,46174.416,1\nR2,C2,46174,1\nR3,C3,20260601,1\n")
    assert [(row["line"], row["column"], row["code"]) for row in rows] == [
        (line, "ordered_at", "type.timestamp") for line in (2, 3, 4)
    ]
    assert ["give the cells a date format" in row["reason"] for row in rows] == [True, True, False]
    assert reading.rows_in == 3


def test_an_order_without_its_number_is_rejected_alone(read: Any) -> None:
    reading, rows = read(HEADER + ROW + ",C2,2026-06-01,1\n")
    assert (reading.accepted, [(row["line"], row["column"], row["code"]) for row in rows]) == (
        1,
        [(3, "order_key", "value.required")],
    )


LINE = '{"Receipt":"R1","Card":"C1","When":"2026-06-01","Total":1.5}'


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (LINE.replace('"Card"', '"Receipt"'), "json.invalid", "'Receipt' is written twice"),
        (f"[{LINE},{LINE}]", "json.not_object", "`format: json_pages`"),
    ],
)
def test_a_line_that_would_lose_a_value_is_rejected_alone(read: Any, content: str, code: str, told: str) -> None:
    reading, (row,) = read(f"{LINE}\n{content}\n", "ndjson")
    assert (reading.rows_in, reading.accepted, row["line"], row["code"]) == (2, 1, 2, code)
    assert told in row["reason"]


def test_of_a_workbook_the_first_sheet_that_shows_is_read(read: Any) -> None:
    book = openpyxl.Workbook()
    book.active.sheet_state = "hidden"
    for sheet, key in ((book.active, "hidden"), (book.create_sheet("June"), "shown")):
        for row in (["Receipt", "Card", "When", "Total"], [key, "C1", datetime(2026, 6, 1), 1.5]):
            sheet.append(row)
    book.active = 1
    stream = io.BytesIO()
    book.save(stream)
    reading, _ = read(stream.getvalue(), "xlsx")
    assert (reading.rows_in, [row["order_key"] for row in read.accepted]) == (1, ["shown"])


def test_each_empty_file_is_told(shop: Any) -> None:
    """A failed export looks the same every day; as a repetition of the first nobody would hear of it."""
    shop.land("delighted/a.csv", b"")
    shop.land("delighted/b.csv", b"")
    files = shop.ingest().files
    assert [(file.path, file.status, file.code) for file in files] == [
        ("delighted/a.csv", "refused", "file.empty"),
        ("delighted/b.csv", "refused", "file.empty"),
    ]
    assert shop.ingest().files == ()
