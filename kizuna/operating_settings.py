"""Sections of `kizuna.yaml` that change no number: expected signs of life, limits of reading a file and of a build."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

Hours = Annotated[int, Field(ge=1, le=24 * 400)]


class WatchParams(BaseModel):
    """Expected intervals; an alarm comes after one and a half of them, so always before two have gone by.

    `publication_hours`: between two publications. `files_hours`: between two landing files of any source. `sources`:
    between two accepted files of one source, by its folder under landing. `daemon_minutes`: age of the daemon's last
    sign of life (it gives one every 30 seconds, but a machine under load is late), 0 where cron runs the line and there
    is no daemon. `sender_minutes`: how long a message may wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    publication_hours: Hours = 24
    files_hours: Hours = 24
    daemon_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    sender_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    sources: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$")], Hours] = {}


class ReadingLimits(BaseModel):
    """What reading one file may take before it is stopped; each file is read in a child process.

    `memory_mb` and `seconds` per file, `line_mb` per line, `columns` per header; a gzip, a ZIP or a workbook may unpack
    to `unpacked_ratio` times its size; a gzip or a ZIP to `unpacked_mb`, a workbook to `workbook_mb`. A ZIP holds up to
    `members` files, a workbook as many parts. `workers` files are read at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_mb: Annotated[int, Field(ge=256)] = 1536
    seconds: Annotated[int, Field(ge=1)] = 3600
    line_mb: Annotated[int, Field(ge=1, le=1024)] = 64
    columns: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    unpacked_ratio: Annotated[int, Field(ge=2)] = 200
    unpacked_mb: Annotated[int, Field(ge=1)] = 102_400
    members: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    workbook_mb: Annotated[int, Field(ge=1)] = 2_048
    workers: Annotated[int, Field(ge=1, le=16)] = 2


class BuildLimits(BaseModel):
    """What the engine may take while it builds and publishes; more goes to disk.

    `memory_mb`: memory of one process that builds, 0 for 60 % of what the machine (or its container) has. `spill_mb`:
    what may lie on disk because of it, 0 for nine tenths of what is free.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory_mb: Annotated[int, Field(ge=0)] = 0
    spill_mb: Annotated[int, Field(ge=0)] = 0

    @field_validator("memory_mb")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < 512:
            raise ValueError("a build takes at least 512 MB; 0 leaves it to the machine")
        return value
