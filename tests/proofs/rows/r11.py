"""R11: the machine fails during the write path: disk full, I/O errors, no permission, memory, clock jumps, DST.

A trial is ten runs of the write path (write_path.py: landing to a published version), each a real process that meets a
fault at the n-th call, and after each a plain run. `fault_trial.py` is the trial; it runs in a mount namespace of its
own where the system allows one, so that a disk that is full is really full, for SQLite, DuckDB and Arrow too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from torture import ROOT, Trial

PROOF_TRIALS = 2
TRIAL = Path(__file__).resolve().parents[1] / "fault_trial.py"


@cache
def can_mount() -> bool:
    """Whether a process may have a file system of its own here."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


def run_trial(seed: int, folder: Path) -> Trial:
    """Ten faults in one home."""
    command = [sys.executable, str(TRIAL), str(folder), str(seed)]
    if can_mount():
        command = ["unshare", "-rm", *command, "mount"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if found.returncode != 0:
        return Trial(1, (f"the trial itself ended with {found.returncode}: {found.stderr[-2000:]}",))
    said = json.loads(found.stdout.splitlines()[-1])
    return Trial(said["cases"], tuple(said["failures"]), said["figures"])
