"""Runs in processes of the code server, as Dagster starts them, whose death is noticed.

Dagster's own launcher cannot say whether a worker lives, so its monitoring never ends a run whose worker and code
server died together (a kill of both, a power cut): such a run would hold the queue's only place for good.
"""

import time
from typing import Any

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import deserialize_value

from kizuna.control.lease import living_runs
from kizuna.control.store import open_store
from kizuna.settings import load_settings


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher for one machine, with an answer to "does the worker of this run live?"."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """A worker lives when it has the build's lease, or waits for it, or when its code server says so.

        Where no server answers, a run is given the time in which runs must start: it may not have come to its first
        step, which takes the lease, and `kizuna run` has no server at all.
        """
        if _has_lease(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        told = self._told_by_server(run.run_id)
        if told is not None:
            status = WorkerStatus.RUNNING if told else WorkerStatus.NOT_FOUND
            return CheckRunHealthResult(status, "" if told else "its process ended before the run did")
        record = self._instance.get_run_record_by_id(run.run_id)
        began = record.start_time if record is not None else None
        if began is None or time.time() - began < self._instance.run_monitoring_start_timeout_seconds:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "neither it nor its code server shows a sign of life")

    def _told_by_server(self, run_id: str) -> bool | None:
        """What the server says that started the run; None where none does."""
        client: Any = self._get_grpc_client_for_termination(run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return None
        try:
            found = deserialize_value(client.get_current_runs(), GetCurrentRunsResult)
        except DagsterUserCodeUnreachableError:
            return None
        return run_id in found.current_runs


def _has_lease(run_id: str) -> bool:
    store = open_store(load_settings())
    try:
        return run_id in living_runs(store)
    finally:
        store.close()
