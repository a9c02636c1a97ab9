"""One build: its identity, its folder, its DuckDB file, and the record of what was done and judged.

A build is named by what goes into it: the batches, the day (`as_of`), the configuration and the code. The same name
always means the same result; attempts at it are numbered and never share a file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from kizuna.control.schema import build_events, builds, gate_verdicts, publications
from kizuna.control.store import Store, utcnow
from kizuna.errors import BuildError, GateFailed
from kizuna.files import database_state
from kizuna.flow import GATES, STAGES, STEPS
from kizuna.pseudonym import key_fingerprint
from kizuna.settings import Company, Settings
from kizuna.survivorship import company_survivorship
from kizuna.targets import company_targets

#: Sections of `kizuna.yaml` that change no number. Limits of gates decide whether a build is shown, not what it says.
CHANGE_NO_NUMBER = {
    "as_of",
    "channels",
    "digest",
    "freshness",
    "retention",
    "schedule",
    "limits",
    "build",
    "gates",
    "watch",
}

#: Of build.duckdb, which nothing outside reads: from 1.4 on one way of packing texts is tried for a column, no longer
#: two, so that tables are cheaper to write and to read. What is published keeps the format that every driver reads.
DATABASE_CONFIG: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.4.0"}

#: Key in an event's detail: the state of the database file as the step left it, or judged it.
FILE = "file"

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Build:
    """One attempt at one build. `folder` is its own; nobody else writes there."""

    build_id: str
    attempt: int
    as_of: date
    known_as_of: datetime | None
    folder: Path
    fence: int
    run_id: str
    config_hash: str
    code_version: str
    batch_ids: tuple[str, ...]
    base_version: int | None

    @property
    def db(self) -> Path:
        """The build's DuckDB file with schemas raw, state, staging, identity, core, scores, marts."""
        return self.folder / "build.duckdb"


def default_as_of(company: Company, now: datetime | None = None) -> date:
    """The day to report: `as_of` of `kizuna.yaml`, else the last whole day in the company's zone."""
    if company.as_of is not None:
        return company.as_of
    local = (now or datetime.now(ZoneInfo("UTC"))).astimezone(ZoneInfo(company.timezone))
    return local.date() - timedelta(days=1)


@cache
def code_version() -> str:
    """`current_code()` as of the first call in this process."""
    return current_code()


