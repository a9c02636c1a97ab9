"""Proofs run only when asked for: `make proofs`, or `pytest -m proof tests/proofs`. Their figures stand at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_FIGURES = "figures"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave proofs out unless the marker expression names them."""
    if "proof" in (config.option.markexpr or ""):
        return
    proofs = [item for item in items if item.get_closest_marker("proof")]
    if proofs:
        config.hook.pytest_deselected(items=proofs)
        items[:] = [item for item in items if item not in proofs]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    for report in reports:
        if getattr(report, "when", None) == "call":
            for name, line in report.user_properties:
                if name == _FIGURES:
                    terminalreporter.write_line(line)


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print one line of figures after the run, whether the proof held or not."""
    return lambda line: record_property(_FIGURES, line)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment of a child process that runs this tree and knows nothing of whoever runs the proofs."""
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}
    clean = {k: v for k, v in clean.items() if not k.upper().endswith("_PROXY")}
    return clean | {"PYTHONPATH": str(ROOT)}
