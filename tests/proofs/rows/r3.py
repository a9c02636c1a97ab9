"""R3: defects planted one by one are stopped, whoever launches what, and days without a defect go through.

A small company is built by a whole run of the job `daily` and published. A second attempt at it, prepared from the same
file, passes all four gates. Then, one at a time, a defect is planted into its tables: the gate must not pass, the
publisher must refuse, and not a byte of what is published may change. Defects that show only beside history (volume,
units, time zones, silence, rewritten weeks) are planted into companies whose days are drawn by chance
(`gate_days.py`), and so are the clean days. Five defects go through every way to launch: a separate run of the
publishing asset, a backfill of the stage behind the gate, a retry of the gate, a warning beside the defect, a check
that breaks.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from torture import Trial, beside

from expectations.registry import GATES, GateRow
from expectations.runner import run_gate
from kizuna.builds import Build, load_build, record_gate, record_stage, start_build
from kizuna.control.lease import acquire
from kizuna.control.store import Store, open_store
from kizuna.errors import KizunaError
from kizuna.flow import STEPS
from kizuna.publishing import publish
from kizuna.settings import Settings, load_settings
from kizuna.state import prepare_state

PROOF_TRIALS = 1
CLEAN_DAYS = 10
DAY = date(2026, 6, 30)
KEY = {"KIZUNA_PSEUDONYM_KEY": "k" * 64}

days = beside("gate_days")
defects = beside("gate_defects")


@dataclass
class Company:
    """A published company, and a second attempt at its build that nobody has published."""

    settings: Settings
    store: Store
    build: Build

    def published(self) -> dict[str, str]:
        root = self.settings.published
        seen = {"current": str((root / "current").readlink())}
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                seen[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return seen

    def try_to_publish(self) -> str:
        """Why the publisher refused; empty when it published."""
        lease = acquire(self.store, "build", f"proof-{os.getpid()}")
        try:
            publish(
                self.store, self.settings, self.build, lease, tables=_tables(), scorecard=lambda _db, _m: "<p>proof</p>"
            )
        except KizunaError as error:
            return f"{type(error).__name__}: {error}"
        finally:
            lease.release()
        return ""


_company: list[Company] = []


def run_trial(seed: int, folder: Path) -> Trial:
    """All defects with rows drawn by `seed`, the launches of five of them, and clean days of a company of its own."""
    dice = random.Random(seed)
    failures: list[str] = []
    with _environment():
        if not _company:
            kept = Path(tempfile.mkdtemp(prefix="kizuna-r3-"))
            atexit.register(shutil.rmtree, kept, ignore_errors=True)
            _company.append(_built(kept))
        company = _company[0]
        before = company.published()
        failures += _clean_build(company)
        for place, (relation, sql) in enumerate(defects.DEFECTS):
            with _planted(company.build.db, relation, defects.by_chance(sql, dice)):
                failures += _stopped(company, relation, company.build.db, before)
                if place in defects.LAUNCHED:
                    failures += _launched(company, relation, before)
        clean, found = _drawn(company, seed, folder, before)
        failures += found
    stopped = len(defects.DEFECTS) + len(defects.BESIDE_HISTORY)
    return Trial(
        stopped + len(defects.LAUNCHED) * 5 + clean,
        tuple(failures),
        f"{stopped} defects, {len(defects.LAUNCHED)} of them through 5 launches each, {clean} clean days and builds",
    )


def _row(relation: str) -> GateRow:
    return next(row for row in GATES if row.relation == relation)


@contextmanager
def _environment() -> Iterator[None]:
    """A run knows nothing of whoever runs the proof."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("KIZUNA_")]:
        del os.environ[name]
    os.environ.update(KEY)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _tables() -> dict[str, tuple[str, ...]]:
    from orchestration.manifest import published_tables

    return {name: tuple(key) for name, key in published_tables().items()}