def current_code() -> str:
    """Hash over the sources that decide the result: Python packages, dbt models, contracts, pinned libraries."""
    digest = hashlib.sha256()
    for folder in ("analytics", "dbt_project", "expectations", "ingestion", "kizuna", "orchestration"):
        for path in sorted((PROJECT_ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".yml", ".yaml", ".csv", ".j2", ".css"} and not {"target", "logs"} & set(
                path.parts
            ):
                digest.update(str(path.relative_to(PROJECT_ROOT)).encode())
                digest.update(path.read_bytes())
    lock = PROJECT_ROOT / "requirements.lock"
    if lock.exists():
        digest.update(lock.read_bytes())
    return digest.hexdigest()[:16]


def config_hash(settings: Settings) -> str:
    """Hash of everything in the company's files that can change a number, and of the pseudonym key's fingerprint."""
    config = settings.company.model_dump(mode="json", exclude=CHANGE_NO_NUMBER)
    config["survivorship"] = company_survivorship(settings.home)
    for name in ("rules", "decisions"):
        file = settings.home / "identity" / f"{name}.yaml"
        if file.exists():
            config[f"identity_{name}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    config["targets"] = [target.as_variable() for target in company_targets(settings.home)]
    config["key"] = key_fingerprint(settings.pseudonym_key)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def build_id_of(settings: Settings, as_of: date, batch_ids: Sequence[str]) -> str:
    """Name of the build over these inputs: 16 hex characters."""
    content = [as_of.isoformat(), config_hash(settings), code_version(), *sorted(batch_ids)]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


def start_build(
    store: Store,
    settings: Settings,
    *,
    as_of: date,
    batch_ids: Sequence[str],
    fence: int,
    run_id: str,
    known_as_of: datetime | None = None,
    rebuild_from: tuple[int | None] | None = None,
) -> Build:
    """Record a new attempt and make its empty folder. Earlier attempts that never ended are closed as failed.

    `rebuild_from` makes it a rebuild of a past day, which can never be published, on the ground of that version
    (`(None,)`: of none). Any other build goes on from what readers see.

    Raises `InputError` where the company's rules of identity or its stewards' decisions cannot be read: better now
    than half-way.
    """
    from kizuna.identity_rules import company_rules
    from kizuna.stewardship import company_decisions

    company_rules(settings.home, settings.company)
    company_decisions(settings.home)
    build_id = build_id_of(settings, as_of, batch_ids)
    with store.begin() as connection:
        connection.execute(
            update(builds)
            .where(builds.c.status == "running", builds.c.fence < fence)
            .values(status="failed", error="its process ended before the build did", ended_at=utcnow())
        )
        last = connection.execute(select(func.max(builds.c.attempt)).where(builds.c.build_id == build_id)).scalar()
        attempt = (last or 0) + 1
        connection.execute(
            builds.insert().values(
                build_id=build_id,
                attempt=attempt,
                as_of=as_of,
                known_as_of=known_as_of,
                config_hash=config_hash(settings),
                code_version=code_version(),
                inputs=sorted(batch_ids),
                base_version=shown_version(settings) if rebuild_from is None else rebuild_from[0],
                fence=fence,
                run_id=run_id,
                status="running",
                started_at=utcnow(),
            )
        )
        if rebuild_from is not None:
            connection.execute(
                build_events.insert().values(
                    build_id=build_id, attempt=attempt, kind="purpose", name="rebuild", outcome="asked", at=utcnow()
                )
            )
    build = load_build(store, settings, build_id, attempt)
    if build.folder.exists():
        shutil.rmtree(build.folder)
    build.folder.mkdir(parents=True)
    return build


def load_build(store: Store, settings: Settings, build_id: str, attempt: int) -> Build:
    """The recorded attempt. Raises `BuildError` if there is none."""
    with store.read() as connection:
        row = connection.execute(
            select(builds).where(builds.c.build_id == build_id, builds.c.attempt == attempt)
        ).one_or_none()
    if row is None:
        raise BuildError(f"There is no attempt {attempt} at build {build_id}. `kizuna run` starts a new build.")
    return Build(
        build_id=row.build_id,
        attempt=row.attempt,
        as_of=row.as_of,
        known_as_of=row.known_as_of,
        folder=settings.builds / row.build_id / f"a{row.attempt}",
        fence=row.fence,
        run_id=row.run_id,
        config_hash=row.config_hash,
        code_version=row.code_version,
        batch_ids=tuple(row.inputs),
        base_version=row.base_version,
    )


def is_rebuild(store: Store, build: Build) -> bool:
    """Whether this attempt was made to look at a past day. It has that purpose for good."""
    with store.read() as connection:
        return (
            connection.execute(
                select(build_events.c.event_id).where(
                    build_events.c.build_id == build.build_id,
                    build_events.c.attempt == build.attempt,
                    build_events.c.kind == "purpose",
                )
            ).first()
            is not None
        )


def require_same_ground(settings: Settings, build: Build, code: str) -> None:
    """Raise `BuildError` when code, configuration or key are not those the build began with."""
    for what, then, now in (
        ("code", build.code_version, code),
        ("configuration or pseudonym key", build.config_hash, config_hash(settings)),
    ):
        if then != now:
            raise BuildError(
                f"Build {build.build_id} began with another {what} ({then[:16]}, now {now[:16]}); its steps would not "
                "fit together. Start a new one with `kizuna run`."
            )


def shown_version(settings: Settings) -> int | None:
    """Number of the version that readers see, from the link alone; None before the first."""
    link = settings.published / "current"
    return int(link.readlink().name.removeprefix("v-")) if link.is_symlink() else None


def begin_stage(store: Store, build: Build, stage: str) -> None:
    """Note that `stage` is about to write. Until `record_stage`, nothing after it may go on or be published."""
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}")
    _record(store, build, "stage", stage, "started", None)


def record_stage(store: Store, build: Build, stage: str, detail: Mapping[str, Any] | None = None) -> None:
    """Note that `stage` has written its tables. Whatever was judged on an earlier writing no longer counts."""
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}")
    _record(store, build, "stage", stage, "done", {**(detail or {}), FILE: database_state(build.db)})


def record_gate(
    store: Store,
    build: Build,
    gate: str,
    outcome: str,
    verdicts: Sequence[Mapping[str, Any]],
    *,
    rows: Mapping[str, int] | None = None,
    unjudged: Sequence[Sequence[str]] = (),
    laxer: Sequence[str] = (),
    file: str | None = None,
) -> None:
    """Store one gate's outcome and its verdict per relation, in one transaction.

    `verdicts`: relation, suite, outcome, evaluated, failed (list), warnings (list); counts, names and masked samples,
    no values. `rows`: rows per relation, which the build after this one is held to. `unjudged`: (relation, rule, why)
    of rules with too little history. `laxer`: limits set above those shipped. `file`: the database's state as judged.
    """
    if gate not in GATES:
        raise ValueError(f"unknown gate {gate!r}")
    now = utcnow()
    with store.begin() as connection:
        for verdict in verdicts:
            connection.execute(
                gate_verdicts.insert().values(
                    build_id=build.build_id, attempt=build.attempt, gate=gate, at=now, **dict(verdict)
                )
            )
        connection.execute(
            build_events.insert().values(
                build_id=build.build_id,
                attempt=build.attempt,
                kind="gate",
                name=gate,
                outcome=outcome,
                detail={
                    "relations": len(verdicts),
                    "rows": dict(rows or {}),
                    "unjudged": [list(u) for u in unjudged],
                    "laxer": list(laxer),
                    FILE: file or database_state(build.db),
                },
                at=now,
            )
        )


