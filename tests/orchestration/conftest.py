"""One small company, built and published once; every test works on a copy of it.

The line runs in this process on an instance in memory, exactly as the UI launches it: the whole job, or some of its
assets and checks with the tags of a build.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import select, update

from kizuna.builds import FILE, Build, load_build
from kizuna.control.schema import build_events, gate_verdicts, outbox
from kizuna.control.store import Store, open_store
from kizuna.files import database_state
from kizuna.settings import Settings, load_settings

DAY_1, DAY_2 = date(2026, 6, 29), date(2026, 6, 30)
SMALL = {"people": 200, "days": 400, "seed": 7}
#: Rules for so small a company: few people make the planted spike.
RULES = """
kpi: {churn_min_customers: 50}
alerts: {min_count: 2, min_history_days: 14, min_effect: 0.01, z_alert: 3.6, false_discovery_rate: 0.05}
digest: {every: never}
"""

#: Asset keys and check names as people read them: 'core/fct_orders', 'core/fct_orders:gate_fct_orders'.
Keys = Collection[str]


@dataclass
class Run:
    """What a run did, by the events it left behind."""

    result: Any
    instance: Any
    log: str

    @property
    def success(self) -> bool:
        return bool(self.result.success)

    @cached_property
    def materialized(self) -> set[str]:
        return {event.asset_key.to_user_string() for event in self.result.get_asset_materialization_events()}

    @cached_property
    def materializations(self) -> dict[str, dict[str, Any]]:
        """Asset -> metadata of its materialisation."""
        return {
            event.asset_key.to_user_string(): event.materialization.metadata
            for event in self.result.get_asset_materialization_events()
        }

    @cached_property
    def evaluations(self) -> list[tuple[str, bool]]:
        """('asset:check', passed) for every check result, as often as it was reported."""
        return [
            (f"{found.asset_key.to_user_string()}:{found.check_name}", found.passed)
            for found in self.result.get_asset_check_evaluations()
        ]

    @cached_property
    def failed_steps(self) -> list[str]:
        return [event.step_key for event in self.result.all_events if event.is_step_failure]

    @cached_property
    def started_steps(self) -> list[str]:
        return [event.step_key for event in self.result.all_events if event.is_step_start]

    @cached_property
    def errors(self) -> list[str]:
        """The innermost message of every failed step."""
        found = []
        for event in self.result.all_events:
            if event.is_step_failure:
                error = event.step_failure_data.error
                while error.cause is not None:
                    error = error.cause
                found.append(str(error.message))
        return found

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.instance.get_run_by_id(self.result.run_id).tags)


@dataclass
class Line:
    """A company's home, and the line over it."""

    home: Path
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = load_settings(self.home)

    @cached_property
    def store(self) -> Store:
        return open_store(self.settings)

    @cached_property
    def job(self) -> Any:
        from orchestration.definitions import defs

        return defs.resolve_job_def("daily")

    @cached_property
    def instance(self) -> Any:
        import dagster as dg

        return dg.DagsterInstance.ephemeral()

    def run(
        self,
        *,
        as_of: date | None = None,
        force: bool = False,
        assets: Keys | None = None,
        checks: Keys | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the job, or only `assets` and `checks` of it (an empty `checks`: none), as a run of its own."""
        import dagster as dg

        from orchestration.session import Company, release_lease

        job = self.job
        config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        if assets is None and checks is None:
            config["ops"] = {"ingest": {"config": {"as_of": as_of and as_of.isoformat(), "force": force}}}
        else:
            job = job.get_subset(
                asset_selection={dg.AssetKey.from_user_string(key) for key in assets or ()},
                asset_check_selection=None if checks is None else {check_key(check) for check in checks},
            )
        log = io.StringIO()
        # dagster-dbt repeats dbt's log on standard output.
        with contextlib.redirect_stdout(log):
            result = job.execute_in_process(
                run_config=config,
                instance=self.instance,
                raise_on_error=False,
                tags=dict(tags or {}),
                resources={"company": Company(home=str(self.home))},
            )
        release_lease(result.run_id)
        return Run(result, self.instance, log.getvalue())

    def build(self, tags: Mapping[str, str]) -> Build:
        """The build that a run's tags name."""
        return load_build(self.store, self.settings, tags["kizuna/build_id"], int(tags["kizuna/attempt"]))

    def change(self, build: Build, *statements: str) -> None:
        """Change the tables of a build as the step that ended last would have left them, had it that fault."""
        with duckdb.connect(str(build.db)) as db:
            for statement in statements:
                db.execute(statement)
        newest = (
            select(build_events)
            .where(build_events.c.build_id == build.build_id, build_events.c.attempt == build.attempt)
            .order_by(build_events.c.event_id.desc())
            .limit(1)
        )
        with self.store.begin() as connection:
            event = connection.execute(newest).one()
            detail = {**event.detail, FILE: database_state(build.db)}
            connection.execute(
                update(build_events).where(build_events.c.event_id == event.event_id).values(detail=detail)
            )

    def outcomes(self, build: Build) -> dict[str, str]:
        """Newest stored outcome of every gate of a build."""
        with self.store.read() as connection:
            rows = connection.execute(
                select(build_events)
                .where(build_events.c.build_id == build.build_id, build_events.c.attempt == build.attempt)
                .where(build_events.c.kind == "gate")
                .order_by(build_events.c.event_id)
            ).all()
        return {row.name: row.outcome for row in rows}

    def verdicts(self, build: Build, gate: str) -> dict[str, str]:
        """Newest stored verdict of every relation of a gate."""
        with self.store.read() as connection:
            rows = connection.execute(
                select(gate_verdicts)
                .where(gate_verdicts.c.build_id == build.build_id, gate_verdicts.c.attempt == build.attempt)
                .where(gate_verdicts.c.gate == gate)
                .order_by(gate_verdicts.c.verdict_id)
            ).all()
        return {row.relation: row.outcome for row in rows}

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """The outbox of one channel, whatever the state of its messages."""
        with self.store.read() as connection:
            rows = connection.execute(select(outbox).where(outbox.c.channel == channel)).mappings().all()
        return [dict(row) for row in rows]

    @property
    def business_messages(self) -> list[dict[str, Any]]:
        return self.messages(self.settings.company.channels.alerts)

    def published(self) -> dict[str, str]:
        """Everything a reader could see: where the link points, and the hash of every file below `published`."""
        root = self.settings.published
        seen = {"current": str((root / "current").readlink())}
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink() and root / "current" not in path.parents:
                seen[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return seen


def check_key(text: str) -> Any:
    import dagster as dg

    asset, name = text.split(":")
    return dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), name)


