"""A run whose process died without a word is ended; it would hold the queue's only place for good."""

from __future__ import annotations

import uuid
from pathlib import Path

import dagster as dg
import pytest

from kizuna.control.lease import WAITS, acquire
from kizuna.control.store import Store, open_store_at
from orchestration import session


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store_at(f"sqlite:///{tmp_path / 'control.db'}")


def started(instance: dg.DagsterInstance, job: str = "daily") -> str:
    run = dg.DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
    instance.add_run(run)
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_that_shows_no_life_is_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE_SECONDS", 0.0)
    with dg.DagsterInstance.ephemeral() as instance:
        dead, alive, other = started(instance), started(instance), started(instance, "another_job")
        waits = started(instance)
        acquire(store, "build", alive, heartbeat=False)
        acquire(store, WAITS, waits, heartbeat=False)
        assert session.close_dead_runs(instance, store) == [dead]
        assert status(instance, dead) == dg.DagsterRunStatus.FAILURE
        assert status(instance, alive) == dg.DagsterRunStatus.STARTED
        assert status(instance, waits) == dg.DagsterRunStatus.STARTED
        assert status(instance, other) == dg.DagsterRunStatus.STARTED


def test_a_run_that_has_just_started_is_left_alone(store: Store) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = started(instance)
        assert session.close_dead_runs(instance, store) == []
        assert status(instance, run_id) == dg.DagsterRunStatus.STARTED


def test_a_worker_declared_dead_does_not_take_a_new_lease(store: Store) -> None:
    held = session.hold_lease(store, "run-1")
    try:
        held.lost.set()
        with pytest.raises(session.LeaseHeld, match="declared dead"):
            session.hold_lease(store, "run-1")
    finally:
        session.release_lease("run-1")
