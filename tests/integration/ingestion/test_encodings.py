"""Japanese text survives every encoding that systems write, and a wrong declaration never gives other characters."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest

HARD = "髙﨑㈱①～"
CONTRACT = """
source: till
maps_to: contact
files: ["**/*.csv"]
format: csv
dialect: {{delimiter: ",", encodings: [{encodings}]}}
fields:
  contact_key: {{column: 番号}}
  last_name: {{column: 氏名}}
  region: {{column: 都道府県}}
"""
NAMES = ("佐藤", "鈴木", "高橋", "渡辺", "ワタナベ", "さくら商店")
TEXT = "番号,氏名,都道府県\n" + "".join(f"{n},{NAMES[n % 6]},東京都千代田区の{n}\n" for n in range(30))
#: The vendor characters of EUC-JP by their code points in its rows 13 and 89 to 92.
EUC_HARD = b"\xfc\xe2\xf9\xf5\xad\xea\xad\xa1\xa1\xc1"


def text_as(encoding: str) -> bytes:
    """TEXT with one more row that holds the hard characters."""
    if encoding == "euc_jp":
        return TEXT.encode("euc_jp") + b"99," + EUC_HARD + b",\n"
    whole = TEXT + f"99,{HARD},\n"
    marks = {"utf-8 with a mark": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    codec = "utf-8" if encoding.startswith("utf-8") else encoding
    return marks.get(encoding, b"") + whole.encode(codec)


@pytest.fixture
def declared(shop: Any) -> Any:
    def declare(encodings: str) -> Any:
        shop.contract("till.yml", CONTRACT.format(encodings=encodings))
        return shop

    return declare


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8 with a mark", "utf-16-le", "utf-16-be", "cp932", "euc_jp"])
def test_hard_characters_survive(declared: Any, encoding: str) -> None:
    shop = declared({"utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding, encoding.split()[0]))
    record = shop.load("till/a.csv", text_as(encoding))
    assert (record.status, record.accepted, record.quarantined) == ("accepted", 31, 0)
    assert shop.rows("mapped__contact", "last_name, region")[-1] == (HARD, None)
    assert shop.rows("mapped__contact", "last_name, region")[4] == ("ワタナベ", "東京都千代田区の4")


@pytest.mark.parametrize("written", ["utf-8", "cp932", "euc_jp"])
@pytest.mark.parametrize("encodings", ["utf-8", "cp932", "euc_jp", "latin-1"])
def test_a_wrong_declaration_is_told_with_line_column_and_what_to_do(
    declared: Any, encodings: str, written: str
) -> None:
    shop = declared(encodings)
    record = shop.load("till/a.csv", text_as(written))
    if encodings == written:
        assert record.status == "accepted"
        return
    assert (record.status, record.code, record.accepted) == ("refused", "encoding.wrong", 0)
    assert f"written in {written}" in str(record.reason)
    assert "dialect.encodings" in str(record.reason)
    assert shop.rows("mapped__contact") == []


def test_the_place_is_named_where_only_a_late_row_is_not_ascii(shop: Any) -> None:
    shop.contract("till.yml", CONTRACT.format(encodings="cp932").replace("番号", "no").replace("氏名", "name"))
    rows = "no,name,mail\n" + "".join(f"{n},Sato,x\n" for n in range(5000)) + "7,佐藤花子,x\n"
    record = shop.load("till/a.csv", rows)
    assert (record.code, record.rows_in) == ("encoding.wrong", 5001)
    (row,) = [r for r in quarantined(shop, record) if r["scope"] == "file"]
    assert (row["line"], row["column"], row["raw"]) == (5002, "name", "7,佐藤花子,x")


def quarantined(shop: Any, record: Any) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(shop.home / record.quarantine_path).to_pylist()
    return found


def test_several_declared_encodings_are_told_apart_file_by_file(declared: Any) -> None:
    shop = declared("cp932, euc_jp, utf-8")
    for number, encoding in enumerate(["utf-8", "cp932", "euc_jp"]):
        record = shop.load(f"till/{number}.csv", text_as(encoding))
        assert (record.status, record.accepted) == ("accepted", 31)
    assert {row[0] for row in shop.rows("mapped__contact", "last_name")} == {*NAMES, HARD}


def test_half_width_kana_and_a_few_broken_rows_are_no_other_encoding(declared: Any) -> None:
    shop = declared("cp932")
    kana = "番号,氏名,都道府県\n1,ﾔﾏﾀﾞ,ﾀﾛｳ\n2,ｻﾄｳ,ﾊﾅｺ\n"
    assert shop.load("till/a.csv", kana.encode("cp932")).accepted == 2
    shop = declared("utf-8")
    rows = text_as("utf-8") + "98,佐藤,東京\n".encode("cp932")
    record = shop.load("till/b.csv", rows)
    assert (record.status, record.accepted, record.quarantined) == ("accepted", 31, 1)
    assert shop.rejected(record)[0][:3] == (33, None, "encoding.invalid")


def test_utf16_without_a_mark_is_told_and_can_be_declared(declared: Any) -> None:
    plain = "No,Name\n" + "1,Sato\n" * 20
    shop = declared("utf-8")
    record = shop.load("till/a.csv", plain.encode("utf-16-le"))
    assert (record.code, "utf-16-le" in str(record.reason)) == ("encoding.wrong", True)
    shop.contract("till.yml", CONTRACT.format(encodings="utf-16-le").replace("番号", "No").replace("氏名", "Name"))
    (again,) = shop.ingest().files
    assert (again.status, again.accepted, again.duplicates) == ("accepted", 1, 19)


@pytest.mark.parametrize("written", ["utf-8-sig", "cp932", "euc_jp", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("lines", [True, False], ids=["lines", "page"])
def test_json_in_another_encoding_is_told_and_never_read_otherwise(shop: Any, written: str, lines: bool) -> None:
    times = {"created_at": "2026-06-01T00:00:00Z", "updated_at": "2026-06-02T00:00:00Z"}
    records = [{"id": n, "status": "open", "subject": "配送が遅いので困っています", **times} for n in range(20)]
    texts = [json.dumps(record, ensure_ascii=False) for record in records]
    text = "\n".join(texts) if lines else f'{{"tickets": [{", ".join(texts)}]}}'
    record = shop.load("zendesk/tickets_1.jsonl" if lines else "zendesk/tickets_1.json", text.encode(written))
    if written == "utf-8-sig":
        assert (record.status, record.accepted) == ("accepted", 20)
        return
    assert (record.status, record.code, record.accepted) == ("refused", "encoding.wrong", 0)
    assert f"written in {written}:" in str(record.reason)
    assert "as UTF-8" in str(record.reason)
    assert shop.rows("zendesk__tickets") == []


def test_a_rare_pair_that_happens_to_be_utf8_as_well_is_no_other_encoding(declared: Any) -> None:
    pair = "番号,氏名,都道府県\n1,a,b\n".replace("番号", "no").replace("氏名", "name").replace("都道府県", "town")
    shop = declared("cp932")
    shop.contract("till.yml", CONTRACT.format(encodings="cp932").replace("番号", "no").replace("氏名", "name"))
    content = (pair + "2,﨑①,c\n").encode("cp932")
    assert content.decode("utf-8") != content.decode("cp932"), "both are valid"
    assert shop.load("till/a.csv", content).accepted == 2
    assert shop.rows("mapped__contact", "last_name")[-1] == ("﨑①",)