def _built(home: Path) -> Company:
    """The small company after its first run, and its second attempt: the same file, beside its own publication."""
    from ingestion import whole
    from ingestion.demo import generate
    from orchestration.launch import run_daily

    whole.PAUSE_SECONDS = 0.0
    generate(home, people=60, seed=7, days=200, end=DAY)
    (home / "kizuna.yaml").write_text(
        "name: Proof\ntimezone: Asia/Tokyo\ncurrency: JPY\nkpi: {churn_min_customers: 50}\n", encoding="utf-8"
    )
    settings = load_settings(home, KEY)
    outcome = run_daily(settings, as_of=DAY)
    if outcome.build_id is None or not outcome.success:
        raise RuntimeError(f"the clean company was not published: {outcome.failed_steps} {outcome.error}")
    store = open_store(settings)
    first = load_build(store, settings, outcome.build_id, 1)
    lease = acquire(store, "build", "proof")
    build = start_build(store, settings, as_of=DAY, batch_ids=first.batch_ids, fence=lease.fence, run_id=outcome.run_id)
    lease.release()
    shutil.copyfile(first.db, build.db)
    with duckdb.connect(str(build.db)) as con:
        prepare_state(settings, con, DAY, build.base_version)
        for relation in dict.fromkeys(relation for relation, _ in defects.DEFECTS):
            # Tables keep their promises by constraints, which would refuse the defect before the gate can.
            kind = con.execute(
                "SELECT table_type FROM information_schema.tables WHERE table_schema || '.' || table_name = ?",
                [relation],
            ).fetchall()[0][0]
            con.execute(f"CREATE TABLE {relation}_free AS FROM {relation}")
            con.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {relation}")
            con.execute(f"ALTER TABLE {relation}_free RENAME TO {relation.split('.')[1]}")
    return Company(settings, store, build)


def _session(company: Company) -> Any:
    from orchestration.session import Session

    return Session(company.settings, company.store, company.build, None)  # type: ignore[arg-type]


def _clean_build(company: Company) -> list[str]:
    """Record the whole flow anew, each gate by its real verdict; nothing may be stopped."""
    from orchestration.defs.gates import judge

    failures = []
    for kind, name in STEPS:
        if kind == "stage":
            record_stage(company.store, company.build, name)
            continue
        verdicts = judge(_session(company), name)  # type: ignore[arg-type]
        failures += [f"a clean build was stopped: {v.summary}" for v in verdicts.values() if v.outcome != "passed"]
    return failures


@contextmanager
def _planted(db: Path, relation: str, sql: str) -> Iterator[None]:
    """The defect, and afterwards the table as it was."""
    with duckdb.connect(str(db)) as con:
        con.execute(f"CREATE TABLE {relation}_kept AS FROM {relation}")
        con.execute(sql.replace("$table", relation))
    try:
        yield
    finally:
        with duckdb.connect(str(db)) as con:
            con.execute(f"DELETE FROM {relation}; INSERT INTO {relation} FROM {relation}_kept")
            con.execute(f"DROP TABLE {relation}_kept")


def _stopped(company: Company, relation: str, db: Path, before: dict[str, str]) -> list[str]:
    """The gate says no, and so does the publisher, because of this gate."""
    from orchestration.defs.gates import judge

    row = _row(relation)
    _forget(company)
    verdict = judge(_session(company), row.gate, [row])[relation]
    if verdict.outcome == "passed":
        return [f"not stopped: {relation}: {verdict.summary}"]
    return _refused(company, row.gate, f"{relation}: {verdict.summary}", before)


def _refused(company: Company, gate: str, what: str, before: dict[str, str]) -> list[str]:
    reason = company.try_to_publish()
    found = [] if "GateFailed" in reason and f"gate {gate} " in reason else [f"published: {what}: {reason}"]
    return found + ([] if company.published() == before else [f"published bytes changed: {what}"])


def _forget(company: Company) -> None:
    """All steps as after a clean build, so that only the next verdict stands in the way."""
    for kind, name in STEPS:
        if kind == "stage":
            record_stage(company.store, company.build, name)
        else:
            record_gate(company.store, company.build, name, "passed", [])


