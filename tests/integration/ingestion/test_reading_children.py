"""Files are read in children: one that takes too much, or kills its reader, is reported; the others are loaded."""

from __future__ import annotations

import array
import fcntl
import gzip
import io
import os
import resource
import signal
import termios
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import children
from ingestion.limits import Limits
from kizuna.errors import MachineError

HEADER = "Response ID,Survey Type,Score,Created At\n"
GOOD = HEADER + "r1,nps,9,2026-06-30\n"


def limited(shop: Any, **limits: int) -> None:
    """Give the company tighter limits."""
    tighter = shop.settings.company.limits.model_copy(update=limits)
    company = shop.settings.company.model_copy(update={"limits": tighter})
    object.__setattr__(shop, "settings", shop.settings.model_copy(update={"company": company}))


def equal_rows(count: int) -> bytes:
    """Parquet of so many million equal rows, in a few kilobytes."""
    table = pa.table({"event_name": pa.array(["page_view"]).dictionary_encode().take(pa.array([0] * 1_000_000))})
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema) as writer:
        for _ in range(count):
            writer.write_table(table)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("delighted/b.csv", ",".join(f"c{n}" for n in range(1_000_000)) + "\n1\n", "limit.columns"),
        ("delighted/b.csv", HEADER + "x" * (8 << 20) + "\n", "limit.line"),
        ("delighted/b.csv", HEADER + '"' + "\n" * (1 << 20), None),
        ("ga4/events_1.ndjson", '{"a": "' + "x" * (8 << 20), "limit.line"),
        ("ga4/events_1.ndjson.gz", gzip.compress(b"\n" * (80 << 20), 9, mtime=0), "limit.ratio"),
        ("ga4/events_1.parquet", equal_rows(80), "limit.ratio"),
    ],
    ids=["columns", "line", "open quote", "json line", "ratio", "equal rows"],
)
def test_a_hostile_file_is_stopped_and_the_others_are_loaded(
    shop: Any, name: str, content: bytes | str, code: str | None
) -> None:
    limited(shop, line_mb=4)
    shop.land("delighted/a.csv", GOOD)
    started = time.monotonic()
    record = shop.load(name, content)
    assert time.monotonic() - started < 30
    if code is not None:
        assert (record.status, record.code) == ("refused", code)
        assert record.quarantine_path is not None
        assert "kizuna.yaml" in record.reason
    assert len(shop.rows("delighted__responses")) == 1


def test_a_child_that_takes_too_much_memory_or_time_is_stopped(shop: Any) -> None:
    limited(shop, seconds=60, memory_mb=256)
    page = b'{"tickets": [' + b",".join([b'{"id": 1, "tags": [' + b"[],[{}]," * 200 + b"1]}"] * 20_000) + b"]}"
    record = shop.load("zendesk/tickets_1.json", page)
    assert (record.status, record.code) == ("refused", "limit.memory")
    limited(shop, seconds=1, memory_mb=4096)
    shop.land("zendesk/tickets_2.json", page + b" ")
    (record,) = shop.ingest().files
    assert (record.status, record.code) == ("refused", "limit.time")
    limited(shop, seconds=60)
    assert shop.load("delighted/a.csv", GOOD).status == "accepted"


