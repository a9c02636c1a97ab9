"""`kizuna demo`: the demo company, two days of it, and where to look afterwards."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console

from kizuna.errors import InputError, KizunaError
from kizuna.settings import CONFIG_NAME, load_company, load_settings

LAST_DAY = date(2026, 6, 30)
#: What leads to the data, the key, the stores and the pages of another company.
_OF_OTHERS = ("KIZUNA_HOME", "KIZUNA_PSEUDONYM_KEY", "KIZUNA_CONTROL_URL", "KIZUNA_DAGSTER_URL", "KIZUNA_PUBLIC_URL")

_spawning = multiprocessing.get_context("spawn")


def run_demo(home: Path, *, people: int, seed: int, vendors: str = "") -> None:
    """Write and run both days, with the exports of further `vendors` (names parted by commas, or all).

    Refuses to touch a folder that holds anything but an earlier demo company.
    """
    console = Console(highlight=False)
    started = time.monotonic()
    home = home.expanduser().resolve()
    from ingestion.demo.more import chosen

    more = chosen(vendors)
    _clear(home)
    forget_others()

    from ingestion.demo import deliver_day2, write_company

    with console.status("writing the demo company …") as status:
        _generate_beside(home, people, seed, more, lambda what: status.update(f"writing the demo company: {what}"))
    write_company(home, people=people, seed=seed, end=LAST_DAY)
    files = sum(path.is_file() for path in (home / "landing").rglob("*"))
    spent = time.monotonic() - started
    console.print(f"[bold]Demo company[/] of {people:,} people in {home}: {files} vendor files ({spent:.1f} s)")
    settings = load_settings(home)

    from kizuna.cli.running import launch, summarise

    first_day = LAST_DAY - timedelta(days=1)
    console.print(f"\n[bold]Day 1[/] ({first_day}): two years of history, a calm company")
    launch(settings, as_of=first_day, title="day 1")
    delivered = deliver_day2(home)
    console.print(f"\n[bold]Day 2[/] ({LAST_DAY}): {len(delivered)} new files, and something happens in one region")
    launch(settings, as_of=LAST_DAY, title="day 2")
    console.print()
    summarise(settings)
    console.print(f"\nBoth days took {time.monotonic() - started:.0f} s. `make dev` shows the runs in the Dagster UI.")


def forget_others() -> None:
    """The demo is a company of its own: in the storage of another's runs it would take those at work for dead."""
    for name in _OF_OTHERS:
        os.environ.pop(name, None)


def _generate_beside(home: Path, people: int, seed: int, vendors: Sequence[str], tell: Callable[[str], None]) -> None:
    """Generate in a process of its own; meanwhile this one imports what the run needs, about as long a work.

    Raises InputError when the generator refuses.
    """
    receiver, sender = _spawning.Pipe(duplex=False)
    child = _spawning.Process(target=_generate, args=(sender, home, people, seed, vendors), daemon=True)
    child.start()
    sender.close()
    loading = threading.Thread(target=_preload, name="preload", daemon=True)
    loading.start()
    refused: str | None = None
    with contextlib.suppress(EOFError):
        while True:
            kind, text = receiver.recv()
            refused = text if kind == "refused" else refused
            if kind == "progress":
                tell(text)
    child.join()
    if refused is not None:
        raise InputError(refused)
    if child.exitcode:
        raise KizunaError(f"The demo company could not be written: its generator ended with {child.exitcode}.")
    loading.join()


def _preload() -> None:
    from orchestration.launch import preload

    preload()


def _generate(sender: Connection[Any, Any], home: Path, people: int, seed: int, vendors: Sequence[str]) -> None:
    """Body of the generating process."""
    from ingestion.demo import generate

    try:
        generate(
            home,
            people=people,
            seed=seed,
            end=LAST_DAY,
            vendors=vendors,
            progress=lambda what, share: sender.send(("progress", f"{what} {share:.0%}")),
        )
    except InputError as error:
        sender.send(("refused", str(error)))


def _clear(home: Path) -> None:
    if not home.exists() or not any(home.iterdir()):
        return
    config = home / CONFIG_NAME
    if not config.exists() or not load_company(config).demo:
        raise InputError(f"{home} holds something that is not a demo company; choose another folder with --home.")
    shutil.rmtree(home)
