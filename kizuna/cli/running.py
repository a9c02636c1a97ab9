"""`kizuna run`, `rollback`, `status`, `path`."""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from kizuna.cli.text import shown as plain
from kizuna.errors import BuildError, GateFailed, InputError, KizunaError, LeaseHeld, MachineError, PublishError
from kizuna.machine import advice
from kizuna.settings import Settings, load_settings

if TYPE_CHECKING:
    from kizuna.control.store import Store
    from orchestration.launch import RunOutcome

#: Steps of a run in the words of the flow, for the progress display.
STEP_WORDS = {
    "waits": "waiting for a backup or rollback",
    "ingest": "landing → raw",
    "gate_raw": "gate: raw",
    "dbt_staging": "raw → staging",
    "dbt_identity": "staging → identity: evidence",
    "resolve_identity": "staging → identity: who is who",
    "gate_identity": "gate: identity",
    "dbt_core": "identity → core",
    "gate_core": "gate: core",
    "score": "core → scores",
    "dbt_marts": "core, scores → marts",
    "gate_marts": "gate: marts",
    "published__version": "marts → published",
    "alerts__messages": "published → messages",
}


def run_and_tell(home: Path | None, *, as_of: str | None, known_as_of: str | None, force: bool) -> None:
    """Run the job, show progress and the result. Raises the matching `KizunaError` when it did not end well, and
    `DeliveryError` when it did but messages do not arrive (a refusal by Slack, or hours of waiting)."""
    settings = load_settings(home)
    outcome = launch(settings, as_of=parse_day(as_of), known_as_of=known_as_of, force=force)
    if outcome.nothing_new:
        Console(highlight=False).print("Nothing new since the published version; nothing was built.")
    elif outcome.rebuilt is not None:
        Console(highlight=False).print(
            f"Built to be looked at: {outcome.rebuilt}\nIt passed every gate and is not published: readers see what "
            "they saw before, and nobody was told.",
            soft_wrap=True,
        )
    else:
        summarise(settings)
    _complain_about_messages(settings)


def _complain_about_messages(settings: Settings) -> None:
    """The version is out, but whoever started the run must hear that nobody is told."""
    from kizuna.cli.messages import raise_for_trouble
    from kizuna.control.store import open_store, utcnow
    from kizuna.delivery import outbox

    with open_store(settings).read() as connection:
        raise_for_trouble(outbox.trouble(connection, utcnow()))


def launch(
    settings: Settings,
    *,
    as_of: date | None = None,
    known_as_of: str | None = None,
    force: bool = False,
    title: str = "run",
) -> RunOutcome:
    """One run with a live progress display. Raises when it failed, naming the steps and the reason."""
    # Bound now: during the run standard output belongs to dbt's log.
    console = Console(highlight=False, file=sys.stdout)
    started = time.monotonic()
    marks: list[tuple[str, float]] = []
    with console.status(f"{title}: starting Dagster and dbt …") as status:

        def progress(step: str) -> None:
            now = time.monotonic()
            if marks:
                console.print(
                    f"  [green]✓[/] {STEP_WORDS.get(marks[-1][0], marks[-1][0]):34} {now - marks[-1][1]:5.1f} s"
                )
            marks.append((step, now))
            status.update(f"{title}: {STEP_WORDS.get(step, step)} …")

        from orchestration.launch import run_daily

        outcome = run_daily(settings, as_of=as_of, known_as_of=known_as_of, force=force, progress=progress)
    if marks:
        sign = "[green]✓[/]" if outcome.success else "[red]✗[/]"
        console.print(
            f"  {sign} {STEP_WORDS.get(marks[-1][0], marks[-1][0]):34} {time.monotonic() - marks[-1][1]:5.1f} s"
        )
        spent = time.monotonic() - started
        console.print(
            f"  {title} took {spent:.1f} s, {marks[0][1] - started:.1f} s of it until the first step", style="dim"
        )
    if not outcome.success:
        raise _failure(settings, outcome)
    return outcome


