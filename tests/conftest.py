"""Shared by all tests: where the real data lies, what may be skipped, and how skips are counted."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Thousands of tests and modules stay to the end: by default the collector walks through them again and again.
gc.set_threshold(50_000, 20, 100)
REQUIRE_ALL = os.environ.get("KIZUNA_REQUIRE_ALL") == "1"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Real data with known answers (`KIZUNA_TEST_DATA`, default ../shared/data)."""
    folder = Path(os.environ.get("KIZUNA_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the real test data is not at {folder}; set KIZUNA_TEST_DATA")
    return folder


@pytest.fixture(autouse=True)
def no_company_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test never meets the company, the token or the key of the person who runs it."""
    for name in [name for name in os.environ if name.startswith("KIZUNA_")]:
        if name not in {"KIZUNA_REQUIRE_ALL", "KIZUNA_TEST_DATA"}:
            monkeypatch.delenv(name)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(autouse=True)
def no_pause_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are whole and a moment old; looking at them twice would only cost time."""
    monkeypatch.setattr("ingestion.whole.PAUSE_SECONDS", 0)


#: Folders whose tests share companies that take a minute to build: one process each, and first, or the other one waits.
TOGETHER = ("e2e", "orchestration")
#: Of these, files whose companies are their own: whoever is done with a folder takes them.
APART = ("e2e/test_every_vendor.py", "e2e/test_own_company.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long folders first."""
    rank = {folder: place for place, folder in enumerate(TOGETHER)}
    items.sort(key=lambda item: rank.get(item.nodeid.split("/")[1], len(rank)))
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process runs a folder of TOGETHER as a whole, but for APART; elsewhere a file, of the proofs a row."""
    from xdist.scheduler import LoadScopeScheduling

    class ByCompany(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = nodeid.split("/")[1]
            if folder == "proofs" and "test_rows" in nodeid:
                return nodeid
            if folder in TOGETHER:
                return f"{folder} apart" if nodeid.split("::")[0].endswith(APART) else folder
            return nodeid.split("::")[0]

    # In the order of collection, not by the number of tests.
    config.option.loadscopereorder = False
    return ByCompany(config, log)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Where everything is required (CI), a skip is a failure that says what is missing."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"skipped although KIZUNA_REQUIRE_ALL=1: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"{len(skipped)} tests skipped" + (", reasons above" if skipped else ""))
