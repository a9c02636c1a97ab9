"""R11 over the whole line: the disk fills up under a whole `kizuna run`, then a plain run heals.

A trial is up to five runs of one home, which lies on a small file system in memory of its own (`line_fault_trial.py`,
in a mount namespace): some begin with too little room, for some the disk fills up or has no more place for files at a
random time, some meet a bound on file sizes. Only as torture: a trial takes minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from torture import ROOT, Trial, beside, load_row

PROOF_TRIALS = 0
TRIAL = Path(__file__).resolve().parents[1] / "line_fault_trial.py"
line = beside("whole_line")


def run_trial(seed: int, folder: Path) -> Trial:
    """Up to five faults in one home."""
    if not load_row("R11").can_mount():  # type: ignore[attr-defined]
        return Trial(1, ("a mount namespace is needed (`unshare -rm true` fails here)",))
    line.undisturbed()
    command = ["unshare", "-rm", sys.executable, str(TRIAL), str(folder), str(seed)]
    environment = os.environ | {line.SHARED: str(line.shared_folder())}
    found = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3600, check=False
    )
    if found.returncode != 0:
        return Trial(1, (f"the trial itself ended with {found.returncode}: {found.stderr[-2000:]}",))
    said = json.loads(found.stdout.splitlines()[-1])
    return Trial(said["cases"], tuple(said["failures"]), said["figures"])