def test_a_child_that_is_killed_costs_its_file_only(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = children._Child.read

    def killed(self: Any, job: Any) -> Any:
        if job.name == "delighted/b.csv":
            os.kill(self._process.pid, signal.SIGKILL)
        return read(self, job)

    monkeypatch.setattr(children._Child, "read", killed)
    shop.land("delighted/a.csv", GOOD)
    shop.land("delighted/c.csv", GOOD.replace("r1", "r3"))
    record = shop.load("delighted/b.csv", GOOD.replace("r1", "r2"))
    assert (record.status, record.code) == ("refused", "reader.died")
    assert len(shop.rows("delighted__responses")) == 2
    assert not list((shop.home / "raw").rglob("*.tmp"))
    monkeypatch.setattr(children._Child, "read", read)
    assert [(one.path, one.status) for one in shop.ingest().files] == [("delighted/b.csv", "accepted")]
    assert len(shop.rows("delighted__responses")) == 3


def test_a_child_that_stands_still_is_ended_and_its_file_tried_again(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short of memory, Arrow's threads wait for each other for good; the run would have waited for an hour."""
    read = children._Child.read

    def stopped(self: Any, job: Any) -> Any:
        os.kill(self._process.pid, signal.SIGSTOP)
        return read(self, job)

    monkeypatch.setattr(children._Child, "read", stopped)
    monkeypatch.setattr(children, "STUCK_SECONDS", 0.6)
    record = shop.load("delighted/a.csv", GOOD)
    assert (record.status, record.code) == ("refused", "reader.died")
    assert "stood still" in record.reason
    monkeypatch.undo()
    assert [one.status for one in shop.ingest().files] == ["accepted"]


def test_a_child_may_have_read_its_first_file_before_the_run_looks(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the answer lies in the pipe beside the word that the child is ready."""
    wait, looked = children._Child._wait, []

    def late(self: Any, limits: Any) -> Any:
        handle, lying = self._process.stdout.fileno(), array.array("i", [0])
        while not looked and lying[0] <= len(b"ready\n"):
            fcntl.ioctl(handle, termios.FIONREAD, lying)
            time.sleep(0.01)
        looked.append(lying[0])
        return wait(self, limits)

    monkeypatch.setattr(children._Child, "_wait", late)
    while not children._idle.empty():
        children._idle.get().end()
    assert shop.load("delighted/a.csv", GOOD).status == "accepted"


def test_a_machine_that_refuses_stops_the_run_and_blames_no_file(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk must not leave a file refused: nobody would mend a file that is in order."""
    monkeypatch.setattr(children, "_all", set())
    start = children._Child.__init__

    def on_a_full_disk(self: Any, limits: Any) -> None:
        start(self, limits)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, 0))

    monkeypatch.setattr(children._Child, "__init__", on_a_full_disk)
    shop.land("delighted/a.csv", GOOD)
    while not children._idle.empty():
        children._idle.get().end()
    with pytest.raises(MachineError, match="may not grow as large"):
        shop.ingest()
    monkeypatch.setattr(children._Child, "__init__", start)
    assert shop.load("delighted/a.csv", GOOD).status == "accepted"


def test_one_child_serves_many_files_and_ends_with_its_run(shop: Any) -> None:
    pids: set[int] = set()
    start = children._Child.__init__

    for number in range(8):
        shop.land(f"delighted/{number}.csv", GOOD.replace("r1", f"r{number}"))
    try:
        children._Child.__init__ = lambda self, limits: (start(self, limits), pids.add(self._process.pid))[0]  # type: ignore[method-assign]
        assert shop.ingest().accepted == 8
    finally:
        children._Child.__init__ = start  # type: ignore[method-assign]
    assert len(pids) <= shop.settings.company.limits.workers


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    child = children._Child(Limits())
    assert child.is_alive()
    assert child._process.stdin is not None
    child._process.stdin.close()
    assert child._process.wait(timeout=20) == 0


def test_children_know_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "planted" * 8)
    child = children._Child(Limits())
    environment = Path(f"/proc/{child._process.pid}/environ")
    if not environment.exists():
        pytest.skip("the system does not show the environment of a process")
    time.sleep(0.2)
    assert b"planted" not in environment.read_bytes()
    child.end()


def test_what_a_child_kept_of_earlier_files_is_not_held_against_the_next(shop: Any) -> None:
    children._take_idle(Limits(memory_mb=0))
    before = set(children._all)
    limited(shop, workers=1)
    shop.load("delighted/a.csv", GOOD)
    (pid,) = children._all - before
    limited(shop, workers=1, memory_mb=(children.own_memory(pid) >> 19) - 20)
    assert shop.load("delighted/b.csv", GOOD.replace("r1", "r2")).status == "accepted"
    assert pid not in children._all, "it held more than half of the limit"
