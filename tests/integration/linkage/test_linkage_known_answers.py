"""From a file of people to the identity map, by mapping contract and defaults alone, against answers that are known.

The rest of the sets (FEBRL 2 and 3) is measured by `make bench-linkage`; figures in docs/benchmarks.md.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[3] / "bench" / "linkage.py"


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_linkage", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_linkage"] = module
    spec.loader.exec_module(module)
    return module


def test_febrl_1_without_the_national_id(bench: Any, test_data: Path, tmp_path: Path) -> None:
    found = bench.measure(bench.SETS["febrl1"], test_data, tmp_path)
    assert found.true_pairs == 500
    assert found.f1 >= 0.995
    assert "soc" not in found.notes["compared"]
    assert "soc_sec_id" not in (tmp_path / "contracts" / "febrl.yml").read_text(encoding="utf-8")


def test_fake_1000_beats_a_generic_model(bench: Any, test_data: Path, tmp_path: Path) -> None:
    found = bench.measure(bench.SETS["fake_1000"], test_data, tmp_path)
    assert found.true_pairs == 2031
    assert found.precision >= 0.98
    assert found.f1 >= 0.95
