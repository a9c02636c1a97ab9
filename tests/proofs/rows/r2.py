"""R2: readers in processes of their own query across marts while builds publish; nobody sees an error or a mixture.

A trial is at least `VERSIONS` publishes and 30 seconds, whichever ends later; from seed 2 on with 32 readers for
ten minutes.
Every row of a published version carries the same stamp. A reader that gets two stamps in one answer, or a count that
does not belong to its stamp, has read a mixture.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from torture import Trial, of_tests

from kizuna.control.store import open_store
from kizuna.settings import load_settings

PROOF_TRIALS = 1
#: How many, and for how many seconds at least: in `make proofs`, and in `make torture`.
FEW, MANY = (8, 30.0), (32, 600.0)
VERSIONS = 100

READER = """
import json, random, sys, time
from contextlib import closing
from pathlib import Path
import duckdb

current, stop, dice = Path(sys.argv[1]), Path(sys.argv[2]), random.Random(int(sys.argv[3]))
QUERY = (
    "SELECT (SELECT count(*) FROM {orders}), (SELECT count(DISTINCT stamp) FROM {orders}), "
    "(SELECT min(stamp) FROM {orders}), (SELECT max(stamp) FROM {orders}), "
    "(SELECT count(*) FROM {customers}), (SELECT min(stamp) FROM {customers}), (SELECT max(stamp) FROM {customers})"
)
ORDERS = "SELECT count(*), count(DISTINCT stamp), min(stamp), max(stamp) FROM {}"
CUSTOMERS = "SELECT count(*), min(stamp), max(stamp) FROM {}"

def by_link():
    # As a BI tool: the path never changes, the link does.
    with closing(duckdb.connect(str(current / "cx.duckdb"), read_only=True)) as db:
        return db.execute(QUERY.format(orders="marts.orders", customers="marts.customers")).fetchall()[0]

def by_version():
    # As `kizuna path`: the link is resolved once, then two statements on one file.
    with closing(duckdb.connect(str(current.resolve() / "cx.duckdb"), read_only=True)) as db:
        one = db.execute(ORDERS.format("marts.orders")).fetchall()[0]
        time.sleep(dice.uniform(0, 0.02))
        return one + db.execute(CUSTOMERS.format("marts.customers")).fetchall()[0]

def by_parquet():
    folder = current.resolve() / "marts"
    with closing(duckdb.connect()) as db:
        one = db.execute(ORDERS.format(f"'{folder}/orders.parquet'")).fetchall()[0]
        time.sleep(dice.uniform(0, 0.02))
        return one + db.execute(CUSTOMERS.format(f"'{folder}/customers.parquet'")).fetchall()[0]

print("ready", flush=True)
reads, errors, mixed, back, seen, last = 0, [], [], [], set(), 0
while not stop.exists():
    way = dice.choice((by_link, by_version, by_parquet))
    try:
        answer = way()
    except Exception as error:
        errors.append(f"{way.__name__}: {error!r}")
        continue
    reads += 1
    count, stamps, *bounds = answer[:2] + answer[2:4] + answer[5:]
    if stamps != 1 or len(set(bounds)) != 1 or count != bounds[0] or answer[4] != 3:
        mixed.append(f"{way.__name__}: {answer}")
    elif bounds[0] < last:
        back.append(f"{way.__name__}: {last} then {bounds[0]}")
    last = max(last, bounds[0])
    seen.add(bounds[0])
print(json.dumps({"reads": reads, "errors": errors, "mixed": mixed, "back": back, "seen": len(seen)}))
"""


def run_trial(seed: int, folder: Path) -> Trial:
    """Readers from the first publish to the last; N counts their answers."""
    many, least = FEW if seed <= PROOF_TRIALS else MANY
    (folder / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokyo\n", encoding="utf-8")
    settings = load_settings(folder, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
    company = of_tests("integration/publishing/conftest.py").Company(settings, open_store(settings))
    company.publish_rows(1)
    stop = folder / "stop"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KIZUNA_", "PYTEST_"))}
    command = [sys.executable, "-c", READER, str(settings.published / "current"), str(stop)]
    readers = [
        subprocess.Popen([*command, f"{seed}{number}"], env=environment, stdout=subprocess.PIPE, text=True)
        for number in range(many)
    ]
    versions = 1
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        started = time.monotonic()
        while versions <= VERSIONS or time.monotonic() - started < least:
            versions += 1
            company.publish_rows(versions)
        seconds = time.monotonic() - started
    finally:
        stop.touch()
    company.store.close()
    # The last line: of a query of more than two seconds DuckDB shows before it how far it is.
    answers = [json.loads(reader.communicate(timeout=120)[0].splitlines()[-1]) for reader in readers]
    reads, seen = sum(answer["reads"] for answer in answers), min(answer["seen"] for answer in answers)
    failures = [f"{name}: {line}" for one in answers for name in ("errors", "mixed", "back") for line in one[name]]
    if seen < 10 or reads < versions:
        failures.append(f"the readers hardly met a change: {reads} answers, one met {seen} versions alone")
    shown = f"{len(readers)} readers, {versions - 1} publishes in {seconds:.0f} s; each met at least {seen} versions"
    return Trial(reads, tuple(failures), shown)
