"""landing -> raw: load new files, start the build over everything known, open its raw relations."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import dagster as dg
import duckdb

from expectations.runner import load_in_background
from ingestion.load import IngestReport, Progress, ingest
from ingestion.own_store import require_own_store
from ingestion.relations import create_raw_relations, list_inputs, relation_names
from kizuna.alerting import raise_alerts
from kizuna.builds import begin_stage, build_id_of, default_as_of
from kizuna.control.store import open_store, utcnow
from kizuna.delivery.slack import send_pending
from kizuna.errors import InputError, KizunaError
from kizuna.failpoints import failpoint
from kizuna.rebuilt import ground_of, looks_back
from kizuna.redact import engine_errors_without_values, without_values
from kizuna.settings import Settings
from kizuna.state import STATE_OF_THE_BUILD, STATE_TABLES, prepare_state
from kizuna.versions import current, reconcile
from orchestration.asked import FIRST_STEP, day_of, moment_of
from orchestration.dbt_stage import complete_stage
from orchestration.kept_tables import kept_tables
from orchestration.pruning import prune_runs
from orchestration.raw_metadata import plain, problems_by_relation
from orchestration.session import (
    BUILD_POOL,
    NOTHING_NEW_TAG,
    Company,
    announce,
    begin,
    build_database,
    hold_lease,
    release_lease,
    retried_when_away,
)


class IngestConfig(dg.Config):
    """Which day to build. Without `as_of`: the one of kizuna.yaml, else the last whole day in the company's zone.

    A day before the published one, or a `known_as_of` (an instant, UTC where it has no offset; only files that had been
    loaded by then take part), is built to be looked at and not published, unless `force` says so.
    """

    as_of: str | None = None
    known_as_of: str | None = None
    force: bool = False


def _specs() -> list[dg.AssetSpec]:
    owners = ["team:customer-data"]
    about = {**relation_names(), "batches": "file of this build: its rows and their fates"}
    raw = [
        dg.AssetSpec(
            key=["raw", *name.split("__", 1)],
            group_name="raw",
            description=description,
            kinds={"python", "parquet"},
            owners=owners,
            skippable=True,
        )
        for name, description in about.items()
    ]
    state = [
        dg.AssetSpec(
            key=["state", table],
            group_name="raw",
            description=f"marts.{table} of the version published before: the state that crosses builds.",
            kinds={"duckdb"},
            owners=owners,
            skippable=True,
        )
        for table in STATE_TABLES
    ]
    state += [
        dg.AssetSpec(
            key=["state", table],
            group_name="raw",
            description="Manifest of the version published before: which build it was and what went into it.",
            kinds={"duckdb"},
            owners=owners,
            skippable=True,
        )
        for table in STATE_OF_THE_BUILD
    ]
    return raw + state


@dg.multi_asset(name=FIRST_STEP, specs=_specs(), can_subset=False, pool=BUILD_POOL)
def ingest_landing(
    context: dg.AssetExecutionContext, config: IngestConfig, company: Company
) -> Iterator[dg.MaterializeResult[None]]:
    """Load what is new and start a build. With nothing new since the published version it ends the run quietly."""
    with retried_when_away():
        yield from _ingest(context, config, company)


def _ingest(
    context: dg.AssetExecutionContext, config: IngestConfig, company: Company
) -> Iterator[dg.MaterializeResult[None]]:
    settings = company.settings()
    store = open_store(settings)
    lease = hold_lease(store, context.run.run_id, partial(_wait, context))
    announce("ingest")
    require_own_store(settings, store)
    for line in reconcile(store, settings):
        context.log.info(line)
    try:
        # A crash between publishing and telling must not swallow the message. Nor must a message stop new data.
        raise_alerts(store, settings)
    except (KizunaError, duckdb.Error) as error:
        context.log.error(f"the messages of the shown version could not be raised: {without_values(str(error))}")
    known_as_of = _known_as_of(config.known_as_of)
    shown = current(settings)
    as_of = _allowed_day(settings, day_of("as_of", config.as_of), known_as_of)
    is_rebuild = not config.force and looks_back(shown, as_of, known_as_of)
    # New files will be judged: the gates' library loads while the files are read by other processes and the engine.
    report = ingest(settings, store, progress=_once(load_in_background))
    inputs = list_inputs(store, known_as_of)
    batch_ids = [batch.batch_id for batch in inputs]
    build_id = build_id_of(settings, as_of, batch_ids)
    if shown is not None and shown.manifest["build_id"] == build_id and not config.force and not is_rebuild:
        context.instance.add_run_tags(context.run.run_id, {NOTHING_NEW_TAG: "true"})
        context.log.info(f"nothing new: v-{shown.version} is build {build_id} already")
        send_pending(store, settings, patience=5)
        prune_runs(context.instance, settings)
        release_lease(context.run.run_id)
        return
    load_in_background()
    ground = (ground_of(store, settings, as_of, known_as_of),) if is_rebuild else None
    session = begin(
        context,
        settings,
        store,
        lease,
        as_of=as_of,
        batch_ids=batch_ids,
        known_as_of=known_as_of,
        rebuild_from=ground,
    )
    failpoint("build.started")
    begin_stage(store, session.build, "raw")
    with engine_errors_without_values(), build_database(session) as db:
        create_raw_relations(db, settings, inputs)
        prepare_state(settings, db, as_of, session.build.base_version)
        rows, fates = _rows(db), _fates(db)
    complete_stage(session, "raw", files=len(inputs))
    problems = problems_by_relation(settings, store)
    for kept in kept_tables(rows, fates, problems):
        context.log_event(kept)
    for spec in _specs():
        schema, *rest = spec.key.path
        name = f"{schema}.{'__'.join(rest)}"
        metadata = _metadata(name, rows, fates, report) | problems.get(name, {})
        yield dg.MaterializeResult(asset_key=spec.key, metadata=metadata)


def _wait(context: dg.AssetExecutionContext, line: str) -> None:
    context.log.info(line)
    announce("waits")


def _once(action: Callable[[], None]) -> Callable[[Progress], None]:
    """Do `action` when the first file has been read."""
    done = False

    def on_progress(progress: Progress) -> None:
        nonlocal done
        if progress.file is not None and not done:
            done = True
            action()

    return on_progress


def _rows(db: duckdb.DuckDBPyConnection) -> dict[str, int]:
    names = db.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('raw', 'state')"
    ).fetchall()
    return {
        f"{schema}.{name}": db.execute(f'SELECT count(*) FROM "{schema}"."{name}"').fetchall()[0][0]
        for schema, name in names
    }


def _fates(db: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    found = db.execute(
        "SELECT relation, count(*), sum(rows_in), sum(accepted), sum(quarantined), sum(duplicates) "
        "FROM raw.batches GROUP BY relation"
    ).fetchall()
    names = ("files", "rows_in", "accepted", "quarantined", "duplicates")
    return {relation: dict(zip(names, map(int, counts), strict=True)) for relation, *counts in found}


def _metadata(
    name: str, rows: dict[str, int], fates: dict[str, dict[str, int]], report: IngestReport
) -> dict[str, Any]:
    found: dict[str, Any] = {"dagster/row_count": rows[name], **fates.get(name, {})}
    if name == "raw.batches":
        found |= {"new_files": len(report.files), "held_rows": report.held}
        if report.unmatched:
            found["files_unmatched"] = dg.MetadataValue.md("\n".join(f"- `{plain(path)}`" for path in report.unmatched))
        for status in ("held", "refused"):
            files = report.with_status(status)
            if files:
                lines = [f"- `{plain(file.path)}`: {file.code}" for file in files]
                found[f"files_{status}"] = dg.MetadataValue.md("\n".join(lines))
    return found


def _allowed_day(settings: Settings, asked: date | None, known_as_of: datetime | None) -> date:
    """The day to build. A day that is not over, or was not at `known_as_of`, is refused."""
    then = known_as_of.replace(tzinfo=UTC) if known_as_of is not None else None
    latest = default_as_of(settings.company, then)
    day = asked or latest
    if day > latest and not settings.company.demo:
        when = f"was not over at {known_as_of:%Y-%m-%d %H:%M} UTC" if known_as_of else "is not over yet"
        raise InputError(f"as_of {day} {when} in {settings.company.timezone}; the last whole day is {latest}.")
    return day


def _known_as_of(text: str | None) -> datetime | None:
    known = moment_of(text)
    if known is not None and known > utcnow():
        raise InputError(f"run config known_as_of: {known:%Y-%m-%d %H:%M} UTC is still to come; nobody knows it yet.")
    return known
