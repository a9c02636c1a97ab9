"""Columns that change: the contract's policy is followed, each change is reported with what to do, no value is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestion import quarantine
from ingestion.drift import findings

CONTRACT = """
source: till
maps_to: order
files: ["**/*.csv"]
format: csv
drift: {drift}
hold: {{floor: 1000}}
fields:
  order_key: {{column: Receipt, aliases: [Receipt No]}}
  customer_key: {{column: Card}}
  ordered_at: {{column: When}}
  currency: {{value: EUR}}
  gross_amount: {{column: Total}}
  quantity: {{column: Pieces}}
"""
HEADER = "Receipt,Card,When,Total,Pieces"
CHANGES = {
    "added": ("Receipt,Card,When,Total,Pieces,Clerk", "{n},k{n},2026-06-30,10,1,Anna"),
    "dropped": ("Receipt,Card,When,Total", "{n},k{n},2026-06-30,10"),
    "renamed": ("Receipt No,Card,When,Total,Pieces", "{n},k{n},2026-06-30,10,1"),
    "retyped": ("Receipt,Card,When,Total,Pieces", "{n},k{n},2026-06-30,10,one"),
    "reordered": ("Receipt,When,Card,Total,Pieces", "{n},2026-06-30,k{n},10,1"),
    "recased": ("RECEIPT,Card,When,Total,Pieces", "{n},k{n},2026-06-30,10,1"),
}


def file_of(header: str, row: str, count: int = 6, start: int = 0) -> str:
    return "\n".join([header, *(row.format(n=n) for n in range(start, start + count)), ""])


@pytest.fixture
def till(shop: Any) -> Any:
    def prepare(drift: str = "{}") -> Any:
        shop.contract("till.yml", CONTRACT.format(drift=drift))
        shop.load("till/1.csv", file_of(HEADER, "{n},k{n},2026-06-30,10,1"))
        return shop

    return prepare


@pytest.mark.parametrize("policy", ["evolve", "quarantine", "stop"])
@pytest.mark.parametrize("kind", list(CHANGES))
def test_each_change_follows_its_policy_and_is_reported(till: Any, kind: str, policy: str) -> None:
    shop = till(f"{{{kind}: {policy}}}")
    record = shop.load("till/2.csv", file_of(*CHANGES[kind], start=100))
    assert kind in record.detail["drift"]
    assert kind in [finding.kind for finding in findings(record.detail["drift"])]
    expected = {"evolve": "accepted", "quarantine": "held", "stop": "refused"}[policy]
    assert (record.status, record.code) == (expected, None if policy == "evolve" else f"drift.{kind}")
    used = len([row for row in shop.rows("mapped__order", "_file") if row == ("till/2.csv",)])
    assert used == (0 if policy != "evolve" or kind == "retyped" else 6)
    if policy != "evolve":
        assert f"{kind}: {policy}" in str(record.reason)
        assert quarantine.replay(shop.settings, shop.store, record.file_id, force=True).status == "accepted"


def test_a_refusal_by_policy_keeps_the_sum_of_a_whole_ingest(till: Any) -> None:
    shop = till("{added: stop}")
    shop.land("till/2.csv", file_of(*CHANGES["added"], start=100))
    report = shop.ingest()
    assert (report.rows_in, report.quarantined, report.accepted) == (6, 6, 0)


def test_values_of_columns_nobody_declared_are_kept_also_under_one_name(till: Any) -> None:
    shop = till()
    shop.load("till/2.csv", f"{HEADER},Note,Note,\n9,k,2026-06-30,1,1,first,second,third\n")
    (extra,) = [row[0] for row in shop.rows("mapped__order", "_extra") if row[0]]
    assert json.loads(extra) == {"Note": "first", "Note (2)": "second", "": "third"}


def test_a_likely_rename_is_suggested_and_not_done(till: Any) -> None:
    shop = till()
    record = shop.load("till/2.csv", file_of("Receipt,Card,When,Total,Items", "{n},k,2026-06-30,10,3", start=50))
    assert record.detail["drift"]["suspected"] == {"Pieces": "Items"}
    assert {row[0] for row in shop.rows("mapped__order", "quantity") if row} == {1, None}
    other = shop.load("till/3.csv", file_of("Receipt,Card,When,Total,Items", "{n},k,2026-06-30,10,few", start=70))
    assert "suspected" not in other.detail["drift"], "text does not fit where a whole number belongs"


def test_a_missing_required_column_names_its_likely_new_name(till: Any) -> None:
    shop = till()
    record = shop.load("till/2.csv", file_of("Receipt,Card,Bought,Total,Pieces", "{n},k,2026-06-30,10,3"))
    assert (record.status, record.code) == ("refused", "header.missing_column")
    assert "'Bought' may be the new name of 'When'" in str(record.reason)
    assert "aliases" in str(record.reason)


def test_a_few_bad_values_are_no_new_type(till: Any) -> None:
    shop = till()
    rows = file_of(HEADER, "{n},k,2026-06-30,10,3") + "90,k,x,10,one\n91,k,2026-06-30,10,one\n92,,2026-06-30,10,one\n"
    record = shop.load("till/2.csv", rows)
    assert (record.status, record.quarantined) == ("accepted", 3)
    assert "retyped" not in record.detail["drift"]


def test_columns_that_move_are_named_against_the_file_before(till: Any) -> None:
    shop = till()
    moved = shop.load("till/2.csv", file_of("Pieces,Receipt,Card,When,Total", "1,{n},k,2026-06-30,10", start=9))
    assert moved.detail["drift"]["reordered"] == ["Pieces"]
    again = shop.load("till/3.csv", file_of("Pieces,Receipt,Card,When,Total", "1,{n},k,2026-06-30,10", start=20))
    assert "drift" not in again.detail or "reordered" not in again.detail["drift"]


def test_a_json_column_that_is_never_filled_again_is_dropped(shop: Any) -> None:
    line = '{"event_timestamp": %d, "event_name": "e", "platform": "WEB"}\n'
    shop.load("ga4/events_1.ndjson", "".join(line % n for n in range(20)))
    record = shop.load(
        "ga4/events_2.ndjson", "".join(line % n for n in range(30, 60)).replace(', "platform": "WEB"', "")
    )
    assert record.detail["drift"]["dropped"] == ["platform"]
