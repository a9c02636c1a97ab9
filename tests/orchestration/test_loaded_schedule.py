"""`kizuna doctor` sees that what runs has loaded an older `schedule.at` than the company's file says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from kizuna.cli.checkup import Finding, checks
from kizuna.settings import CONFIG_NAME, load_settings
from orchestration.launch import prepare_dagster_home

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Finding]]]:
    """What the doctor warns of after starts by the schedule, given `schedule.at` and when the file was changed."""
    for name in ("DAGSTER_HOME", "KIZUNA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    config = tmp_path / CONFIG_NAME
    config.write_text("name: Test\n", encoding="utf-8")
    prepare_dagster_home(load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40}))
    with dg.DagsterInstance.get() as instance:

        def state(place: str) -> Any:
            location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name=place), location_name=place)
            origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "r"), "every_morning")
            data = ScheduleInstigatorData("0 6 * * *", 1.0)
            found = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data)
            instance.add_instigator_state(found)
            return found

        places = {place: state(place) for place in ("serve", "dev")}

        def look(at: str, changed: datetime, *starts: datetime, place: str = "serve") -> list[Finding]:
            config.write_text(f"name: Test\ntimezone: Europe/Berlin\nschedule: {{at: '{at}'}}\n", encoding="utf-8")
            os.utime(config, (changed.timestamp(), changed.timestamp()))
            for start in starts:
                instance.create_tick(
                    TickData(
                        instigator_origin_id=places[place].instigator_origin_id, instigator_name="every_morning",
                        instigator_type=InstigatorType.SCHEDULE, status=TickStatus.SUCCESS,
                        timestamp=start.timestamp(), selector_id=places[place].selector_id, run_ids=[],
                    )
                )  # fmt: skip
            settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
            found = dict(checks(ask_slack=False))["daemon"](settings)
            return [one for one in found if one.name == "schedules" and one.state != "ok"]

        yield look


def local(day: str, time: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=BERLIN)


def test_a_start_at_the_former_time_after_the_change_is_told_with_what_to_do(doctor: Any) -> None:
    changed = local("2026-11-03", "15:00")
    assert doctor("07:00", changed, local("2026-11-03", "06:00")) == [], "nothing has started since"
    (finding,) = doctor("07:00", changed, local("2026-11-04", "06:00"))
    assert finding.state == "warn"
    assert "2026-11-04 06:00" in finding.says and "not at 07:00" in finding.says
    assert "systemctl restart kizuna-code kizuna-daemon" in finding.do
    (again,) = doctor("07:00", changed, local("2026-11-03", "06:00"), place="dev")
    assert again == finding, "another place that ran before says nothing about the one that runs"
    assert doctor("07:00", changed, local("2026-11-05", "07:00")) == [], "restarted: the next start is right"


def test_days_on_which_clocks_change_are_no_other_time(doctor: Any) -> None:
    changed = local("2026-10-01", "12:00")
    assert doctor("02:30", changed, local("2026-10-25", "02:30").replace(fold=1)) == [], "02:30 came twice"
    assert doctor("02:30", changed, local("2027-03-28", "03:00")) == [], "there was no 02:30"
    (finding,) = doctor("02:30", changed, local("2027-03-29", "03:00"))
    assert "2027-03-29 03:00" in finding.says
