"""`kizuna dev`: webserver, daemon and code server of Dagster on loopback."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from kizuna.errors import SettingsError
from kizuna.settings import CONFIG_NAME, home_from_environment, load_settings

DEMO_HOME = Path("var/demo")


def serve(home: Path | None, port: int) -> None:
    """Replace this process by `dagster dev`. Raises `SettingsError` when there is no company to show."""
    from orchestration.launch import prepare_dagster_home
    from orchestration.session import quiet_environment

    chosen = home or home_from_environment()
    if home is None and "KIZUNA_HOME" not in os.environ and not (chosen / CONFIG_NAME).exists():
        chosen = DEMO_HOME.resolve()
    if not (chosen / CONFIG_NAME).exists():
        raise SettingsError(
            f"There is no company in {chosen}. `make demo` makes the demo company, `kizuna init` one of your own."
        )
    settings = load_settings(chosen)
    quiet_environment()
    prepare_dagster_home(settings)
    Console(highlight=False).print(f"{settings.company.name}: http://127.0.0.1:{port}  (Ctrl-C stops)")
    root = Path(__file__).resolve().parents[2]
    dagster = Path(sys.executable).with_name("dagster")
    arguments = ["dagster", "dev", "-w", str(root / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
    os.chdir(root)
    os.execv(dagster, arguments)
