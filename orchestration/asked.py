"""What a run was asked to build: the run config of its first step, in words of days and instants."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from kizuna.builds import default_as_of, is_rebuild, load_build
from kizuna.control.store import Store
from kizuna.data_channel import FailedRun, PastDay
from kizuna.errors import BuildError, InputError, PublishError
from kizuna.rebuilt import looks_back
from kizuna.settings import Settings
from kizuna.versions import current
from orchestration.session import ATTEMPT_TAG, BUILD_TAG

#: The step whose run config says which day to build.
FIRST_STEP = "ingest"


def day_of(name: str, text: str | None) -> date | None:
    """The day of a key of the run config. Raises `InputError` for what is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(f"run config {name}: {text!r} is not a day; write YYYY-MM-DD.") from None


def moment_of(text: str | None) -> datetime | None:
    """`known_as_of` of the run config as naive UTC. Raises `InputError` for what is no instant."""
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None and moment.tzinfo else moment
    except ValueError:
        raise InputError(
            f"run config known_as_of: {text!r} is not an instant; write 2026-06-30T12:00:00 (UTC)."
        ) from None


def failed_run(store: Store, settings: Settings, run: dg.DagsterRun, steps: tuple[str, ...]) -> FailedRun:
    """A run that failed, as the data channel is told of it: with the past day that it was to build again, if any.

    The purpose of a build was recorded when it began; of a run that did not come to that only the run config is left.
    """
    build_id, attempt = run.tags.get(BUILD_TAG), run.tags.get(ATTEMPT_TAG)
    if build_id is None or attempt is None:
        return FailedRun(run.run_id, build_id, steps, past=_past_day(settings, run.run_config))
    return FailedRun(run.run_id, build_id, steps, int(attempt), _past_build(store, settings, build_id, int(attempt)))


def _past_build(store: Store, settings: Settings, build_id: str, attempt: int) -> PastDay | None:
    try:
        build = load_build(store, settings, build_id, attempt)
    except BuildError:
        return None
    return PastDay(build.as_of, build.known_as_of) if is_rebuild(store, build) else None


def _past_day(settings: Settings, run_config: Mapping[str, Any]) -> PastDay | None:
    """The past day that this run config asks for beside what readers see now."""
    asked = ((run_config.get("ops") or {}).get(FIRST_STEP) or {}).get("config") or {}
    if asked.get("force"):
        return None
    known, day, shown = None, None, None
    with suppress(InputError):
        known = moment_of(asked.get("known_as_of"))
    with suppress(InputError):
        day = day_of("as_of", asked.get("as_of"))
    with suppress(PublishError):
        shown = current(settings)
    # Nobody but a person writes `known_as_of`, also where it cannot be read.
    day = day or default_as_of(settings.company, known.replace(tzinfo=UTC) if known else None)
    is_past = bool(asked.get("known_as_of")) or looks_back(shown, day, known)
    return PastDay(day, known) if is_past else None
