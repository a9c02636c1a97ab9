"""S4: files made to exhaust the machine. Each is stopped by a cap and refused, and a good file beside it is loaded.

One trial is every kind once, each in a run of its own with a warm child. The child's memory stays inside its cap; the
time is that of the whole ingest; how much of it is the hash of the file is told beside it.
"""

from __future__ import annotations

import copy
import gzip
import io
import random
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from torture import Trial

from ingestion import children, one_file
from ingestion.load import ingest
from kizuna.control.store import open_store
from kizuna.files import hash_of
from kizuna.settings import load_settings

PROOF_TRIALS = 1
ALONE = True
SECONDS, CAP_MB = 5.0, 600

HEADER = b"Response ID,Survey Type,Score,Created At\n"
GOOD = HEADER + b"r1,nps,9,2026-06-30\n"

CONTRACT = """
source: gz
maps_to: contact
files: ["*.csv.gz"]
format: csv
fields:
  contact_key: {column: Response ID}
"""

WORKBOOKS = """
source: xl
maps_to: contact
files: ["*.xlsx"]
format: xlsx
fields:
  contact_key: {column: Response ID}
"""

SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'

Write = Callable[[Path, random.Random], None]


def _spread(path: Path, head: bytes, block: bytes, megabytes: int, *, packed: bool = False) -> None:
    with gzip.open(path, "wb", 6) if packed else path.open("wb") as stream:
        stream.write(head)
        for _ in range(megabytes):
            stream.write(block)


