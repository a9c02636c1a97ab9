"""Every row of every file has a fate, every file is known by its content, and nothing disappears without a word."""

from __future__ import annotations

import codecs
import gzip
import os
from typing import Any

import pytest

from ingestion import one_file, reading
from ingestion.children import Children
from ingestion.load import Progress
from ingestion.lock import ingest_lock
from ingestion.parse import engine
from ingestion.readers.count import Count
from kizuna.control import ledger
from kizuna.errors import InputError

HEADER = "Response ID,Survey Type,Score,Created At\n"


def responses(count: int, start: int = 0, score: str = "9") -> str:
    return "".join(f"r{start + n},nps,{score},2026-06-30T00:00:00Z\n" for n in range(count))


def test_identical_rows_of_one_file_are_duplicates_and_versions_are_not(shop: Any) -> None:
    body = "r1,nps,9,2026-06-30T00:00:00Z\n"
    record = shop.load("delighted/a.csv", HEADER + body + body.replace("9", "8", 1) + body)
    assert (record.rows_in, record.accepted, record.duplicates) == (3, 2, 1)
    again = shop.load("delighted/b.csv", HEADER + body + "r2,nps,1,2026-06-30T00:00:00Z\n")
    assert (again.accepted, again.duplicates) == (2, 0), "the same row in another file is not ingestion's to drop"


def test_the_last_line_without_a_line_end_is_still_a_duplicate(shop: Any) -> None:
    body = "r1,nps,9,2026-06-30T00:00:00Z"
    assert shop.load("delighted/a.csv", f"{HEADER}{body}\n{body}").duplicates == 1


def test_the_same_content_under_another_name_is_one_file(shop: Any) -> None:
    first = shop.load("delighted/a.csv", HEADER + responses(3))
    copy = shop.load("delighted/2026/copy of a.csv", HEADER + responses(3))
    assert (copy.status, copy.duplicate_of, copy.rows_in) == ("duplicate", first.file_id, 0)
    assert len(shop.rows("delighted__responses")) == 3
    shop.land("delighted/z.csv", HEADER + responses(3))
    assert shop.ingest().rows_in == 0


def test_a_second_ingest_finds_nothing_new(shop: Any) -> None:
    shop.load("delighted/a.csv", HEADER + responses(3))
    report = shop.ingest()
    assert (report.files, report.known) == ((), 1)


def test_new_content_at_an_old_path_is_a_new_file(shop: Any) -> None:
    shop.load("delighted/a.csv", HEADER + responses(3))
    shop.load("delighted/a.csv", HEADER + responses(3, start=3))
    assert len(shop.rows("delighted__responses")) == 6


def test_a_batch_above_its_threshold_is_held_as_a_whole(shop: Any) -> None:
    record = shop.load("delighted/a.csv", HEADER + responses(30) + responses(6, start=30, score="9.5"))
    assert (record.status, record.code, record.quarantined) == ("held", "batch.over_threshold", 6)
    assert "kizuna quarantine replay" in str(record.reason)
    assert shop.rows("delighted__responses") == []
    assert not list(shop.settings.raw.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("hold", "bad", "status"),
    [
        ("{rows: 3, share: 1.0}", 3, "accepted"),
        ("{rows: 3, share: 1.0}", 4, "held"),
        ("{share: 0.2, floor: 1}", 4, "accepted"),
        ("{share: 0.2, floor: 1}", 5, "held"),
        ("{share: 0.2, floor: 6}", 5, "accepted"),
    ],
)
def test_a_contract_says_how_many_rejected_rows_and_what_share_hold_its_batch(
    shop: Any, hold: str, bad: int, status: str
) -> None:
    shop.contract(
        "till.yml",
        f"source: till\nmaps_to: refund\nfiles: ['*.csv']\nformat: csv\nhold: {hold}\nfields:\n"
        "  refund_key: {column: No}\n  order_key: {column: Order}\n  refunded_at: {column: Day}\n"
        "  amount: {column: Sum}\n  currency: {value: EUR}\n",
    )
    rows = [f"{n},o{n},2026-06-{31 if n < bad else 30},{n}\n" for n in range(20)]
    record = shop.load("till/a.csv", "No,Order,Day,Sum\n" + "".join(rows))
    assert (record.status, record.quarantined, record.rows_in) == (status, bad, 20)
    assert len(shop.rows("mapped__refund")) == (20 - bad if status == "accepted" else 0)


def test_few_bad_rows_do_not_hold_a_small_file(shop: Any) -> None:
    record = shop.load("delighted/a.csv", HEADER + responses(2) + responses(2, start=2, score="x"))
    assert (record.status, record.accepted, record.quarantined) == ("accepted", 2, 2)


