"""What a failed run leads to: a past day is told as one and is no problem of readers, and old runs go all the same."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import select

from kizuna.control.schema import build_events, incidents
from kizuna.data_channel import PastDay
from orchestration.asked import failed_run
from orchestration.session import Company


@pytest.fixture
def look(defs: Any) -> Callable[[Any, Any], str]:
    """A look of the failure sensor over an instance's runs; what it says."""
    from orchestration.defs import automation

    def look(line: Any, instance: Any) -> str:
        context = dg.build_sensor_context(instance=instance, resources={"company": Company(home=str(line.home))})
        return str(automation.run_failures(context).skip_message)

    return look


@pytest.fixture
def home(built: Any, copy_of: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Day 1 (2026-06-29) is published as v-1."""
    line = copy_of(built.line.home)
    for name in ("DAGSTER_HOME", "KIZUNA_HOME"):
        # The launcher sets both for what it starts; here they must not outlive the test.
        monkeypatch.setenv(name, str(line.home))
    return line


def told(line: Any) -> list[str]:
    data = line.settings.company.channels.data
    return [json.dumps(message["payload"], ensure_ascii=False) for message in line.messages(data)]


def problems(line: Any) -> list[tuple[str, str]]:
    """Kind and state of what the data team was told of."""
    with line.store.read() as connection:
        rows = connection.execute(select(incidents.c.kind, incidents.c.state)).all()
    return [(row.kind, row.state) for row in rows]


def test_a_past_day_that_a_gate_stops_is_told_as_one_and_leaves_nothing_open(
    stopped: Any, copy_of: Callable[[Path], Any], look: Any
) -> None:
    """The same build that a gate stopped, had it been asked for as a past day."""
    line = copy_of(stopped.line.home)
    build = line.build(stopped.tags)
    with line.store.begin() as connection:
        connection.execute(
            build_events.insert().values(
                build_id=build.build_id, attempt=build.attempt, kind="purpose", name="rebuild", outcome="asked",
                at=datetime(2026, 7, 1),
            )
        )  # fmt: skip
    assert look(line, stopped.run.instance) == "1 failed runs seen, 1 messages"
    assert look(line, stopped.run.instance) == "1 failed runs seen, 0 messages"
    (text,) = told(line)
    assert "過去日の再作成をデータ検査で中止: marts" in text and "2026年6月30日" in text, text
    assert "a rule that cannot hold" in text and "published/version" not in text, text
    assert problems(line) == [("past", "resolved")]


def test_kizuna_run_tells_of_a_past_day_that_failed_before_it_began(home: Any, defs: Any) -> None:
    from orchestration.launch import run_daily

    outcome = run_daily(home.settings, as_of=date(2026, 6, 20), known_as_of="2999-01-01T00:00:00")
    assert not outcome.success and "still to come" in str(outcome.error)
    (text,) = told(home)
    assert "過去日の再作成が失敗: ingest" in text, text
    assert "kizuna run --as-of 2026-06-20 --known-as-of 2999-01-01T00:00:00" in text
    assert problems(home) == [("past", "resolved")]


def test_the_daily_run_that_fails_before_it_began_is_a_problem_of_readers(home: Any, defs: Any) -> None:
    from orchestration.launch import run_daily

    (home.home / "contracts").mkdir(exist_ok=True)
    (home.home / "contracts" / "broken.yaml").write_text("nonsense: [", encoding="utf-8")
    outcome = run_daily(home.settings)
    assert not outcome.success
    (text,) = told(home)
    assert "実行が失敗: ingest" in text and "過去日" not in text, text
    assert problems(home) == [("run", "open")]


@pytest.mark.parametrize(
    ("asked", "past"),
    [
        ({}, None),
        ({"as_of": "2026-06-29"}, None),
        ({"as_of": "2026-06-28"}, PastDay(date(2026, 6, 28))),
        ({"as_of": "2026-06-28", "force": True}, None),
        ({"known_as_of": "2026-06-29T09:00:00+09:00"}, PastDay(date(2026, 6, 28), datetime(2026, 6, 29))),
        ({"as_of": "2026-06-29", "known_as_of": "last week"}, PastDay(date(2026, 6, 29))),
        ({"as_of": "last week"}, None),
    ],
    ids=["the schedule", "the shown day", "before it", "forced", "known by then", "unreadable instant", "no day"],
)
def test_what_a_run_without_a_build_was_for_stands_in_its_run_config(home: Any, asked: Any, past: Any) -> None:
    company = home.settings.company.model_copy(update={"demo": False, "as_of": None, "timezone": "Asia/Tokyo"})
    settings = home.settings.model_copy(update={"company": company})
    config = {"ops": {"ingest": {"config": asked}}} if asked else {}
    run = dg.DagsterRun("daily", run_id=str(uuid.uuid4()), run_config=config)
    found = failed_run(home.store, settings, run, ("ingest",))
    assert (found.past, found.build_id, found.steps) == (past, None, ("ingest",))


def fail(instance: Any) -> str:
    """A run that failed before it did anything."""
    run = dg.DagsterRun("daily", run_id=str(uuid.uuid4()))
    instance.add_run(run)
    instance.report_run_failed(run)
    return run.run_id


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A company in which nothing ever ran."""
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "k" * 40)
    (tmp_path / "kizuna.yaml").write_text("name: Test\nretention: {run_days: 30}\n", encoding="utf-8")
    return SimpleNamespace(home=tmp_path)


def months_later(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration import pruning

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(days=100)

    monkeypatch.setattr(pruning, "datetime", Later)


def cannot(*_: Any, **__: Any) -> list[str]:
    raise OSError(28, "No space left on device")


def test_a_company_whose_runs_all_fail_does_not_keep_every_one(
    company: Any, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        ids = [fail(instance) for _ in range(25)]
        assert look(company, instance) == "25 failed runs seen, 1 messages"
        assert instance.get_runs_count() == 25, "none of them is old"
        months_later(monkeypatch)
        look(company, instance)
        assert {run.run_id for run in instance.get_runs()} == set(ids[5:]), "all but the newest twenty"


def test_old_runs_that_cannot_go_do_not_swallow_the_message(
    company: Any, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.pruning.prune_runs", cannot)
    with dg.DagsterInstance.ephemeral() as instance:
        fail(instance)
        assert look(company, instance) == "1 failed runs seen, 1 messages"


def test_kizuna_run_clears_old_runs_away_when_it_fails_too(
    home: Any, defs: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from orchestration.launch import prepare_dagster_home, run_daily

    prepare_dagster_home(home.settings)
    with dg.DagsterInstance.get() as instance:
        for _ in range(25):
            # Without events: making their files is most of the time of this test.
            failed = dg.DagsterRun("daily", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.FAILURE)
            instance.add_run(failed)
    months_later(monkeypatch)
    outcome = run_daily(home.settings, known_as_of="2999-01-01T00:00:00")
    assert not outcome.success
    with dg.DagsterInstance.get() as instance:
        kept = [run.run_id for run in instance.get_runs()]
    assert len(kept) == 20 and outcome.run_id in kept

    monkeypatch.setattr("orchestration.pruning.prune_runs", cannot)
    outcome = run_daily(home.settings, known_as_of="2999-01-01T00:00:00")
    assert not outcome.success and "still to come" in str(outcome.error)
    assert "old runs could not be cleared away: OSError" in caplog.text
    assert len(told(home)) == 2
