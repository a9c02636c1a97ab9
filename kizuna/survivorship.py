"""A company's own word on whose records are believed (`identity/survivorship.yaml`), checked and ready for dbt.

The rule table itself is `dbt_project/macros/survivorship.sql`; this file may put sources in front of its list and
change the order of the criteria, per group of attributes. An error names file, key, value and what is allowed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from kizuna.errors import SettingsError

FILE_NAME = "identity/survivorship.yaml"

#: Groups of attributes with the criteria that make sense for them; the same names as in the macro (a test compares).
GROUPS: dict[str, frozenset[str]] = {
    "address": frozenset({"completeness", "source", "recency"}),
    "name": frozenset({"completeness", "source", "recency"}),
    "email": frozenset({"source", "recency"}),
    "phone": frozenset({"source", "recency"}),
    "birth": frozenset({"source", "recency"}),
    "account": frozenset({"source", "recency"}),
    "consent": frozenset({"opt_out", "source", "recency"}),
}

_PATTERN = re.compile(r"[a-z0-9_*]+(\.[a-z0-9_*]+)?")


def company_survivorship(home: Path) -> dict[str, Any]:
    """What the company says, as the dbt variable `survivorship`; empty where it says nothing.

    `sources`: places in front of the shipped list for every group, each a list of patterns that share the place;
    `groups`: per group `sources` likewise and `by`, the criteria in order. Raises `SettingsError`.
    """
    path = home / FILE_NAME
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SettingsError(f"{where}: not valid YAML ({getattr(error, 'problem', error)}).") from None
    if data is None:
        return {}
    found: dict[str, Any] = {}
    said = _table(path, "(whole file)", data, ("sources", "groups"))
    if "sources" in said:
        found["sources"] = _places(path, "sources", said["sources"])
    if "groups" in said:
        groups = _table(path, "groups", said["groups"], tuple(GROUPS))
        found["groups"] = {name: _group(path, name, content) for name, content in groups.items()}
    return found


def _group(path: Path, name: str, content: Any) -> dict[str, Any]:
    said = _table(path, f"groups.{name}", content, ("sources", "by"))
    found: dict[str, Any] = {}
    if "sources" in said:
        found["sources"] = _places(path, f"groups.{name}.sources", said["sources"])
    if "by" in said:
        order = said["by"]
        allowed = ", ".join(sorted(GROUPS[name]))
        if not isinstance(order, list) or not order or len(set(map(str, order))) != len(order):
            raise SettingsError(f"{path}: groups.{name}.by: {order!r} is not a list of different criteria: {allowed}.")
        for criterion in order:
            if criterion not in GROUPS[name]:
                raise SettingsError(f"{path}: groups.{name}.by: {criterion!r} is not allowed; allowed: {allowed}.")
        found["by"] = order
    return found


def _places(path: Path, key: str, content: Any) -> list[list[str]]:
    if not isinstance(content, list) or not content:
        raise SettingsError(
            f"{path}: {key}: {content!r} is not a list of sources such as `- shopify.customer`; "
            "sources that share a place stand in a list of their own."
        )
    places = [place if isinstance(place, list) else [place] for place in content]
    for place in places:
        for pattern in place:
            if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
                raise SettingsError(
                    f"{path}: {key}: {pattern!r} is not the name of a kind of source; "
                    "write it as `salesforce.contact` or, for all of a kind, `mapped.*`."
                )
    return places


def _table(path: Path, key: str, content: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: {key}: expected the keys {', '.join(allowed)}, found {content!r}.")
    for name in content:
        if name not in allowed:
            raise SettingsError(f"{path}: {key}: {name!r} is an unknown key; allowed here: {', '.join(allowed)}.")
    return content
