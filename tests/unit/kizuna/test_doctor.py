"""`kizuna doctor` finds what is wrong and says what to do; `kizuna watch` tells somebody, whatever still works."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kizuna.cli.doctor import examine
from kizuna.cli.watch import watch_company
from kizuna.control import ledger
from kizuna.control.ledger import FileRecord
from kizuna.control.schema import publications
from kizuna.control.store import Store, utcnow
from kizuna.delivery.outbox import enqueue
from kizuna.errors import Unwell
from kizuna.pseudonym import key_fingerprint
from kizuna.settings import Settings, load_settings
from kizuna.watching import gather, look

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def home(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A company that got its last file and its last version a while ago."""
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", KEY)
    then = utcnow() - timedelta(hours=30)
    file = FileRecord(
        file_id="f", source="shopify", path="shopify/a.csv", content_hash="a", bytes=1, status="accepted",
        first_seen_at=then, loaded_at=then, detail={},
    )  # fmt: skip
    with store.begin() as connection:
        ledger.record(connection, file, None)
        connection.execute(
            publications.insert().values(
                version=1, build_id="b", attempt=1, as_of=then.date(), fence=1, state="published",
                intended_at=then, published_at=then,
            )
        )  # fmt: skip
    version = settings.published / "v-1"
    version.mkdir(parents=True)
    shown = {"version": 1, "as_of": "2026-06-30", "key_fingerprint": key_fingerprint(KEY)}
    (version / "manifest.json").write_text(json.dumps(shown))
    (settings.published / "current").symlink_to("v-1")
    return settings.home


def doctor(
    home: Path, capsys: pytest.CaptureFixture[str], *, ask_slack: bool = False
) -> dict[str, list[dict[str, str]]]:
    """Findings by name; a failure must raise."""
    failed = False
    try:
        examine(home, as_json=True, ask_slack=ask_slack)
    except Unwell:
        failed = True
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(capsys.readouterr().out)["findings"]:
        found.setdefault(finding["name"], []).append(finding)
    assert failed == any(one["state"] == "fail" for those in found.values() for one in those)
    return found


def configure(home: Path, watch: str) -> None:
    (home / "kizuna.yaml").write_text(f"name: Test\nwatch: {{{watch}}}\n")


def states(found: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    worst = ("fail", "warn", "ok")
    return {name: min((one["state"] for one in those), key=worst.index) for name, those in found.items()}


def test_a_company_in_order_has_no_failure(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctor(home, capsys)
    assert states(found) == {
        "settings": "ok", "disk": "ok", "permissions": "ok", "versions": "ok", "store": "ok", "config": "ok",
        "key": "ok", "lease": "ok", "published": "ok", "gates": "ok", "sources": "ok", "daemon": "warn",
        "schedules": "ok", "slack": "warn",
    }  # fmt: skip
    assert "never run here" in found["daemon"][0]["says"]


def test_each_thing_that_is_wrong_is_named_with_what_to_do(
    home: Path, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (home / "kizuna.yaml").write_text("name: Test\nwatch: {sources: {shopify: 12, zendesk: 240}}\n")
    (home / "targets.yaml").write_text("- {kpi: nonsense}\n")
    (home / "control.db").chmod(0o644)
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "another" * 8)
    lock = tmp_path / "elsewhere"
    lock.mkdir()
    (lock / "requirements.lock").write_text("duckdb==0.0.1 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr("kizuna.builds.PROJECT_ROOT", lock)
    monkeypatch.setattr("kizuna.cli.checkup._LEAST_FREE", 1 << 60)
    with store.begin() as connection:
        enqueue(connection, key="m", channel="#c", payload={"text": "x"}, now=utcnow() - timedelta(hours=3))
    found = doctor(home, capsys)
    wrong = {name for name, state in states(found).items() if state == "fail"}
    assert wrong == {"disk", "permissions", "versions", "config", "key", "sources", "slack"}
    assert all(one["do"] for those in found.values() for one in those if one["state"] != "ok")
    assert "control.db" in found["permissions"][0]["do"] and "chmod" in found["permissions"][0]["do"]
    assert "duckdb" in found["versions"][0]["says"] and "0.0.1" in found["versions"][0]["says"]
    assert "targets.yaml" in found["config"][0]["says"]
    late = {one["says"].split(":")[0]: one["state"] for one in found["sources"]}
    assert late == {"shopify": "fail", "zendesk": "ok"}, "one is late, the other may come yet"

    monkeypatch.setenv("KIZUNA_SLACK_TOKEN", "xoxb-x")
    monkeypatch.setenv("KIZUNA_SLACK_BASE_URL", "http://127.0.0.1:9/api/")
    assert "cannot be reached" not in str(doctor(home, capsys)), "no connection unless asked"
    assert "cannot be reached" in str(doctor(home, capsys, ask_slack=True)["slack"])

    (home / "kizuna.yaml").write_text("name: Test\nsurprise: 1\n")
    assert states(doctor(home, capsys)) == {"settings": "fail"}


def test_limits_of_gates_that_were_raised_and_stayed_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "kizuna.yaml").write_text(
        "name: Test\ngates: {max_volume_drop: 1.0, max_silence: 2}\n"
        "identity: {max_id_churn: 0.5, match_threshold: 0.99}\n"
    )
    (finding,) = doctor(home, capsys)["gates"]
    assert finding["state"] == "warn" and "Put them back" in finding["do"]
    assert finding["says"] == (
        "limits above those shipped: gates.max_volume_drop 1 (shipped 0.5), identity.max_id_churn 0.5 (shipped 0.1)"
    )


def test_what_is_wrong_with_the_shown_version_is_told_with_what_works(
    home: Path, settings: Settings, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    from kizuna.files import sha256_of

    def said() -> dict[str, str]:
        (finding,) = doctor(home, capsys)["published"]
        return finding

    link, folder = settings.published / "current", settings.published / "v-1"
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"tables": {}}))
    (folder / "cx.duckdb").write_bytes(b"")
    with store.begin() as connection:
        connection.execute(publications.update().values(manifest_sha256=sha256_of(manifest)))
    assert said()["state"] == "ok"
    (folder / "cx.duckdb").unlink()
    assert said()["state"] == "fail" and "gone or changed" in said()["says"] and "kizuna rollback" in said()["do"]
    link.unlink()
    assert said()["state"] == "fail", "not nothing yet: a run would refuse"
    assert said()["do"] == "`kizuna rollback --to 1` shows it again."
    link.symlink_to("v-0")
    assert said()["do"] == "kizuna rollback --to 1", "there is none before it that a run could show"
    folder.rename(settings.home / "elsewhere")
    assert said()["do"] == "docs/runbooks/restore.md"


