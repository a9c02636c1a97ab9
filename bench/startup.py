"""Where the time of a small run goes: each step of an empty company against the demo company, in one session.

An empty company runs every step over nothing, so its times are what Dagster, dbt and Great Expectations cost by
themselves. Prints seconds and the share of the demo run that is start-up. Usage: python bench/startup.py [people]
"""

from __future__ import annotations

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
from orchestration.launch import run_daily
marks = []
note = lambda step: marks.append((step, time.monotonic()))
outcome = run_daily(load_settings(Path(sys.argv[1])), force=True, progress=note)
assert outcome.success, outcome.error
ends = [at for _, at in marks[1:]] + [time.monotonic()]
steps = {"until the first step": marks[0][1] - start}
steps |= {step: end - at for (step, at), end in zip(marks, ends)}
print(json.dumps(steps))
"""


def run(home: Path, env: dict[str, str]) -> dict[str, float]:
    """Seconds per step of one forced run in a fresh process."""
    import json

    done = subprocess.run([sys.executable, "-c", RUN, str(home)], env=env, check=True, capture_output=True, text=True)
    steps: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return steps


def medians(home: Path, env: dict[str, str]) -> dict[str, float]:
    """Median seconds per step over `REPEAT` runs, after one that is not counted."""
    run(home, env)
    runs = [run(home, env) for _ in range(REPEAT)]
    return {step: statistics.median(found[step] for found in runs) for step in runs[0]}


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
        nothing, something = medians(empty, env), medians(demo, env)
    print(f"median of {REPEAT} warm runs each, demo of {people:,} people, {os.cpu_count()} cores")
    print(f"{'step':24} {'empty s':>9} {'demo s':>9}")
    for step, seconds in something.items():
        print(f"{step:24} {nothing[step]:9.2f} {seconds:9.2f}")
    total_empty, total_demo = sum(nothing.values()), sum(something.values())
    print(f"{'all':24} {total_empty:9.2f} {total_demo:9.2f}")
    print(f"start-up is {total_empty / total_demo:.0%} of the demo run ({time.monotonic() - began:.0f} s measured)")


if __name__ == "__main__":
    main()
