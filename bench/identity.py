"""The identity engine at size: from Arrow tables to the customer map and all its tables, and a second build after it.

Each size runs in a process of its own, so that its peak memory is its own. A company of `size` distinct identifiers has
.3 customers, .6 source records and 1.4 links per identifier: every record carries its own id and its customer's
address, every third customer a telephone number; some addresses and numbers are shared by strangers, and chains of
eight customers must be cut. Usage: python bench/identity.py [million identifiers]
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEY = "a key of the benchmark, long enough to be one"
SEED = 7
BAR_SECONDS, BAR_GB, BAR_EXPONENT = 60.0, 8.0, 1.1
CHAIN, JUNK = 8, 5_000


def texts(prefix: str, numbers: np.ndarray, suffix: str = "", width: int = 0) -> pa.StringArray:
    """`prefix` number `suffix`, with leading zeros up to `width`."""
    digits = (
        pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0") if width else pa.array(numbers).cast("string")
    )
    return pc.binary_join_element_wise(prefix, digits, suffix, "")


def company(size: int, folder: Path) -> None:
    """Write source_records and identifiers as Parquet."""
    dice = np.random.default_rng(SEED)
    customers = int(size * 0.3)
    records = np.arange(2 * customers)
    person = dice.permutation(np.repeat(np.arange(customers), 2))
    crm = records % 2 == 0
    source = pa.array(np.where(crm, "salesforce.contact", "shopify.customer"))
    own = pc.if_else(pa.array(crm), texts("003", records, width=15), texts("", records + 10**12))
    seen = pa.array(dice.integers(1_600_000_000, 1_750_000_000, len(records)) * 10**6).cast(pa.timestamp("us"))
    kinds = pc.if_else(pa.array(crm), "salesforce_contact_id", "shopify_customer_id")
    email = texts("person", person, "@mail.example.com")
    # A customer of a chain also shows the address of the next one; strangers share a till's number.
    linked = np.flatnonzero((person % 10_000 < CHAIN - 1) & crm)
    phoned = np.flatnonzero(person % 3 == 0)
    number = texts("090", person[phoned] // 3 + 10**7)
    junk = dice.choice(len(records), min(JUNK, len(records) // 10), replace=False)
    rows = [
        (np.arange(len(records)), kinds, own),
        (np.arange(len(records)), "email", email),
        (linked, "email", texts("person", person[linked] + 1, "@mail.example.com")),
        (phoned, "phone", number),
        (junk, "phone", pa.array(["0333333001"] * len(junk))),
    ]
    order = pa.array(dice.permutation(sum(len(at) for at, _, _ in rows)))
    at = np.concatenate([at for at, _, _ in rows])
    kind = pa.concat_arrays(
        [
            pa.array([k] * len(v)) if isinstance(k, str) else k.combine_chunks() if hasattr(k, "chunks") else k
            for _, k, v in rows
        ]
    )
    identifiers = pa.table(
        {
            "source": source.take(pa.array(at)),
            "record_key": own.take(pa.array(at)),
            "identifier_type": kind,
            "raw_value": pa.concat_arrays([value for _, _, value in rows]),
            "seen_at": seen.take(pa.array(at)),
        }
    ).take(order)
    pq.write_table(pa.table({"source": source, "record_key": own, "seen_at": seen}), folder / "source_records.parquet")
    pq.write_table(identifiers, folder / "identifiers.parquet")


def peak_gb() -> float:
    """Largest resident memory of this process so far."""
    (line,) = [row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmHWM")]
    return int(line.split()[1]) / 1024**2


def _distinct(column: pa.ChunkedArray) -> int:
    """Distinct texts of a column of dictionaries, in which a text may stand twice."""
    array = column.combine_chunks()
    return int(pc.count_distinct(array.dictionary.take(pc.unique(array.indices))).as_py())


def measure(folder: Path) -> dict[str, float]:
    """One build, a second one on its registry, and scipy alone on the same graph as integers."""
    from analytics.identity.cluster import components
    from analytics.identity.evidence import gather
    from analytics.identity.resolve import resolve
    from analytics.identity.rules import default_rules

    tables = [pq.read_table(folder / f"{name}.parquet") for name in ("source_records", "identifiers")]
    rules = default_rules()

    def build(registry: pa.Table | None) -> tuple[float, float, object]:
        start, worked = time.monotonic(), time.process_time()
        found = resolve(*tables, None, rules, registry, key=KEY, default_country="JP", as_of=date(2026, 6, 30))
        return time.monotonic() - start, time.process_time() - worked, found

    seconds, processor, first = build(None)
    peak = peak_gb()
    registry = first.customer_identifiers.drop_columns(["normalized_value"])
    result = {
        "seconds": seconds,
        "processor": processor,
        "peak": peak,
        "links": tables[1].num_rows,
        "identifiers": _distinct(first.identity_links["identifier_hash"]),
        "customers": _distinct(first.customer_map["customer_id"]),
        "dropped": first.identity_drops.num_rows,
    }
    print(json.dumps(result), file=sys.stderr, flush=True)
    kept = first.customer_map
    del first
    again, processor_again, second = build(registry)
    result |= {
        "again": again,
        "processor_again": processor_again,
        "peak_again": peak_gb(),
        "changed": second.identity_changes.num_rows,
    }
    assert second.customer_map.equals(kept)
    del second, registry, kept
    evidence = gather(*tables, None, rules, "JP")
    edges = evidence.edges
    start = time.monotonic()
    components(edges.record, edges.value, len(evidence.records), len(evidence.values))
    result["scipy"] = time.monotonic() - start
    return result


def child(size: int) -> dict[str, float]:
    """Make and measure a company of `size` identifiers, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("make", "measure"):
            done = subprocess.run(
                [sys.executable, __file__, step, str(size), folder], stdout=subprocess.PIPE, check=True, text=True
            )
        return dict(json.loads(done.stdout))


def main(millions: float) -> None:
    sizes = [int(millions * 10**5), int(millions * 10**6)]
    found = []
    for size in sizes:
        load = os.getloadavg()[0]
        one = child(size)
        found.append(one)
        print(
            f"{size:>11,} identifiers asked, {one['identifiers']:,} used, {one['links']:,} links, {one['customers']:,} "
            f"customers, {one['dropped']:,} values dropped (load before: {load:.1f})\n"
            f"{'':8} first build {one['seconds']:.1f} s ({one['processor']:.1f} s of processor), {one['peak']:.2f} GB; "
            f"second build {one['again']:.1f} s ({one['processor_again']:.1f}), {one['peak_again']:.2f} GB, "
            f"{one['changed']} changes; bare scipy {one['scipy']:.2f} s, ratio {one['seconds'] / one['scipy']:.0f}",
            flush=True,
        )
    small, large = found
    exponent = math.log(large["seconds"] / small["seconds"]) / math.log(large["links"] / small["links"])
    worked = math.log(large["processor"] / small["processor"]) / math.log(large["links"] / small["links"])
    print(
        f"exponent of growth {exponent:.2f}, of processor time {worked:.2f} (bar {BAR_EXPONENT}); "
        f"{large['seconds']:.1f} s (bar {BAR_SECONDS:.0f}), {large['peak']:.2f} GB (bar {BAR_GB:.0f}); "
        f"{os.cpu_count()} cores, seed {SEED}, numpy {np.__version__}, pyarrow {pa.__version__}, load now "
        f"{os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    match sys.argv[1:]:
        case ["make", size, folder]:
            company(int(size), Path(folder))
        case ["measure", _, folder]:
            print(json.dumps(measure(Path(folder))))
        case [millions]:
            main(float(millions))
        case _:
            main(10.0)
