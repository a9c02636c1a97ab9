"""R1 over the whole line: a whole `kizuna run` killed at the named points, then plainly run again.

It is a process of its own, forked from one that has done the imports (preloaded_line.py), and sends itself SIGKILL at
the point, or gets it from outside. Whoever reads then sees the whole old version, or the whole new one once the link
has moved. The plain run afterwards gives the files of a run that nobody disturbed, and the channel gets its message
once. A trial is ten kills; a home is run plainly only after its last one, so that each run but the first meets what
the crash before it left. Nine are the points that row R1 does not reach by the write path alone; the tenth is a random
time in a home of its own (odd seeds), or one of R1's before readers see the new version (even).
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from torture import Trial, beside

from kizuna.failpoints import POINTS

PROOF_TRIALS = 1
WORKERS = 2
line = beside("whole_line")

Step = str | float

#: Of the runs before anything is shown, and of what comes after that.
STAGES = [point for point in POINTS if point.startswith(("build.", "stage."))]
ALERTS = [point for point in POINTS if point.startswith("alerts.")]
BEFORE_SHOWN = [point for point in POINTS[: line.SHOWN_FROM] if point.startswith(("ingest.", "publish."))]


def run_trial(seed: int, folder: Path) -> Trial:
    """Ten kills."""
    start = line.undisturbed()
    attacks = plan(seed, start.seconds)
    companies = [line.open_company(folder / f"home-{number}", is_forked=True) for number in range(len(attacks))]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda pair: line.attack(pair[0], start, pair[1]), zip(companies, attacks, strict=True)))
    wrong = [
        f"{steps}: {problem}" for steps, (_, all_wrong) in zip(attacks, found, strict=True) for problem in all_wrong
    ]
    shown = " and ".join(", ".join(step if isinstance(step, str) else f"{step:.0f} s" for step in a) for a in attacks)
    return Trial(sum(kills for kills, _ in found), tuple(wrong), f"killed at {shown}")


def plan(seed: int, seconds: float) -> list[tuple[Step, ...]]:
    """What each home is killed at. What comes before publishing is not met after it, so the alerts are last."""
    dice = random.Random(seed)
    stages = dice.sample(STAGES, len(STAGES))
    # A run that goes on after a kill at either point of the alerts meets the other one no more.
    first, second = (*stages[:4], ALERTS[0]), (*stages[4:], ALERTS[1])
    if seed % 2 == 0:
        # Files are read by the first run that gets so far.
        return [first, (dice.choice(BEFORE_SHOWN), *second)]
    return [first, second, (dice.uniform(0.1, 0.98) * seconds,)]
