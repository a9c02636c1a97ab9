"""XLSX files join by a mapping contract, cells come typed right, and files under a wrong name say what they are."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

CONTRACT = """
source: till
maps_to: order
files: ["**/*.xlsx"]
format: xlsx
{more}
fields:
  order_key: {{column: Receipt}}
  customer_key: {{column: 会員番号}}
  ordered_at: {{column: When, format: "%d.%m.%Y"}}
  currency: {{value: EUR}}
  gross_amount: {{column: Total}}
  quantity: {{column: Pieces}}
  is_test: {{column: Test}}
"""
HEADER = ("Receipt", "会員番号", "When", "Total", "Pieces", "Test", "Note")


def workbook(
    rows: Sequence[Sequence[Any]], *, title: str = "Sheet", at: tuple[int, int] = (1, 1), second: str | None = None
) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    if second is not None:
        sheet.title, sheet["A1"] = second, "nothing to see here"
        sheet = book.create_sheet()
    sheet.title = title
    for row, values in enumerate(rows, start=at[0]):
        for column, value in enumerate(values, start=at[1]):
            sheet.cell(row=row, column=column, value=value)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.fixture
def till(shop: Any) -> Any:
    shop.contract("till.yml", CONTRACT.format(more=""))
    return shop


def test_cells_come_as_what_they_are(till: Any) -> None:
    rows = [
        HEADER,
        ("r1", 9012345678, datetime(2026, 6, 30, 10, 30), 1234.5, 2, True, "髙﨑"),
        ("r2", "0012", date(2026, 6, 30), 0.1 + 0.2, 1, False, "a\nb"),
        ("r3", "k", "30.06.2026", "12.50", "3", "no", None),
    ]
    record = till.load("till/june.xlsx", workbook(rows))
    assert (record.status, record.rows_in, record.accepted) == ("accepted", 3, 3)
    columns = "_line, customer_key, ordered_at, gross_amount, quantity, is_test"
    assert till.rows("mapped__order", columns) == [
        (2, "9012345678", datetime(2026, 6, 30, 1, 30), Decimal("1234.50"), 2, True),
        (3, "0012", datetime(2026, 6, 29, 15), Decimal("0.30"), 1, False),
        (4, "k", datetime(2026, 6, 29, 15), Decimal("12.50"), 3, False),
    ]
    assert [row[0] for row in till.rows("mapped__order", "_extra")][:2] == ['{"Note": "髙﨑"}', '{"Note": "a\\nb"}']


def test_a_named_sheet_and_a_range_are_read_and_nothing_around_them(shop: Any) -> None:
    shop.contract("till.yml", CONTRACT.format(more='xlsx: {sheet: 売上, range: "C4:I6"}'))
    day = date(2026, 6, 30)
    rows = [HEADER, ("r1", "k", day, 1, 1, False, None), ("r2", "k", day, 2, 1, False, None)]
    rows.append(("sum", "", "", 3, "", "", ""))
    record = shop.load("till/june.xlsx", workbook(rows, title="売上", at=(4, 3), second="表紙"))
    assert (record.status, record.rows_in) == ("accepted", 2)
    assert shop.rows("mapped__order", "order_key, _line") == [("r1", 5), ("r2", 6)]
    record = shop.load("till/july.xlsx", workbook(rows, title="Other"))
    assert (record.status, record.code) == ("refused", "xlsx.no_sheet")
    assert "'Other'" in str(record.reason)


def test_rows_in_a_sheet_are_accounted_for(till: Any) -> None:
    day = date(2026, 6, 30)
    rows = [
        HEADER,
        ("r1", "k", day, 1, 1, False, None),
        ("r1", "k", day, 1, 1, False, None),
        (None,) * 7,
        ("r2", "k", day, "many", 1, False, None),
        ("r3", "k", day, "=1/0", 1, False, None),
        ("r4", "k", day, 4, 1, False, None, "behind the header"),
        ("r5", "k", day, 5, 1, False, "#N/A"),
    ]
    record = till.load("till/june.xlsx", workbook(rows))
    assert (record.rows_in, record.accepted, record.quarantined, record.duplicates) == (6, 1, 4, 1)
    assert [row[:3] for row in till.rejected(record)] == [
        (5, "gross_amount", "type.decimal"),
        (6, "D6", "xlsx.no_value"),
        (7, None, "row.ragged"),
        (8, "G8", "xlsx.no_value"),
    ]


def bomb() -> bytes:
    buffer = io.BytesIO(workbook([HEADER]))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/picture.bin", b"\0" * (70 << 20))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("path", "content", "code", "words"),
    [
        ("till/a.xlsx", b"Receipt,Total\n1,2\n", "format.foreign", "CSV named .xlsx"),
        ("till/a.xlsx", workbook([HEADER])[:-400], "xlsx.invalid", "workbook"),
        ("till/a.xlsx", bomb(), "archive.bomb", "limits.unpacked_ratio"),
        ("till/a.xlsx", workbook([("Receipt", "Total")]), "header.missing_column", "会員番号"),
        ("delighted/a.csv", workbook([HEADER]), "format.foreign", "XLSX"),
        ("delighted/a.csv", gzip.compress(b"Response ID\n1\n", mtime=0), "format.foreign", ".gz"),
        ("delighted/a.csv", b"\n <!DOCTYPE html><html>log in</html>", "format.foreign", "page"),
        ("delighted/a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, "format.foreign", ".xls"),
        ("ga4/events_1.ndjson.gz", workbook([HEADER]), "archive.corrupt", "XLSX"),
        ("ga4/events_1.ndjson", gzip.compress(b"{}", mtime=0), "format.foreign", ".gz"),
    ],
)
def test_a_file_under_a_wrong_name_says_what_it_is(till: Any, path: str, content: bytes, code: str, words: str) -> None:
    record = till.load(path, content)
    assert (record.status, record.code) == ("refused", code)
    assert words in str(record.reason)


@pytest.mark.parametrize(
    ("limit", "code"), [({"members": 3}, "archive.too_many"), ({"workbook_mb": 69}, "archive.too_large")]
)
def test_what_a_workbook_may_hold_is_a_setting(till: Any, limit: dict[str, int], code: str) -> None:
    company = till.settings.company
    limits = company.limits.model_copy(update={"unpacked_ratio": 10_000, **limit})
    company = company.model_copy(update={"limits": limits})
    object.__setattr__(till, "settings", till.settings.model_copy(update={"company": company}))
    record = till.load("till/a.xlsx", bomb())
    assert (record.status, record.code) == ("refused", code)
    assert f"limits.{next(iter(limit))} in kizuna.yaml" in str(record.reason)
