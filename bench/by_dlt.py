"""dlt on one file into local Parquet files, for `bench/ingest.py`; runs in an environment of its own.

Usage: python bench/by_dlt.py WAY FILE FOLDER. Prints wall seconds and CPU seconds of the load, without start-up.

Ways that dlt ships, each with its own reader of files and the defaults of that reader:
  arrow   CSV as Arrow batches (`read_csv_duckdb` with `use_pyarrow`)
  rows    CSV as one dictionary per row (`read_csv`)
  events  NDJSON as one dictionary per line (`read_jsonl`)
Ways that leave reading to the caller, written here:
  tables  Arrow tables by Arrow's CSV reader
  records dictionaries by Python's csv module
Nothing is reported anywhere.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHIPPED = ("arrow", "rows", "events")


def tables(file: Path) -> Iterator[Any]:
    """Arrow tables of a CSV."""
    import pyarrow as pa
    import pyarrow.csv

    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    with pyarrow.csv.open_csv(file, parse_options=options) as reader:
        yield from (pa.Table.from_batches([batch]) for batch in reader)


def records(file: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV."""
    with file.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def resource(way: str, file: Path) -> Any:
    """What dlt is to load."""
    import dlt

    if way not in SHIPPED:
        return dlt.resource({"tables": tables, "records": records}[way](file), name="orders")
    from dlt.sources.filesystem import filesystem, read_csv, read_csv_duckdb, read_jsonl

    reader = {"arrow": lambda: read_csv_duckdb(use_pyarrow=True), "rows": read_csv, "events": read_jsonl}[way]
    return (filesystem(bucket_url=file.parent.as_uri(), file_glob=file.name) | reader()).with_name("orders")


def main() -> None:
    """Load once and print."""
    way, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.environ |= {"DLT_DATA_DIR": str(folder / "state"), "RUNTIME__DLTHUB_TELEMETRY": "false", "DO_NOT_TRACK": "1"}
    import dlt

    destination = dlt.destinations.filesystem(bucket_url=(folder / "out").as_uri())
    pipeline = dlt.pipeline("bench", pipelines_dir=str(folder / "state"), destination=destination, dataset_name=way)
    loaded = resource(way, file)
    wall, used = time.perf_counter(), os.times()
    pipeline.run(loaded, loader_file_format="parquet")
    spent, now = time.perf_counter() - wall, os.times()
    cpu = sum(now[:4]) - sum(used[:4])
    assert dlt.config.get("runtime.dlthub_telemetry") in (False, "false")
    print(spent, cpu)


if __name__ == "__main__":
    main()
