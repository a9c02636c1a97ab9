"""Proofs run only when asked for: `make proofs`, or `pytest -m proof tests/proofs`. Their figures stand at the end."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
_figures = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave proofs out unless the marker expression names them."""
    if "proof" in (config.option.markexpr or ""):
        return
    proofs = [item for item in items if item.get_closest_marker("proof")]
    if proofs:
        config.hook.pytest_deselected(items=proofs)
        items[:] = [item for item in items if item not in proofs]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(_figures, []):
        terminalreporter.write_line(line)


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Print one line of figures after the run, whether the proof held or not."""
    return pytestconfig.stash.setdefault(_figures, []).append


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment of a child process that runs this tree and knows nothing of whoever runs the proofs."""
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("KIZUNA_", "DAGSTER_", "PYTEST_"))}
    clean = {k: v for k, v in clean.items() if not k.upper().endswith("_PROXY")}
    return clean | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def helper() -> Callable[[str], ModuleType]:
    """A module of the other tests by its path below tests/, for its stand-in servers and small companies."""

    def load(path: str) -> ModuleType:
        name = "proof_" + path.replace("/", "_").removesuffix(".py")
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    return load
