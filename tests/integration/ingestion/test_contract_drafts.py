"""A draft is a contract that loads, names what its reader must check, and does nothing until somebody moves it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.contract_files import load_contracts, load_mapping, load_own
from ingestion.draft import UNKNOWN, draft
from ingestion.rehearsal import rehearse
from kizuna.errors import InputError

JAPANESE = "会員番号,氏名,メールアドレス,電話番号,都道府県,登録日,備考\n" + "".join(
    f"{n:05},{name},user{n}@example.jp,090-0000-{n:04},東京都,2026/06/{n:02},髙﨑㈱\n"
    for n, name in enumerate(["佐藤花子", "鈴木一郎", "高橋さくら"] * 5, start=13)
)
ORDERS = [("注文番号", "会員番号", "注文日", "金額", "数量")] + [
    (f"A{n}", f"{n:05}", f"2026年6月{n}日", f"¥{n},500", "2") for n in range(1, 29)
]


def columns_of(path: Path) -> dict[str, str]:
    return {column.name: str(column.source) for column in load_mapping(path).columns if column.source}


def drafted(tmp_path: Path, file: str, content: bytes, **options: Any) -> tuple[Path, Path, Any]:
    source = tmp_path / file
    source.write_bytes(content)
    made = draft(source, **options)
    target = tmp_path / "draft.yml"
    target.write_text(made.text, encoding="utf-8")
    return source, target, made


def sheet_of(rows: Any, above: int = 0) -> bytes:
    book = openpyxl.Workbook()
    for _ in range(above):
        book.active.append([])
    for row in rows:
        book.active.append([None] * above + list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_a_japanese_list_of_customers(shop: Any, tmp_path: Path, encoding: str) -> None:
    file, target, made = drafted(tmp_path, "会員一覧_20260630.csv", JAPANESE.encode(encoding), source="crm")
    assert made.entity == "contact"
    assert columns_of(target) == {
        "contact_key": "会員番号", "last_name": "氏名", "email": "メールアドレス", "phone": "電話番号",
        "region": "都道府県", "created_at": "登録日",
    }  # fmt: skip
    contract = load_mapping(target)
    assert contract.dialect.encodings == (encoding.removesuffix("-sig"),)
    assert contract.known == ("備考",)
    found = rehearse(file, (contract,), shop.settings.company)
    assert (found.record.status, found.record.accepted) == ("accepted", 15)


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "xlsx below a title"])
def test_orders_with_japanese_dates_and_yen(shop: Any, tmp_path: Path, kind: str) -> None:
    if kind.startswith("xlsx"):
        name, content = "売上.xlsx", sheet_of(ORDERS, above=2 * (kind != "xlsx"))
    else:
        quote = {"csv": ('"', ","), "tsv": ("", "\t")}[kind]
        lines = (quote[1].join(f"{quote[0]}{cell}{quote[0]}" for cell in row) for row in ORDERS)
        name, content = f"売上.{kind}", "\n".join(lines).encode()
    file, target, made = drafted(tmp_path, name, content, source="till")
    assert made.entity == "order"
    assert columns_of(target) == {
        "order_key": "注文番号", "customer_key": "会員番号", "ordered_at": "注文日", "gross_amount": "金額",
        "quantity": "数量",
    }  # fmt: skip
    assert "currency: {value: JPY}  # CHECK" in made.text
    found = rehearse(file, (load_mapping(target),), shop.settings.company)
    assert (found.record.status, found.record.accepted, found.findings) == ("accepted", 28, ())


def test_english_tickets_as_json_lines_and_parquet(tmp_path: Path) -> None:
    rows = [
        {"Ticket ID": n, "requester": {"email": f"a{n}@example.com"}, "Created time": f"2026-06-{n:02}T10:00:00Z",
         "Subject": "x", "Status": "open", "tags": ["a"]}
        for n in range(1, 20)
    ]  # fmt: skip
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    _, target, made = drafted(tmp_path, "tickets.ndjson", lines)
    expected = {
        "interaction_key": "Ticket ID", "email": "requester.email", "opened_at": "Created time", "status": "Status",
        "topic": "Subject",
    }  # fmt: skip
    assert (made.entity, columns_of(target)) == ("interaction", expected)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    made = draft(tmp_path / "t.parquet", entity="interaction")
    target.write_text(made.text, encoding="utf-8")
    assert columns_of(target) == expected
    page = json.dumps({"count": 19, "tickets": rows}).encode()
    _, target, made = drafted(tmp_path, "tickets.json", page)
    assert load_mapping(target).json_shape.records == "tickets"


def test_what_cannot_be_guessed_is_said(tmp_path: Path) -> None:
    content = b"when;what;Amount\n03/04/2026;x;1.234,50\n05/06/2026;y;7,10\n"
    _, target, made = drafted(tmp_path, "sales 2026.csv", content, entity="order")
    assert f'customer_key: {{column: "{UNKNOWN}"}}  # CHECK: required' in made.text
    assert "month or day first?" in made.text
    contract = load_mapping(target)
    assert (contract.dialect.delimiter, contract.numbers.decimal_separator) == (";", ",")
    with pytest.raises(InputError, match="choose one of"):
        draft(tmp_path / "sales 2026.csv", entity="orders")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        draft(tmp_path / "empty.csv")


def test_a_file_without_header_and_hostile_names_give_a_draft_that_loads(tmp_path: Path) -> None:
    _, target, made = drafted(tmp_path, "x.csv", b"1,a@example.com,5\n2,b@example.com,6\n")
    assert "looks like a row" in made.text
    assert load_own(target).dialect.columns == ("column_1", "column_2", "column_3")
    odd = 'id,"*/ !!python/object:os.system",{{ 7*7 }},"a: [b","x\x07y"\n1,2,3,4,5\n'
    _, target, _ = drafted(tmp_path, "[odd] {name}*.csv", odd.encode(), entity="contact")
    assert load_mapping(target).known[0].startswith("[*]/ !!python")


def test_a_draft_is_not_active(shop: Any, tmp_path: Path) -> None:
    folder = shop.settings.contracts_dir / "drafts"
    folder.mkdir(parents=True)
    file = shop.land("till/売上.csv", "\n".join(",".join(f'"{cell}"' for cell in row) for row in ORDERS))
    (folder / "till_order.yml").write_text(draft(file).text, encoding="utf-8")
    assert "till__order" not in {contract.name for contract in load_contracts(shop.settings.contracts_dir)}
    assert shop.ingest().unmatched == ("till/売上.csv",)
    (folder / "till_order.yml").rename(folder.parent / "till_order.yml")
    assert shop.ingest().accepted == 28