def latest_verdicts(store: Store, build: Build) -> list[dict[str, Any]]:
    """The newest verdict per gate and relation of this attempt, in order of gate and relation."""
    with store.read() as connection:
        rows = connection.execute(
            select(gate_verdicts)
            .where(gate_verdicts.c.build_id == build.build_id, gate_verdicts.c.attempt == build.attempt)
            .order_by(gate_verdicts.c.verdict_id)
        ).mappings()
        newest = {(row["gate"], row["relation"], row["suite"]): dict(row) for row in rows}
    return sorted(newest.values(), key=lambda row: (GATES.index(row["gate"]), row["relation"], row["suite"]))


def gate_events(store: Store, build_id: str, attempt: int) -> list[dict[str, Any]]:
    """The newest event of each gate of an attempt: name, outcome, at, and `detail` as `record_gate` wrote it."""
    with store.read() as connection:
        rows = connection.execute(
            select(build_events)
            .where(
                build_events.c.build_id == build_id, build_events.c.attempt == attempt, build_events.c.kind == "gate"
            )
            .order_by(build_events.c.event_id)
        ).mappings()
        newest = {row["name"]: dict(row) for row in rows}
    return sorted(newest.values(), key=lambda row: GATES.index(row["name"]))


def require_passed(store: Store, build: Build, before: tuple[str, str] | None = None) -> None:
    """Raise `GateFailed` unless every step ahead of `before` (default: all) ran, passed, and in the order of the flow.

    The order matters: a stage written again after its gate has not been judged as it now is.
    """
    steps = STEPS if before is None else STEPS[: STEPS.index(before)]
    wanted = "published" if before is None else f"continued with {before[0]} {before[1]}"
    with store.read() as connection:
        rows = connection.execute(
            select(build_events)
            .where(build_events.c.build_id == build.build_id, build_events.c.attempt == build.attempt)
            .order_by(build_events.c.event_id)
        ).all()
    newest = {(row.kind, row.name): row for row in rows}
    previous = None
    for kind, name in steps:
        row = newest.get((kind, name))
        if row is None:
            verb = "has not run" if kind == "stage" else "has not been judged"
            raise GateFailed(f"Build {build.build_id} is not {wanted}: {kind} {name} {verb}.")
        if row.outcome not in {"done", "passed"}:
            words = "did not end" if row.outcome == "started" else row.outcome.replace("_", " ")
            raise GateFailed(f"Build {build.build_id} is not {wanted}: {kind} {name} {words}.")
        if previous is not None and row.event_id < previous.event_id:
            raise GateFailed(
                f"Build {build.build_id} is not {wanted}: {previous.kind} {previous.name} was run again after "
                f"{kind} {name}, so {name} no longer describes it. Run the later steps again."
            )
        previous = row


def prune_builds(store: Store, settings: Settings, keep: Build) -> list[Path]:
    """Remove folders of ended attempts but the newest `retention.builds`; `keep` and what readers see always stay."""
    with store.read() as connection:
        shown = connection.execute(
            select(publications.c.build_id, publications.c.attempt).where(
                publications.c.version == shown_version(settings)
            )
        ).all()
        rows = connection.execute(
            select(builds.c.build_id, builds.c.attempt, builds.c.status).order_by(builds.c.started_at.desc())
        ).all()
    stay = {(keep.build_id, keep.attempt), *((row.build_id, row.attempt) for row in shown)}
    ended = [row for row in rows if row.status != "running" and (row.build_id, row.attempt) not in stay]
    removed = []
    for row in ended[max(settings.company.retention.builds - len(stay), 0) :]:
        folder = settings.builds / row.build_id / f"a{row.attempt}"
        if folder.exists():
            shutil.rmtree(folder)
            removed.append(folder)
        if folder.parent.exists() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
    return removed


def _record(store: Store, build: Build, kind: str, name: str, outcome: str, detail: Mapping[str, Any] | None) -> None:
    with store.begin() as connection:
        connection.execute(
            build_events.insert().values(
                build_id=build.build_id,
                attempt=build.attempt,
                kind=kind,
                name=name,
                outcome=outcome,
                detail=dict(detail or {}),
                at=utcnow(),
            )
        )
