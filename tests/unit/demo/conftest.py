"""One small demo company, written once and read by all tests of this folder."""

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import pytest

from ingestion.demo import DemoPlan, deliver_day2, generate

END = date(2026, 6, 30)


@dataclass
class Demo:
    """The delivered company and its truth. Rows that the truth calls malformed or repeated are left out."""

    plan: DemoPlan

    @property
    def landing(self) -> Path:
        return self.plan.out / "landing"

    def truth(self, name: str) -> list[dict[str, str]]:
        with (self.plan.truth / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))

    @cached_property
    def delivery_of(self) -> dict[str, int]:
        return {row["file"]: int(row["delivery"]) for row in self.truth("files")}

    @cached_property
    def _left_out(self) -> set[tuple[str, int]]:
        return {(row["file"], int(row["line"])) for name in ("malformed", "duplicates") for row in self.truth(name)}

    def files(self, prefix: str, day: int = 2) -> list[str]:
        """Paths that start so and have arrived by the day."""
        return sorted(path for path, first in self.delivery_of.items() if path.startswith(prefix) and first <= day)

    def csv_rows(self, path: str) -> Iterator[dict[str, str]]:
        encoding = "cp932" if path.endswith("_excel.csv") else "utf-8-sig"
        with (self.landing / path).open(encoding=encoding, newline="") as handle:
            reader = csv.reader(handle)
            header, began = next(reader), reader.line_num + 1
            for cells in reader:
                if (path, began) not in self._left_out:
                    yield dict(zip(header, cells, strict=True))
                began = reader.line_num + 1

    def json_rows(self, path: str) -> Iterator[dict[str, object]]:
        opened = gzip.open if path.endswith(".gz") else open
        with opened(self.landing / path, "rt", encoding="utf-8") as handle:
            for number, line in enumerate(handle, start=1):
                if (path, number) not in self._left_out:
                    yield json.loads(line)

    def pages(self, path: str) -> dict[str, list[dict[str, object]]]:
        return json.loads((self.landing / path).read_text(encoding="utf-8"))

    def component(self, day: int) -> dict[tuple[str, str], str]:
        return {
            (row["source"], row["record_key"]): row[f"component_day{day}"]
            for row in self.truth("who_is_who")
            if int(row["delivery"]) <= day
        }


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    out = tmp_path_factory.mktemp("company")
    plan = generate(out, people=600, seed=11, days=500, end=END)
    deliver_day2(out)
    return Demo(plan)
