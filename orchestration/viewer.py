"""The webserver for viewers: the UI without any way to change something.

Dagster's own `--read-only` checks permissions inside each mutation, and leaves some of them open. Here the GraphQL
schema has no mutations at all, over HTTP and over the socket alike, and the routes that report events are gone.
"""

from __future__ import annotations

import argparse

import graphene
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster_graphql.schema import types
from dagster_graphql.schema.roots.query import GrapheneQuery
from dagster_graphql.schema.roots.subscription import GrapheneSubscription
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.routing import BaseRoute, Route

LOCATION = "kizuna"


class Viewer(DagsterWebserver):  # type: ignore[type-arg]
    """Dagster's web application, for looking only."""

    def build_graphql_schema(self) -> graphene.Schema:
        return graphene.Schema(query=GrapheneQuery, subscription=GrapheneSubscription, types=types())  # type: ignore[no-untyped-call]

    def build_routes(self) -> list[BaseRoute]:
        """What Dagster serves, but for what only takes in: routes without GET, other than GraphQL."""
        routes = super().build_routes()  # type: ignore[no-untyped-call]
        return [
            route
            for route in routes
            if not isinstance(route, Route) or "GET" in (route.methods or {"GET"}) or route.path == "/graphql"
        ]


def main() -> None:
    """Serve until the process is ended. The code location comes from the code server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--code-host", default="127.0.0.1")
    parser.add_argument("--code-port", type=int, default=4000)
    options = parser.parse_args()
    import uvicorn

    target = GrpcServerTarget(options.code_host, options.code_port, None, LOCATION)
    with (
        DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, version=__version__, read_only=True, workspace_load_target=target) as context,
    ):
        uvicorn.run(Viewer(context).create_asgi_app(), host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