def test_a_source_that_the_data_channel_calls_late_is_late_here_too(
    home: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    from kizuna.control.schema import incidents

    day = utcnow().date()
    with store.begin() as connection:
        connection.execute(
            incidents.insert().values(
                incident_id="data:source:shopify:1", kind="source", segment_type="source", segment="shopify",
                state="open", opened_on=day, last_seen_on=day, opened_by_build="b", detail={},
            )
        )  # fmt: skip
    (finding,) = doctor(home, capsys)["sources"]
    assert finding["state"] == "warn" and f"late or missing since {day}" in finding["says"]
    assert finding["do"] == "docs/runbooks/source-late.md"


def test_a_sensor_whose_looks_break_is_found_though_the_daemon_lives(
    home: Path, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        SensorInstigatorData,
        TickData,
        TickStatus,
    )  # fmt: skip
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
    from dagster._utils.error import SerializableErrorInfo

    from orchestration.launch import prepare_dagster_home

    for name in ("DAGSTER_HOME", "KIZUNA_HOME"):
        monkeypatch.setenv(name, "")
    prepare_dagster_home(settings)
    place = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="x"), location_name="x")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "r"), "landing_files")
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, SensorInstigatorData())
    inner = SerializableErrorInfo("Conversion Error: Could not convert 'secret' to INT\n", [], "ConversionError")
    with dg.DagsterInstance.get() as instance:
        instance.add_instigator_state(state)
        for status, at in ((TickStatus.SUCCESS, 1.0), (TickStatus.FAILURE, 2.0)):
            instance.create_tick(
                TickData(
                    instigator_origin_id=state.instigator_origin_id, instigator_name="landing_files",
                    instigator_type=InstigatorType.SENSOR, status=status, timestamp=at,
                    selector_id=state.selector_id, run_ids=[],
                    error=SerializableErrorInfo("outer", [], "E", cause=inner) if at == 2.0 else None,
                )
            )  # fmt: skip
        found = [one for one in doctor(home, capsys)["schedules"] if one["state"] == "fail"]
        assert [one["says"] for one in found] == [
            "the last look of landing_files: Conversion Error: Could not convert '…' to INT"
        ]
        instance.create_tick(
            TickData(
                instigator_origin_id=state.instigator_origin_id, instigator_name="landing_files",
                instigator_type=InstigatorType.SENSOR, status=TickStatus.SKIPPED, timestamp=3.0,
                selector_id=state.selector_id, run_ids=[],
            )
        )  # fmt: skip
    assert [one for one in doctor(home, capsys)["schedules"] if one["state"] == "fail"] == []


def test_the_switch_tells_by_whatever_works_and_once(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "told.txt"
    code = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())"
    monkeypatch.setenv("KIZUNA_ALARM_COMMAND", shlex.join([sys.executable, "-S", "-c", code]))
    (home / "kizuna.yaml").write_text(
        "name: Test\nwatch: {daemon_minutes: 0, publication_hours: 10, files_hours: 24}\n"
    )
    with pytest.raises(Unwell, match="Nothing new was published") as alarm:
        watch_company(home)
    assert "1 handed to KIZUNA_ALARM_COMMAND now" in str(alarm.value), "there is no token: Slack cannot have it"
    assert "No file has arrived" not in str(alarm.value), "30 of 24 hours are not one and a half"
    with pytest.raises(Unwell, match="told before"):
        watch_company(home)
    assert told.read_text().count("Nothing new was published") == 1
    assert (home / "alarms.json").stat().st_mode & 0o077 == 0

    (home / "kizuna.yaml").write_text(
        "name: Test\nwatch: {daemon_minutes: 0, publication_hours: 100, files_hours: 100}\n"
    )
    watch_company(home)
    assert "All signs of life are there" in capsys.readouterr().out

    (home / "control.db").unlink()
    (home / "control.db").mkdir()
    with pytest.raises(Unwell, match="control store cannot be opened"):
        watch_company(home)
    assert "control store cannot be opened" in told.read_text()


