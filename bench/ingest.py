"""What the promises of ingestion cost, beside an engine that makes none.

The same generated file, in the same run: bare `COPY (FROM read_csv …) TO parquet` of DuckDB, the full path as a company
runs it (hash, count, parse, type, account, quarantine, Parquet, ledger), the reading alone with one promise taken away
each time, and, where `make bench-setup` has installed it, dlt by its Arrow route (its own reader of CSV, and Arrow
tables handed to it) and its row route (its own readers of CSV and of JSON lines, and dictionaries handed to it). They
take turns for some rounds, so that other work on the machine falls on all of them; medians are told, in wall time
and in CPU time (user and system, of this process and its children).

Usage: python bench/ingest.py [megabytes, default 200] [rounds, default 5] [row route megabytes, default 10]
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from unittest.mock import patch

import duckdb
import pyarrow as pa

from ingestion import children, reading
from ingestion.contract import Column, Contract
from ingestion.contract_files import load_contracts
from ingestion.load import ingest
from ingestion.parse import engine
from ingestion.readers.count import Count
from ingestion.reading import Job, read_job
from kizuna.control.store import open_store
from kizuna.files import hash_of
from kizuna.settings import Settings, load_settings

_HERE = Path(__file__).resolve().parent
_DLT = _HERE.parent / ".venv-bench" / "bin" / "python"

#: Ways of `by_dlt.py`. Those by rows take long, and go once over few rows.
_ARROW_WAYS = {"arrow": "dlt, Arrow batches of its reader", "tables": "dlt, Arrow tables handed to it"}
_ROW_WAYS = {
    "till": {"rows": "dlt, rows of its reader", "records": "dlt, dictionaries handed to it"},
    "ga4": {"events": "dlt, rows of its reader"},
}

SEED = 7

ORDERS = """
source: till
maps_to: order
files: ["*.csv"]
format: csv
times: {timezone: company, formats: [iso]}
fields:
  order_key: {column: order}
  customer_key: {column: customer}
  email: {column: email}
  phone: {column: phone}
  ordered_at: {column: at}
  updated_at: {column: updated}
  currency: {column: currency}
  gross_amount: {column: amount, min: 0}
  discount_amount: {column: discount}
  quantity: {column: quantity, min: 1}
  status: {column: status, allowed: [paid, refunded]}
  region: {column: town}
known: [note]
"""


def write_orders(path: Path, megabytes: int) -> int:
    """A CSV of about that size; its rows. Some cells hold delimiters, quotes, line ends and Japanese."""
    dice = random.Random(SEED)
    written = rows = 0
    notes = ["", "", "", "", "", '"left, at the door"', '"two\nlines ""x"""', "配送は午前"]
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write("order,customer,email,phone,at,updated,currency,amount,discount,quantity,status,town,note\n")
        while written < megabytes << 20:
            lines = []
            for n in range(rows, rows + 20_000):
                c = dice.randrange(1_000_000)
                lines.append(
                    f"O{n:09d},C{c:07d},user{c}@example.com,090-0000-{c % 10000:04d},"
                    f"2026-{c % 12 + 1:02d}-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:{c % 60:02d}+09:00,"
                    f"2026-12-{n % 28 + 1:02d} 10:{n % 60:02d}:00,EUR,{c % 90000}.{n % 100:02d},{n % 50}.00,"
                    f"{n % 9 + 1},{'paid' if n % 7 else 'refunded'},Town {c % 47},{notes[c % len(notes)]}\n"
                )
            rows += len(lines)
            written += stream.write("".join(lines))
    return rows


def write_events(path: Path, megabytes: int) -> int:
    """GA4 events, one JSON object a line; how many."""
    dice = random.Random(SEED)
    written = rows = 0
    with path.open("w", encoding="utf-8") as stream:
        while written < megabytes << 20:
            visitor, n = dice.randrange(1_000_000), rows
            event = {
                "event_date": "20260630",
                "event_timestamp": str(1_782_800_000_000_000 + n * 1000),
                "event_name": ("page_view", "scroll", "purchase")[n % 3],
                "event_params": [
                    {"key": "ga_session_id", "value": {"int_value": str(visitor * 7)}},
                    {"key": "page_location", "value": {"string_value": f"https://shop.example.com/item/{n % 900}"}},
                    {"key": "engagement_time_msec", "value": {"int_value": str(n % 9000)}},
                ],
                "user_pseudo_id": f"{visitor}.{visitor % 977}",
                "device": {"category": "mobile", "operating_system": "iOS", "language": "ja-jp"},
                "geo": {"country": "Japan", "region": "Tokyo", "city": "Shibuya"},
                "traffic_source": {"name": "(direct)", "medium": "(none)", "source": "(direct)"},
                "stream_id": "1", "platform": "WEB",
            }  # fmt: skip
            written += stream.write(json.dumps(event) + "\n")
            rows += 1
    return rows


