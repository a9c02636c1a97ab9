"""Senders for R8: every line on standard input is one run of the outbox's sender in a forked process.

`python sender.py SETTINGS.json CLOCK`; a line is `<base url> <seconds until SIGKILL, or -1>`. Answers the pid, then the
exit code as `os.waitstatus_to_exitcode` gives it. The clock is the simulated one of `rows/r8.py`.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import slack_sdk  # noqa: F401 - loaded before the fork

from kizuna.control.store import open_store
from kizuna.delivery import slack_api  # noqa: F401
from kizuna.delivery.slack import send_pending
from kizuna.errors import KizunaError
from kizuna.settings import Settings


def run(settings: Settings, clock: Path) -> int:
    """Send what waits, with the simulated clock; the exit code that `kizuna slack send-pending` would give."""

    def epoch() -> float:
        return float(struct.unpack("d", clock.read_bytes()[:8])[0])

    def sleep(seconds: float) -> None:
        with clock.open("r+b") as handle:
            handle.write(struct.pack("d", epoch() + seconds))

    def now() -> datetime:
        return datetime.fromtimestamp(epoch(), UTC).replace(tzinfo=None)

    try:
        send_pending(open_store(settings), settings, now=now, sleep=sleep, timeout=5).raise_for_errors()
    except KizunaError as error:
        return error.exit_code
    return 0


def main(config: Path, clock: Path) -> None:
    """Fork one sender per line until standard input ends."""
    settings = Settings.model_validate_json(config.read_text())
    for line in sys.stdin:
        base_url, delay = line.split()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = run(settings.model_copy(update={"slack_base_url": base_url}), clock)
            finally:
                os._exit(code)
        _answer(pid)
        if float(delay) >= 0:
            time.sleep(float(delay))
            os.kill(pid, signal.SIGKILL)
        _answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
