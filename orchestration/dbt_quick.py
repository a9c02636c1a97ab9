"""dbt without what it does beside its work and nobody here reads.

Each of these stands for a method of dbt's: it gives the same answer sooner, or leaves out a diagnosis that goes
nowhere. The fork server imports this once (orchestration/dbt_preload.py).
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import networkx as nx
from dbt.compilation import Linker
from dbt.contracts.graph.manifest import Manifest
from dbt.graph.graph import Graph
from dbt_common import behavior_flags
from dbt_common.events.event_manager import EventManager

#: Debug events that somebody waits for: dagster-dbt makes its own of them.
HEARD = frozenset({"NodeStart", "NodeFinished"})

_link_graph = Linker.link_graph
_add_test_edges = Linker.add_test_edges_1
_fire_event = EventManager.fire_event


class _Drawn(NamedTuple):
    """A project, its graph, and the same graph in which nodes wait for the tests of what they are made of."""

    project: Manifest
    linked: Any
    with_tests: Any


_drawn: list[_Drawn] = []


def draw(project: Manifest) -> None:
    """Link the project's nodes and look for cycles once, for all children that are handed this very project.

    Raises `RuntimeError` naming the nodes of a cycle.
    """
    linker = Linker()
    _link_graph(linker, project)
    linked = linker.graph.copy()
    project.build_parent_and_child_maps()  # type: ignore[no-untyped-call]
    _add_test_edges(linker, project)
    # Handed out as they are; who would change one is told so.
    _drawn[:] = [_Drawn(project, nx.freeze(linked), nx.freeze(linker.graph))]


def _find(project: Manifest) -> _Drawn | None:
    """What is drawn of this project, unless something joined it meanwhile: `dbt show --inline` adds its query."""
    for drawn in _drawn:
        if drawn.project is project:
            kinds = (
                project.sources, project.nodes, project.semantic_models, project.exposures, project.functions,
                project.metrics, project.unit_tests, project.saved_queries,
            )  # fmt: skip
            return drawn if set(drawn.linked) == {name for kind in kinds for name in kind} else None
    return None


def _link(linker: Linker, project: Manifest) -> None:
    drawn = _find(project)
    if drawn is None:
        _link_graph(linker, project)
    else:
        linker.graph = drawn.linked


def _link_tests(linker: Linker, project: Manifest) -> None:
    drawn = _find(project)
    if drawn is None:
        _add_test_edges(linker, project)
    else:
        linker.graph = drawn.with_tests


def _parents(graph: Graph, selected: set[str], max_depth: int | None = None) -> set[str]:
    """All that the selected nodes are made of, the waiting for tests aside, up to so many steps away."""
    incoming, parents, depth = graph.graph.pred, set[str](), 0
    while selected and (max_depth is None or depth < max_depth):
        selected = {
            parent
            for node in selected
            for parent, edge in incoming[node].items()
            if parent not in parents and edge.get("edge_type") != "parent_test"
        }
        parents |= selected
        depth += 1
    return parents


def _no_summary(_linker: Linker, _project: Manifest) -> dict[int, dict[str, Any]]:
    """dbt turns every node into a dictionary, twice, for a file on the form of its graph."""
    return {}


def _caller() -> str:
    """The module that makes a flag; dbt reads the source file of every frame for it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == behavior_flags.__name__:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", "Unknown"))


def _fire(
    manager: EventManager, e: Any, level: Any = None, node: Any = None, force_warn_or_error_handling: bool = False
) -> None:
    """Nothing for the debug events that dbt_child.py would not pass on: making a message of each takes a while."""
    is_forced = force_warn_or_error_handling
    if is_forced or type(e).__name__ in HEARD or (level or e.level_tag()).value != "debug":
        _fire_event(manager, e, level, node, is_forced)


def quicken() -> None:
    """Put these in the place of dbt's, in this process."""
    ours: list[tuple[type, str, object]] = [
        (Linker, "link_graph", _link),
        (Linker, "add_test_edges_1", _link_tests),
        (Linker, "get_graph_summary", _no_summary),
        (Graph, "select_parents", _parents),
        (behavior_flags.BehaviorFlagRendered, "_default_source", staticmethod(_caller)),
        (EventManager, "fire_event", _fire),
    ]
    for of, name, method in ours:
        if not hasattr(of, name):
            raise AttributeError(f"dbt has no {of.__name__}.{name} any more")
        setattr(of, name, method)
