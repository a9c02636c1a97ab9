"""What the gates cost of a whole build: landing files to published marts, two days of the demo company.

The first day reads every file and has nothing to compare with; the second has news only and is held to the first by
every rule that looks back, so its share is the stricter one. Counted is processor time of the run's own process and of
all its children (reading files, dbt). The peaks are those of the largest process, of all of them together (what they
share counted once for each), of what DuckDB laid on disk for want of memory, looked at four times a second, and beside
each step that of the run's own process.

More than `ONE` people are copies of a company of that size with identifiers of their own (bench/many_people.py).

Usage: python bench/whole_build.py [people] [memory], a million by default and as many MB of `build.memory_mb` as are
given, else what is the default there. KIZUNA_BENCH_FOLDER keeps the company's files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
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
import json, sys, time
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

    def peak():
        # MB that this process held at most since it was last asked.
        status = Path("/proc/self/status").read_text()
        Path("/proc/self/clear_refs").write_text("5")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

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
                        peak()]
        return report
    stock, gates.run_gate = gates.run_gate, measured
    steps, last = {}, [None, 0.0]
    def note(step):
        now = all_spent()
        if last[0]:
            steps[last[0]] = now - last[1], peak()
        last[:] = [step, now]
        print(f"  {time.monotonic() - began:7.1f} s  {step}", file=sys.stderr, flush=True)
    began = time.monotonic()
    outcome = run_daily(load_settings(Path(sys.argv[1])), as_of=date.fromisoformat(sys.argv[2]), progress=note)
    assert outcome.success, outcome.error
    note(None)
    print(json.dumps({"cpu": all_spent(), "wall": time.monotonic() - began, "steps": steps, "gates": judged}))
"""


class Peaks:
    """Memory of the processes of one session and what lies in the folders that builds spill into, while they run."""

    def __init__(self, session: int, home: Path) -> None:
        self._session, self._home = session, home
        self.largest = self.together = self.spilled = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def __str__(self) -> str:
        return (
            f"largest process {self.largest >> 20:,} MB, all of them {self.together >> 20:,} MB, "
            f"spilled {self.spilled >> 20:,} MB"
        )

    def _look(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._ended.wait(0.25):
            sizes = []
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        fields = (entry / "stat").read_text().rpartition(")")[2].split()
                    except OSError:
                        continue
                    if int(fields[3]) == self._session:
                        sizes.append(int(fields[21]) * page)
            spilled = 0
            for folder in (*self._home.rglob("build.duckdb.tmp"), *self._home.glob("builds/**/spill")):
                for file in folder.rglob("*"):
                    with contextlib.suppress(OSError):
                        spilled += file.stat().st_blocks * 512
            self.largest = max([self.largest, *sizes])
            self.together = max(self.together, sum(sizes))
            self.spilled = max(self.spilled, spilled)


def day(home: Path, on: date) -> float:
    """Build one day; prints what it took and gives the gates' share of processor time."""
    environment = os.environ | {"KIZUNA_PSEUDONYM_KEY": "bench" * 12, "PYTHONPATH": str(Path(__file__).parents[1])}
    script = home.parent / "run.py"
    script.write_text(RUN)
    run = subprocess.Popen(
        [sys.executable, str(script), str(home), on.isoformat()],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    peaks = Peaks(run.pid, home)
    said, _ = run.communicate()
    peaks.stop()
    if run.returncode:
        raise SystemExit(f"the run of {on} ended with {run.returncode}; {peaks}")
    found = json.loads(said.splitlines()[-1])
    gates = sum(gate[0] for gate in found["gates"].values())
    print(f"{on}: {found['cpu']:.1f} s of processor time, {found['wall']:.1f} s by the clock; {peaks}")
    steps = found["steps"].items()
    print("  " + ", ".join(f"{step} {seconds:.1f} ({own:,.0f} MB)" for step, (seconds, own) in steps))
    for name, (cpu, wall, rules, rows, slowest, peak) in found["gates"].items():
        told = ", ".join(f"{relation} {seconds:.1f} s" for seconds, relation in slowest)
        print(f"  gate {name}: {cpu:.1f} s, {wall:.1f} s by the clock, {rules} expectations, {rows:,} rows; {told};"
              f" {peak:,.0f} MB")  # fmt: skip
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


def main(people: int, memory: int) -> int:
    """Print the figures; 0 when both shares are below the bar."""
    from ingestion.demo import deliver_day2

    kept = os.environ.get("KIZUNA_BENCH_FOLDER")
    with tempfile.TemporaryDirectory() as scratch:
        company = company_of(people, Path(kept or scratch))
        home = Path(kept or scratch) / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(company, home, copy_function=os.link)
        if memory:
            written = home / "kizuna.yaml"
            text = f"{written.read_text()}build: {{memory_mb: {memory}}}\n"
            written.unlink()
            written.write_text(text)
        bound = f", build.memory_mb {memory:,}" if memory else ""
        print(f"{people:,} people, seed {SEED}{bound}, load {os.getloadavg()[0]:.1f}", flush=True)
        first = day(home, LAST.replace(day=LAST.day - 1))
        deliver_day2(home)
        second = day(home, LAST)
        shutil.rmtree(home)
    print(f"gates: {first:.1%} of the first build, {second:.1%} of the second; load {os.getloadavg()[0]:.1f}")
    return 0 if max(first, second) < BAR else 1


if __name__ == "__main__":
    people, memory = (int(given) for given in [*sys.argv[1:], *("1000000", "0")[len(sys.argv) - 1 :]])
    sys.exit(main(people, memory))