@dataclass(frozen=True)
class Spent:
    """Seconds of one run, by the clock and of processors."""

    wall: float
    cpu: float


def _cpu() -> dict[int, float]:
    """CPU seconds so far of this process and of each child that reads files."""
    found = {0: sum(os.times()[:2])}
    for pid in children._all:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def measured(work: Callable[[], object]) -> Spent:
    """One run of `work`."""
    before, began = _cpu(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    return Spent(wall, sum(seconds - before.get(pid, 0.0) for pid, seconds in _cpu().items()))


def _peak(pid: int | str) -> int:
    """Largest resident memory so far, in MB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM")), 0)


def bare(query: str, target: Path) -> Spent:
    """DuckDB alone, with the threads it likes; without its start."""
    with closing(duckdb.connect()) as con:
        return measured(lambda: con.execute(f"COPY (FROM {query}) TO '{target}' (FORMAT parquet)"))


def company(folder: Path, name: str) -> Settings:
    home = folder / name
    (home / "contracts").mkdir(parents=True)
    (home / "kizuna.yaml").write_text("name: Bench\ntimezone: Asia/Tokyo\n")
    (home / "contracts" / "till.yml").write_text(ORDERS)
    return load_settings(home, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})


@dataclass
class Case:
    """One file, and what has been measured on it. `peaks` are MB of this process and of the reading child."""

    file: Path
    query: str
    source: str
    contract: Contract
    rows: int
    lines: int
    spent: dict[str, list[Spent]]
    peaks: list[int]

    def full(self, folder: Path, number: int) -> Spent:
        """The whole ingest of a new company."""
        settings = company(folder, f"{self.source}-{number}")
        landing = settings.landing / self.source
        landing.mkdir(parents=True)
        with closing(open_store(settings)) as store:
            # The start of a child, which may have ended meanwhile, is not the file's time.
            with self.file.open("rb") as stream:
                (landing / f"events_0{self.file.suffix}").write_bytes(b"".join(stream.readlines(4_000_000)))
            ingest(settings, store)
            (landing / self.file.name).hardlink_to(self.file)
            reports = []
            spent = measured(lambda: reports.append(ingest(settings, store)))
        assert (reports[0].rows_in, reports[0].accepted) == (self.rows, self.rows), reports
        self.peaks = [max(self.peaks[0], _peak("self")), max([self.peaks[1], *map(_peak, children._all)])]
        return spent

    def reading(self, folder: Path, contract: Contract, *, counted: bool = True) -> Spent:
        """What the child does, in this process."""
        kind = "csv" if self.file.suffix == ".csv" else "ndjson"
        job = Job(
            place=os.fsencode(self.file).hex(), kind=kind, contract=contract, name="x", content_hash="0" * 64,
            bytes=self.file.stat().st_size, batch_id="0" * 32, loaded_at=datetime(2026, 1, 1),
            raw=folder / "raw.parquet", quarantine=folder / "quarantine.parquet",
        )  # fmt: skip
        with closing(engine()) as con:
            if counted:
                return measured(lambda: read_job(con, job))
            with patch.object(reading, "count_records", lambda *_: Count(self.rows, self.lines)):
                return measured(lambda: read_job(con, job))

    def round(self, folder: Path, number: int) -> None:
        """Everything once."""
        as_text = tuple(
            Column.model_validate(
                {"name": column.name, "from": column.source, "aliases": column.aliases}
                | ({"type": "json"} if column.type == "json" else {})
            )
            for column in self.contract.columns
            if column.sources
        )
        untyped = self.contract.model_copy(update={"columns": as_text, "key": (), "event_time": None})
        unseen = self.contract.model_copy(update={"identical_rows": "keep"})
        add = self.spent
        add["DuckDB alone, no promises"].append(bare(f"{self.query}('{self.file}')", folder / "bare.parquet"))
        add["the full path"].append(self.full(folder, number))
        add["hash, twice"].append(measured(lambda: (hash_of(self.file), hash_of(self.file))))
        add["reading alone"].append(self.reading(folder, self.contract))
        add["  without the count"].append(self.reading(folder, self.contract, counted=False))
        add["  without identical rows"].append(self.reading(folder, unseen))
        add["  without types and checks"].append(self.reading(folder, untyped))


def by_dlt(folder: Path, file: Path, way: str) -> Spent:
    """dlt in its own environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_")}
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [str(_DLT), str(_HERE / "by_dlt.py"), way, str(file), place]
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Spent(*map(float, answer.split()[-2:]))


def show(label: str, found: list[Spent], rows: int, size: int, against: list[Spent]) -> None:
    """One line: medians, and the median of the rounds' own ratios."""
    wall, cpu = median(one.wall for one in found), median(one.cpu for one in found)
    by_wall = median(other.wall / one.wall for one, other in zip(found, against, strict=True))
    by_cpu = median(other.cpu / max(one.cpu, 1e-3) for one, other in zip(found, against, strict=True))
    print(
        f"{label:34} {wall:7.2f} s wall {cpu:7.2f} s CPU {rows / wall:11,.0f} rows/s {size / wall / 1e6:7.1f} MB/s"
        f"   {by_wall:5.2f} of bare by wall, {by_cpu:5.2f} by CPU"
    )


def main() -> None:
    """Measure and print."""
    numbers = [int(text) for text in sys.argv[1:]]
    megabytes, rounds, small = (*numbers, *(200, 5, 10)[len(numbers) :])
    print(f"{megabytes} MB each, seed {SEED}, N={rounds} rounds, medians; {os.cpu_count()} cores")
    print(f"Python {sys.version.split()[0]}, duckdb {duckdb.__version__}, pyarrow {pa.__version__}")
    print(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())} at the start")
    with tempfile.TemporaryDirectory(prefix="kizuna-bench-") as name:
        folder = Path(name)
        contracts = {contract.name: contract for contract in load_contracts(
            company(folder, "contracts").contracts_dir, timezone="Asia/Tokyo"
        )}  # fmt: skip
        for label, file, query, write, source, relation in (
            ("CSV orders", folder / "orders.csv", "read_csv", write_orders, "till", "till__order"),
            ("NDJSON events", folder / "events_1.ndjson", "read_json", write_events, "ga4", "ga4__events"),
        ):
            rows = write(file, megabytes)
            size = file.stat().st_size
            with file.open("rb") as stream:
                lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 24), b""))
            case = Case(file, query, source, contracts[relation], rows, lines, defaultdict(list), [0, 0])
            print(f"\n{label}: {rows:,} rows, {size / 1e6:,.0f} MB")
            Path("/proc/self/clear_refs").write_text("5")
            case.full(folder, 0)
            peaks, case.peaks = case.peaks, [0, 0]
            for number in range(1, rounds + 1):
                case.round(folder, number)
                if source == "till" and _DLT.exists():
                    for way, name in _ARROW_WAYS.items():
                        case.spent[name].append(by_dlt(folder, file, way))
            against = case.spent["DuckDB alone, no promises"]
            for what, found in case.spent.items():
                show(what, found, rows, size, against)
            print(f"peak memory: the run {peaks[0]} MB, the child that reads {max(peaks[1], case.peaks[1])} MB")
            few = file.with_name(f"few_events_1{file.suffix}")
            _compare(folder, case, few, write(few, small))
            print(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())} at the end")


