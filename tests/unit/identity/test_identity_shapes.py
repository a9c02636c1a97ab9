"""Shapes that break engines: chains, stars and bridges, with the limits off and on."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from analytics.identity.bridges import Bridge, bridges
from analytics.identity.cluster import components
from analytics.identity.rules import RuleTable, default_rules

if TYPE_CHECKING:
    from tests.unit.identity.conftest import World

Ints = npt.NDArray[np.int64]


def chain(length: int) -> list[tuple[int, int]]:
    return [(row, row + step) for row in range(length) for step in (0, 1)]


def star(size: int) -> list[tuple[int, int]]:
    return [(row, 0) for row in range(size)]


def cliques(size: int) -> list[tuple[int, int]]:
    """Two crowds in which every two records share a value of their own, and one value between the crowds."""
    edges, value = [(0, 0), (size, 0)], 1
    for begin in (0, size):
        for one in range(begin, begin + size):
            for other in range(one + 1, begin + size):
                edges += [(one, value), (other, value)]
                value += 1
    return edges


def columns(edges: list[tuple[int, int]], seed: int) -> tuple[Ints, Ints]:
    """Shuffled, and with records and values renumbered."""
    dice = np.random.default_rng(seed)
    pairs = np.array(edges, np.int64)[dice.permutation(len(edges))]
    return tuple(dice.permutation(column.max() + 1)[column] for column in pairs.T)  # type: ignore[return-value]


@pytest.mark.parametrize("shape", [chain(10_000), star(100_000), cliques(100)], ids=["chain", "star", "cliques"])
def test_shapes_without_limits_are_one_component_in_seconds(shape: list[tuple[int, int]]) -> None:
    for seed in range(3):
        record, value = columns(shape, seed)
        start = time.process_time()
        label = components(record, value, record.max() + 1, value.max() + 1)
        assert len(np.unique(label)) == 1
        assert time.process_time() - start < 5


def unlimited() -> RuleTable:
    table = default_rules()
    free = tuple(
        replace(rule, limit_per_customer=10**9, value_limit=None, partner_limit=None, unique=False)
        for rule in table.rules
    )
    return replace(table, rules=free)


def test_two_crowds_on_one_value_are_one_without_limits_and_two_with_them(world: World) -> None:
    """Each crowd shares the four addresses of one person; a number that strangers wrote lies between them."""
    for crowd in "ab":
        for row in range(40):
            world.record(
                "zendesk.user", f"{crowd}{row}", row, email=[f"{crowd}{row % 4}@example.jp", f"{crowd}@example.jp"]
            )
    for crowd in "ab":
        world.record("shopify.order", f"#{crowd}", email=f"{crowd}@example.jp", phone="090-3333-1111")
    whole = world.resolve(unlimited())
    assert len(whole.partition) == 1
    (bridge,) = (row for row in whole.tables.identity_bridges.to_pylist() if row["identifier_type"] == "phone")
    assert (bridge["larger"], bridge["smaller"]) == (41, 41)
    assert bridge["customer_id"] in whole.customer_of.values()
    found = world.resolve()
    assert {len(group) for group in found.partition} == {41}
    assert found.drops == [("phone", "over_limit", 2)]
    for seed in range(3):
        assert world.shuffled(seed).resolve().rows == found.rows


def test_a_chain_is_cut_where_its_evidence_is_weakest(world: World) -> None:
    """Addresses and numbers by turns: only numbers go."""
    for row in range(60):
        left, right = ("email", "phone") if row % 2 else ("phone", "email")
        texts = {"email": "p{}@example.jp", "phone": "090-3333-1{:03d}"}
        held = {left: texts[left].format(row), right: texts[right].format(row + 1)}
        world.record("zendesk.user", f"{row}", row, **held)
    found = world.resolve()
    assert len(world.resolve(unlimited()).partition) == 1
    assert len(found.partition) > 1
    assert {drop[:2] for drop in found.drops} == {("phone", "over_limit")}


def parts_without(edges: list[tuple[int, int]], value: int) -> list[int]:
    """Sizes of what hangs together without a value, by plain search."""
    near: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for record, other in edges:
        near.setdefault(("r", record), set())
        if other != value:
            near[("r", record)].add(("v", other))
            near.setdefault(("v", other), set()).add(("r", record))
    on = {record for record, other in edges if other == value}
    sizes, seen = [], set()
    for start in sorted(on):
        todo, size = [("r", start)], 0
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            size += node[0] == "r"
            todo += near[node]
        if size:
            sizes.append(size)
    return sorted(sizes, reverse=True)


@pytest.mark.parametrize("seed", range(60))
def test_bridges_are_those_that_removing_each_value_finds(seed: int) -> None:
    dice = random.Random(seed)
    edges = sorted({(dice.randrange(30), dice.randrange(22)) for _ in range(dice.randrange(5, 55))})
    record, value = np.array(edges, np.int64).T
    for least in (2, 4):
        expected = []
        for one in sorted({other for _, other in edges}):
            sizes = parts_without(edges, one)
            if len(sizes) > 1 and sizes[1] >= least:
                expected.append(Bridge(one, sizes[0], sizes[1]))
        order = np.random.default_rng(seed).permutation(len(record))
        assert bridges(record[order], value[order], least) == expected


def test_bridges_of_long_chains_and_big_crowds_are_found_in_seconds() -> None:
    start = time.process_time()
    record, value = np.array(chain(100_000), np.int64).T
    found = bridges(record, value, 2)
    assert len(found) == 100_001 - 2 - 2
    assert max(found, key=lambda one: one.smaller).smaller == 50_000
    record, value = np.array(cliques(150), np.int64).T
    assert bridges(record, value, 2) == [Bridge(0, 150, 150)]
    assert bridges(*np.array(star(100_000), np.int64).T, 2) == []
    assert time.process_time() - start < 5
    assert bridges(np.empty(0, np.int64), np.empty(0, np.int64), 2) == []
