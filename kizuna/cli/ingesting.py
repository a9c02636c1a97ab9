"""`kizuna ingest` and `kizuna quarantine …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kizuna.cli.text import shown
from kizuna.control.store import open_store
from kizuna.errors import InputError
from kizuna.settings import load_settings

if TYPE_CHECKING:
    from ingestion.load import IngestReport


def ingest_landing(home: Path | None, source: str | None) -> None:
    """Load new files with a progress bar; list every file that needs a look. Exit code 8 if one was held or refused."""
    from ingestion import load

    settings = load_settings(home)
    store = open_store(settings)
    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("landing", total=None)

        def progress(at: load.Progress) -> None:
            bar.update(task, total=at.total, completed=at.done, description=shown(at.path[-60:]))

        report = load.ingest(settings, store, progress=progress, only=source)
    console.print(
        f"{len(report.files)} files handled, {report.known} known already, in {report.seconds:.1f} s: "
        f"{report.rows_in:,} rows in = {report.accepted:,} accepted + {report.quarantined:,} quarantined "
        f"+ {report.duplicates:,} duplicates" + (f" + {report.held:,} held" if report.held else ""),
        soft_wrap=True,
    )
    _tell(console, report)


def backfill_folder(home: Path | None, folder: Path, source: str | None) -> None:
    """Take a folder of history into landing and load it, with files, rows, bytes and the time left."""
    from rich.progress import DownloadColumn, TimeRemainingColumn

    from ingestion import load
    from ingestion.backfill import take_in

    settings = load_settings(home)
    store = open_store(settings)
    console = Console(highlight=False)
    # A folder of another file system is copied, which may take longer than the loading.
    columns = (TextColumn("taking {task.description} into landing"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("files", total=None)

        def taking(path: str, before: int, total: int) -> None:
            bar.update(task, completed=before, total=total, description=shown(path[-60:]))

        taken = take_in(settings, folder, source, taking)
    wanted = set(taken.paths)
    loading = (
        TextColumn("{task.fields[files]} files, {task.fields[rows]:,} rows"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*loading, console=console, transient=True) as bar:
        task = bar.add_task("history", total=taken.bytes, files=f"0 of {len(wanted):,}", rows=0)
        begun: dict[str, int] = {}
        rows = 0

        def progress(at: load.Progress) -> None:
            nonlocal rows
            if at.path in wanted and at.path not in begun:
                begun[at.path] = (settings.landing / at.path).stat().st_size
            rows += at.file.rows_in if at.file is not None else 0
            bar.update(task, completed=sum(begun.values()), files=f"{len(begun):,} of {len(wanted):,}", rows=rows)

        report = load.ingest(settings, store, progress=progress)
    console.print(
        f"{len(wanted):,} files of {shown(folder)} lie in landing ({taken.new:,} new), {taken.bytes / 1e6:,.1f} MB; "
        f"loaded in {report.seconds:.1f} s: {report.rows_in:,} rows in = {report.accepted:,} accepted + "
        f"{report.quarantined:,} quarantined + {report.duplicates:,} duplicates"
        + (f" + {report.held:,} held" if report.held else ""),
        soft_wrap=True,
    )
    for path in taken.clashes:
        console.print(f"  [bold]not taken[/] {shown(path)}: landing holds another file of this name", soft_wrap=True)
    _tell(console, report)
    if taken.clashes:
        raise InputError(f"{len(taken.clashes)} files were not taken: rename them in {folder} and run this again.")


def _tell(console: Console, report: IngestReport) -> None:
    """What needs a look, file by file. Raises `InputError` if a file was held or refused."""
    from ingestion import doubled
    from ingestion.drift import grouped

    for file in report.files:
        if file.status in ("held", "refused"):
            console.print(
                f"  [bold]{file.status}[/] landing/{shown(file.path)}: {shown(file.reason or '')}", soft_wrap=True
            )
        elif file.quarantined:
            console.print(
                f"  {file.quarantined:,} of {file.rows_in:,} rows quarantined in landing/{shown(file.path)}: "
                f"kizuna quarantine show {file.file_id[:8]}",
                soft_wrap=True,
            )
    for file in report.with_status("accepted"):
        if said := doubled.words(file):
            console.print(f"  landing/{shown(file.path)}: {shown(said)}", soft_wrap=True)
    for finding, paths in grouped([file for file in report.files if file.status == "accepted"]):
        more = f" and {len(paths) - 1:,} more files" if len(paths) > 1 else ""
        console.print(
            f"  landing/{shown(paths[0])}{more}: {shown(finding.what)}. {shown(finding.to_do)}", soft_wrap=True
        )
    reasons = {file.path: file.reason or "" for file in report.with_status("unmatched")}
    for path in report.unmatched:
        why = reasons.get(path, "there is no contract for it; see docs/bring-your-own-files.md")
        console.print(f"  [bold]not loaded[/] landing/{shown(path)}: {shown(why)}", soft_wrap=True)
    for path in report.changing:
        console.print(f"  still being written, left for the next time: landing/{shown(path)}", soft_wrap=True)
    stopped = report.with_status("held", "refused")
    if stopped:
        raise InputError(f"{len(stopped)} files were not loaded; the others were. See above what to do.")


def list_quarantine(home: Path | None, source: str | None, code: str | None) -> None:
    """One line per file and problem."""
    from ingestion.quarantine import count_work, list_quarantined

    settings = load_settings(home)
    store = open_store(settings)
    found = list_quarantined(settings, store, source=source, code=code)
    console = Console(highlight=False)
    work = count_work(store)
    if not found:
        console.print("Nothing is in quarantine." + (_decided(work.decided_rows, work.decided_files)))
        return
    for file in found:
        console.print(
            f"[bold]{file.file_id[:8]}[/]  landing/{shown(file.path)}  {file.status}, "
            f"{file.quarantined:,} of {file.rows_in:,} rows quarantined",
            soft_wrap=True,
        )
        for problem in file.problems:
            where = f"line {problem.line}" + (f", column {problem.column}" if problem.column else "")
            more = f" (and {problem.rows - 1:,} more)" if problem.rows > 1 else ""
            console.print(
                f"    [yellow]{problem.code}[/]  {shown(where)}{more}: {shown(problem.reason)}", soft_wrap=True
            )
        console.print(f"    → {shown(file.next_step)}", soft_wrap=True)
    console.print(
        f"{work.files:,} files ({work.held:,} held, {work.refused:,} refused) with {work.rows:,} rows wait."
        + _decided(work.decided_rows, work.decided_files)
    )


def _decided(rows: int, files: int) -> str:
    return f" {rows:,} rows of {files:,} files were discarded by decision." if files else ""


def show_quarantine(home: Path | None, reference: str, limit: int) -> None:
    """Rejected rows of one file, raw text included."""
    from ingestion.quarantine import show

    settings = load_settings(home)
    console = Console(highlight=False)
    for row in show(settings, open_store(settings), reference, limit=limit):
        where = f"line {row.line}" + (f", column {row.column}" if row.column else "")
        console.print(f"[bold]{shown(row.file)}[/] {shown(where)}  [yellow]{row.code}[/]", soft_wrap=True)
        console.print(f"  {shown(row.reason)}", soft_wrap=True)
        if row.raw:
            console.print(f"  {shown(row.raw)}", style="dim", soft_wrap=True)


def replay_quarantine(home: Path | None, reference: str, *, force: bool) -> None:
    """Read the file again and say what became of it."""
    from ingestion.quarantine import replay

    settings = load_settings(home)
    file = replay(settings, open_store(settings), reference, force=force)
    what = "The next build uses it." if file.status == "accepted" else f"Nothing of it is used: {shown(file.reason)}"
    Console(highlight=False).print(
        f"landing/{shown(file.path)}: {file.status}; {file.accepted:,} accepted, {file.quarantined:,} quarantined, "
        f"{file.duplicates:,} duplicates of {file.rows_in:,} rows. {what}",
        soft_wrap=True,
    )
    if file.status != "accepted":
        raise InputError("The file is still not loaded. See above what to do.")


def discard_quarantine(home: Path | None, reference: str, reason: str, *, whole_file: bool) -> None:
    """Keep the decision in the ledger."""
    from ingestion.quarantine import discard

    settings = load_settings(home)
    file = discard(open_store(settings), reference, reason=reason, whole_file=whole_file)
    use = "its accepted rows stay in use" if file.status == "accepted" else "the next build goes without the file"
    Console(highlight=False).print(
        f"landing/{shown(file.path)}: decided and kept in the ledger; {use}.", soft_wrap=True
    )