#: What an asset that is launched alone needs to know: the build it belongs to.
BUILD_TAGS = ("kizuna/build_id", "kizuna/attempt", "kizuna/as_of")


@dataclass(frozen=True)
class Built:
    """A company after a run, never written to again. `run` is what was run last."""

    line: Line
    run: Run

    @property
    def tags(self) -> dict[str, str]:
        """Tags of a run that goes on with the build."""
        return {key: self.run.tags[key] for key in BUILD_TAGS}


@pytest.fixture(scope="session")
def defs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The code location, loaded where there is no company."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIZUNA_HOME", str(tmp_path_factory.mktemp("nobody")))
        from orchestration.definitions import defs as loaded
    return loaded


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small company with its first delivery in landing; nothing has run. Never written to."""
    from ingestion.demo import generate, write_company

    home = tmp_path_factory.mktemp("landed") / "home"
    generate(home, end=DAY_2, **SMALL)
    config = write_company(home, seed=SMALL["seed"])
    config.write_text(config.read_text(encoding="utf-8") + RULES, encoding="utf-8")
    return home


@pytest.fixture(scope="session", autouse=True)
def no_company_of_the_session() -> Iterator[None]:
    """Fixtures of the session run before the one that hides the environment from each test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("KIZUNA_")]:
            if name not in {"KIZUNA_REQUIRE_ALL", "KIZUNA_TEST_DATA"}:
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def built(landed: Path, defs: Any, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Day 1: the first build, published as v-1 by one run of the whole job."""
    line = Line(copied(landed, tmp_path_factory.mktemp("built") / "home"))
    run = line.run(as_of=DAY_1)
    assert run.success, run.errors
    line.store.close()
    return Built(line, run)


@pytest.fixture(scope="session")
def stopped(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Day 2 with the planted spike: one run of the whole job that the last gate stops, by a rule that cannot hold."""
    from expectations import registry
    from expectations.suites import marts
    from ingestion.demo import deliver_day2

    line = Line(copied(built.line.home, tmp_path_factory.mktemp("stopped") / "home"))
    deliver_day2(line.home)

    def stricter(context: Any, relation: str) -> list[Any]:
        never = marts.INSIGHTS.never("nobody_is_a_customer", "customer_id is not null", "a rule that cannot hold")
        return [*marts.customer_360(context, relation), never]

    with pytest.MonkeyPatch.context() as patch:
        rows = [replace(r, suite=stricter) if r.relation == "marts.customer_360" else r for r in registry.GATES]
        patch.setattr(registry, "GATES", tuple(rows))
        run = line.run()
    line.store.close()
    return Built(line, run)


@pytest.fixture(scope="session")
def ready(stopped: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The same build, judged again by the true rules: every gate passed, nothing of it is published or told yet."""
    from expectations.registry import specs

    line = Line(copied(stopped.line.home, tmp_path_factory.mktemp("ready") / "home"))
    run = line.run(checks={f"{'/'.join(row.asset_key)}:{row.name}" for row in specs("marts")}, tags=stopped.tags)
    assert run.success, run.errors
    line.store.close()
    return Built(line, run)


def copied(home: Path, target: Path) -> Path:
    shutil.copytree(home, target, symlinks=True)
    return target


@pytest.fixture
def copy_of(tmp_path: Path) -> Iterator[Callable[[Path], Line]]:
    """Make a company of its own of a home."""
    made: list[Line] = []

    def copy(home: Path) -> Line:
        made.append(Line(copied(home, tmp_path / f"home-{len(made)}")))
        return made[-1]

    yield copy
    for line in made:
        line.store.close()


@pytest.fixture
def line(ready: Built, copy_of: Callable[[Path], Line]) -> Line:
    """A copy of the company whose day 2 is built and not published; `ready.tags` name that build."""
    return copy_of(ready.line.home)
