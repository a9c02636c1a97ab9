"""R7: thirty changes of columns. Each follows the contract's policy, is reported with what to do, and loses no value.

A trial is six kinds under three policies as CSV, and twelve changes in XLSX, Parquet and NDJSON.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from torture import Trial, beside

from ingestion.drift import findings

PROOF_TRIALS = 2
NAMES = ("Receipt", "Card", "When", "Total", "Pieces", "Town")
homes = beside("homes")

STATES = {"evolve": "accepted", "quarantine": "held", "stop": "refused"}
CASES = [("csv", kind, policy) for kind in ("added", "dropped", "renamed", "retyped", "reordered", "recased")
         for policy in STATES] + [
    ("xlsx", "added", "evolve"), ("xlsx", "dropped", "quarantine"), ("xlsx", "reordered", "evolve"),
    ("xlsx", "recased", "stop"), ("xlsx", "retyped", "quarantine"), ("parquet", "added", "stop"),
    ("parquet", "dropped", "evolve"), ("parquet", "retyped", "quarantine"), ("ndjson", "added", "evolve"),
    ("ndjson", "dropped", "quarantine"), ("ndjson", "retyped", "stop"), ("ndjson", "added", "stop"),
]  # fmt: skip


@dataclass
class Table:
    """Columns with their values, before and after a change."""

    columns: dict[str, list[str]]

    def changed(self, kind: str, dice: random.Random) -> Table:
        columns = dict(self.columns)
        optional = dice.choice(("Pieces", "Town")) if kind in ("dropped",) else "Pieces"
        match kind:
            case "added":
                columns["Clerk"] = [f"clerk{n}" for n in range(len(columns["Card"]))]
                if dice.random() < 0.5:
                    columns = dict(sorted(columns.items(), key=lambda _: dice.random()))
            case "dropped":
                del columns[optional]
            case "renamed":
                columns = {"Receipt No" if name == "Receipt" else name: values for name, values in columns.items()}
            case "retyped":
                columns["Pieces"] = [f"{value} pieces" for value in columns["Pieces"]]
            case "reordered":
                while list(columns) == list(self.columns):
                    columns = dict(sorted(columns.items(), key=lambda _: dice.random()))
            case "recased":
                name = dice.choice(NAMES)
                columns = {key.upper() if key == name else key: values for key, values in columns.items()}
        return Table(columns)

    def rows(self) -> list[dict[str, str]]:
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]

    def written(self, form: str) -> bytes:
        match form:
            case "csv":
                lines = [",".join(self.columns), *(",".join(row.values()) for row in self.rows())]
                return ("\n".join(lines) + "\n").encode()
            case "xlsx":
                return bytes(homes.workbook([list(self.columns), *(row.values() for row in self.rows())]))
            case "parquet":
                buffer = io.BytesIO()
                pq.write_table(pa.table(self.columns), buffer)
                return buffer.getvalue()
            case _:
                return bytes(homes.json_lines(self.rows()))


def make_table(dice: random.Random, prefix: str) -> Table:
    """Twenty to forty rows whose every value is unlike any other, so that each can be looked for."""
    count = dice.randint(20, 40)
    return Table(
        {
            "Receipt": [f"{prefix}r{n}" for n in range(count)],
            "Card": [f"{prefix}k{n}" for n in range(count)],
            "When": [f"2026-06-{n % 28 + 1:02} 10:00:{n:02}" for n in range(count)],
            "Total": [f"{dice.randint(1, 9999)}.25" for _ in range(count)],
            "Pieces": [str(1000 + n) for n in range(count)],
            "Town": [f"{prefix}東京{n}" for n in range(count)],
        }
    )


def run_trial(seed: int, folder: Path) -> Trial:
    """Every change once, each in a source of its own."""
    dice = random.Random(seed)
    home = homes.make_home(folder / "home")
    changed: dict[str, Table] = {}
    for number, (form, kind, policy) in enumerate(CASES):
        source = f"s{number}"
        drift = f"{{{kind}: {policy}}}"
        home.contract(source, homes.till(source, suffixes=f"{form},{form}x", format=form, drift=drift))
        before = make_table(dice, f"{source}a")
        home.land(f"{source}/1.{form}", before.written(form))
        changed[source] = make_table(dice, f"{source}b").changed(kind, dice)
    home.ingest()
    for number, (form, _, _) in enumerate(CASES):
        home.land(f"s{number}/2.{form}", changed[f"s{number}"].written(form))
    home.ingest()
    records = home.records()
    stored: dict[str, list[str]] = {}
    for path, *cells in home.query("SELECT _file, * FROM raw.mapped__order"):
        stored.setdefault(path, []).append(str(cells))
    failures = []
    for number, (form, kind, policy) in enumerate(CASES):
        record = records[f"s{number}/2.{form}"]
        rows = stored.get(record.path, []) + [str(row["raw"]) for row in home.rejected(record)]
        told = _judge(record, kind, policy, changed[f"s{number}"], rows)
        failures += [f"{form} {kind} {policy}: {text}" for text in told]
    home.store.close()
    return Trial(len(CASES), tuple(failures))


def _judge(record: Any, kind: str, policy: str, table: Table, rows: list[str]) -> list[str]:
    """What is wrong with one outcome; `rows` are its stored and its rejected rows as text."""
    found = []
    code = None if policy == "evolve" else f"drift.{kind}"
    if (record.status, record.code) != (STATES[policy], code):
        found.append(f"is {record.status} {record.code} ({record.reason})")
    told = [finding for finding in findings(record.detail.get("drift", {})) if finding.kind == kind]
    if not told or not all(finding.to_do for finding in told):
        found.append(f"not reported: {record.detail.get('drift')}")
    if homes.unbalanced(record):
        found.append("rows do not add up")
    if record.status == "accepted":
        kept, looked = "".join(rows), {name: v for name, v in table.columns.items() if name not in ("When", "Total")}
        lost = [value for values in looked.values() for value in values if value not in kept]
        if lost:
            found.append(f"{len(lost)} values are gone, such as {lost[0]!r}")
    elif record.batch_id is not None:
        found.append("a file that is not to be used has a batch")
    return found
