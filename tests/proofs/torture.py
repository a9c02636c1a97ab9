"""Rows of the reliability scoreboard for as long as there is time: `make torture ROWS="R5 R12" MINUTES=30`.

A row is a module `rows/<id>.py` (`rows/r5.py` for R5) with at least two names:

    PROOF_TRIALS = 20                                    # how many trials `make proofs` runs, seeds 1 to 20; 0: none
    def run_trial(seed: int, folder: Path) -> Trial

and `ALONE = True` where a row beside it would disturb what it measures. `folder` is empty and goes away afterwards.
Every finished trial is one line of the ledger (default `var/torture/ledger.jsonl`); a row goes on with the seed after
its last, so that interrupted runs add up. A trial that raises is a failure of that trial and not the end of the run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

ROOT = Path(__file__).resolve().parents[2]
ROWS = Path(__file__).parent / "rows"
LEDGER = ROOT / "var" / "torture" / "ledger.jsonl"


@dataclass(frozen=True)
class Trial:
    """What one trial tried: `cases` is what N counts, `failures` says what broke, `figures` whatever it measured."""

    cases: int
    failures: tuple[str, ...] = ()
    figures: str = ""


RunTrial = Callable[[int, Path], Trial]


class Row(Protocol):
    """A row's module."""

    PROOF_TRIALS: int
    run_trial: RunTrial


def load_row(row: str) -> Row:
    """The module of a row. Raises `LookupError` where there is no such row."""
    path = ROWS / f"{row.lower()}.py"
    if not path.is_file():
        raise LookupError(f"there is no row {row}; there are {', '.join(rows())}")
    sys.modules.setdefault("torture", sys.modules[__name__])  # so that a row can `from torture import Trial`
    spec = importlib.util.spec_from_file_location(f"torture_row_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return cast(Row, module)


def beside(name: str) -> ModuleType:
    """Module `name` of this folder, for what several rows share."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def of_tests(path: str) -> ModuleType:
    """A module of the other tests by its path below tests/, for its stand-in servers and small companies."""
    name = "proof_" + path.replace("/", "_").removesuffix(".py")
    if name not in sys.modules:
        file = ROOT / "tests" / path
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        if str(file.parent) not in sys.path:
            # pytest finds there what it shares with its neighbours (`pythonpath` in pyproject.toml).
            sys.path.append(str(file.parent))
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


#: Trials of a row that may fail in a row: after that it is the row that is broken, and thousands more say nothing new.
GIVEN_UP = 5


def rows() -> list[str]:
    """Ids of the rows that can be run."""
    return sorted(path.stem.upper() for path in ROWS.glob("*.py"))


def attempt(run_trial: RunTrial, seed: int) -> Trial:
    """One trial in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="kizuna-torture-"))
    try:
        return run_trial(seed, folder)
    except Exception:  # noqa: BLE001 - whatever breaks is the finding
        return Trial(1, (traceback.format_exc(limit=-4),))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """Finished trials. A last line that a kill cut off is left out."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def totals(ledger: Path, row: str) -> dict[str, Any]:
    """All trials of a row: N, first and last seed, failures, seconds, and the commits they ran on."""
    trials = [trial for trial in read_ledger(ledger) if trial["row"] == row]
    seeds = [trial["seed"] for trial in trials]
    return {
        "trials": len(trials),
        "cases": sum(trial["cases"] for trial in trials),
        "seeds": (min(seeds), max(seeds)) if seeds else None,
        "failures": [f"seed {trial['seed']}: {text}" for trial in trials for text in trial["failures"]],
        "seconds": sum(trial["seconds"] for trial in trials),
        "commits": sorted({trial["commit"] for trial in trials}),
    }


def commit() -> str:
    """The tree the trials run on; `+` where it is not exactly what was committed."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"], cwd=ROOT, capture_output=True, text=True
    )
    return found.stdout.strip() or "unknown"


def torture(names: list[str], minutes: float, ledger: Path) -> int:
    """Trials of the rows in turn until the time is over, at least one each; the number of failures met now."""
    found = {name: load_row(name).run_trial for name in names}
    ledger.parent.mkdir(parents=True, exist_ok=True)
    if ledger.is_file() and not ledger.read_bytes().endswith(b"\n"):
        with ledger.open("a", encoding="utf-8") as handle:
            handle.write("\n")
    seeds = {name: (totals(ledger, name)["seeds"] or (0, 0))[1] for name in names}
    failures, end, tree, first = 0, time.monotonic() + minutes * 60, commit(), True
    broken = dict.fromkeys(names, 0)
    while first or (found and time.monotonic() < end):
        for name, run_trial in list(found.items()):
            if not first and time.monotonic() >= end:
                break
            seeds[name] += 1
            started = time.monotonic()
            trial = attempt(run_trial, seeds[name])
            line = {
                "row": name,
                "seed": seeds[name],
                "cases": trial.cases,
                "failures": list(trial.failures),
                "figures": trial.figures,
                "seconds": round(time.monotonic() - started, 3),
                "commit": tree,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            with ledger.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")
            failures += len(trial.failures)
            for text in trial.failures:
                print(f"{name} seed {seeds[name]}: {text}", flush=True)
            broken[name] = broken[name] + 1 if trial.failures else 0
            if broken[name] == GIVEN_UP:
                print(f"{name}: {GIVEN_UP} trials in a row failed; it is left", flush=True)
                del found[name]
        first = False
    return failures


def report(names: list[str], ledger: Path) -> None:
    """One line per row over everything the ledger holds."""
    for name in names:
        total = totals(ledger, name)
        failures = total["failures"]
        first, last = total["seeds"] or (0, 0)
        print(
            f"{name}: N={total['cases']:,} in {total['trials']:,} trials, seeds {first} to {last}, "
            f"failures={len(failures)}, {total['seconds']:.0f} s, on {', '.join(total['commits'])}"
        )


def main() -> None:
    """Read the command line, run, report; exits with 1 when a trial failed now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help=f"ids, parted by blanks or commas; default all: {' '.join(rows())}")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--ledger", type=Path, default=LEDGER)
    parser.add_argument("--fresh", action="store_true", help="forget the trials in the ledger")
    options = parser.parse_args()
    names = options.rows.upper().replace(",", " ").split() or rows()
    if options.fresh:
        options.ledger.unlink(missing_ok=True)
    try:
        failures = torture(names, options.minutes, options.ledger)
    except LookupError as error:
        parser.error(str(error))
    report(names, options.ledger)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
