"""Every row of `rows/`, with as many trials as CI has time for; `make torture` goes on from there (torture.py).

Rows run side by side, but for those whose module says `ALONE = True`: what they measure another row would disturb.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torture

from kizuna.failpoints import POINTS


def _marked(row: str) -> Any:
    alone = getattr(torture.load_row(row), "ALONE", False)
    return pytest.param(row, marks=[pytest.mark.alone] if alone else [])


def _is_proof(row: str) -> bool:
    """Some rows take minutes a trial: they are torture only."""
    return torture.load_row(row).PROOF_TRIALS > 0


@pytest.mark.proof
@pytest.mark.parametrize("row", [_marked(row) for row in torture.rows() if _is_proof(row)])
def test_row_holds(row: str, figures: Callable[[str], None]) -> None:
    found = torture.load_row(row)
    started = time.monotonic()
    trials = [torture.attempt(found.run_trial, seed) for seed in range(1, found.PROOF_TRIALS + 1)]
    failures = [f"seed {seed}: {text}" for seed, trial in enumerate(trials, start=1) for text in trial.failures]
    shown = "; ".join(trial.figures for trial in trials if trial.figures)
    figures(
        f"{row}: N={sum(trial.cases for trial in trials):,} in {len(trials)} trials, seeds 1 to {len(trials)}, "
        f"failures={len(failures)}, {time.monotonic() - started:.0f} s{'; ' if shown else ''}{shown}"
    )
    assert failures == []


@pytest.mark.parametrize("seed", range(1, 31))
def test_a_run_is_killed_at_every_named_point(seed: int) -> None:
    r1: Any = torture.load_row("R1")
    r1l: Any = torture.load_row("R1L")
    homes = r1l.plan(seed, 100.0)
    steps = [step for home in homes for step in home]
    assert len(steps) == 10
    assert {step for step in steps if isinstance(step, str)} | set(r1.HERE) == set(POINTS)
    shown = POINTS.index("publish.link_replaced")
    for home in homes[:2]:
        # A point before publishing is not met once a run has published, nor one of ingest once the files are loaded.
        late = [isinstance(step, str) and POINTS.index(step) >= shown for step in home]
        assert late == [False] * (len(home) - 1) + [True]
        assert not any(isinstance(step, str) and step.startswith("ingest.") for step in home[1:])


def test_an_interrupted_torture_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x1.py").write_text(
        "from torture import Trial\n"
        "def run_trial(seed, folder):\n"
        "    if seed == 3: raise RuntimeError('broke')\n"
        "    return Trial(10, ('bad',) if seed == 2 else ())\n"
    )
    monkeypatch.setattr(torture, "ROWS", tmp_path)
    ledger = tmp_path / "ledger.jsonl"
    assert torture.torture(["X1"], 0, ledger) == 0
    with ledger.open("a") as handle:
        handle.write('{"row": "X1", "se')  # killed while writing
    assert [torture.torture(["X1"], 0, ledger) for _ in range(3)] == [1, 1, 0]
    total = torture.totals(ledger, "X1")
    assert (total["trials"], total["cases"], total["seeds"]) == (4, 31, (1, 4))
    assert [text.split(":")[0] for text in total["failures"]] == ["seed 2", "seed 3"]


def test_a_row_that_only_fails_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x1.py").write_text("def run_trial(seed, folder):\n    raise RuntimeError('no such thing')\n")
    monkeypatch.setattr(torture, "ROWS", tmp_path)
    assert torture.torture(["X1"], 0.1, tmp_path / "ledger.jsonl") == torture.GIVEN_UP


def test_what_rows_share_with_other_tests_is_found_without_pytest() -> None:
    """`make torture` is a plain process."""
    folder = Path(torture.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    shared = sorted({path for text in texts for path in re.findall(r'of_tests\("([^"]+)"\)', text)})
    assert len(shared) > 2
    code = "import sys, torture\nfor path in sys.argv[1:]: torture.of_tests(path)"
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code, *shared], cwd=folder, env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
