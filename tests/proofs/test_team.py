"""R1 on PostgreSQL: a team's installation, by the commands of its units, killed and healed as one on SQLite."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import whole_line as line
from torture import of_tests

from ingestion.demo import deliver_day2

pytestmark = pytest.mark.proof


def test_a_team_s_build_on_postgresql_is_the_same_and_heals_too(
    tmp_path: Path,
    figures: Callable[[str], None],
) -> None:
    """Day 1 by the parts that deploy/ starts, day 2 from the shell, killed and run again: all of it on PostgreSQL."""
    postgres, team = of_tests("integration/control/conftest.py"), of_tests("proofs/team.py")
    start = line.undisturbed()
    started = time.monotonic()
    with postgres.cluster() as server:
        company = line.open_company(tmp_path / "home")
        for database in ("control", "dagster"):
            company.environment = company.environment | {
                f"KIZUNA_{database.upper()}_URL": postgres.make_database(server, database)
            }
        shutil.copytree(start.untouched, company.home)
        environment = company.told | {"KIZUNA_HOME": str(company.home), "HOME": str(tmp_path)}
        parts = team.Parts(tmp_path / "units", environment, {part: team.unit(part) for part in team.PARTS})
        try:
            parts.start("code", "web", "viewer")
            for part in ("web", "viewer"):
                parts.wait_for_the_job(part)
            parts.stop_what_starts_runs()
            parts.start("daemon")
            assert parts.wait_for(parts.launch(line.DAY1), seconds=1200) == "SUCCESS"
        finally:
            parts.stop()
        assert company.shown() == (line.DAY1, start.day1)

        deliver_day2(company.home)
        assert company.run(line.DAY2, "publish.renamed") == -signal.SIGKILL, company.said
        assert company.shown() == (line.DAY1, start.day1)
        assert company.run(line.DAY2) == 0, company.said
        assert company.shown() == (line.DAY2, start.day2)
        assert company.books() == start.books
        assert company.slack.keys("#cx-alerts") == start.heard
        assert company.leftovers() == []
    figures(
        f"R1 team: day 1 by units of deploy/, day 2 killed and run again, on PostgreSQL: {len(start.day2)} "
        f"tables equal those of SQLite; {time.monotonic() - started:.0f} s"
    )
