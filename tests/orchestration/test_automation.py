"""What starts a run by itself, and who is told when one fails."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType, StepFailureData

from kizuna.control.lease import acquire
from orchestration.session import Company

HEADER = "Response ID,Person ID,Email,Name,Phone,Survey Type,Score,Comment,Tags,Sent At,Created At,Updated At\n"


@pytest.fixture
def automation(defs: Any) -> Any:
    from orchestration.defs import automation as module

    return module


class Lookout:
    """The landing sensor, tick by tick, with the cursor it left behind."""

    def __init__(self, automation: Any, line: Any) -> None:
        self.sensor, self.line, self.cursor = automation.landing_files, line, None

    def tick(self) -> list[Any]:
        """Run requests of one tick."""
        context = dg.build_sensor_context(
            instance=self.line.instance,
            cursor=self.cursor,
            resources={"company": Company(home=str(self.line.home))},
        )
        result = self.sensor(context)
        if isinstance(result, dg.SkipReason):
            self.cursor, self.reason = context.cursor, result.skip_message
            return []
        self.cursor = result.cursor
        return list(result.run_requests)


@pytest.fixture
def lookout(automation: Any, line: Any, monkeypatch: pytest.MonkeyPatch) -> Lookout:
    """Over a company that has loaded everything in its landing folder."""

    class Noon(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2026, 7, 1, 12, 0, tzinfo=tz)

    monkeypatch.setattr(automation, "datetime", Noon)
    return Lookout(automation, line)


def land(line: Any, name: str, text: str = HEADER) -> Path:
    path: Path = line.home / "landing" / "delighted" / name
    path.write_text(text, encoding="utf-8")
    return path


def test_files_that_were_loaded_start_nothing(lookout: Lookout) -> None:
    assert sum(1 for path in lookout.line.settings.landing.rglob("*") if path.is_file()) > 30
    assert lookout.tick() == []
    assert lookout.tick() == []
    assert lookout.reason == "no new whole files"


def test_a_new_file_starts_one_run_at_the_second_equal_look(lookout: Lookout) -> None:
    land(lookout.line, "responses_new.csv")
    assert lookout.tick() == [], "one look cannot know whether the file is whole"
    (request,) = lookout.tick()
    assert request.tags["kizuna/landing_files"] == "1"
    job = lookout.line.job
    dg.validate_run_config(job, request.run_config or {})


def test_a_file_that_still_grows_is_left_alone(lookout: Lookout) -> None:
    growing = land(lookout.line, "responses_growing.csv")
    land(lookout.line, "responses_whole.csv")
    lookout.tick()
    growing.write_text(HEADER * 2, encoding="utf-8")
    (request,) = lookout.tick()
    assert request.tags["kizuna/landing_files"] == "1"
    assert "responses_growing.csv" in json.dumps(lookout.cursor), "it must be compared at the next look"
    (request,) = lookout.tick()
    assert request.tags["kizuna/landing_files"] == "2"


def test_a_name_of_an_unfinished_file_is_never_looked_at(lookout: Lookout) -> None:
    land(lookout.line, "responses_new.csv.part")
    assert lookout.tick() == lookout.tick() == []


def test_a_known_name_with_new_content_is_new(lookout: Lookout) -> None:
    """Some exports overwrite yesterday's file."""
    known = next(path for path in (lookout.line.home / "landing" / "delighted").iterdir() if path.suffix == ".csv")
    with known.open("ab") as file:
        file.write(b"\n")
    assert lookout.tick() == []
    assert len(lookout.tick()) == 1


def test_the_same_files_ask_for_the_same_run(lookout: Lookout) -> None:
    """Dagster starts a run key once; so the same look, evaluated again after a crash, starts nothing twice."""
    land(lookout.line, "responses_a.csv")
    lookout.tick()
    before = lookout.cursor
    (first,) = lookout.tick()
    lookout.cursor = before
    (again,) = lookout.tick()
    assert first.run_key == again.run_key
    land(lookout.line, "responses_b.csv")
    lookout.tick()
    (other,) = lookout.tick()
    assert other.run_key != first.run_key


def test_new_files_wait_for_the_build_at_work(lookout: Lookout) -> None:
    land(lookout.line, "responses_new.csv")
    lookout.tick()
    lease = acquire(lookout.line.store, "build", "some-run", heartbeat=False)
    assert lookout.tick() == []
    assert "wait: Run some-run is building" in lookout.reason
    lease.release()
    assert len(lookout.tick()) == 1


def tell(automation: Any, line: Any, instance: Any, cursor: str | None = None) -> tuple[str, str | None]:
    """A look of the failure sensor over an instance's runs; what it says, and its cursor."""
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"company": Company(home=str(line.home))}
    )
    reason = automation.run_failures(context)
    return reason.skip_message, context.cursor