def _launched(company: Company, relation: str, before: dict[str, str]) -> list[str]:
    """Every way to go on behind a gate that is closed."""
    from expectations import registry
    from expectations.rules import Writer
    from orchestration.defs.gates import judge

    row = _row(relation)
    gate, writer = row.gate, Writer(owner="proof")
    gate_checks = {f"{'/'.join(spec.asset_key)}:{spec.name}" for spec in registry.specs(gate)}

    def noted(context: Any, name: str) -> list[Any]:
        rule = writer.no_rows("only_a_warning", "select 1 from {batch}", "it warns", severity="warning")
        return [*row.suite(context, name), rule]

    def broken(_context: Any, _name: str) -> list[Any]:
        raise RuntimeError("a suite with a fault")

    found = []

    def refused(way: str, assets: set[str], checks: set[str], **tags: str) -> None:
        success, made = _run(company, assets, checks, tags)
        if success or made or company.published() != before:
            found.append(f"{way} went round gate {gate} ({relation}): success {success}, made {sorted(made)}")

    refused("a separate run", {"published/version"}, set())
    refused("a backfill", *_behind(gate), **{"dagster/backfill": "proof"})
    for way, suite in (("a warning", noted), ("a check that breaks", broken)):
        _forget(company)
        verdict = judge(_session(company), gate, [replace(row, suite=suite)])[relation]
        if verdict.outcome == "passed" or (suite is noted and not verdict.warnings):
            found.append(f"{way}: {verdict.summary}")
        refused(way, {"published/version"}, set())
    _forget(company)
    refused("a retry", {"published/version"}, gate_checks)
    return found


def _behind(gate: str) -> tuple[set[str], set[str]]:
    """Assets and their checks behind a gate as a backfill names them, without the next gate; or the publication."""
    from expectations.registry import specs
    from kizuna.flow import STAGES
    from orchestration.definitions import defs

    if gate == "marts":
        return {"published/version"}, set()
    stage = STAGES[STAGES.index(gate) + 1]
    graph = defs.resolve_asset_graph()
    assets = {key.to_user_string() for key in graph.get_all_asset_keys() if key.path[0] == stage}
    gates = {spec.name for spec in specs()}
    return assets, {
        f"{key.asset_key.to_user_string()}:{key.name}"
        for key in graph.asset_check_keys
        if key.asset_key.path[0] == stage and key.name not in gates
    }


def _run(company: Company, assets: set[str], checks: set[str], tags: dict[str, str]) -> tuple[bool, set[str]]:
    """A Dagster run of these assets and checks with the tags of the build: did it succeed, and what did it make?"""
    import contextlib
    import io

    import dagster as dg

    from orchestration.definitions import defs
    from orchestration.session import ATTEMPT_TAG, BUILD_TAG, release_lease
    from orchestration.session import Company as Resource

    job = defs.resolve_job_def("daily").get_subset(
        asset_selection={dg.AssetKey.from_user_string(key) for key in assets},
        asset_check_selection={
            dg.AssetCheckKey(dg.AssetKey.from_user_string(key.split(":")[0]), key.split(":")[1]) for key in checks
        },
    )
    build = {BUILD_TAG: company.build.build_id, ATTEMPT_TAG: str(company.build.attempt)}
    with contextlib.redirect_stdout(io.StringIO()):
        result = job.execute_in_process(
            instance=dg.DagsterInstance.ephemeral(),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
            tags=build | tags,
            resources={"company": Resource(home=str(company.settings.home))},
        )
    release_lease(result.run_id)
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    return bool(result.success), made


def _drawn(company: Company, seed: int, folder: Path, before: dict[str, str]) -> tuple[int, list[str]]:
    """Clean days of a drawn company pass; on the last of them each defect beside history is stopped."""
    drawn = days.draw(seed, folder / "everything.duckdb")
    path, failures = folder / "day.duckdb", []
    for day in range(days.YOUNG, days.YOUNG + CLEAN_DAYS):
        context = drawn.until(day, path)
        for relation in days.JUDGED:
            verdict = days.judge(path, context, relation)
            if verdict.outcome != "passed":
                failures.append(f"a clean day was stopped: {verdict.summary}")
    for relation, sql in defects.BESIDE_HISTORY:
        fresh = "_batch NOT IN (SELECT batch_id FROM state.published_batches)"
        row = _row(relation)
        with _planted(path, relation, sql.replace("$last", f"DATE '{context.as_of}'").replace("$new", fresh)):
            report = run_gate(row.gate, path, context=context, rows=[row])
        if report.outcome == "passed":
            failures.append(f"not stopped: {relation}: {sql}")
            continue
        _forget(company)
        record_gate(company.store, company.build, row.gate, report.outcome, [])
        failures += _refused(company, row.gate, sql, before)
    return CLEAN_DAYS + 1, failures
