"""The job over the whole line, and what starts it: the daily schedule and new files in landing."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from ingestion.scan import Seen, new_whole_files
from kizuna.control.lease import WAITS, at_work, living_holder
from kizuna.control.store import open_store
from kizuna.data_channel import report_run_failures
from orchestration.asked import failed_run
from orchestration.pruning import prune_after_failure
from orchestration.session import Company, close_dead_runs
from orchestration.when import SCHEDULE, cron_of, daily_at

#: Failures of one look, and how far before the last one it goes back: a run may be written down a little later than
#: one that failed after it.
_FAILURES, _SEEN_TWICE = 1000, timedelta(minutes=2)

daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all(),
    description="Landing files to published marts, scorecard and messages.",
)


def start_every_day(hour: int, minute: int, zone: str) -> dg.ScheduleDefinition:
    """The daily build, once per local day, also on those on which the clocks change.

    A time that does not exist on a day is the first one after it; of one that comes twice, the second counts.
    """
    return dg.ScheduleDefinition(
        name=SCHEDULE,
        job=daily,
        cron_schedule=cron_of(hour, minute),
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The daily build, at the company's own time of day.",
    )


every_morning = start_every_day(*daily_at())


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
        building = living_holder(store, "build") or living_holder(store, WAITS)
    finally:
        store.close()
    cursor = json.dumps({path: list(seen) for path, seen in looked.items()}, sort_keys=True)
    if not whole:
        waiting = f"; {len(looked)} files still being written or looked at once" if looked else ""
        context.update_cursor(cursor)
        return dg.SkipReason(f"no new whole files{waiting}")
    if building is not None:
        context.update_cursor(cursor)
        return dg.SkipReason(f"{len(whole)} new files wait: {at_work(building)}")
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


@dg.sensor(
    name="run_failures",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the data channel which runs failed and where to look. Never touches the business channel.",
)
def run_failures(context: dg.SensorEvaluationContext, company: Company) -> dg.SkipReason:
    """Every run that failed since the last look, however many there are; those that stopped alike are one message.

    Dagster's own sensor for failures takes a few at a time, and begins with those after its own first look. The cursor
    is a time; what lies shortly before it is looked at again, and the data channel keeps a second message out.
    """
    from kizuna.delivery.slack import send_pending

    found = _failures(context.instance, _looked(context.cursor))
    if not found:
        return dg.SkipReason("no run failed")
    settings = company.settings()
    store = open_store(settings)
    try:
        failed = [
            failed_run(store, settings, record.dagster_run, _failed_steps(context.instance, record)) for record in found
        ]
        told = report_run_failures(store, settings, failed)
        # The step that sends is the one a failed run never reaches.
        if told:
            send_pending(store, settings, patience=5)
    finally:
        store.close()
    context.update_cursor(found[-1].update_timestamp.replace(tzinfo=UTC).isoformat())
    prune_after_failure(settings, context.log.error, context.instance)
    return dg.SkipReason(f"{len(found)} failed runs seen, {told} messages")


def _failures(instance: dg.DagsterInstance, looked: datetime) -> Sequence[dg.RunRecord]:
    """Failed runs since shortly before `looked`, the oldest first, and at least one after it if there is one.

    Where more runs than one look takes failed within the time that is looked at twice, the next look would otherwise
    see the same ones again, and so on for good.
    """
    limit = _FAILURES
    while True:
        found = instance.get_run_records(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=looked - _SEEN_TWICE),
            limit=limit,
            order_by="update_timestamp",
            ascending=True,
        )
        if len(found) < limit or found[-1].update_timestamp.replace(tzinfo=UTC) > looked:
            return found
        limit *= 2


def _looked(cursor: str | None) -> datetime:
    """The time up to which failures were seen; a day ago before the first look."""
    try:
        return datetime.fromisoformat(cursor or "")
    except ValueError:
        return datetime.now(UTC) - timedelta(days=1)


def _failed_steps(instance: dg.DagsterInstance, record: dg.RunRecord) -> tuple[str, ...]:
    events = instance.get_records_for_run(record.dagster_run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    return tuple(event.event_log_entry.step_key or "" for event in events)