def test_a_file_without_a_contract_is_listed_each_time_with_what_to_do(shop: Any) -> None:
    shop.land("till/journal.csv", "a,b\n1,2\n")
    shop.land("orders.csv", "a\n1\n")
    shop.land("shopify/weird.csv", "a\n1\n")
    (shop.settings.landing / "shopify" / "orders_export_9.csv").symlink_to(shop.land("delighted.txt", "x"))
    report = shop.ingest()
    reasons = {file.path: str(file.reason) for file in report.with_status("unmatched")}
    assert "source: till" in reasons["till/journal.csv"]
    assert "landing/<source>/" in reasons["orders.csv"]
    assert "orders_export*.csv" in reasons["shopify/weird.csv"]
    assert "link" in reasons["shopify/orders_export_9.csv"]
    assert set(shop.ingest().unmatched) == set(reasons), "still listed when nothing is new"


def test_a_contract_added_later_picks_the_file_up(shop: Any) -> None:
    shop.land("till/journal.csv", "Card,When,Total\nk1,2026-06-30,12.50\n")
    assert shop.ingest().unmatched == ("till/journal.csv",)
    shop.contract(
        "till.yml",
        "source: till\nmaps_to: order\nfiles: ['*.csv']\nformat: csv\nfields:\n  customer_key: {column: Card}\n"
        "  ordered_at: {column: When}\n  currency: {value: EUR}\n  gross_amount: {column: Total}\n",
    )
    report = shop.ingest()
    assert (report.accepted, report.unmatched) == (1, ())
    ((key, namespace, source),) = shop.rows("mapped__order", "order_key, _namespace, _source")
    assert (len(key), namespace, source) == (32, "till", "till")


def test_unfinished_files_are_left_alone(shop: Any) -> None:
    for name in ("a.csv.tmp", "a.csv.part", ".a.csv", "a.csv.crdownload", ".hidden/a.csv"):
        shop.land(f"delighted/{name}", HEADER + responses(1))
    report = shop.ingest()
    assert (report.files, report.unmatched) == ((), ())


