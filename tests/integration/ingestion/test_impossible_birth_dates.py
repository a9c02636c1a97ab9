"""A slip in a birth date loses nobody: the row stays, with what was written. Another notation is still refused."""

from __future__ import annotations

from datetime import date
from typing import Any

CONTRACT = """
source: desk
maps_to: contact
files: ["*.csv"]
format: csv
times: {date_formats: ["%d/%m/%Y"]}
fields:
  contact_key: {column: id}
  birth_on: {column: born}
known: ["*"]
"""


def test_a_day_that_does_not_exist_is_empty_and_kept_as_written(shop: Any) -> None:
    shop.contract("desk.yml", CONTRACT)
    record = shop.load("desk/a.csv", "id,born\n1,28/02/1980\n2,31/02/1980\n3,1980-02-28\n4,\n")
    assert (record.accepted, record.quarantined, record.reason) == (3, 1, None)
    assert sorted(shop.rows("mapped__contact", "contact_key, birth_on, birth_text")) == [
        ("1", date(1980, 2, 28), "28/02/1980"),
        ("2", None, "31/02/1980"),
        ("4", None, None),
    ]


def test_a_birth_text_of_its_own_is_taken(shop: Any) -> None:
    shop.contract("desk.yml", CONTRACT.replace("known:", "  birth_text: {column: other}\nknown:"))
    shop.load("desk/a.csv", "id,born,other\n1,28/02/1980,Feb 1980\n")
    assert shop.rows("mapped__contact", "birth_text") == [("Feb 1980",)]


def test_a_column_named_with_the_space_that_its_header_has_is_found(shop: Any) -> None:
    shop.contract("desk.yml", CONTRACT.replace("{column: born}", '{column: " born"}'))
    shop.load("desk/a.csv", "id, born\n1,28/02/1980\n")
    assert shop.rows("mapped__contact", "birth_on") == [(date(1980, 2, 28),)]