def _compare(folder: Path, case: Case, few: Path, few_rows: int) -> None:
    """How many times faster than dlt by each of its ways."""
    if not _DLT.exists():
        print("dlt: not run, it is not installed (make bench-setup)")
        return
    ours = case.spent["the full path"]
    for name in _ARROW_WAYS.values():
        pairs = list(zip(case.spent.get(name, []), ours, strict=False))
        if pairs:
            wall, cpu = (median(getattr(a, by) / getattr(b, by) for a, b in pairs) for by in ("wall", "cpu"))
            print(f"{name}: the full path is {wall:.1f} times as fast by wall, {cpu:.1f} times by CPU")
    own = case.rows / median(one.wall for one in ours), case.rows / median(one.cpu for one in ours)
    for way, name in _ROW_WAYS[case.source].items():
        slow = by_dlt(folder, few, way)
        rate, cpu_rate = few_rows / slow.wall, few_rows / slow.cpu
        print(
            f"{name}, N=1, {few_rows:,} rows: {slow.wall:.1f} s wall, {slow.cpu:.1f} s CPU, {rate:,.0f} rows/s; "
            f"the full path is {own[0] / rate:.1f} times as fast by wall, {own[1] / cpu_rate:.1f} times by CPU"
        )


if __name__ == "__main__":
    main()
