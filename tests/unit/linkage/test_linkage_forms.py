"""What two systems write differently compares equal; what differs stays different."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from analytics.identity.rules import default_rules
from analytics.linkage.addresses import address, japanese_numbers, postcode
from analytics.linkage.forms import PERSONS, birth, prepare
from analytics.linkage.names import Name, name
from analytics.linkage.text import compact, reading


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("東京都千代田区丸の内一丁目9番1号", "東京都千代田区丸の内1-9-1"),
        ("東京都千代田区丸の内1丁目9−1", "千代田区丸の内1ー9ー1"),
        ("北海道札幌市中央区大通西二十三丁目1番地の2", "北海道札幌市中央区大通西23-1-2"),
        ("東京都町田市森野2-2-22", "町田市森野２丁目２番２２号"),
        ("千葉県市川市八幡1-1-1", "市川市八幡一丁目1番1号"),
        ("三重県四日市市諏訪町1-5", "四日市市諏訪町1番5号"),
    ],
)
def test_one_japanese_address_in_two_notations(one: str, other: str) -> None:
    first, second = (address(None, line, None, None, None) for line in (one, other))
    assert (first.house, first.street, first.city) == (second.house, second.street, second.city)
    assert first.house
    assert first.city


def test_a_japanese_address_in_columns_equals_the_one_in_a_line() -> None:
    in_columns = address(None, "丸の内1-9-1 サンプルビル3F", None, "千代田区", "東京都")
    in_line = address(None, "東京都千代田区丸の内一丁目９番１号サンプルビル３Ｆ", None, None, None)
    assert in_columns == in_line
    assert in_columns.locality == "サンプルビル3f"
    repeated = address(None, "東京都千代田区丸の内1-9-1", "サンプルビル3F", "千代田区", "東京都")
    assert repeated == in_columns


def test_neighbouring_japanese_numbers_stay_apart() -> None:
    assert address(None, "丸の内1-9-1", None, "千代田区", None) != address(None, "丸の内1-9-11", None, "千代田区", None)
    assert address(None, "丸の内1-91", None, "千代田区", None) != address(None, "丸の内1-9-1", None, "千代田区", None)


def test_kanji_numbers_count_only_before_a_counter() -> None:
    assert japanese_numbers("三田一丁目二番十号") == "三田1-2-10"
    assert japanese_numbers("一番町三丁目") == "一番町3"


@pytest.mark.parametrize(
    ("line", "house", "street"),
    [
        ("12 Example St.", "12", "examplestreet"),
        ("Example Street 12", "12", "examplestreet"),
        ("Unit 3/12 Example Rd", "3/12".replace("/", ""), "exampleroad"),
        ("Example Street", None, "examplestreet"),
    ],
)
def test_western_house_numbers_leave_the_street(line: str, house: str | None, street: str) -> None:
    found = address(None, line, None, None, None)
    assert (found.house, found.street) == (house, street)


def test_postcodes() -> None:
    assert postcode("〒100-0005") == postcode("１０００００５") == "1000005"
    assert postcode("94103-1234") == "94103"
    assert postcode("SW1A 1AA") == postcode("sw1a1aa")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((None, None, "Dr. Anna Example", None), Name("anna", "example")),
        ((None, None, "Example, Anna", None), Name("anna", "example")),
        (("Anna", "Example Jr.", None, None), Name("anna", "example")),
        ((None, None, "見本 花子 様", "みほん はなこ"), Name("花子", "見本", "見本花子", "ミホンハナコ")),
        ((None, None, "見本花子", None), Name(None, None, "見本花子", None)),
        (("花子", "見本", None, "ﾐﾎﾝ ﾊﾅｺ"), Name("花子", "見本", "見本花子", "ミホンハナコ")),
        (("はなこ", "みほん", None, None), Name(None, None, None, "ミホンハナコ")),
        ((None, None, None, None), Name()),
    ],
)
def test_names_come_apart(parts: tuple[str | None, ...], expected: Name) -> None:
    assert name(*parts) == expected


def test_texts_without_accents_but_with_voicing_marks() -> None:
    assert compact("Ｊosé  O'Hara-Nuñez") == "joseoharanunez"
    assert reading("がっこう") == "ガッコウ" != reading("かっこう")
    assert compact("unknown") is None
    assert compact("  - ") is None


@pytest.mark.parametrize(
    ("on", "written", "expected"),
    [
        ("1980-02-01", None, "19800201"),
        (None, "19800231", "19800231"),
        (None, "1980/2/1", "19800201"),
        (None, "1/2/1980", "19800201"),
        (None, "1900-01-01", None),
        (None, "80", None),
        (None, None, None),
    ],
)
def test_birth_dates_are_digits_and_impossible_days_are_kept(
    on: str | None, written: str | None, expected: str | None
) -> None:
    assert birth(on, written) == expected


def test_blocked_identifiers_are_nothing_to_compare() -> None:
    rows: list[dict[str, Any]] = [
        {"email": "INFO@example.com", "phone": "090-0000-0000", "birth_on": date(1980, 2, 1)},
        {"email": " Anna@Example.com", "phone": "03-1234-9876"},
    ]
    table = pa.Table.from_pylist([{"source": "s", "record_key": str(i), **row} for i, row in enumerate(rows)], PERSONS)
    prepared = prepare(table, default_rules(), "JP")
    assert prepared["email"].to_pylist() == [None, "anna@example.com"]
    assert prepared["mailbox"].to_pylist() == [None, "anna"]
    assert prepared["phone"].to_pylist() == [None, "+81312349876"]
    assert prepared["birth"].to_pylist() == ["19800201", None]