@pytest.mark.parametrize(
    ("path", "content", "code"),
    [
        ("delighted/a.csv", b"", "file.empty"),
        ("ga4/events_1.ndjson", b"", "file.empty"),
        ("delighted/a.csv", b"Response ID,Survey Type,Created At\nr1,nps,2026-06-30\n", "header.missing_column"),
        ("delighted/a.csv", (HEADER[:-1] + ",Score\nr1,nps,9,2026-06-30,9\n").encode(), "header.duplicate"),
        ("delighted/a.csv", codecs.BOM_UTF16_LE + (HEADER + responses(1)).encode("utf-16-le"), "encoding.undeclared"),
        ("delighted/a.csv", HEADER.replace(",", ";").encode() + b"r1;nps;9;2026-06-30\n", "header.missing_column"),
        ("ga4/events_1.ndjson.gz", b"not gzip at all", "archive.corrupt"),
        ("ga4/events_1.ndjson.gz", gzip.compress(b'{"event_name":"x"}\n' * 999, mtime=0)[:-9], "archive.corrupt"),
        ("ga4/events_1.parquet", b"PAR1 but not really", "parquet.invalid"),
        ("zendesk/tickets.json", b'{"tickets": [{"id": 1}, ', "json.invalid"),
        ("zendesk/tickets.json", b'{"users": []}', "json.no_records"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_a_code(shop: Any, path: str, content: bytes, code: str) -> None:
    record = shop.load(path, content)
    assert (record.status, record.code, record.accepted) == ("refused", code, 0)
    assert record.quarantine_path is not None
    assert not list(shop.settings.raw.rglob("*.parquet"))


def test_a_refused_file_counts_all_its_rows_as_quarantined_and_does_not_stop_the_others(shop: Any) -> None:
    shop.land("delighted/a.csv", "Response ID,Created At\nr1,2026-06-30\nr2,2026-06-30\n")
    shop.land("delighted/b.csv", HEADER + responses(1))
    report = shop.ingest()
    assert (report.rows_in, report.accepted, report.quarantined) == (3, 1, 2)


def test_the_reason_of_a_refusal_names_no_cell_of_a_file_without_header(shop: Any) -> None:
    record = shop.load("delighted/a.csv", "taro@example.jp,090-1111-2222\n")
    assert record.code == "header.missing_column"
    assert "taro" not in f"{record.reason}{record.detail}"


def test_odd_names_and_unreadable_files_stop_nothing(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.land("delighted/b.csv", HEADER + responses(1))
    shop.land("delighted/" + os.fsdecode(b"\xff.csv"), HEADER + responses(2))
    plain = one_file.hash_of

    def refuse(path: Any) -> str:
        if path.name == "b.csv":
            raise PermissionError(13, "Permission denied")
        return plain(path)

    monkeypatch.setattr(one_file, "hash_of", refuse)
    report = shop.ingest()
    (locked,) = report.with_status("refused")
    assert (report.accepted, locked.path, locked.code) == (2, "delighted/b.csv", "file.unreadable")
    monkeypatch.undo()
    assert shop.ingest().accepted == 1


def test_utf16_is_read_where_it_is_declared(shop: Any) -> None:
    shop.contract(
        "till.yml",
        "source: till\nmaps_to: contact\nfiles: ['*.csv']\nformat: csv\ndialect: {delimiter: \"\\t\", encodings: "
        "[utf-16]}\nfields:\n  contact_key: {column: No}\n  last_name: {column: 氏名}\n",
    )
    record = shop.load("till/people.csv", codecs.BOM_UTF16_LE + "No\t氏名\n1\t髙﨑\n".encode("utf-16-le"))
    assert (record.status, shop.rows("mapped__contact", "contact_key, last_name")) == ("accepted", [("1", "髙﨑")])


def test_a_header_alone_is_an_accepted_file_of_no_rows(shop: Any) -> None:
    record = shop.load("delighted/a.csv", HEADER)
    assert (record.status, record.rows_in, record.batch_id) == ("accepted", 0, None)
    assert shop.ingest().known == 1


def test_when_counter_and_reader_disagree_nothing_of_the_file_is_used(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "count_records", lambda *_, **__: Count(4, 4))
    monkeypatch.setattr(Children, "_answer", lambda _, job: reading.read_job(engine(), job))
    record = shop.load("delighted/a.csv", HEADER + responses(3))
    assert (record.status, record.code, record.quarantined) == ("refused", "accounting.mismatch", 4)
    assert shop.rows("delighted__responses") == []


def test_invalid_json_lines_and_unstorable_text_cost_only_themselves(shop: Any) -> None:
    good = '{"event_timestamp": %d, "event_name": "e", "event_date": "20260630", "platform": "髙"}'
    lines = [good % 1, "{oops", '{"event_timestamp": NaN, "event_name": "e"}', "[1]", "",
             good.replace("髙", "\\u0000") % 2, good.replace("髙", "\\ud800") % 3, good % 4]  # fmt: skip
    content = (
        "\n".join(lines).encode()
        + b'\n{"event_name": "\xff"}\n'
        + b"".join(b'{"event_timestamp": %d, "event_name": "e"}\n' % n for n in range(100, 160))
    )
    record = shop.load("ga4/events_20260630.ndjson", content)
    assert [row[:3] for row in shop.rejected(record)] == [
        (2, None, "json.invalid"), (3, None, "json.invalid"), (4, None, "json.not_object"), (6, None, "text.nul"),
        (7, None, "text.nul"), (9, None, "encoding.invalid"),
    ]  # fmt: skip
    assert shop.rows("ga4__events", "_line, platform")[:3] == [(1, "髙"), (8, "髙"), (10, None)]


def test_an_object_where_one_value_is_expected_is_rejected(shop: Any) -> None:
    record = shop.load("ga4/events_1.ndjson", '{"event_timestamp": 1, "event_name": {"a": 1}}\n')
    assert shop.rejected(record)[0][:3] == (1, "event_name", "type.scalar")


def test_chunks_do_not_change_the_outcome(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion.readers import csv as reader

    monkeypatch.setattr(reader, "CHUNK_ROWS", 7)
    record = shop.load("delighted/a.csv", HEADER + responses(40) + responses(2, start=90, score="x") + responses(1))
    assert (record.accepted, record.quarantined, record.duplicates) == (40, 2, 1)
    assert [row[0] for row in shop.rows("delighted__responses", "_line")] == list(range(2, 42))


def test_only_one_source_and_progress(shop: Any) -> None:
    shop.land("delighted/a.csv", HEADER + responses(1))
    shop.land("reference/exchange_rates.csv", "rate_on,currency,rate\n2026-06-30,USD,157\n")
    seen: list[Progress] = []
    report = shop.ingest(only="reference", progress=seen.append)
    assert [file.source for file in report.files] == ["reference"]
    assert [(step.done, step.total, step.file is None) for step in seen] == [(0, 1, True), (1, 1, False)]


def test_two_ingests_at_once_are_refused(shop: Any) -> None:
    with ingest_lock(shop.settings), pytest.raises(InputError, match="Another ingest"):
        shop.ingest()


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_time(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop.land("delighted/a.csv", HEADER + responses(1))
    plain = Children._answer

    def slow(*arguments: Any) -> Any:
        outcome = plain(*arguments)
        path.write_text(HEADER + responses(2))
        return outcome

    monkeypatch.setattr(Children, "_answer", slow)
    assert shop.ingest().changing == ("delighted/a.csv",)
    monkeypatch.undo()
    assert shop.ingest().accepted == 2
    with shop.store.read() as connection:
        assert len(ledger.list_files(connection)) == 1


def test_drift_policies_hold_or_refuse(shop: Any) -> None:
    text = (
        "source: till\nmaps_to: contact\nfiles: ['{policy}.csv']\nname: till_{policy}\nformat: csv\n"
        "drift: {{added: {policy}}}\nfields:\n  contact_key: {{column: No}}\n"
    )
    for policy in ("quarantine", "stop"):
        shop.contract(f"{policy}.yml", text.format(policy=policy))
    assert shop.load("till/quarantine.csv", "No,New\n1,x\n").status == "held"
    stopped = shop.load("till/stop.csv", "No,New\n1,x\n")
    assert (stopped.status, stopped.code) == ("refused", "drift.added")
    assert "New" in str(stopped.reason)
