"""What the gates cost of a whole build: landing files to published marts, two days of the demo company.

The first day reads every file and has nothing to compare with; the second has news only and is held to the first by
every rule that looks back, so its share is the stricter one. Counted is processor time of the run's own process and of
all its children (reading files, dbt); the peak is the resident memory of the process that judges, not of dbt's.

More than `ONE` people are copies of a company of that size with identifiers of their own (bench/many_people.py).

Usage: python bench/whole_build.py [people], a million by default. KIZUNA_BENCH_FOLDER keeps the company's files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from many_people import multiply

SEED, DAYS = 7, 240
#: People whom the demo's generator tells; beyond them come copies.
ONE = 20_000
LAST = date(2026, 6, 30)
#: Share of a build that the gates may take.
BAR = 0.20

#: A run that adds up its steps. The fork server dies with its parent and is asked before.
RUN = """
import json, resource, sys, time
from pathlib import Path
from datetime import date
if __name__ == "__main__":
    import expectations.runner as runner
    import orchestration.defs.gates as gates
    from kizuna.settings import load_settings
    from multiprocessing import forkserver
    from orchestration.launch import run_daily
    import os

    def spent(pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(value) for value in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def all_spent():
        server = forkserver._forkserver._forkserver_pid
        return spent("self") + (spent(server) if server else 0.0)

    judged = {}
    def measured(gate, db, **more):
        runner._load()
        began, cpu = time.monotonic(), time.process_time()
        report = stock(gate, db, **more)
        rows = sum(verdict.rows or 0 for verdict in report.verdicts)
        rules = sum(verdict.evaluated for verdict in report.verdicts)
        slowest = sorted(((verdict.seconds, verdict.relation) for verdict in report.verdicts), reverse=True)[:3]
        judged[gate] = [time.process_time() - cpu, time.monotonic() - began, rules, rows, slowest,
                        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
        return report
    stock, gates.run_gate = gates.run_gate, measured
    steps, last = {}, [None, 0.0]
    def note(step):
        now = all_spent()
        if last[0]:
            steps[last[0]] = now - last[1]
        last[:] = [step, now]
        print(f"  {time.monotonic() - began:7.1f} s  {step}", file=sys.stderr, flush=True)
    began = time.monotonic()
    outcome = run_daily(load_settings(Path(sys.argv[1])), as_of=date.fromisoformat(sys.argv[2]), progress=note)
    assert outcome.success, outcome.error
    note(None)
    print(json.dumps({"cpu": all_spent(), "wall": time.monotonic() - began, "steps": steps, "gates": judged,
        "peak": max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        / 1024}))
"""


def day(home: Path, on: date) -> float:
    """Build one day; prints what it took and gives the gates' share of processor time."""
    environment = os.environ | {"KIZUNA_PSEUDONYM_KEY": "bench" * 12, "PYTHONPATH": str(Path(__file__).parents[1])}
    script = home.parent / "run.py"
    script.write_text(RUN)
    done = subprocess.run(
        [sys.executable, str(script), str(home), on.isoformat()], env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(f"the run of {on} ended with {done.returncode}")
    found = json.loads(done.stdout.splitlines()[-1])
    gates = sum(gate[0] for gate in found["gates"].values())
    print(
        f"{on}: {found['cpu']:.1f} s of processor time, {found['wall']:.1f} s by the clock, peak {found['peak']:.0f} MB"
    )
    print("  " + ", ".join(f"{step} {seconds:.1f}" for step, seconds in found["steps"].items()))
    for name, (cpu, wall, rules, rows, slowest, peak) in found["gates"].items():
        told = ", ".join(f"{relation} {seconds:.1f} s" for seconds, relation in slowest)
        print(f"  gate {name}: {cpu:.1f} s, {wall:.1f} s by the clock, {rules} expectations, {rows:,} rows; {told};"
              f" {peak:.0f} MB so far")  # fmt: skip
    print(f"  gates: {gates:.1f} s of {found['cpu']:.1f} s, {gates / found['cpu']:.1%} (bar {BAR:.0%})", flush=True)
    return float(gates / found["cpu"])


def company_of(people: int, folder: Path) -> Path:
    """The folder of a company of so many people, kept from an earlier run or written now."""
    from ingestion.demo import generate, write_company

    company = folder / f"company-{people}-{SEED}"
    if (company / "kizuna.yaml").exists():
        return company
    if people > ONE:
        if people % ONE:
            raise SystemExit(f"more than {ONE:,} people come in copies of {ONE:,}, not {people:,}")
        multiply(company_of(ONE, folder), company, one=ONE, copies=people // ONE)
    else:
        generate(company, people=people, seed=SEED, days=DAYS, end=LAST)
    write_company(company, people=people, seed=SEED)
    return company


def main(people: int) -> int:
    """Print the figures; 0 when both shares are below the bar."""
    from ingestion.demo import deliver_day2

    kept = os.environ.get("KIZUNA_BENCH_FOLDER")
    with tempfile.TemporaryDirectory() as scratch:
        company = company_of(people, Path(kept or scratch))
        home = Path(kept or scratch) / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(company, home, copy_function=os.link)
        print(f"{people:,} people, seed {SEED}, load {os.getloadavg()[0]:.1f}", flush=True)
        first = day(home, LAST.replace(day=LAST.day - 1))
        deliver_day2(home)
        second = day(home, LAST)
        shutil.rmtree(home)
    print(f"gates: {first:.1%} of the first build, {second:.1%} of the second; load {os.getloadavg()[0]:.1f}")
    return 0 if max(first, second) < BAR else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
