"""Tests that have nothing to look at: everything they read comes from raw relations of which the build has no batch.

A company has a few of the vendors that Kizuna reads, and each dbt test costs about 25 ms whatever it finds. So tests of
absent vendors are left out of dbt's run and reported as what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.manifest import manifest

_ALWAYS_THERE = "*"


def idle_tests(stage: str, present: AbstractSet[str]) -> dict[str, str]:
    """unique_id -> why there is nothing to check, for tests of `stage` (a folder of the dbt project).

    `present`: names of the raw relations (`shopify__orders`) that have a batch in this build.
    """
    found: dict[str, str] = {}
    for test in _tests_of(stage):
        if reads_only_absent(test, present):
            vendors = sorted({name.split("__", 1)[0] for name in _raw_relations(test)})
            found[test] = f"nothing to check: no batch of {', '.join(vendors)}"
    return found


def reads_only_absent(node: str, present: AbstractSet[str]) -> bool:
    """True when `node` (a test or a model, by unique_id) reads raw relations, and none of them has a batch."""
    relations = _raw_relations(node)
    return bool(relations) and not relations & {*present, _ALWAYS_THERE}


def relations_with_batches(db: Path) -> frozenset[str]:
    """Names of the raw relations of a build that at least one batch feeds."""
    import duckdb

    with duckdb.connect(str(db), read_only=True) as connection:
        rows = connection.execute("SELECT DISTINCT relation FROM raw.batches").fetchall()
    return frozenset(relation.removeprefix("raw.") for (relation,) in rows)


@cache
def _tests_of(stage: str) -> tuple[str, ...]:
    return tuple(_select(manifest()["nodes"], stage))


def _select(nodes: Mapping[str, Any], stage: str) -> Iterator[str]:
    for unique_id, node in sorted(nodes.items()):
        if node["resource_type"] == "test" and node["fqn"][:2] == ["kizuna", stage]:
            yield unique_id


@cache
def _raw_relations(node: str) -> frozenset[str]:
    """Raw relations that a node reads, through whatever models."""
    sources, nodes = manifest()["sources"], manifest()["nodes"]
    if node in sources:
        source = sources[node]
        # raw.batches and what Python writes exist in every build.
        vendor = source["source_name"] == "raw" and "__" in source["name"]
        return frozenset({source["name"] if vendor else _ALWAYS_THERE})
    found: frozenset[str] = frozenset()
    for parent in nodes[node]["depends_on"]["nodes"]:
        found |= _raw_relations(parent)
    return found
