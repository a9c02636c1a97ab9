"""A past day is built again to be looked at: judged like any build, kept aside, and never what readers see."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from kizuna.builds import is_rebuild
from kizuna.control.schema import build_events, builds, publications
from kizuna.errors import InputError
from kizuna.rebuilt import ground_of
from orchestration.session import AS_OF_TAG, KNOWN_AS_OF_TAG, REBUILT_TAG, Company, release_lease

INGEST = "ingest"


def begin(line: Any, **config: Any) -> Any:
    """The first step of a run alone, with its run config; the run's tags name the build it began."""
    import dagster as dg

    job = line.job.get_subset(op_selection=[INGEST])
    result = job.execute_in_process(
        run_config={
            "ops": {INGEST: {"config": config}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        instance=line.instance,
        raise_on_error=False,
        resources={"company": Company(home=str(line.home))},
    )
    release_lease(result.run_id)
    assert isinstance(line.instance, dg.DagsterInstance)
    return result


def tags_of(line: Any, result: Any) -> dict[str, str]:
    return dict(line.instance.get_run_by_id(result.run_id).tags)


def reason(result: Any) -> str:
    error = next(event for event in result.all_events if event.is_step_failure).step_failure_data.error
    while error.cause is not None:
        error = error.cause
    return str(error.message)


def ask_for_it_as_a_past_day(line: Any, build: Any) -> None:
    with line.store.begin() as connection:
        connection.execute(
            build_events.insert().values(
                build_id=build.build_id, attempt=build.attempt, kind="purpose", name="rebuild", outcome="asked",
                at=datetime(2026, 7, 1),
            )
        )  # fmt: skip


def test_a_day_that_was_built_again_is_kept_aside_and_nobody_is_told(ready: Any, line: Any) -> None:
    """The build of day 2 that passed every gate, had it been asked for as a past day."""
    build = line.build(ready.tags)
    ask_for_it_as_a_past_day(line, build)
    before, told = line.published(), line.business_messages
    run = line.run(assets={"published/version", "alerts/messages"}, tags=ready.tags)
    assert run.success, run.errors
    assert line.published() == before
    assert line.business_messages == told, "readers were told of a day that they do not see"
    (folder,) = line.settings.rebuilt.iterdir()
    assert run.tags[REBUILT_TAG] == str(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["rebuilt"], manifest["version"], manifest["as_of"]) == (True, None, build.as_of.isoformat())
    assert {path.stem for path in (folder / "marts").iterdir()} == set(manifest["tables"])
    with line.store.read() as connection:
        status = connection.execute(select(builds.c.status).where(builds.c.fence == build.fence)).scalar()
    assert status == "rebuilt"


def test_a_rebuilt_day_leaves_the_version_as_old_as_it_was_and_ends_like_every_run(
    ready: Any, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy of `published/version` counts materialisations: one of a rebuild would hide that a day is late."""
    import dagster as dg

    from kizuna.delivery import outbox
    from orchestration import session
    from orchestration.defs import publish

    ask_for_it_as_a_past_day(line, line.build(ready.tags))
    with line.store.begin() as connection:
        outbox.enqueue(connection, key="waits", channel="#c", payload={"text": "x"}, now=datetime(2026, 7, 1))
    steps: list[str] = []
    ended: list[str] = []
    monkeypatch.setattr(session, "_watcher", [steps.append])
    monkeypatch.setattr(publish, "prune_runs", lambda instance, settings: ended.append("pruned"))
    monkeypatch.setattr(publish, "release_lease", lambda run_id: ended.append(run_id))
    run = line.run(assets={"published/version", "alerts/messages"}, tags=ready.tags)
    assert run.success, run.errors
    assert run.materialized == set()
    assert line.instance.get_latest_materialization_event(dg.AssetKey(["published", "version"])) is None
    observed = [event for event in run.result.all_events if event.is_asset_observation]
    (seen,) = [event.asset_observation_data.asset_observation for event in observed]
    (folder,) = line.settings.rebuilt.iterdir()
    told = {name: entry.value for name, entry in seen.metadata.items()}
    assert seen.asset_key == dg.AssetKey(["published", "version"])
    assert told == {
        "as_of": "2026-06-30", "folder": str(folder), "scorecard": str(folder / "scorecard.html"),
        "note": "a past day built again to be looked at; readers see what they saw before",
    }  # fmt: skip
    with line.store.read() as connection:
        waited = outbox.get(connection, "waits")
    assert waited is not None and waited.state == "preview", "what waited was not sent"
    assert ended == ["pruned", run.result.run_id]
    assert run.evaluations == [("alerts/messages:messages_arrive", True)]
    assert steps == ["published__version", "alerts__messages"], "the progress display names both"


@pytest.fixture
def home(built: Any, copy_of: Callable[[Path], Any]) -> Any:
    """Day 1 (2026-06-29) is published as v-1, moments ago."""
    return copy_of(built.line.home)


def test_a_day_before_the_published_one_and_an_instant_make_a_rebuild(home: Any) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for config, as_of, known in (
        ({"as_of": "2026-06-20"}, "2026-06-20", None),
        ({"as_of": "2026-06-29", "known_as_of": now.isoformat()}, "2026-06-29", f"{now:%Y-%m-%dT%H:%M:%S}Z"),
    ):
        result = begin(home, **config)
        assert result.success, reason(result)
        tags = tags_of(home, result)
        assert (tags[AS_OF_TAG], tags.get(KNOWN_AS_OF_TAG)) == (as_of, known)
        build = home.build(tags)
        assert is_rebuild(home.store, build)
        assert build.base_version is None, "nothing about an earlier day is published: it starts as a first build"
        assert len(build.batch_ids) > 20
    forced = begin(home, as_of="2026-06-20", force=True)
    build = home.build(tags_of(home, forced))
    assert not is_rebuild(home.store, build) and build.base_version == 1, "asked for, it is to be published"


def test_only_files_loaded_by_then_take_part(home: Any) -> None:
    config = {"as_of": "2026-06-01", "known_as_of": "2026-06-02T00:00:00+09:00"}
    result = begin(home, **config)
    assert result.success, reason(result)
    build = home.build(tags_of(home, result))
    assert build.known_as_of == datetime(2026, 6, 1, 15)
    assert build.batch_ids == ()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"known_as_of": "2999-01-01T00:00:00"}, "still to come"),
        ({"known_as_of": "last week"}, "not an instant"),
    ],
)
def test_an_instant_that_cannot_be_is_refused(home: Any, config: dict[str, str], words: str) -> None:
    assert words in reason(begin(home, **config))


def test_a_day_that_was_not_over_then_is_refused(home: Any) -> None:
    from orchestration.defs.raw import _allowed_day

    company = home.settings.company.model_copy(update={"demo": False, "as_of": None, "timezone": "Asia/Tokyo"})
    settings = home.settings.model_copy(update={"company": company})
    then = datetime(2026, 6, 5, 14, 59)
    assert _allowed_day(settings, None, then) == date(2026, 6, 4)
    assert _allowed_day(settings, date(2026, 6, 4), then) == date(2026, 6, 4)
    with pytest.raises(InputError, match="was not over at 2026-06-05 14:59 UTC"):
        _allowed_day(settings, date(2026, 6, 5), then)


def test_a_rebuilt_day_goes_on_from_what_was_published_before_it(home: Any) -> None:
    """Later versions would bring ids and histories that nobody had then."""
    day = date(2026, 6, 30)
    with home.store.read() as connection:
        at = connection.execute(select(publications.c.published_at)).scalar_one()
    assert ground_of(home.store, home.settings, day, None) == 1
    assert ground_of(home.store, home.settings, day, at) == 1
    assert ground_of(home.store, home.settings, day, at - timedelta(seconds=1)) is None
    assert ground_of(home.store, home.settings, date(2026, 6, 29), None) is None, "the day itself is no earlier day"
    with home.store.begin() as connection:
        connection.execute(update(publications).values(state="expired"))
    assert ground_of(home.store, home.settings, day, None) is None
