"""R6: every file three times, in random orders, some of them 90 days late: the same staging, identity and marts.

A trial is one order over the exports of a small company, with files that tell records again: each file arrives, again
under another name, and again packed, in five deliveries that the seed draws. After the last one a whole run of the job
`daily` builds and publishes, and is compared with that of a company which got each file once. Compared are all rows of
every table of staging and of identity, and the bytes of every published Parquet file. Left out are columns whose names
begin with `_`, which say where a row came from, and what `LINEAGE` names; of a table in `GROUPS` it is the groups that
are compared.

What it does not show: a company that builds between the deliveries. Its histories keep what was published on a day,
which is meant so.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import random
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from torture import Trial, beside

from ingestion.demo import generate
from ingestion.demo.delivery import deliver_day2
from kizuna.files import sha256_of
from kizuna.versions import current

PROOF_TRIALS = 10
PEOPLE, DAYS, DELIVERIES, LATE_DAYS = 50, 200, 5, 90
LAST_DAY = date(2026, 6, 30)
KEY = "k" * 64

#: Published columns that say which files came when, by mart.
LINEAGE: dict[str, tuple[str, ...]] = {"data_state": ("last_file",)}

#: A table whose customers are numbers of its own: compared is which records belong together.
GROUPS = {
    "identity.customer_map_by_ruleset": (
        "(SELECT * REPLACE (min(source || '|' || record_key) OVER (PARTITION BY ruleset, customer_id) AS customer_id) "
        "FROM identity.customer_map_by_ruleset)"
    )
}

homes = beside("homes")
_files: dict[str, bytes] = {}
_reference: dict[str, str] = {}


def run_trial(seed: int, folder: Path) -> Trial:
    """One order."""
    dice = random.Random(seed)
    if not _reference:
        _files.update(_exports(folder / "demo"))
        plain = _make_home(folder / "plain")
        for name, content in _files.items():
            plain.land(name, content)
        _reference.update(_built(plain))
    home = _make_home(folder / "shuffled")
    arrivals = [(name, copy, dice.randrange(DELIVERIES)) for name in _files for copy in range(3)]
    dice.shuffle(arrivals)
    failures = []
    for delivery in range(DELIVERIES):
        for name, copy, when in arrivals:
            if when == delivery:
                _land(home, name, copy, seed)
        report = home.ingest(homes.NOW + timedelta(days=LATE_DAYS * delivery // (DELIVERIES - 1)))
        if report.rows_in != report.accepted + report.quarantined + report.duplicates + report.held:
            failures.append(f"delivery {delivery}: rows do not add up")
    found = _built(home)
    failures += [f"{name} differs" for name in sorted(_reference) if found.get(name) != _reference[name]]
    failures += [f"{name} is there in one of them only" for name in sorted(_reference.keys() ^ found.keys())]
    stages = [sum(name.startswith(f"{stage}.") for name in found) for stage in ("staging", "identity", "marts")]
    figures = f"{len(arrivals)} arrivals of {len(_files)} files; {'/'.join(map(str, stages))} tables"
    return Trial(1, tuple(failures), figures if seed == 1 else "")


def _exports(folder: Path) -> dict[str, bytes]:
    generate(folder, people=PEOPLE, seed=7, days=DAYS, end=LAST_DAY)
    deliver_day2(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "landing" in path.parts)
    found = {"/".join(path.parts[path.parts.index("landing") + 1 :]): path.read_bytes() for path in files}
    return found | _restated(found)


def _restated(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files that tell half of the contacts and tickets again, each as of another day or, the last, of the same moment.

    In the demo few records change, and a wrong version of so few may be the right one by luck of the order.
    """
    dice = random.Random(0)
    (contacts,) = [content for name, content in files.items() if name.endswith("20260629/Contact.csv")]
    tickets = json.loads(files["zendesk/2026-06/tickets_00001.json"])
    header, *rows = csv.reader(io.StringIO(contacts.decode(), newline=""))
    told = {}
    for days in (4, 3, 2, 1, 0):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, header, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        for row in rows:
            contact = dict(zip(header, row, strict=True))
            if dice.random() < 0.5:
                moved = {name: _earlier(contact[name], days) for name in ("LastModifiedDate", "SystemModstamp")}
                writer.writerow(contact | moved | {"Title": f"as of {days}"})
        told[f"salesforce/WE_00D5g000004kZuN_2026061{days}/Contact.csv"] = text.getvalue().encode()
        page = [
            ticket | {"updated_at": _earlier(ticket["updated_at"], days), "tags": [f"as of {days}"]}
            for ticket in tickets["tickets"]
            if dice.random() < 0.5
        ]
        told[f"zendesk/2026-06/tickets_0009{days}.json"] = json.dumps(tickets | {"tickets": page}).encode()
    return told


def _earlier(moment: str, days: int) -> str:
    """A moment in ISO 8601 by so many days earlier; the moment itself for none."""
    if not days or not moment:
        return moment
    return (datetime.fromisoformat(moment) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _make_home(folder: Path) -> Any:
    home = homes.make_home(folder)
    with (folder / "kizuna.yaml").open("a", encoding="utf-8") as handle:
        handle.write("kpi: {churn_min_customers: 50}\n")
    return home


def _land(home: Any, name: str, copy: int, seed: int) -> None:
    source, _, rest = name.partition("/")
    if copy == 0:
        home.land(name, _files[name])
    elif copy == 1:
        home.land(f"{source}/again {seed}/{rest}", _files[name])
    else:
        member = (rest.rpartition("/")[2], _files[name])
        home.land(f"{source}/{rest.replace('/', ' ')} {seed}.zip", homes.packed(member))


def _built(home: Any) -> dict[str, str]:
    """Table or Parquet file -> hash over its rows, after a whole run over everything that was loaded."""
    from orchestration.launch import run_daily

    home.store.close()
    before = dict(os.environ)
    try:
        for name in [name for name in os.environ if name.startswith("KIZUNA_")]:
            del os.environ[name]
        os.environ["KIZUNA_PSEUDONYM_KEY"] = KEY
        outcome = run_daily(home.settings, as_of=LAST_DAY)
    finally:
        os.environ.clear()
        os.environ.update(before)
    shown = current(home.settings)
    if shown is None:
        raise RuntimeError(f"nothing was published: {outcome.failed_steps} {outcome.error}")
    found = {f"marts.{path.stem}": _hash_of_mart(path) for path in sorted((shown.folder / "marts").iterdir())}
    (build,) = home.settings.builds.glob("*/a*/build.duckdb")
    with closing(duckdb.connect(str(build), read_only=True)) as db:
        tables = db.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_schema IN ('staging', 'identity') ORDER BY 1"
        ).fetchall()
        return found | {name: _hash_of_rows(db, GROUPS.get(name, name)) for (name,) in tables}


def _hash_of_mart(path: Path) -> str:
    if path.stem not in LINEAGE:
        return sha256_of(path)
    with closing(duckdb.connect()) as db:
        return _hash_of_rows(db, f"read_parquet('{path}')", LINEAGE[path.stem])


def _hash_of_rows(db: duckdb.DuckDBPyConnection, relation: str, left_out: tuple[str, ...] = ()) -> str:
    columns = [row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
    chosen = ", ".join(f'"{name}"' for name in columns if not name.startswith("_") and name not in left_out)
    rows = db.execute(f"SELECT {chosen} FROM {relation}").fetchall()
    return hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()
