"""A table that no entity fits is kept as it is, with every promise that other files have, and feeds nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.contract_files import load_contracts, load_own
from ingestion.draft import draft
from ingestion.kept import TABLE
from ingestion.rehearsal import rehearse
from kizuna.errors import InputError

STOCK = """\
source: shop
maps_to: table
table: stock
files: ["**/stock*.csv"]
format: csv
key: [sku]
columns:
  sku: string
  place: {from: Lagerort}
  pieces: integer
"""
HEADER = "sku,Lagerort,pieces\n"


def test_rows_are_typed_counted_and_readable_by_name(shop: Any) -> None:
    shop.contract("stock.yml", STOCK)
    record = shop.load("shop/stock_1.csv", HEADER + 'A,"Köln, Mitte",5\nA,"Köln, Mitte",5\nB,,x\n,Ulm,1\nC,Ulm,\n')
    assert (record.rows_in, record.accepted, record.quarantined, record.duplicates) == (5, 2, 2, 1)
    assert shop.rows("kept__shop__stock", "sku, place, pieces, _file, _line, _source") == [
        ("A", "Köln, Mitte", 5, "shop/stock_1.csv", 2, "shop"), ("C", "Ulm", None, "shop/stock_1.csv", 6, "shop"),
    ]  # fmt: skip
    assert [(line, column, code) for line, column, code, _ in shop.rejected(record)] == [
        (4, "pieces", "type.integer"), (5, "sku", "value.required")
    ]  # fmt: skip


def test_without_a_key_equal_rows_are_several(shop: Any) -> None:
    shop.contract("stock.yml", STOCK.replace("key: [sku]\n", ""))
    record = shop.load("shop/stock.csv", HEADER + "A,Ulm,5\nA,Ulm,5\n")
    assert (record.accepted, record.duplicates) == (2, 0)


def test_columns_that_change_are_judged_by_policy(shop: Any) -> None:
    shop.contract("stock.yml", STOCK)
    record = shop.load("shop/stock_1.csv", "sku,pieces,colour\nA,5,red\n")
    drift = record.detail["drift"]
    assert (drift["added"], drift["dropped"]) == (["colour"], ["Lagerort"])
    assert shop.rows("kept__shop__stock", "place, _extra") == [(None, '{"colour": "red"}')]
    shop.contract("stock.yml", STOCK + "drift: {added: stop}\n")
    refused = shop.load("shop/stock_2.csv", "sku,Lagerort,pieces,size\nA,Ulm,5,9\n")
    assert (refused.status, refused.code) == ("refused", "drift.added")


def test_a_header_alone_is_an_empty_table_and_an_empty_file_is_refused(shop: Any) -> None:
    shop.contract("stock.yml", STOCK)
    assert shop.load("shop/stock_1.csv", HEADER).status == "accepted"
    assert shop.rows("kept__shop__stock") == []
    assert shop.load("shop/stock_2.csv", "").code == "file.empty"


def test_a_company_that_keeps_nothing_has_no_such_relation(shop: Any) -> None:
    with pytest.raises(duckdb.CatalogException):
        shop.rows("kept__shop__stock")
    assert not [contract for contract in load_contracts(shop.settings.contracts_dir) if contract.kept]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("table: stock", "table: orders"), None),
        (("source: shop\n", "source: shopify\n", "table: stock", "table: orders"), "is what shopify__orders"),
        (("  sku: string", "  _file: string"), "columns._file"),
        (("  sku: string", "  sku: string\n  Sku: string"), "one name in a database"),
        (("  sku: string", "  sku: text"), "type"),
        (("key: [sku]", "key: [nr]"), "'nr' (key or event_time) is not one of the columns"),
        (("key: [sku]", "keys: [sku]"), "unknown key; allowed here: arrival, columns"),
        (("source: shop\n", f"source: {'s' * 63}\n", "table: stock", f"table: {'t' * 63}"), "at most 128"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_contract_that_cannot_be_is_refused_by_name(shop: Any, change: tuple[str, ...], says: str | None) -> None:
    text = STOCK
    for old, new in zip(change[::2], change[1::2], strict=True):
        text = text.replace(old, new)
    shop.contract("stock.yml", text)
    if says is None:
        assert any(contract.kept for contract in load_contracts(shop.settings.contracts_dir))
        return
    with pytest.raises(InputError) as refused:
        load_contracts(shop.settings.contracts_dir)
    assert says in str(refused.value)


def test_a_table_and_a_mapping_of_one_source_must_have_two_names(shop: Any) -> None:
    shop.contract("stock.yml", STOCK.replace("table: stock", "table: contact"))
    shop.contract(
        "people.yml",
        "source: shop\nmaps_to: contact\nname: shop__people\nfiles: [people.csv]\nformat: csv\n"
        "fields: {contact_key: {column: id}}\n",
    )
    with pytest.raises(InputError, match=r"is what shop__people \(.*\) feeds already"):
        load_contracts(shop.settings.contracts_dir)


@pytest.mark.parametrize("kind", ["csv", "ndjson", "json", "parquet"])
def test_a_draft_keeps_what_no_entity_fits(shop: Any, tmp_path: Path, kind: str) -> None:
    rows = [
        {"_synced": "2026-06-01", "Tag": f"t{n}", "tag": f"u{n}", "在庫 数": str(n), "9th": "x"} for n in range(1, 6)
    ]  # fmt: skip
    if kind in ("ndjson", "json"):
        rows = [{**row, "parts": [{"a": 1}]} for row in rows]  # type: ignore[dict-item]
    content = {
        "csv": lambda: "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]).encode(),
        "ndjson": lambda: "\n".join(json.dumps(row) for row in rows).encode(),
        "json": lambda: json.dumps({"stock": rows}).encode(),
        "parquet": lambda: _parquet([{**row, "Tag2": row.pop("tag")} for row in rows]),
    }[kind]()
    file = tmp_path / f"Stock levels 2026.{kind}"
    file.write_bytes(content)
    made = draft(file, source="other")
    assert (made.entity, made.name, made.text.count("no entity of customer data fits")) == (TABLE, "stock_levels", 1)
    shop.contract("other.yml", made.text)
    record = shop.load(f"other/{file.name}", content)
    assert (record.status, record.rows_in, record.accepted, record.detail["drift"]) == ("accepted", 5, 5, {})
    second = "tag2" if kind == "parquet" else "tag_2"
    names = f'synced, tag, {second}, "在庫_数", column_9th'
    assert shop.rows("kept__other__stock_levels", names)[1] == ("2026-06-01", "t2", "u2", "2", "x")
    if kind in ("ndjson", "json"):
        assert shop.rows("kept__other__stock_levels", "parts")[0] == ('[{"a":1}]',)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def test_a_draft_says_why_and_how_to_have_another(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "owners.csv"
    file.write_text("contact id,label\n1,North\n2,South\n")
    made = draft(file)
    assert "the nearest is contact, of which no column seems to hold any of email, phone" in made.why
    assert made.why in made.text
    assert draft(file, entity="contact").entity == "contact"
    file.write_text("id,email\n1,ann@example.com\n")
    assert draft(file).entity == "contact"
    kept = draft(file, entity=TABLE)
    assert (kept.entity, kept.why) == (TABLE, "")
    (tmp_path / "kept.yml").write_text(kept.text, encoding="utf-8")
    found = rehearse(file, (load_own(tmp_path / "kept.yml"),), shop.settings.company)
    assert (found.record.status, found.record.accepted) == ("accepted", 1)


def test_names_that_no_path_can_tell_stay_in_extra(shop: Any, tmp_path: Path) -> None:
    file = tmp_path / "parts.csv"
    long = "n" * 80
    file.write_text(f"code,{long}a,{long}b,\nx,1,2,3\n", encoding="utf-8")
    shop.contract("other.yml", draft(file, source="other").text)
    record = shop.load("other/parts.csv", file.read_bytes())
    assert (record.status, record.detail["drift"]) == ("accepted", {})
    columns = f"code, {'n' * 63}, {'n' * 61}_2, _extra"
    assert shop.rows("kept__other__parts", columns) == [("x", "1", "2", '{"": "3"}')]
