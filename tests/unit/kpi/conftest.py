"""Models of the dbt project rendered without dbt, so that many small worlds can be computed in one process."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pytest

PROJECT = Path(__file__).parents[3] / "dbt_project"
MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\(.*?\{%-?\s*endmacro\s*-?%\}", re.DOTALL)


class Returned(Exception):
    """What a macro gives by `return(…)`, which need not be text."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Dbt:
    """The few of dbt's own macros that these models call, for DuckDB."""

    def dateadd(self, part: str, amount: Any, moment: Any) -> str:
        return f"(cast({moment} as timestamp) + to_{part}s(cast({amount} as bigint)))"

    def last_day(self, day: Any, _part: str) -> str:
        return f"last_day({day})"

    def type_string(self) -> str:
        return "varchar"


class Adapter:
    """Every macro with dialects is DuckDB's here."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def dispatch(self, macro: str, _package: str) -> Any:
        return self.names[f"default__{macro}"]


def _return(value: Any) -> None:
    raise Returned(value)


@cache
def _compiled(source: str) -> jinja2.Template:
    return jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined).from_string(source)


@pytest.fixture(scope="session")
def render() -> Callable[..., str]:
    """`render(model, **vars)`: SQL of one model for DuckDB; `ref(x)` is the table x, `source(a, b)` is a.b."""
    macros = {
        found.group(1): _compiled(found.group(0))
        for path in sorted((PROJECT / "macros").glob("*.sql"))
        for found in MACRO.finditer(path.read_text(encoding="utf-8"))
    }

    def model(name: str, **variables: Any) -> str:
        (path,) = (PROJECT / "models").rglob(f"{name}.sql")
        names: dict[str, Any] = {
            "ref": lambda table: table,
            "source": lambda schema, table: f"{schema}.{table}",
            "var": variables.get,
            "dbt": Dbt(),
            "return": _return,
        }
        names["adapter"] = Adapter(names)

        def call(macro: str) -> Callable[..., Any]:
            def run(*args: Any, **kwargs: Any) -> Any:
                try:
                    return getattr(macros[macro].make_module(names), macro)(*args, **kwargs)
                except Returned as returned:
                    return returned.value

            return run

        names |= {macro: call(macro) for macro in macros}
        return _compiled(path.read_text(encoding="utf-8")).render(names)

    return model
