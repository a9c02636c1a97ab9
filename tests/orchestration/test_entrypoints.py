"""Ways in: a run with nothing new is quiet, and what needs no Dagster does not load it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ingestion.relations import list_inputs
from kizuna.builds import PROJECT_ROOT

KIZUNA = Path(sys.executable).with_name("kizuna")
#: Parts of what is slow to import, and of what only a run needs.
ORCHESTRATION = {"dagster", "dagster_dbt", "dbt", "great_expectations"}
HEAVY = ORCHESTRATION | {"altair", "duckdb", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sqlalchemy"}


def kizuna(*arguments: str, imports: bool = False) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run the installed command in a process of its own; also the top-level packages it imported."""
    command = [sys.executable, *(["-X", "importtime"] if imports else []), str(KIZUNA), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "120"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    names = [line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done, {name.split(".")[0] for name in names}


def test_a_run_with_nothing_new_builds_nothing_and_says_nothing(
    built: Any, copy_of: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from orchestration.launch import run_daily

    line = copy_of(built.line.home)
    for name in ("DAGSTER_HOME", "KIZUNA_HOME"):
        # The launcher sets both for what it starts; here they must not outlive the test.
        monkeypatch.setenv(name, str(line.home))
    # pytest listens at the root; without it, what nobody handles goes to standard error, as on a terminal.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    before = line.published()

    began = time.process_time()
    outcome = run_daily(line.settings, as_of=date(2026, 6, 29))
    # In a process of its own the imports come on top; docs/benchmarks.md has both.
    assert time.process_time() - began < 5

    assert outcome.success and outcome.nothing_new
    assert (outcome.build_id, outcome.version) == (None, None)
    assert line.published() == before
    assert len(list(line.settings.builds.iterdir())) == 1
    assert capsys.readouterr() == ("", "")


def test_the_code_of_a_run_is_that_which_its_process_has_loaded() -> None:
    """Reading years of history takes an hour; a release that is installed meanwhile is not what the process runs."""
    code = (
        "import kizuna.builds as builds, orchestration.definitions\n"
        "builds.current_code = lambda: 'another release'\n"
        "print(builds.code_version())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert re.fullmatch("[0-9a-f]{16}", done.stdout.strip()), done.stdout


def test_ingest_loads_files_without_dagster(landed: Path, built: Any, copy_of: Callable[[Path], Any]) -> None:
    """A company may load by cron and build later; and start-up would cost more than the loading."""
    line = copy_of(landed)
    done, imported = kizuna("ingest", "--home", str(line.home), imports=True)
    assert done.returncode == 0, done.stdout
    assert "rows in =" in done.stdout
    assert {"sqlalchemy", "ingestion"} <= imported, "the list of imports is not what it should be"
    assert imported & (ORCHESTRATION | {"orchestration"}) == set()
    # Another process, with another hash seed, and Dagster's job: a build finds the same inputs.
    of_shell, of_job = (
        [
            (batch.relation, batch.file, batch.content_hash, batch.rows_in, batch.accepted)
            for batch in list_inputs(company.store)
        ]
        for company in (line, copy_of(built.line.home))
    )
    assert sorted(of_shell) == sorted(of_job) != []


@pytest.mark.parametrize("arguments", [("--help",), ("ingest", "--help"), ("run", "--help"), ("path", "--help")])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    done, imported = kizuna(*arguments, imports=True)
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert {"typer", "kizuna"} <= imported
    assert imported & (HEAVY | {"orchestration", "ingestion", "expectations", "analytics"}) == set()
