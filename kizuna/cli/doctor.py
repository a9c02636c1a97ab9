"""`kizuna doctor`: one line per thing that must be right, and what to do where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from kizuna.cli.text import shown as plain
from kizuna.errors import KizunaError, Unwell
from kizuna.settings import home_from_environment, load_settings

_SIGNS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def examine(home: Path | None, *, as_json: bool, ask_slack: bool) -> None:
    """Print every finding; raises `Unwell` (exit code 10) when one is a failure. Warnings end with 0."""
    from kizuna.cli.checkup import Finding, checks

    findings: list[Finding] = []
    try:
        settings = load_settings(home)
    except KizunaError as error:
        findings.append(Finding("settings", "fail", str(error), "Correct what the message names."))
    else:
        findings.append(Finding("settings", "ok", f"{settings.company.name} in {settings.home}"))
        for name, check in checks(ask_slack=ask_slack):
            findings += _safely(name, check, settings)
    failed = [finding for finding in findings if finding.state == "fail"]
    if as_json:
        import typer

        lines = [finding.__dict__ for finding in findings]
        typer.echo(json.dumps({"home": str(home or home_from_environment()), "findings": lines}, ensure_ascii=False))
    else:
        out = Console(highlight=False)
        for finding in findings:
            out.print(f"{_SIGNS[finding.state]} {finding.name:12} {plain(finding.says)}", soft_wrap=True)
            if finding.do:
                out.print(f"     {'':12} → {plain(finding.do)}", soft_wrap=True)
    if failed:
        raise Unwell(f"{len(failed)} of {len(findings)} failed: {', '.join(sorted({f.name for f in failed}))}")


def _safely(name: str, check: Callable[[Any], list[Any]], settings: Any) -> list[Any]:
    """A check that breaks is a finding, not the end of the others."""
    from kizuna.cli.checkup import Finding

    try:
        return check(settings)
    except KizunaError as error:
        return [Finding(name, "fail", str(error), "Correct what the message names.")]
    except Exception as error:  # noqa: BLE001 - a broken part must not hide the state of the others
        return [Finding(name, "fail", f"the check itself broke: {type(error).__name__}", "Run it again; report it.")]
