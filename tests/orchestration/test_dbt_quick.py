"""What a dbt child leaves out changes nothing of what it does: the same graph, the same order, the same events."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest


def own(name: str) -> Any:
    """A module of dbt's from its file, as nobody has changed it."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(defs: Any) -> Any:
    """The project as the fork server has it. Its import puts dbt's methods aside in this process too."""
    from orchestration.dbt_preload import parsed_project
    from orchestration.manifest import packed_manifest

    return parsed_project(str(packed_manifest()))


def drawn(project: Any, linker: Any, *, tests: bool = False) -> Any:
    """The project's graph, where asked with the edges by which nodes wait for tests."""
    linker.link_graph(project)
    if tests:
        project.build_parent_and_child_maps()
        linker.add_test_edges_1(project)
    return linker.graph


def test_the_graph_that_is_kept_is_the_one_that_dbt_draws(project: Any) -> None:
    import networkx as nx
    from dbt.compilation import Linker

    for tests in (False, True):
        kept, theirs = (drawn(project, made(), tests=tests) for made in (Linker, own("dbt.compilation").Linker))
        assert len(theirs) > 300
        assert list(kept) == list(theirs) and dict(kept.adj) == dict(theirs.adj)
        assert any(edge == {"edge_type": "parent_test"} for _, _, edge in theirs.edges(data=True)) == tests
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        kept.add_edge("one", "other")
    with pytest.raises(Exception, match="depends on"):
        drawn(type(project)(nodes=dict(list(project.nodes.items())[:1])), Linker())


def test_what_joined_the_project_later_is_in_its_graph(project: Any) -> None:
    from copy import copy

    from dbt.compilation import Linker

    added = copy(next(node for node in project.nodes.values() if node.resource_type == "model"))
    added.unique_id = "sql_operation.kizuna.inline_query"
    project.nodes[added.unique_id] = added
    try:
        assert added.unique_id in drawn(project, Linker(), tests=True)
    finally:
        del project.nodes[added.unique_id]
    assert added.unique_id not in drawn(project, Linker())


def test_a_project_that_goes_in_circles_is_refused(project: Any) -> None:
    from copy import copy

    from orchestration.dbt_quick import draw

    one, other = [node for node in project.nodes.values() if node.resource_type == "model"][:2]
    turned = type(project)()
    for node, on in ((one, other), (other, one)):
        turned.nodes[node.unique_id] = made = copy(node)
        made.depends_on = type(node.depends_on)(nodes=[on.unique_id])
    with pytest.raises(RuntimeError, match="Found a cycle"):
        draw(turned)


def test_what_a_node_is_made_of_is_what_dbt_says(project: Any) -> None:
    from dbt.compilation import Linker
    from dbt.graph.graph import Graph

    linked = drawn(project, Linker(), tests=True)
    graph, theirs = Graph(linked), own("dbt.graph.graph").Graph(linked)
    for depth in (None, 1, 2):
        for name in linked:
            assert graph.select_parents({name}, depth) == theirs.select_parents({name}, depth), name
    assert graph.select_parents(set(linked)) == theirs.select_parents(set(linked)) != set()


def test_a_message_is_made_of_what_somebody_waits_for(project: Any) -> None:
    from dbt.events.types import MainReportVersion, NodeFinished
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.types import Note

    heard: list[tuple[str, str]] = []
    manager = EventManager()
    manager.callbacks.append(lambda event: heard.append((event.info.name, event.info.level)))
    manager.fire_event(Note(msg="for a log"), level=EventLevel.DEBUG)
    assert heard == []
    manager.fire_event(Note(msg="for a reader"), level=EventLevel.WARN)
    manager.fire_event(MainReportVersion(version="1", log_version=3))
    assert heard == [("Note", "warn"), ("MainReportVersion", "info")]

    manager.fire_event(NodeFinished())
    assert heard[2:] == [("NodeFinished", "debug")]


def test_a_flag_still_says_where_it_was_made(project: Any) -> None:
    from dbt_common.behavior_flags import BehaviorFlagRendered

    flag = BehaviorFlagRendered({"name": "some", "default": True, "description": "why"}, {})
    assert flag._behavior_change_event.flag_source == __name__
