"""Named places where a crash would hurt most, so that tests can kill a real process exactly there.

With `KIZUNA_KILL_AT=<point>` in the environment the process sends itself SIGKILL on reaching that point: no handler
runs and nothing is flushed, as in a power cut. Without the variable a point costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal
from typing import Final

#: Every point of the write path, in the order in which a run meets them.
POINTS: Final = (
    "ingest.parquet_written",
    "ingest.parquet_renamed",
    "ingest.ledger_recorded",
    "build.started",
    "stage.raw_done",
    "stage.staging_done",
    "stage.identity_done",
    "stage.core_done",
    "stage.scores_done",
    "stage.marts_done",
    "publish.intended",
    "publish.database_written",
    "publish.parquet_written",
    "publish.manifest_written",
    "publish.renamed",
    "publish.link_replaced",
    "publish.recorded",
    "alerts.enqueued",
    "alerts.sent",
)


def failpoint(name: str) -> None:
    """Die here if the environment says so. `name` is one of `POINTS`."""
    if name not in POINTS:
        raise ValueError(f"unknown failpoint {name!r}")
    if os.environ.get("KIZUNA_KILL_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