def parse_day(text: str | None) -> date | None:
    """A day written YYYY-MM-DD. Raises `InputError` otherwise."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--as-of {text!r} is not a day; write it as YYYY-MM-DD, for example 2026-06-30.") from None


def summarise(settings: Settings) -> None:
    """Print what the published version says and where to look."""
    from kizuna.cli.summary import print_summary

    print_summary(settings)


def roll_back(home: Path | None, to: int | None) -> None:
    """Relink to an earlier version and say what readers see now."""
    from kizuna.control.lease import acquire, errand
    from kizuna.control.store import open_store
    from kizuna.versions import rollback

    settings = load_settings(home)
    store = open_store(settings)
    lease = acquire(store, "build", errand("rollback"), heartbeat=False)
    try:
        shown = rollback(store, settings, lease, to)
    finally:
        lease.release()
    Console(highlight=False).print(
        f"Readers now see v-{shown.version} (as of {shown.manifest['as_of']}, build {shown.manifest['build_id']}). "
        "The next build starts from its ids and histories.",
        soft_wrap=True,
    )


def show_status(home: Path | None) -> None:
    """Published version, landing files by state, builds, messages."""
    from sqlalchemy import func, select

    from kizuna.control.schema import builds, files, outbox
    from kizuna.control.store import open_store
    from kizuna.versions import current

    settings = load_settings(home)
    console = Console(highlight=False)
    shown = current(settings)
    console.print(f"[bold]{settings.company.name}[/]  {settings.home}", soft_wrap=True)
    if shown is None:
        console.print("published  nothing yet; `kizuna run` builds the first version")
    else:
        console.print(
            f"published  v-{shown.version}, as of {shown.manifest['as_of']}, build {shown.manifest['build_id']}"
        )
    store = open_store(settings)
    with store.read() as connection:
        states: list[Any] = list(
            connection.execute(
                select(
                    files.c.source,
                    files.c.status,
                    func.count().label("files"),
                    func.sum(files.c.rows_in).label("rows_in"),
                    func.sum(files.c.quarantined).label("quarantined"),
                )
                .group_by(files.c.source, files.c.status)
                .order_by(files.c.source, files.c.status)
            )
        )
        last = connection.execute(select(builds).order_by(builds.c.started_at.desc()).limit(5)).all()
        messages = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).all()
    table = Table("source", "state", "files", "rows in", "quarantined", title="Landing files", title_justify="left")
    for row in states:
        table.add_row(row.source, row.status, f"{row.files:,}", f"{row.rows_in or 0:,}", f"{row.quarantined or 0:,}")
    console.print(table)
    _work(console, store)
    recent = Table("build", "attempt", "as of", "state", "error", title="Last builds", title_justify="left")
    for row in last:
        recent.add_row(row.build_id, str(row.attempt), str(row.as_of), row.status, row.error or "")
    console.print(recent)
    console.print("messages   " + (", ".join(f"{count} {state}" for state, count in messages) or "none"))


def _work(console: Console, store: Store) -> None:
    """Held files, columns that changed, and how much quarantine waits or was decided."""
    from ingestion import doubled
    from ingestion.drift import grouped
    from ingestion.quarantine import count_work
    from kizuna.control import ledger

    work = count_work(store)
    decided = f"; {work.decided_rows:,} rows of {work.decided_files:,} files discarded" if work.decided_files else ""
    if work.files or decided:
        console.print(f"quarantine {work.rows:,} rows of {work.files:,} files wait{decided}: kizuna quarantine list")
    with store.read() as connection:
        files = ledger.list_files(connection, statuses=("accepted", "held", "refused"))
    for file in files:
        if file.status == "held" and not file.detail.get("discarded_at"):
            console.print(f"  [bold]held[/] landing/{plain(file.path)}: {plain(file.reason)}", soft_wrap=True)
    twice = [file for file in files if file.status == "accepted" and doubled.rows_of(file)]
    for file in twice[:20]:
        console.print(plain(f"times      landing/{file.path}: {doubled.words(file)}"), soft_wrap=True)
    for finding, paths in grouped([file for file in files if file.status == "accepted"])[:20]:
        more = f" and {len(paths) - 1:,} more files" if len(paths) > 1 else ""
        line = f"columns    landing/{paths[0]}{more}: {finding.what}. {finding.to_do}"
        console.print(plain(line), soft_wrap=True)


def print_path(home: Path | None, table: str | None) -> None:
    """Print the resolved folder of the shown version, or one mart's file."""
    from kizuna.settings import home_from_environment

    root = (home or home_from_environment()).expanduser().resolve()
    link = root / "published" / "current"
    if not link.is_symlink():
        raise PublishError(f"Nothing is published in {root}; `kizuna run` builds the first version.")
    folder = link.resolve()
    if table is None:
        typer_echo(str(folder))
        return
    file = folder / "marts" / f"{table}.parquet"
    if not file.exists():
        names = ", ".join(sorted(path.stem for path in (folder / "marts").glob("*.parquet")))
        raise InputError(f"There is no mart {table!r}; there are: {names}.")
    typer_echo(str(file))


def typer_echo(line: str) -> None:
    """One plain line on standard output, for use in scripts."""
    import typer

    typer.echo(line)


def _failure(settings: Settings, outcome: RunOutcome) -> KizunaError:
    from kizuna.builds import shown_version

    reason = outcome.error or "no reason was recorded"
    steps = ", ".join(STEP_WORDS.get(step, step) for step in outcome.failed_steps)
    gate = next((step.removeprefix("gate_") for step in outcome.failed_steps if step.startswith("gate_")), None)
    if gate is not None and outcome.build_id is not None:
        reason = "\n".join(gate_reasons(settings, outcome.build_id, gate)) or reason
    shown = shown_version(settings)
    readers = f"Readers see v-{shown}" if shown is not None else "Nothing is published yet"
    text = f"The run stopped at: {steps or 'its start'}.\n{reason}\n{readers}; `kizuna status` says more."
    if gate is not None:
        report = sorted((settings.builds / (outcome.build_id or "-")).glob("a*/gate-report.html"), key=_attempt)
        page = f"\nGate report: {report[-1]}" if report else ""
        return GateFailed(f"{text}{page}\nWhat to do: docs/runbooks/gate-failed.md")
    if "Wait for it, or stop it" in reason:
        return LeaseHeld(text)
    if (told := advice(reason)) is not None:
        return MachineError(text.replace(reason, told))
    return PublishError(text) if "published__version" in outcome.failed_steps else BuildError(text)


def _attempt(report: Path) -> int:
    return int(report.parent.name.removeprefix("a"))


def gate_reasons(settings: Settings, build_id: str, gate: str) -> list[str]:
    """One line per expectation that stopped the newest attempt at a build: relation, rule, rows, why. No values."""
    from sqlalchemy import select

    from kizuna.cli.summary import rule_in_words
    from kizuna.control.schema import gate_verdicts
    from kizuna.control.store import open_store

    with open_store(settings).read() as connection:
        rows = connection.execute(
            select(gate_verdicts)
            .where(
                gate_verdicts.c.build_id == build_id,
                gate_verdicts.c.gate == gate,
                gate_verdicts.c.outcome != "passed",
            )
            .order_by(gate_verdicts.c.attempt.desc(), gate_verdicts.c.relation, gate_verdicts.c.verdict_id)
        ).all()
    return [
        f"  {row.relation}: {rule_in_words(failed)}"
        for row in rows
        if row.attempt == rows[0].attempt
        for failed in row.failed
    ]
