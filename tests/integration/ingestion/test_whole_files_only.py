"""A file that is still being written is left alone, and becomes visible in one step when it is whole."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingestion import whole
from ingestion.children import Children
from ingestion.contract import Column, Contract
from ingestion.parse import engine, parse_file
from ingestion.readers.base import Notes
from ingestion.scan import look, new_whole_files
from kizuna.files import hash_of

HEADER = "Response ID,Survey Type,Score,Created At\n"
ROW = "r{},nps,9,2026-06-30T00:00:00Z\n"


def responses(count: int) -> str:
    return HEADER + "".join(ROW.format(n) for n in range(count))


def test_a_file_that_grows_between_two_looks_waits_for_the_next_ingest(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "PAUSE_SECONDS", 0.3)
    path = shop.land("delighted/a.csv", responses(3))
    shop.land("delighted/b.csv", HEADER + ROW.format("b"))
    stop = threading.Event()

    def write() -> None:
        number = 100
        with path.open("a") as stream:
            while not stop.wait(0.05):
                stream.write(ROW.format(number))
                stream.flush()
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    report = shop.ingest()
    stop.set()
    writer.join()
    assert report.changing == ("delighted/a.csv",)
    assert [file.path for file in report.files] == ["delighted/b.csv"], "the others are loaded"
    assert {row[0] for row in shop.rows("delighted__responses", "_file")} == {"delighted/b.csv"}
    monkeypatch.setattr(whole, "PAUSE_SECONDS", 0)
    assert [file.path for file in shop.ingest().files] == ["delighted/a.csv"]


def test_only_young_files_that_are_not_known_cost_a_pause(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(whole, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(whole.time, "sleep", paused.append)
    shop.land("delighted/a.csv", responses(3))
    shop.ingest()
    assert len(paused) == 1 and 0.0 < paused[0] <= 0.4, "what reading needs is done within the pause"
    monkeypatch.setattr(whole, "QUIET_SECONDS", 0.0)
    shop.ingest()
    assert len(paused) == 1, "nobody touched it lately"


def test_an_old_time_of_a_copy_does_not_make_it_old(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []
    monkeypatch.setattr(whole, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(whole.time, "sleep", paused.append)
    path = shop.land("delighted/a.csv", responses(3))
    os.utime(path, (time.time() - 86_400,) * 2)
    shop.ingest()
    assert len(paused) == 1


def test_a_file_replaced_while_it_is_read_is_not_recorded(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash was made in the pause; the bytes that were read have another one."""
    monkeypatch.setattr(whole, "PAUSE_SECONDS", 0.05)
    path = shop.land("delighted/a.csv", responses(3))
    submit = Children.submit

    def replaced_before(self: Children, job: Any) -> Any:
        path.write_text(responses(3).replace("nps,9", "nps,1"))
        return submit(self, job)

    monkeypatch.setattr(Children, "submit", replaced_before)
    assert shop.ingest().changing == ("delighted/a.csv",)
    monkeypatch.setattr(Children, "submit", submit)
    assert [(file.status, file.accepted) for file in shop.ingest().files] == [("accepted", 3)]
    assert shop.rows("delighted__responses", "score") == [(1,)] * 3


def test_what_was_read_is_hashed_while_it_is_read(tmp_path: Path) -> None:
    content = b"No\n" + b"".join(b"%d\n" % n for n in range(400_000))
    columns = (Column.model_validate({"name": "n", "from": "No"}),)
    contract = Contract(name="t", source="t", entity="t", files=(), format="csv", columns=columns)
    for name, kept in (("a.csv", content), ("a.csv.gz", gzip.compress(content, mtime=0))):
        (tmp_path / name).write_bytes(kept)
        notes = Notes()
        with closing(engine()) as con:
            rows = sum(part.good.num_rows for part in parse_file(con, tmp_path / name, contract, "csv", "", notes))
        assert (rows, notes.content_hash) == (400_000, hash_of(tmp_path / name))


def test_a_done_file_beside_it_is_the_senders_word(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(whole.time, "sleep", lambda _: pytest.fail("no second look is needed"))
    shop.land("delighted/a.csv", responses(3))
    shop.land("delighted/a.csv.done", "")
    assert [file.status for file in shop.ingest().files] == ["accepted"]
    shop.land("delighted/b.csv", responses(4))
    shop.land("delighted/b.csv.done", "0" * 64)
    assert shop.ingest().changing == ("delighted/b.csv",)
    shop.land("delighted/b.csv.done", hashlib.sha256(responses(4).encode()).hexdigest() + "  b.csv\n")
    assert [file.path for file in shop.ingest().files] == ["delighted/b.csv"]


def test_a_manifest_says_how_long_a_file_will_be(shop: Any) -> None:
    content = responses(4).encode()
    entry = {"name": "a.csv", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    shop.land("delighted/_manifest.json", json.dumps({"files": [entry]}))
    shop.land("delighted/a.csv", content[:-20])
    assert shop.ingest().changing == ("delighted/a.csv",)
    shop.land("delighted/a.csv", content[:-1] + b"x")
    assert shop.ingest().changing == ("delighted/a.csv",), "the right length, another content"
    shop.land("delighted/a.csv", content)
    assert [file.status for file in shop.ingest().files] == ["accepted"]


def test_a_contract_may_wait_for_the_senders_word(shop: Any) -> None:
    shop.contract(
        "till.yml",
        "source: till\nmaps_to: contact\nfiles: ['*.csv']\nformat: csv\narrival: done\n"
        "fields:\n  contact_key: {column: No}\n",
    )
    shop.land("till/a.csv", "No\n1\n")
    assert shop.ingest().changing == ("till/a.csv",)
    seen = look(shop.settings.landing)
    assert new_whole_files(shop.settings, shop.store, seen)[0] == set(), "nor does it start a run"
    shop.land("till/a.csv.done", "")
    assert new_whole_files(shop.settings, shop.store, seen)[0] == {"till/a.csv"}
    assert [file.path for file in shop.ingest().files] == ["till/a.csv"]
