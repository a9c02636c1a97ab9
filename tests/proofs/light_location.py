"""A code location with one light job, for R10: it holds the build's lease and a place of the pool, as a real run does.

What R10 attacks are Dagster's processes and the instance's configuration; the pipeline's own steps are attacked by R1
and R11. `LIGHT_RUNS` runs are asked for by a sensor at its first tick, so that there is a queue.
"""

import os
import time

import dagster as dg

from kizuna.control.store import open_store
from kizuna.settings import load_settings
from orchestration.session import BUILD_POOL, hold_lease, release_lease

SECONDS = 1.5


@dg.op(pool=BUILD_POOL)
def build(context: dg.OpExecutionContext) -> None:
    """Hold the lease for a moment. Another one's lease is waited for as long as a killed run is one that lives."""
    store = open_store(load_settings())
    hold_lease(store, context.run_id)
    time.sleep(SECONDS)
    release_lease(context.run_id)
    store.close()


@dg.job(executor_def=dg.in_process_executor)
def light() -> None:
    build()


@dg.sensor(job=light, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def load(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask for everything at once; a key is started once, however often a killed daemon asks."""
    count = int(os.environ["LIGHT_RUNS"])
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"light-{n}") for n in range(count)], cursor=str(count))


defs = dg.Definitions(jobs=[light], sensors=[load])
