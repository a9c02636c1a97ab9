"""What both files of the demo's truth share: a day of the demo beside what was planted for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import pytest

DAYS = {1: "2026-06-29", 2: "2026-06-30"}
MINUTE = Decimal(60)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Day:
    """One published day beside its truth."""

    demo: Any
    number: int

    @property
    def as_of(self) -> str:
        return DAYS[self.number]

    def truth(self, name: str) -> list[dict[str, str]]:
        """Rows of a truth file that speak of this day, or of records delivered by it."""
        return [
            row
            for row in self.demo.truth(name)
            if row.get("as_of", self.as_of) == self.as_of and int(row.get("delivery", 0)) <= self.number
        ]

    def published(self, query: str) -> list[tuple[Any, ...]]:
        return self.demo.published(query, self.number)

    def build(self, query: str) -> list[tuple[Any, ...]]:
        return self.demo.build(query, self.number)

    @cached_property
    def component(self) -> dict[tuple[str, str], str]:
        """Record -> component, for records that belong to a customer."""
        rows = self.truth("who_is_who")
        return {
            (row["source"], row["record_key"]): row[f"component_day{self.number}"]
            for row in rows
            if row[f"component_day{self.number}"]
        }

    @cached_property
    def customer(self) -> dict[str, str]:
        """Component -> customer id, for components that became exactly one customer."""
        found = defaultdict(set)
        for source, key, customer in self.build("SELECT source, record_key, customer_id FROM identity.customer_map"):
            found[self.component.get((source, key), "")].add(customer)
        return {component: min(customers) for component, customers in found.items() if len(customers) == 1}


@pytest.fixture(scope="module", params=DAYS, ids=["day 1", "day 2"])
def day(demo: Any, request: pytest.FixtureRequest) -> Day:
    return Day(demo, request.param)


def differences(expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    """The first few keys on which two answers differ; a failing comparison of thousands stays readable."""
    keys = sorted(expected.keys() | found.keys(), key=repr)
    wrong = [key for key in keys if expected.get(key, "absent") != found.get(key, "absent")]
    shown = [f"{key}: planted {expected.get(key, 'absent')}, found {found.get(key, 'absent')}" for key in wrong[:8]]
    return [f"{len(wrong)} of {len(keys)} differ", *shown] if wrong else []
