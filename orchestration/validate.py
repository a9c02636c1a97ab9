"""`make check`: the dbt project parses and every Dagster definition loads and resolves, without any company."""

from __future__ import annotations

import sys

from rich.console import Console

from orchestration.session import quiet_environment


def main() -> int:
    """Exit code 0 when everything loads; errors are raised with their own text."""
    quiet_environment()
    import dagster as dg

    from orchestration.definitions import defs
    from orchestration.manifest import manifest, published_tables

    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    models = sum(node["resource_type"] == "model" for node in manifest()["nodes"].values())
    Console(highlight=False).print(
        f"dbt: {models} models, {len(published_tables())} published · "
        f"Dagster: {len(graph.get_all_asset_keys())} assets, {len(graph.asset_check_keys)} checks"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
