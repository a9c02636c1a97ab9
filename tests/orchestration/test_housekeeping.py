"""What Dagster itself is told to do: forget old runs, try again what passes by itself, say what is late."""

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from kizuna.errors import GateFailed, KizunaError
from kizuna.settings import load_settings
from orchestration.pruning import prune_runs
from orchestration.session import VERSION_TAG, retried_when_away
from orchestration.when import fresh_every_day

CONFIG = Path(__file__).resolve().parents[2] / "orchestration" / "dagster.yaml"


@dg.asset
def thing() -> None: ...


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A company with Dagster's storage as it is shipped."""
    (tmp_path / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokyo\nretention: {run_days: 30}\n")
    settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
    settings.dagster_home.mkdir()
    (settings.dagster_home / "dagster.yaml").write_text(CONFIG.read_text())
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    return settings


def test_old_runs_go_with_all_that_was_kept_of_them(home: Any) -> None:
    (home.published / "v-4").mkdir(parents=True)
    (home.published / "current").symlink_to("v-4")
    with dg.DagsterInstance.get() as instance:
        ids = []
        for number in range(5):
            tags = {VERSION_TAG: "4"} if number == 1 else {}
            ids.append(dg.materialize([thing], instance=instance, tags=tags).run_id)
        unfinished = dg.DagsterRun(job_name="light", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
        instance.add_run(unfinished)
        for run_id in ids:
            for file in (home.dagster_home / "logs" / f"{run_id}.log", home.dagster_home / "storage" / run_id / "out"):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("said")
        now = datetime.now(UTC)
        assert prune_runs(instance, home, now=now + timedelta(days=29), kept=2) == []
        assert prune_runs(instance, home, now=now + timedelta(days=31), kept=3) == [ids[0], ids[2]]
        assert {run.run_id for run in instance.get_runs()} == {ids[1], *ids[3:], unfinished.run_id}
        assert prune_runs(instance, home, now=now + timedelta(days=31), kept=3) == []
        kept = instance.get_latest_materialization_event(thing.key)
        assert kept is not None and kept.run_id == ids[4]
        left = [path for path in home.dagster_home.rglob("*") if ids[0] in path.name or ids[2] in path.name]
        assert left == [], "files of runs that are gone"
        assert (home.dagster_home / "logs" / f"{ids[1]}.log").exists(), "the run that readers' version is from"
        with sqlite3.connect(home.dagster_home / "history" / "runs" / "index.db") as index:
            events = index.execute("SELECT count(*) FROM event_logs WHERE run_id IN (?, ?)", (ids[0], ids[2]))
            assert events.fetchone() == (0,)


def away() -> Exception:
    return OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly"))


def wrapped() -> Exception:
    error = KizunaError("The control store cannot be opened")
    error.__cause__ = away()
    return error


def full() -> Exception:
    return OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


@pytest.mark.parametrize(
    ("error", "tries"), [(away, 3), (wrapped, 3), (full, 1), (lambda: GateFailed("gate raw failed"), 1)]
)
def test_only_what_passes_by_itself_is_tried_again(error: Any, tries: int) -> None:
    met: list[int] = []

    @dg.op
    def step() -> None:
        with retried_when_away(seconds=0):
            met.append(1)
            if len(met) < 3:
                raise error()

    @dg.job(executor_def=dg.in_process_executor)
    def once() -> None:
        step()

    result = once.execute_in_process(raise_on_error=False)
    assert (len(met), result.success) == (tries, tries == 3)


def test_gates_are_judged_once(defs: Any) -> None:
    """A gate that fails is right or its rule is wrong; asking again until it passes is no gate."""
    nodes = {node.name: node for node in defs.resolve_job_def("daily").nodes}
    assert {name for name, node in nodes.items() if node.definition.retry_policy is not None} == set()
    pools = {name for name, node in nodes.items() if node.definition.pool == "build"}
    assert pools == set(nodes), "a step outside the pool could run beside another build"


def test_published_marts_are_late_when_the_day_was_not_built(defs: Any) -> None:
    from orchestration.manifest import published_tables

    graph = defs.resolve_asset_graph()
    late = {key.path[-1] for key in graph.get_all_asset_keys() if graph.get(key).freshness_policy is not None}
    assert late == {*published_tables(), "version"}
    policy: Any = fresh_every_day(6, 30, "Asia/Tokyo")
    assert (policy.deadline_cron, policy.timezone) == ("30 9 * * *", "Asia/Tokyo")
    assert policy.lower_bound_delta == timedelta(hours=9, minutes=30), "from midnight: a day is built after its end"
    for hour in range(24):
        assert fresh_every_day(hour, 59, "America/New_York")
