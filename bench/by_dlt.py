"""dlt on one CSV into local Parquet files, for `bench/ingest.py`; runs in an environment of its own.

Usage: python bench/by_dlt.py arrow|rows FILE FOLDER. Prints wall seconds and CPU seconds of the load, without start-up.
Arrow tables are handed to dlt by its Arrow route, one dictionary per row by the other. Nothing is reported anywhere.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def records(file: Path, *, by_rows: bool) -> Iterator[Any]:
    """Arrow tables, or dictionaries, of the file."""
    if by_rows:
        with file.open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)
        return
    import pyarrow as pa
    import pyarrow.csv

    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    with pyarrow.csv.open_csv(file, parse_options=options) as reader:
        yield from (pa.Table.from_batches([batch]) for batch in reader)


def main() -> None:
    """Load once and print."""
    way, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    os.environ |= {"DLT_DATA_DIR": str(folder / "state"), "RUNTIME__DLTHUB_TELEMETRY": "false", "DO_NOT_TRACK": "1"}
    import dlt

    destination = dlt.destinations.filesystem(bucket_url=(folder / "out").as_uri())
    pipeline = dlt.pipeline("bench", pipelines_dir=str(folder / "state"), destination=destination, dataset_name=way)
    wall, used = time.perf_counter(), os.times()
    rows = dlt.resource(records(file, by_rows=way == "rows"), name="orders")
    pipeline.run(rows, loader_file_format="parquet")
    spent, now = time.perf_counter() - wall, os.times()
    cpu = sum(now[:4]) - sum(used[:4])
    assert dlt.config.get("runtime.dlthub_telemetry") in (False, "false")
    print(spent, cpu)


if __name__ == "__main__":
    main()
