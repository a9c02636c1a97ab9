"""Paths of a contract into nested records.

A path is dotted (`via.channel`); `event_params[ga_session_id]` looks a key up in an array of
`{key, value: {string_value, int_value, …}}` as GA4 writes parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

VALUE_KINDS = ("string_value", "int_value", "float_value", "double_value")

_PARAMETER = re.compile(r"(?P<array>[^\[\]]+)\[(?P<key>[^\[\]]+)\]")


@dataclass(frozen=True)
class FieldPath:
    """Steps into a record; with `parameter` the last step is an array of key and value."""

    steps: tuple[str, ...]
    parameter: str | None = None


def parse_path(text: str) -> FieldPath:
    match = _PARAMETER.fullmatch(text)
    if match:
        return FieldPath(tuple(match["array"].split(".")), match["key"])
    return FieldPath(tuple(text.split(".")))


def used_keys(paths: Iterable[FieldPath]) -> dict[str, Any]:
    """Tree of what the contract reads; an empty branch is read as a whole."""
    used: dict[str, Any] = {}
    for path in paths:
        branch = used
        for step in path.steps:
            branch = branch.setdefault(step, {})
        if path.parameter is not None:
            branch.setdefault("*", {})
    return used
