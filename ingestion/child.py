"""Body of a reading child: `python -m ingestion.child SECONDS` takes jobs as lines of JSON, answers each with a line.

The first line says that it is ready. It lives as long as its standard input: when the run dies, however it dies, the
child ends too.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from pathlib import Path

from kizuna.machine import advice, refusal

#: Added to the memory a file may take before the system itself refuses more. The run watches what is used; this is for
#: one huge demand between two looks. Libraries reserve address space far beyond what they use.
_HEADROOM_MB = 8192


def main() -> None:
    """Answer jobs until standard input ends, or none has come for as many seconds as the argument says."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("w") as quiet:
        # Nothing a library prints may get between the answers, or into a log.
        os.dup2(quiet.fileno(), 1)
        os.dup2(quiet.fileno(), 2)
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_take_jobs, args=(jobs,), daemon=True).start()

    import gc

    import duckdb

    from ingestion.parse import engine
    from ingestion.reading import UnpackJob, job_of, read_job, stopped, unpack_job

    # Reading JSON makes many containers and no cycles.
    gc.set_threshold(100_000, 50, 100)
    con = engine()
    answers.write("ready\n")
    answers.flush()
    while True:
        try:
            job = job_of(jobs.get(timeout=float(sys.argv[1])))
        except queue.Empty:
            return
        _cap(job.limits.memory_mb)
        try:
            reading = unpack_job(job) if isinstance(job, UnpackJob) else read_job(con, job)
        except (MemoryError, duckdb.OutOfMemoryException):
            lacking = _machine_lacks(job.limits.memory_mb)
            reading = stopped("machine.refused", lacking) if lacking else stopped("limit.memory", "")
        except Exception as error:  # noqa: BLE001 - a file must never stop the others
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} in {Path(where.filename).name} line {where.lineno}"
            # A full disk says nothing about the file: the run stops, and the next one reads the file again.
            refused = refusal(error)
            reading = stopped("reader.failed", place) if refused is None else stopped("machine.refused", str(refused))
        answers.write(reading.to_json() + "\n")
        answers.flush()


def _take_jobs(jobs: queue.Queue[str]) -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


def _machine_lacks(memory_mb: int) -> str:
    """Why the machine cannot give what a file may take; "" when it can, so that the file is to blame."""
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        free = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())["MemAvailable"]
    except (ImportError, OSError, KeyError):
        return ""
    given = min(hard >> 20 if hard >= 0 else memory_mb, int(free.split()[0]) >> 10)
    if given >= memory_mb:
        return ""
    return advice(f"MemoryError: a file may take {memory_mb:,} MB (limits.memory_mb) and {given:,} MB are there") or ""


def _cap(memory_mb: int) -> None:
    """Let the system refuse memory far beyond the limit, and core dumps, which would hold personal data."""
    try:
        import resource
    except ImportError:  # no such limits on this system
        return
    wanted = (memory_mb + _HEADROOM_MB) << 20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard < 0 else min(wanted, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