def test_a_stopped_gate_is_told_once_to_the_data_channel_only(
    automation: Any, stopped: Any, copy_of: Callable[[Path], Any]
) -> None:
    line = copy_of(stopped.line.home)
    data = line.settings.company.channels.data
    tell(automation, line, stopped.run.instance)
    tell(automation, line, stopped.run.instance)
    (message,) = line.messages(data)
    text = json.dumps(message["payload"], ensure_ascii=False)
    assert "marts" in text and "a rule that cannot hold" in text, text
    assert line.business_messages == []
    assert message["state"] == "preview", "without a token it is rendered, not lost"
    with line.store.read() as connection:
        build = connection.exec_driver_sql(
            "SELECT status, error FROM builds WHERE build_id = ?", (stopped.tags["kizuna/build_id"],)
        ).one()
    assert build.status == "failed" and "gate_marts" in build.error


def test_a_run_that_fails_anywhere_else_is_told_too(automation: Any, line: Any) -> None:
    run = line.run(assets={"published/version"}, checks=set())
    assert not run.success
    tell(automation, line, run.instance)
    (message,) = line.messages(line.settings.company.channels.data)
    text = json.dumps(message["payload"], ensure_ascii=False)
    assert "published__version" in text and "kizuna run" in text, text
    assert line.business_messages == []


def test_messages_that_wait_are_sent_without_a_run(automation: Any, line: Any) -> None:
    from kizuna.data_channel import report_run_failure

    report_run_failure(line.store, line.settings, run_id="r1", build_id=None, steps=["dbt_core"])
    (message,) = line.messages(line.settings.company.channels.data)
    assert message["state"] == "pending"
    context = dg.build_sensor_context(instance=line.instance, resources={"company": Company(home=str(line.home))})
    reason = automation.waiting_messages(context)
    assert isinstance(reason, dg.SkipReason) and "1 rendered, 0 waiting" in reason.skip_message
    (message,) = line.messages(line.settings.company.channels.data)
    assert message["state"] == "preview"


def test_failures_while_the_daemon_was_away_are_told_once_and_together(automation: Any, line: Any) -> None:
    """Three hundred runs fail at two steps; each look hears of all of them, and later ones of what is new."""

    def fail(instance: Any, number: int, step: str) -> None:
        run = dg.DagsterRun("daily", run_id=str(uuid.UUID(int=number)))
        instance.add_run(run)
        instance.report_engine_event("worker is gone", run)
        if step:
            event = DagsterEvent(DagsterEventType.STEP_FAILURE.value, "daily", step_key=step, message="x",
                event_specific_data=StepFailureData(None, None))  # fmt: skip
            instance.report_dagster_event(event, run.run_id)
        instance.report_run_failed(run)

    data = line.settings.company.channels.data
    with dg.DagsterInstance.ephemeral() as instance:
        assert tell(automation, line, instance) == ("no run failed", None)
        for number in range(300):
            fail(instance, number, "dbt_core" if number % 3 else "")
        said, cursor = tell(automation, line, instance)
        assert said == "300 failed runs seen, 2 messages"
        texts = [json.dumps(message["payload"], ensure_ascii=False) for message in line.messages(data)]
        assert sorted(("dbt_core" in text, "200" in text, "100" in text) for text in texts) == [
            (False, False, True), (True, True, False),
        ]  # fmt: skip
        # Whether the cursor was kept or not, nobody is told twice; one more failure is one more message.
        assert tell(automation, line, instance, cursor)[0].endswith("failed runs seen, 0 messages")
        assert tell(automation, line, instance)[0] == "300 failed runs seen, 0 messages"
        fail(instance, 300, "dbt_core")
        assert tell(automation, line, instance, cursor)[0].endswith("failed runs seen, 1 messages")
        assert len(line.messages(data)) == 3


def test_more_failures_than_one_look_takes_do_not_hold_up_later_ones(
    automation: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All within the two minutes that are looked at twice: the same first ones must not be seen again for good."""
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "k" * 40)
    (tmp_path / "kizuna.yaml").write_text("name: Test\n", encoding="utf-8")
    company = SimpleNamespace(home=tmp_path)
    monkeypatch.setattr(automation, "_FAILURES", 5)
    with dg.DagsterInstance.ephemeral() as instance:
        for number in range(23):
            run = dg.DagsterRun("daily", run_id=str(uuid.UUID(int=number)))
            instance.add_run(run)
            instance.report_run_failed(run)
        cursor, seen = None, []
        for _ in range(5):
            said, cursor = tell(automation, company, instance, cursor)
            seen.append(int(said.split()[0]))
    assert seen[-1] == 23, seen