@pytest.mark.parametrize("broken", ["typing", "gone", "key"])
def test_settings_that_nobody_can_read_are_an_alarm(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, broken: str
) -> None:
    """A typing mistake on Monday: no run starts, the failure sensor cannot read the channel, and all is quiet."""
    told = tmp_path_factory.mktemp("told") / "told.txt"
    code = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())"
    monkeypatch.setenv("KIZUNA_ALARM_COMMAND", shlex.join([sys.executable, "-S", "-c", code]))
    if broken == "typing":
        (home / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokio\n")
    elif broken == "key":
        monkeypatch.delenv("KIZUNA_PSEUDONYM_KEY")
    else:
        home = home / "not-mounted"
    reason = {"typing": "Asia/Tokio", "key": "KIZUNA_PSEUDONYM_KEY", "gone": "does not exist"}[broken]
    with pytest.raises(Unwell, match=f"settings cannot be read(.|\n)*{reason}(.|\n)*1 handed to KIZUNA_ALARM_COMMAND"):
        watch_company(home)
    if broken != "gone":
        with pytest.raises(Unwell, match="told before"):
            watch_company(home)
    assert told.read_text().count("The settings cannot be read") == 1 and reason in told.read_text()
    monkeypatch.delenv("KIZUNA_ALARM_COMMAND")
    if broken == "gone":
        with pytest.raises(Unwell, match="told to nobody"):
            watch_company(home)


def test_an_alarm_on_a_full_disk_is_told_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = tmp_path_factory.mktemp("told") / "told.txt"
    code = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read())"
    monkeypatch.setenv("KIZUNA_ALARM_COMMAND", shlex.join([sys.executable, "-S", "-c", code]))
    configure(home, "daemon_minutes: 0, publication_hours: 10")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kizuna.watching.write_atomically", full)
    for _ in range(2):
        with pytest.raises(Unwell, match="1 handed to KIZUNA_ALARM_COMMAND now"):
            watch_company(home)
    assert told.read_text().count("Nothing new was published") == 2, "nothing can be remembered"


def test_an_alarm_that_nobody_took_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(home, "daemon_minutes: 0, publication_hours: 10")
    for command in ("", "false", "/does/not/exist"):
        monkeypatch.setenv("KIZUNA_ALARM_COMMAND", command)
        with pytest.raises(Unwell, match="told to nobody"):
            watch_company(home)


def test_the_switch_shows_the_version_before_a_deleted_one(home: Path, store: Store, settings: Settings) -> None:
    from kizuna.files import sha256_of
    from kizuna.versions import current

    manifest = settings.published / "v-1" / "manifest.json"
    shown: dict[str, Any] = json.loads(manifest.read_text()) | {"tables": {}}
    manifest.write_text(json.dumps(shown))
    (manifest.parent / "cx.duckdb").write_bytes(b"")
    with store.begin() as connection:
        connection.execute(publications.update().values(manifest_sha256=sha256_of(manifest)))
        row = dict(connection.execute(publications.select()).mappings().one())
        connection.execute(publications.insert().values(**row | {"version": 2, "published_at": utcnow()}))
    (settings.published / "current").unlink()
    (settings.published / "current").symlink_to("v-2")
    watch_company(home)
    published = current(settings)
    assert published is not None and published.version == 1


def test_a_clock_that_was_put_back_hides_no_silence(home: Path, store: Store, settings: Settings) -> None:
    """What happened while it ran a year ahead lies in the future now."""
    ahead = utcnow() + timedelta(days=365)
    file = FileRecord(
        file_id="g", source="shopify", path="shopify/b.csv", content_hash="b", bytes=1, status="accepted",
        first_seen_at=ahead, loaded_at=ahead, detail={},
    )  # fmt: skip
    with store.begin() as connection:
        ledger.record(connection, file, None)
        row = dict(connection.execute(publications.select()).mappings().one())
        connection.execute(publications.insert().values(**row | {"version": 2, "published_at": ahead}))
    configure(home, "publication_hours: 10, files_hours: 10, sources: {shopify: 10}, daemon_minutes: 10")
    company = load_settings(home, {"KIZUNA_PSEUDONYM_KEY": KEY})
    silences = look(company, gather(store, company, ahead, utcnow()), utcnow())
    assert {silence.reason for silence in silences} == {"publication", "files", "source", "daemon"}
    assert look(company, gather(store, company, ahead, ahead), ahead) == []
