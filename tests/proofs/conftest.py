"""Proofs run only when asked for: `make proofs`, or `pytest -m proof tests/proofs`. Their figures stand at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

#: The long ones first, so that none is left alone at the end. The team waits for a company that R1L builds.
LONG = ("[R1L]", "[R6]", "test_team.py", *(f"[{row}]" for row in ("R1", "R2", "R3", "R11", "R9", "I2", "R10", "I1")))
_FIGURES = "figures"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave proofs out unless the marker expression names them; the long ones are first."""
    if "proof" in (config.option.markexpr or ""):
        items.sort(key=lambda item: next((n for n, name in enumerate(LONG) if name in item.nodeid), len(LONG)))
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


@pytest.fixture(scope="session", autouse=True)
def one_company_for_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What whole_line.py builds once is found by the other processes of `-n 2` too."""
    folder = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
        patch.setenv("PROOFS_SHARED_FOLDER", str(shared / "whole-line"))
        yield