def _mb(text: bytes) -> bytes:
    return (text * ((1 << 20) // len(text) + 1))[: 1 << 20]


def _columns(separator: bytes) -> Write:
    return lambda path, dice: path.write_bytes(separator.join(b"c%d" % n for n in range(1_000_000)) + b"\n1\n") and None


def _nested_gzip(path: Path, dice: random.Random) -> None:
    path.write_bytes(gzip.compress(gzip.compress(bytes(50 << 20))))


def _lying_size(path: Path, dice: random.Random) -> None:
    packed = bytearray(gzip.compress(HEADER + bytes(300 << 20), 6))
    packed[-4:] = (1000).to_bytes(4, "little")
    path.write_bytes(packed)


def _deep_json(path: Path, dice: random.Random) -> None:
    path.write_bytes(b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000 + b"\n")


def _zip(*members: tuple[str, bytes, int], copies: int = 0) -> bytes:
    """A ZIP of (name, one megabyte, how many of them); its first member is listed `copies` times more."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, block, megabytes in members:
            with archive.open(name, "w", force_zip64=True) as stream:
                for _ in range(megabytes):
                    stream.write(block)
        for number in range(copies):
            twin = copy.copy(archive.filelist[0])
            twin.filename = twin.orig_filename = f"{number}.csv"
            archive.filelist.append(twin)
    return buffer.getvalue()


def _crowded(path: Path, dice: random.Random) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100_000):
            archive.writestr(f"{number}.csv", b"")


def _workbook(path: Path, dice: random.Random, sheet: bytes, *, times: int = 1) -> None:
    """A workbook whose only sheet is `times` the XML of `sheet`."""
    book = io.BytesIO()
    openpyxl.Workbook().save(book)
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if not part.startswith("xl/worksheets/"):
                new.writestr(part, old.read(part))
        with new.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as stream:
            stream.write(SHEET)
            for _ in range(times):
                stream.write(sheet)
            stream.write(b"</sheetData></worksheet>")


def _sparse(path: Path, dice: random.Random) -> None:
    cell = b'<row r="%d"><c r="%s%d" t="inlineStr"><is><t>Response ID</t></is></c></row>'
    _workbook(path, dice, cell % (1, b"A", 1) + cell % (1_048_576, b"XFD", 1_048_576))


def _equal_rows(path: Path, dice: random.Random) -> None:
    """300 million rows in a few kilobytes."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int8)), pa.array(["page_view"]))
    table = pa.table({"event_name": column})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(300):
            writer.write_table(table)


#: Kind -> (name below landing, how it is written, the codes that may be said)
KINDS: dict[str, tuple[str, Write, tuple[str, ...]]] = {
    "gzip 1000:1": (
        "gz/b.csv.gz", lambda p, d: _spread(p, HEADER, _mb(b"\n"), 1000, packed=True), ("limit.ratio",)
    ),
    "gzip of NDJSON 1000:1": (
        "ga4/events_1.ndjson.gz", lambda p, d: _spread(p, b"", _mb(b'{"a":1}\n'), 1000, packed=True), ("limit.ratio",)
    ),
    "lying size": ("gz/b.csv.gz", _lying_size, ("limit.ratio", "limit.line", "format.foreign")),
    "gzip in gzip": ("gz/b.csv.gz", _nested_gzip, ("format.foreign", "archive.nested", "limit.ratio")),
    "a million columns": ("delighted/b.csv", _columns(b","), ("limit.columns",)),
    "a million columns, other sign": (
        "delighted/b.csv", _columns(b";"), ("header.missing_column", "limit.columns", "header.unreadable")
    ),
    "a line of 1 GB": (
        "delighted/b.csv", lambda p, d: _spread(p, HEADER, _mb(b"x"), 1024), ("limit.line", "csv.cell_too_large")
    ),
    "a header of 1 GB": ("delighted/b.csv", lambda p, d: _spread(p, b"", _mb(b"x,"), 1024), ("limit.line",)),
    "a NUL line of 1 GB": ("delighted/b.csv", lambda p, d: _spread(p, HEADER, bytes(1 << 20), 1024), ("limit.line",)),
    "an open quote over 1 GB": (
        "delighted/b.csv", lambda p, d: _spread(p, HEADER + b'r,"', _mb(b"x"), 1024), ("limit.line",)
    ),
    "a JSON line of 1 GB": (
        "ga4/events_1.ndjson", lambda p, d: _spread(p, b'{"a": "', _mb(b"x"), 1024), ("limit.line",)
    ),
    "JSON a million deep": ("ga4/events_1.ndjson", _deep_json, ()),
    "a JSON page of 400 MB": (
        "zendesk/tickets_1.json", lambda p, d: _spread(p, b'{"tickets":[1', _mb(b",[[],{}]"), 400), ("limit.memory",)
    ),
    "a bomb in a ZIP": (
        "delighted/b.zip", lambda p, d: p.write_bytes(_zip(("b.csv", bytes(1 << 20), 1000))) and None, ("archive.bomb",)
    ),
    "a ZIP whose files share their bytes": (
        "delighted/b.zip",
        lambda p, d: p.write_bytes(_zip(("b.csv", HEADER + bytes(1 << 20), 30), copies=900)) and None,
        ("archive.bomb", "archive.corrupt"),
    ),
    "a ZIP of 100,000 files": ("delighted/b.zip", _crowded, ("archive.too_many",)),
    "a workbook 1000:1": (
        "xl/b.xlsx", lambda p, d: _workbook(p, d, b" " * (1 << 20), times=1000), ("archive.bomb",)
    ),
    "a workbook of two cells, 17 billion apart": ("xl/b.xlsx", _sparse, ("limit.memory", "reader.died")),
    "300 million equal rows of Parquet": ("ga4/events_1.parquet", _equal_rows, ("limit.ratio",)),
    "not Parquet": ("ga4/events_1.parquet", lambda p, d: _spread(p, b"PAR1", _mb(b"PAR1"), 8), ("parquet.invalid",)),
}  # fmt: skip


def run_trial(seed: int, folder: Path) -> Trial:
    """Every kind once. A child is there before the clock runs, as in a run of more than one file."""
    dice = random.Random(seed)
    wrong, slowest, hashed, largest = [], 0.0, 0.0, 0
    for number, (kind, (name, write, codes)) in enumerate(KINDS.items()):
        home = folder / str(number)
        (home / "landing" / "delighted").mkdir(parents=True)
        (home / "kizuna.yaml").write_text(f"name: S4\nlimits: {{memory_mb: {CAP_MB}}}\n")
        settings = load_settings(home, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})
        (home / "contracts").mkdir()
        (home / "contracts" / "gz.yml").write_text(CONTRACT)
        (home / "contracts" / "xl.yml").write_text(WORKBOOKS)
        with closing(open_store(settings)) as store:
            (home / "landing" / "delighted" / "a.csv").write_bytes(GOOD)
            first = ingest(settings, store)
            target = home / "landing" / name
            target.parent.mkdir(exist_ok=True)
            write(target, dice)
            (home / "landing" / "delighted" / "z.csv").write_bytes(GOOD.replace(b"r1", b"r2"))
            peak, hashing = _Peak(), _Hashing()
            began = time.monotonic()
            with peak, hashing:
                report = ingest(settings, store)
            seconds = time.monotonic() - began
            found = {file.path: file for file in report.files}
        # Of an archive it is a member that is refused, unless it cannot be listed.
        bomb = next((file for path, file in found.items() if path.startswith(name) and file.code), found.get(name))
        shown = "nothing" if bomb is None else f"{bomb.status} {bomb.code}"
        if first.accepted + report.accepted < 2:
            good = [f"{file.path} {file.status} {file.code}" for file in (*first.files, *report.files)]
            wrong.append(f"{kind}: the good files were not loaded: {good}")
        if bomb is None or (codes and (bomb.status != "refused" or bomb.code not in codes)):
            wrong.append(f"{kind}: {shown}, expected {' or '.join(codes)}")
        elif bomb.quarantine_path is None:
            wrong.append(f"{kind}: nothing in quarantine")
        if seconds > SECONDS:
            wrong.append(f"{kind}: {seconds:.1f} s ({shown})")
        if peak.bytes > CAP_MB << 20:
            wrong.append(f"{kind}: a child took {peak.bytes >> 20} MB ({shown})")
        target.unlink()
        slowest, hashed = max((slowest, hashed), (seconds, hashing.seconds))
        largest = max(largest, peak.bytes >> 20)
    return Trial(
        len(KINDS),
        tuple(wrong),
        f"slowest {slowest:.1f} s, {hashed:.1f} s of it the hash, largest child {largest} MB of {CAP_MB}",
    )


class _Hashing:
    """Seconds in which files are hashed to be known by their content: a bomb takes as many as any file of its size."""

    def __enter__(self) -> _Hashing:
        self.seconds = 0.0
        self._patch = patch.object(one_file, "hash_of", self._hash)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()

    def _hash(self, path: Path) -> str:
        began = time.monotonic()
        try:
            return hash_of(path)
        finally:
            self.seconds += time.monotonic() - began


class _Peak:
    """The most memory that any child keeps for itself."""

    def __enter__(self) -> _Peak:
        self.bytes, self._ends = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.002):
            for child in list(children._all):
                self.bytes = max(self.bytes, children.own_memory(child))
