"""The work list: what is wrong, reading again after a mend, letting go."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ingestion import quarantine
from ingestion.relations import list_inputs
from kizuna.errors import InputError

TILL = """
source: till
maps_to: order
files: ["*.csv"]
format: csv
{numbers}
fields:
  order_key: {{column: Receipt}}
  customer_key: {{column: Card}}
  ordered_at: {{column: When}}
  currency: {{value: EUR}}
  gross_amount: {{column: Total}}
"""
SALES = 'Receipt,Card,When,Total\n1,k1,2026-06-30,10\n2,k2,2026-06-30,"12,50"\n3,,2026-02-30,9\n'


@pytest.fixture
def till(shop: Any) -> Any:
    shop.contract("till.yml", TILL.format(numbers=""))
    return shop


def test_the_list_groups_by_code_and_column_and_show_gives_the_rows(till: Any) -> None:
    record = till.load("till/june.csv", SALES)
    (found,) = quarantine.list_quarantined(till.settings, till.store)
    assert (found.path, found.status, found.quarantined, found.rows_in) == ("till/june.csv", "accepted", 2, 3)
    assert [(p.code, p.column, p.rows, p.line) for p in found.problems] == [
        ("type.decimal", "gross_amount", 1, 3),
        ("value.required", "customer_key", 1, 4),
    ]
    second, third = quarantine.show(till.settings, till.store, found.id)
    assert (second.line, second.raw) == (3, '2,k2,2026-06-30,"12,50"')
    assert "'12,50'" in second.reason
    assert [problem["code"] for problem in third.problems] == ["value.required", "type.timestamp"]
    assert quarantine.show(till.settings, till.store, record.path, limit=1) == [second]


def test_a_replay_after_mending_the_contract_replaces_the_batch(till: Any) -> None:
    record = till.load("till/june.csv", SALES)
    before = list_inputs(till.store)
    till.contract("till.yml", TILL.format(numbers="numbers: {decimal_separator: ','}"))
    assert till.ingest().files == (), "an accepted file is read again only when somebody asks"
    again = quarantine.replay(till.settings, till.store, record.file_id[:8])
    assert (again.status, again.accepted, again.quarantined) == ("accepted", 2, 1)
    (batch,) = list_inputs(till.store)
    assert batch.batch_id not in {old.batch_id for old in before}
    rows = till.rows("mapped__order", "order_key, gross_amount")
    assert rows == [("1", Decimal("10.00")), ("2", Decimal("12.50"))]


def test_a_replay_with_nothing_mended_changes_nothing(till: Any) -> None:
    record = till.load("till/june.csv", SALES)
    before = till.rows("mapped__order", "order_key, _line, _batch")
    assert quarantine.replay(till.settings, till.store, record.path).batch_id == record.batch_id
    assert till.rows("mapped__order", "order_key, _line, _batch") == before


def test_a_held_batch_is_read_again_when_its_contract_changed_or_when_forced(till: Any) -> None:
    rows = "".join(f'{n},k,2026-06-30,"1,5"\n' for n in range(9))
    record = till.load("till/june.csv", "Receipt,Card,When,Total\n" + rows)
    assert record.status == "held"
    assert till.ingest().files == ()
    forced = quarantine.replay(till.settings, till.store, record.file_id, force=True)
    assert (forced.status, forced.accepted) == ("accepted", 0)
    other = till.load("till/july.csv", "Receipt,Card,When,Total\n" + rows.replace("06-30", "07-30"))
    assert other.status == "held"
    till.contract("till.yml", TILL.format(numbers="numbers: {decimal_separator: ','}"))
    (healed,) = till.ingest().files
    assert (healed.path, healed.status, healed.accepted) == ("till/july.csv", "accepted", 9)


def test_a_held_file_that_was_renamed_is_loaded_under_its_new_name(till: Any) -> None:
    """Its old name cannot be read again, so calling the new one a duplicate would lose the rows for good."""
    rows = "Receipt,Card,When,Total\n" + "".join(f'{n},k,2026-06-30,"1,5"\n' for n in range(9))
    held = till.load("till/june.csv", rows)
    till.land("till/copy.csv", rows)
    (copy,) = till.ingest().files
    assert (held.status, copy.status) == ("held", "duplicate"), "both lie there: one file"
    (till.settings.landing / "till/june.csv").unlink()
    (again,) = till.ingest().files
    assert (again.path, again.status, again.rows_in) == ("till/copy.csv", "held", 9)
    (listed,) = quarantine.list_quarantined(till.settings, till.store)
    assert (listed.path, quarantine.count_work(till.store).rows) == ("till/copy.csv", 9)
    assert till.ingest().files == ()
    for old, new in (("copy", "third"), ("third", "june")):
        (till.settings.landing / f"till/{old}.csv").rename(till.settings.landing / f"till/{new}.csv")
        (again,) = till.ingest().files
        assert (again.path, again.status) == (f"till/{new}.csv", "held"), "also under a name it had before"
    till.contract("till.yml", TILL.format(numbers="numbers: {decimal_separator: ','}"))
    (till.settings.landing / "till/june.csv").rename(till.settings.landing / "till/last.csv")
    (healed,) = till.ingest().files
    assert (healed.path, healed.status, healed.accepted) == ("till/last.csv", "accepted", 9)
    assert quarantine.list_quarantined(till.settings, till.store) == []
    till.land("till/copy of last.csv", rows)
    (copy,) = till.ingest().files
    assert (copy.status, copy.duplicate_of) == ("duplicate", healed.file_id)
    assert len(till.rows("mapped__order")) == 9


def test_discarded_rows_leave_the_list_and_stay_counted(till: Any) -> None:
    record = till.load("till/june.csv", SALES)
    quarantine.discard(till.store, record.file_id[:8], reason="test sales")
    assert quarantine.list_quarantined(till.settings, till.store) == []
    assert len(till.rows("mapped__order")) == 1, "good rows of the file stay in use"
    (batch,) = list_inputs(till.store)
    assert (batch.rows_in, batch.quarantined) == (3, 2)


def test_a_discarded_held_file_is_not_tried_again(till: Any) -> None:
    record = till.load("till/june.csv", "Receipt,Card,When,Total\n" + "1,k,x,1\n2,k,x,1\n3,k,x,1\n4,k,x,1\n5,k,x,1\n")
    assert quarantine.discard(till.store, record.file_id, reason="not ours").status == "discarded"
    till.contract("till.yml", TILL.format(numbers="numbers: {decimal_separator: ','}"))
    assert till.ingest().files == ()
    assert quarantine.list_quarantined(till.settings, till.store) == []


def test_a_whole_file_can_be_taken_out_and_brought_back(till: Any) -> None:
    record = till.load("till/clean.csv", "Receipt,Card,When,Total\n9,k1,2099-06-30,10\n")
    gone = quarantine.discard(till.store, "till/clean.csv", reason="wrong clock", whole_file=True)
    assert gone.status == "discarded"
    assert list_inputs(till.store) == []
    assert till.ingest().files == (), "a decision holds until somebody undoes it"
    assert quarantine.replay(till.settings, till.store, record.file_id).status == "accepted"
    assert till.rows("mapped__order", "order_key") == [("9",)]


def test_what_cannot_be_done_says_why(till: Any) -> None:
    record = till.load("till/june.csv", SALES)
    with pytest.raises(InputError, match="quarantine list"):
        quarantine.show(till.settings, till.store, "nothing.csv")
    till.load("till/clean.csv", "Receipt,Card,When,Total\n9,k1,2026-06-30,10\n")
    with pytest.raises(InputError, match="nothing in quarantine"):
        quarantine.discard(till.store, "till/clean.csv", reason="x")
    till.land("till/june.csv", "something else")
    with pytest.raises(InputError, match="holds something else"):
        quarantine.replay(till.settings, till.store, record.file_id)


def test_a_decision_tells_who_when_and_why_and_is_counted(till: Any) -> None:
    record = till.load("till/june.csv", SALES)
    held = till.load("till/july.csv", "Receipt,Card,When,Total\n" + "".join(f'{n},k,x,"1,5"\n' for n in range(9)))
    work = quarantine.count_work(till.store)
    assert (work.held, work.files, work.rows, work.decided_rows) == (1, 2, 11, 0)
    with pytest.raises(InputError, match="reason"):
        quarantine.discard(till.store, record.file_id, reason=" ")
    gone = quarantine.discard(till.store, record.file_id, reason="test sales")
    (decision,) = gone.detail["decisions"]
    assert (decision["what"], decision["reason"], decision["rows"]) == ("discard", "test sales", 2)
    assert decision["who"]
    assert decision["at"]
    quarantine.discard(till.store, held.file_id, reason="not ours")
    work = quarantine.count_work(till.store)
    assert (work.files, work.decided_files, work.decided_rows) == (0, 2, 11)
    again = quarantine.replay(till.settings, till.store, record.file_id, force=True)
    assert [entry["what"] for entry in again.detail["decisions"]] == ["discard", "replay"], "undone, not forgotten"
    assert quarantine.count_work(till.store).files == 1


def test_the_list_can_be_narrowed_and_names_the_next_step(till: Any) -> None:
    till.load("till/june.csv", SALES)
    till.load("till/july.csv", "Receipt,Card,When,Total\n" + "".join(f'{n},k,x,"1,5"\n' for n in range(9)))
    assert len(quarantine.list_quarantined(till.settings, till.store)) == 2
    (held,) = quarantine.list_quarantined(till.settings, till.store, code="drift.retyped")
    assert held.next_step.endswith(f"kizuna quarantine replay {held.id} --force")
    assert quarantine.list_quarantined(till.settings, till.store, source="other") == []


def test_the_ui_gets_codes_and_counts_and_no_cell(till: Any) -> None:
    from orchestration.raw_metadata import problems_by_relation

    till.load("till/june `<!channel>.csv", "Receipt,Card,When,Total,Taro@example.jp\n1,secret,yesterday,10,x\n")
    found = problems_by_relation(till.settings, till.store)["raw.mapped__order"]
    (line,) = [record.data for record in found["quarantine"].records]
    assert (line["code"], line["column"], line["rows"]) == ("type.timestamp", "ordered_at", 1)
    assert (found["open_files"], found["open_rows"]) == (1, 1)
    assert "columns added" in found["drift"].value
    for text in (str(line), found["drift"].value):
        assert not any(bad in text for bad in ("secret", "yesterday", "<!channel>", "june `"))
