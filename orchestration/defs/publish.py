"""marts -> published -> messages: one link moves, then people are told."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from kizuna.builds import is_rebuild, prune_builds, require_passed
from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.failpoints import failpoint
from kizuna.publishing import Scorecard, publish
from kizuna.rebuilt import keep_rebuilt
from orchestration.manifest import published_tables
from orchestration.pruning import prune_runs
from orchestration.session import (
    BUILD_POOL,
    REBUILT_TAG,
    VERSION_TAG,
    Company,
    Session,
    announce,
    release_lease,
    resume,
    retried_when_away,
)
from orchestration.when import FRESH

if TYPE_CHECKING:
    from kizuna.delivery.slack import DeliveryReport
    from kizuna.scorecard.model import Undelivered

OWNERS = ["team:customer-data"]
VERSION, MESSAGES = dg.AssetKey(["published", "version"]), dg.AssetKey(["alerts", "messages"])


@dg.asset(
    key=VERSION,
    deps=[dg.AssetKey(["marts", table]) for table in published_tables()],
    group_name="publish",
    pool=BUILD_POOL,
    freshness_policy=FRESH,
    kinds={"duckdb", "parquet", "html"},
    owners=OWNERS,
    output_required=False,
)
def publish_version(
    context: dg.AssetExecutionContext, company: Company
) -> Iterator[dg.MaterializeResult[None] | dg.AssetObservation | dg.AssetCheckEvaluation]:
    """The published folder: cx.duckdb, one Parquet file per mart, the scorecard page, manifest.json."""
    from kizuna.scorecard import gates, render_scorecard

    session = resume(context, company)
    undelivered = undelivered_of(session.store)

    def scorecard(db: Path, manifest: Mapping[str, Any]) -> str:
        return render_scorecard(db, manifest, session.settings.company, undelivered)

    pages = {gates.NAME: gates.render_gate_report(session.store, session.settings, session.build, samples=False)}
    if is_rebuild(session.store, session.build):
        yield from _keep_aside(context, session, scorecard, pages)
        return
    publication = publish(
        session.store,
        session.settings,
        session.build,
        session.lease,
        tables=published_tables(),
        scorecard=scorecard,
        pages=pages,
    )
    prune_builds(session.store, session.settings, session.build)
    context.instance.add_run_tags(context.run.run_id, {VERSION_TAG: str(publication.version)})
    rows = sum(table["rows"] for table in publication.manifest["tables"].values())
    yield dg.MaterializeResult(
        metadata={
            "version": publication.version,
            "as_of": publication.manifest["as_of"],
            "dagster/row_count": rows,
            "folder": dg.MetadataValue.path(publication.folder),
            "scorecard": dg.MetadataValue.path(publication.folder / "scorecard.html"),
            "gates": dg.MetadataValue.path(publication.folder / gates.NAME),
        }
    )


def _keep_aside(
    context: dg.AssetExecutionContext, session: Session, scorecard: Scorecard, pages: Mapping[str, str]
) -> Iterator[dg.AssetObservation | dg.AssetCheckEvaluation]:
    """Keep a past day that was built again, and end the run.

    The version is observed, not materialised: what readers see is as old as before, and must look so. Without a
    version Dagster skips the step that tells, so what that does in every run is done here; of this day nobody is told.
    """
    folder = keep_rebuilt(
        session.store,
        session.settings,
        session.build,
        session.lease,
        tables=published_tables(),
        scorecard=scorecard,
        pages=pages,
    )
    prune_builds(session.store, session.settings, session.build)
    context.instance.add_run_tags(context.run.run_id, {REBUILT_TAG: str(folder)})
    yield dg.AssetObservation(
        asset_key=VERSION,
        metadata={
            "as_of": session.build.as_of.isoformat(),
            "note": "a past day built again to be looked at; readers see what they saw before",
            "folder": dg.MetadataValue.path(folder),
            "scorecard": dg.MetadataValue.path(folder / "scorecard.html"),
        },
    )
    announce(MESSAGES.to_python_identifier())
    report = _send_and_end(context, session)
    for error in report.errors:
        context.log.error(error)
    check = arrival(session.store, report.pending)
    yield dg.AssetCheckEvaluation(
        asset_key=MESSAGES, check_name=str(check.check_name), passed=check.passed, metadata=check.metadata
    )


@dg.asset(
    key=MESSAGES,
    deps=[VERSION],
    group_name="alerts",
    pool=BUILD_POOL,
    kinds={"slack", "python"},
    owners=OWNERS,
    check_specs=[
        dg.AssetCheckSpec(
            name="messages_arrive",
            asset=MESSAGES,
            description="Slack takes what it is sent, and nothing waits for longer than two hours (a dead sender).",
        )
    ],
)
def alert(context: dg.AssetExecutionContext, company: Company) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Spikes of the published version as messages: at most one per incident, sent or rendered as a preview."""
    from kizuna.alerting import raise_alerts

    session = resume(context, company)
    require_passed(session.store, session.build)
    raised = raise_alerts(session.store, session.settings)
    failpoint("alerts.enqueued")
    report = _send_and_end(context, session)
    metadata: dict[str, dg.MetadataValue | int | str] = {
        "raised": len(raised),
        "sent": report.sent,
        "previewed": report.previewed,
        "waiting": report.pending,
    }
    if report.errors:
        metadata["errors"] = "; ".join(report.errors)
    return dg.MaterializeResult(metadata=metadata, check_results=[arrival(session.store, report.pending)])


def _send_and_end(context: dg.AssetExecutionContext, session: Session) -> "DeliveryReport":
    """The end of every run that ends well: what waits is sent, old runs go, the next build may begin."""
    from kizuna.delivery.slack import send_pending

    with retried_when_away():
        report = send_pending(session.store, session.settings)
    failpoint("alerts.sent")
    prune_runs(context.instance, session.settings)
    release_lease(context.run.run_id)
    return report


def undelivered_of(store: Store) -> "Undelivered | None":
    """What the page of a version says of messages that do not arrive."""
    from kizuna.scorecard.model import Undelivered

    with store.read() as connection:
        trouble = outbox.trouble(connection, utcnow())
    return None if trouble is None else Undelivered(trouble.waiting + trouble.refused, trouble.since, trouble.reason)


def arrival(store: Store, waiting: int) -> dg.AssetCheckResult:
    """The same as a check in the UI."""
    with store.read() as connection:
        trouble = outbox.trouble(connection, utcnow())
    said: dict[str, dg.MetadataValue | int | str] = {"waiting": waiting}
    if trouble is not None:
        said |= {"reason": trouble.reason, "since_utc": f"{trouble.since:%Y-%m-%d %H:%M}", "refused": trouble.refused}
        said |= {"what to do": "docs/runbooks/slack-not-delivered.md"}
    return dg.AssetCheckResult(check_name="messages_arrive", passed=trouble is None, metadata=said)
