"""What the promises of ingestion cost, beside an engine that makes none.

The same generated file, in the same run: bare `COPY (FROM read_csv …) TO parquet` of DuckDB, then the full path as a
company runs it (hash, count, parse, type, account, quarantine, Parquet, ledger), then its parts alone; the same for
NDJSON events; and dlt by its Arrow route and its row route where it is installed. Each is the best of three.

Usage: python bench/ingest.py [megabytes, default 200] [row route megabytes, default 10]
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from ingestion.contract import Column
from ingestion.contract_files import load_contracts
from ingestion.load import ingest
from ingestion.parse import engine, parse_file
from ingestion.readers.base import Notes
from ingestion.readers.count import count_records
from kizuna.control.store import open_store
from kizuna.files import sha256_of
from kizuna.settings import Settings, load_settings

SEED = 7
REPEAT = 3

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


def best(work: Callable[[], object], repeat: int = REPEAT) -> float:
    """Seconds of the fastest of several runs."""
    found = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def bare(query: str, target: Path) -> float:
    """DuckDB alone, with the threads it likes."""
    with closing(duckdb.connect()) as con:
        return best(lambda: con.execute(f"COPY (FROM {query}) TO '{target}' (FORMAT parquet)"))


def company(folder: Path, name: str) -> Settings:
    home = folder / name
    (home / "contracts").mkdir(parents=True)
    (home / "kizuna.yaml").write_text("name: Bench\ntimezone: Asia/Tokyo\n")
    (home / "contracts" / "till.yml").write_text(ORDERS)
    return load_settings(home, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})


def full(folder: Path, source: str, file: Path, rows: int) -> float:
    """The whole ingest of a new company, a fresh one each time; the first also starts the child and is not counted."""
    seconds = []
    for number in range(REPEAT + 1):
        settings = company(folder, f"{source}-{number}")
        landing = settings.landing / source
        landing.mkdir(parents=True)
        (landing / file.name).hardlink_to(file)
        with closing(open_store(settings)) as store:
            began = time.perf_counter()
            report = ingest(settings, store)
            seconds.append(time.perf_counter() - began)
        assert (report.rows_in, report.accepted) == (rows, rows), report
    return min(seconds[1:])


def parts(settings: Settings, file: Path, relation: str) -> dict[str, float]:
    """What the promises cost one by one, in this process and after one another."""
    contracts = load_contracts(settings.contracts_dir, timezone="Asia/Tokyo")
    contract = next(contract for contract in contracts if contract.name == relation)
    kind = "csv" if file.suffix == ".csv" else "ndjson"
    as_text = tuple(
        Column.model_validate({"name": column.name, "from": column.source, "aliases": column.aliases})
        for column in contract.columns
        if column.sources
    )
    untyped = contract.model_copy(update={"identical_rows": "keep", "columns": as_text, "key": (), "event_time": None})
    unseen = contract.model_copy(update={"identical_rows": "keep"})
    con = engine()

    def parse(by: object) -> None:
        for _ in parse_file(con, file, by, kind, "0" * 64, Notes(encoding="utf-8")):  # type: ignore[arg-type]
            pass

    text = best(lambda: parse(untyped), 1)
    typed = best(lambda: parse(unseen), 1)
    whole = best(lambda: parse(contract), 1)
    return {
        "hash, twice": 2 * best(lambda: sha256_of(file), 1),
        "independent count": best(lambda: count_records(file, contract, kind, "utf-8"), 1),
        "text, line numbers": text,
        "+ types and checks": typed - text,
        "+ identical rows": whole - typed,
    }


def by_dlt(folder: Path, file: Path, *, rows: bool) -> float | None:
    """dlt into Parquet files: Arrow tables handed to it, or one dictionary per row."""
    if importlib.util.find_spec("dlt") is None:
        return None
    import csv

    import dlt
    import pyarrow.csv

    os.environ["DLT_DATA_DIR"] = str(folder / "dlt")
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

    def records() -> object:
        if not rows:
            options = pyarrow.csv.ParseOptions(newlines_in_values=True)
            with pyarrow.csv.open_csv(file, parse_options=options) as reader:
                yield from (pa.Table.from_batches([batch]) for batch in reader)
            return
        with file.open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)

    destination = dlt.destinations.filesystem(bucket_url=(folder / "dlt-out").as_uri())
    pipeline = dlt.pipeline("bench", destination=destination, dataset_name="rows" if rows else "arrow")
    return best(lambda: pipeline.run(records(), table_name="orders", loader_file_format="parquet"), 1)


def show(label: str, seconds: float | None, rows: int, size: int, against: float) -> None:
    if seconds is None:
        print(f"{label:42} not run: it is not installed")
        return
    print(
        f"{label:42} {seconds:8.2f} s {rows / seconds:12,.0f} rows/s {size / seconds / 1e6:8.1f} MB/s"
        f"   {against / seconds:5.2f} of bare"
    )


def main() -> None:
    """Measure and print."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    small = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    load = os.getloadavg()[0]
    print(f"{megabytes} MB each, seed {SEED}, best of {REPEAT}, {os.cpu_count()} cores, load {load:.1f} at the start")
    print(f"Python {sys.version.split()[0]}, duckdb {duckdb.__version__}, pyarrow {pa.__version__}")
    with tempfile.TemporaryDirectory(prefix="kizuna-bench-") as name:
        folder = Path(name)
        orders, events, few = folder / "orders.csv", folder / "events_1.ndjson", folder / "few.csv"
        for label, file, query, write, source, relation in (
            ("CSV orders", orders, "read_csv", write_orders, "till", "till__order"),
            ("NDJSON events", events, "read_json", write_events, "ga4", "ga4__events"),
        ):
            rows = write(file, megabytes)
            size = file.stat().st_size
            print(f"\n{label}: {rows:,} rows, {size / 1e6:,.0f} MB")
            alone = bare(f"{query}('{file}')", folder / "bare.parquet")
            show("DuckDB alone, no promises", alone, rows, size, alone)
            show("the full path", full(folder, source, file, rows), rows, size, alone)
            for part, seconds in parts(company(folder, f"parts-{source}"), file, relation).items():
                print(f"  {part:40} {seconds:8.2f} s")
            if file == orders:
                show("dlt, Arrow route", by_dlt(folder, file, rows=False), rows, size, alone)
                row_count = write_orders(few, small)
                show(
                    f"dlt, row route ({small} MB)", by_dlt(folder, few, rows=True), row_count, few.stat().st_size,
                    alone * few.stat().st_size / size,
                )  # fmt: skip
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"\npeak memory: reading child {child} MB if it has ended, this process (parts included) {own} MB")


if __name__ == "__main__":
    main()
