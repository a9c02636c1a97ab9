"""marts -> published -> messages: one link moves, then people are told."""

import dagster as dg

from kizuna.builds import prune_builds, require_passed
from kizuna.failpoints import failpoint
from kizuna.publishing import publish
from orchestration.manifest import published_tables
from orchestration.session import VERSION_TAG, Company, release_lease, resume

OWNERS = ["team:customer-data"]


@dg.asset(
    key=["published", "version"],
    deps=[dg.AssetKey(["marts", table]) for table in published_tables()],
    group_name="publish",
    kinds={"duckdb", "parquet", "html"},
    owners=OWNERS,
)
def publish_version(context: dg.AssetExecutionContext, company: Company) -> dg.MaterializeResult[None]:
    """The published folder: cx.duckdb, one Parquet file per mart, the scorecard page, manifest.json."""
    from kizuna.scorecard import render_scorecard

    session = resume(context, company)
    publication = publish(
        session.store,
        session.settings,
        session.build,
        session.lease,
        tables=published_tables(),
        scorecard=lambda db, manifest: render_scorecard(db, manifest, session.settings.company),
    )
    prune_builds(session.store, session.settings, session.build)
    context.instance.add_run_tags(context.run.run_id, {VERSION_TAG: str(publication.version)})
    rows = sum(table["rows"] for table in publication.manifest["tables"].values())
    return dg.MaterializeResult(
        metadata={
            "version": publication.version,
            "as_of": publication.manifest["as_of"],
            "dagster/row_count": rows,
            "folder": dg.MetadataValue.path(publication.folder),
            "scorecard": dg.MetadataValue.path(publication.folder / "scorecard.html"),
        }
    )


@dg.asset(
    key=["alerts", "messages"],
    deps=[dg.AssetKey(["published", "version"])],
    group_name="alerts",
    kinds={"slack", "python"},
    owners=OWNERS,
)
def alert(context: dg.AssetExecutionContext, company: Company) -> dg.MaterializeResult[None]:
    """Spikes of the published version as messages: at most one per incident, sent or rendered as a preview."""
    from kizuna.alerting import raise_alerts
    from kizuna.delivery.slack import send_pending

    session = resume(context, company)
    require_passed(session.store, session.build)
    raised = raise_alerts(session.store, session.settings)
    failpoint("alerts.enqueued")
    report = send_pending(session.store, session.settings)
    failpoint("alerts.sent")
    release_lease(context.run.run_id)
    metadata: dict[str, dg.MetadataValue | int | str] = {
        "raised": len(raised),
        "sent": report.sent,
        "previewed": report.previewed,
        "waiting": report.pending,
    }
    if report.errors:
        metadata["errors"] = "; ".join(report.errors)
    return dg.MaterializeResult(metadata=metadata)
