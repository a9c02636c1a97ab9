"""The job over the whole line, and what starts it: the daily schedule and new files in landing."""

import hashlib
import json
from datetime import UTC, datetime

import dagster as dg

from ingestion.scan import Seen, new_whole_files
from kizuna.control.lease import living_holder
from kizuna.control.store import open_store
from kizuna.data_channel import report_run_failure
from orchestration.session import BUILD_TAG, Company, close_dead_runs
from orchestration.when import daily_at

daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all(),
    description="Landing files to published marts, scorecard and messages.",
)


_hour, _minute, _zone = daily_at()

every_morning = dg.ScheduleDefinition(
    name="every_morning",
    job=daily,
    cron_schedule=f"{_minute} {_hour} * * *",
    execution_timezone=_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The daily build, at the company's own time of day.",
)


@dg.sensor(
    job=daily,
    name="landing_files",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run when new whole files lie in landing. A file that still changes is left alone.",
)
def landing_files(context: dg.SensorEvaluationContext, company: Company) -> dg.SensorResult | dg.SkipReason:
    """Two looks: a file counts as whole when its size and time were the same at the look before."""
    settings = company.settings()
    before = {path: Seen(*seen) for path, seen in json.loads(context.cursor or "{}").items()}
    store = open_store(settings)
    try:
        for run_id in close_dead_runs(context.instance, store):
            context.log.warning(f"run {run_id} had died without a word; ended it")
        whole, looked = new_whole_files(settings, store, before)
        building = living_holder(store, "build")
    finally:
        store.close()
    cursor = json.dumps({path: list(seen) for path, seen in looked.items()}, sort_keys=True)
    if not whole:
        waiting = f"; {len(looked)} files still being written or looked at once" if looked else ""
        context.update_cursor(cursor)
        return dg.SkipReason(f"no new whole files{waiting}")
    if building is not None:
        context.update_cursor(cursor)
        return dg.SkipReason(f"{len(whole)} new files wait for run {building} to end")
    digest = hashlib.sha256("\n".join(f"{path} {looked[path]}" for path in sorted(whole)).encode()).hexdigest()[:16]
    # The same files ask again an hour later, should their run have died.
    hour = datetime.now(UTC).strftime("%Y%m%d%H")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"landing-{digest}-{hour}", tags={"kizuna/landing_files": str(len(whole))})
        ],
        cursor=cursor,
    )


@dg.sensor(
    name="waiting_messages",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends what waits in the outbox: messages that Slack could not take when they were raised.",
)
def waiting_messages(context: dg.SensorEvaluationContext, company: Company) -> dg.SkipReason:
    """Never starts a run; says what it did as its reason."""
    from kizuna.delivery.slack import send_pending

    settings = company.settings()
    store = open_store(settings)
    try:
        report = send_pending(store, settings, patience=10)
    finally:
        store.close()
    for error in report.errors:
        context.log.error(error)
    return dg.SkipReason(f"{report.sent} sent, {report.previewed} rendered, {report.pending} waiting")


@dg.run_failure_sensor(
    name="run_failures",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the data channel which run failed and where to look. Never touches the business channel.",
)
def run_failures(context: dg.RunFailureSensorContext, company: Company) -> None:
    """One message per failed run; the outbox keeps a second one out."""
    from kizuna.delivery.slack import send_pending

    settings = company.settings()
    store = open_store(settings)
    try:
        failed = [event.step_key or "" for event in context.get_step_failure_events()]
        report_run_failure(
            store,
            settings,
            run_id=context.dagster_run.run_id,
            build_id=context.dagster_run.tags.get(BUILD_TAG),
            steps=failed,
        )
        # The step that sends is the one a failed run never reaches.
        send_pending(store, settings, patience=5)
    finally:
        store.close()
