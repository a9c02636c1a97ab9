"""The `kizuna` command line: where the parts are put together.

Help must answer in half a second, so everything heavier than typer is imported inside the command that needs it.
"""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from kizuna.errors import KizunaError


def main() -> None:
    """Console entry: errors a person can mend are one clear paragraph and an exit code, not a traceback."""
    # What a command makes first are modules, which stay: by default the collector walks through them again and again.
    gc.set_threshold(50_000, 20, 100)
    from kizuna.cli.app import app
    from kizuna.errors import KizunaError

    try:
        app()
    except KizunaError as error:
        _tell(error)
    except Exception as error:
        from kizuna.machine import refusal

        refused = refusal(error)
        if refused is None:
            raise
        _tell(refused)


def _tell(error: KizunaError) -> NoReturn:
    from rich.console import Console

    Console(stderr=True, highlight=False).print(f"[bold red]error[/] {type(error).__name__}", soft_wrap=True)
    Console(stderr=True, highlight=False).print(str(error), soft_wrap=True, markup=False)
    sys.exit(error.exit_code)
