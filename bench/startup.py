"""Where the time of a small run goes: start-up of Dagster, dbt and Great Expectations, and each step.

Two companies run in one session: an empty one, whose steps go over nothing, and the demo. Start-up is what passes until
the first step (Python, Dagster, the project), from the start of each dbt child to its first node, and the import of
Great Expectations, which a run with new files does beside reading them: so their sum is an upper bound of what a run
waits. Usage: python bench/startup.py [people]
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEAT = 3
RUN = """
import json, sys, time
start = time.monotonic()
from pathlib import Path
from kizuna.settings import load_settings
from orchestration import dbt_child
from orchestration.launch import run_daily
waits = []
class Timed(dbt_child._Lines):
    def __init__(self, connection):
        super().__init__(connection)
        self.began = time.monotonic()
    def __iter__(self):
        waiting = True
        for line in super().__iter__():
            if waiting and b'"NodeStart"' in line:
                waiting = False
                waits.append(time.monotonic() - self.began)
            yield line
dbt_child._Lines = Timed
marks = []
note = lambda step: marks.append((step, time.monotonic()))
if __name__ == "__main__":
    outcome = run_daily(load_settings(Path(sys.argv[1])), force=True, progress=note)
    assert outcome.success, outcome.error
    ends = [at for _, at in marks[1:]] + [time.monotonic()]
    steps = {"until the first step": marks[0][1] - start}
    steps |= {step: end - at for (step, at), end in zip(marks, ends)}
    print(json.dumps({"steps": steps, "dbt": sum(waits), "children": len(waits)}))
"""
GX = """
import time
start = time.monotonic()
from expectations.runner import _ephemeral_context
_ephemeral_context()
print(time.monotonic() - start)
"""


def run(home: Path, env: dict[str, str]) -> tuple[dict[str, float], float]:
    """Seconds per step of one forced run in a fresh process, and those that dbt's children take to their first node."""
    done = subprocess.run([sys.executable, "-c", RUN, str(home)], env=env, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return found["steps"], found["dbt"]


def medians(home: Path, env: dict[str, str]) -> tuple[dict[str, float], float]:
    """Medians over `REPEAT` runs, after one that is not counted."""
    run(home, env)
    runs = [run(home, env) for _ in range(REPEAT)]
    steps = {step: statistics.median(found[step] for found, _ in runs) for step in runs[0][0]}
    return steps, statistics.median(dbt for _, dbt in runs)


def import_seconds(env: dict[str, str]) -> float:
    """Seconds to import Great Expectations and make its context, in a fresh process; the median."""
    runs = [subprocess.run([sys.executable, "-c", GX], env=env, check=True, capture_output=True) for _ in range(REPEAT)]
    return statistics.median(float(done.stdout.split()[-1]) for done in runs)


def main() -> None:
    """Measure both companies and print the comparison."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder:
        empty, demo = Path(folder) / "empty", Path(folder) / "demo"
        env = {**os.environ, "KIZUNA_PSEUDONYM_KEY": secrets.token_hex(32)}
        subprocess.run(
            [sys.executable, "-m", "kizuna.cli", "init", str(empty)], env=env, check=True, capture_output=True
        )
        from ingestion.demo import generate, write_company

        generate(demo, people=people)
        write_company(demo)
        began = time.monotonic()
        (nothing, _), (something, dbt) = medians(empty, env), medians(demo, env)
        gx = import_seconds(env)
    print(f"median of {REPEAT} warm runs each, demo of {people:,} people, {os.cpu_count()} cores")
    before = something["until the first step"]
    print(f"start-up of the demo's run: {before + dbt + gx:.1f} s at most")
    print(f"  until the first step     {before:6.2f}")
    print(f"  dbt until its first node {dbt:6.2f}  (four children)")
    print(f"  Great Expectations       {gx:6.2f}  (beside the reading of files)")
    print(f"{'step':24} {'empty s':>9} {'demo s':>9}")
    for step, seconds in something.items():
        print(f"{step:24} {nothing[step]:9.2f} {seconds:9.2f}")
    total_empty, total_demo = sum(nothing.values()), sum(something.values())
    print(f"{'all':24} {total_empty:9.2f} {total_demo:9.2f}")
    print(f"({time.monotonic() - began:.0f} s measured)")


if __name__ == "__main__":
    main()
