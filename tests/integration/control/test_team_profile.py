"""The profile for a team on a real PostgreSQL: Dagster's storage in one database, the control store in another."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kizuna.cli.checkup import checks
from kizuna.errors import SettingsError
from kizuna.settings import load_settings

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def environment() -> Iterator[None]:
    """`prepare_dagster_home` exports what children need."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_runs_events_and_ticks_of_a_team_are_in_postgresql(
    tmp_path: Path, database: Callable[[str], str], environment: None
) -> None:
    import dagster as dg
    import yaml

    from orchestration.heartbeat import daemon_state
    from orchestration.launch import prepare_dagster_home

    home = tmp_path / "home"
    home.mkdir()
    (home / "kizuna.yaml").write_text("name: Team\n")
    urls = {"KIZUNA_CONTROL_URL": database("control"), "KIZUNA_DAGSTER_URL": database("dagster")}
    os.environ |= {"KIZUNA_PSEUDONYM_KEY": KEY, **urls}
    settings = load_settings(home)
    prepare_dagster_home(settings)
    written = yaml.safe_load((home / "dagster" / "dagster.yaml").read_text())
    alone = yaml.safe_load((Path(prepare_dagster_home.__code__.co_filename).parent / "dagster.yaml").read_text())
    assert {key: value for key, value in written.items() if key != "storage"} == {
        key: value for key, value in alone.items() if key != "storage"
    }, "the profiles differ in their storage only"

    @dg.op
    def greet(context: dg.OpExecutionContext) -> None:
        context.log.info("絆")

    @dg.job
    def hello() -> None:
        greet()

    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage).__module__.startswith("dagster_postgres")
        result = hello.execute_in_process(
            instance=instance, run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        )
        assert result.success
    with dg.DagsterInstance.get() as again:
        assert [run.run_id for run in again.get_runs()] == [result.run_id]
        assert any("絆" in entry.user_message for entry in again.all_logs(result.run_id))
    assert not list((home / "dagster").rglob("*.db")), "nothing of it is in SQLite"
    assert daemon_state(settings).heartbeat is None
    (store,) = dict(checks(ask_slack=False))["store"](settings)
    assert store.state == "ok" and "postgresql" in store.says
    assert not (home / "control.db").exists()


def test_one_database_for_both_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kizuna.yaml").write_text("name: Team\n")
    url = "postgresql://kizuna@db/one"
    env = {"KIZUNA_PSEUDONYM_KEY": KEY, "KIZUNA_CONTROL_URL": url, "KIZUNA_DAGSTER_URL": url}
    with pytest.raises(SettingsError, match="second database"):
        load_settings(tmp_path, env)
    with pytest.raises(SettingsError, match="KIZUNA_DAGSTER_URL"):
        load_settings(tmp_path, env | {"KIZUNA_DAGSTER_URL": "sqlite:///x.db"})
