"""The query that takes a contract's columns out of lines of JSON, for lines that the engine and Python read alike.

The engine parses a line once, into a structure made of the paths of the contract and of the keys beside them met so
far. What a line must fulfil for that to be all of it is told row by row in `_odd`, and by its `_shape`, a hash of the
keys of every object that is looked into; a shape is judged once (`Plan.judge`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingestion.contract import Contract
from ingestion.readers.paths import VALUE_KINDS, FieldPath, parse_path, used_keys
from ingestion.typing_sql import identifier, literal

#: A key that can be written into a JSON path of the engine between quotes.
_SIMPLE = re.compile(r'[^"\\*\x00-\x1f]+')

#: More keys than these beside those of the contract are no columns but values (a map by number, say).
_MOST_KEYS = 300

_ENTRY = json.dumps([{"key": "VARCHAR", "value": dict.fromkeys(VALUE_KINDS, "VARCHAR")}])

Steps = tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """How the lines of a contract are read. `extra` are the paths beside the contract's that are kept as they are.

    `branches` are the objects looked into, the line itself first; `lists` the arrays of keys and values.
    """

    contract: Contract
    used: dict[str, Any]
    branches: tuple[Steps, ...]
    lists: tuple[Steps, ...]
    leaves: dict[Steps, str]
    extra: frozenset[Steps] = field(default=frozenset())

    @staticmethod
    def of(contract: Contract) -> Plan | None:
        """The plan of a contract; None where it reads a part of a value that it also reads as a whole."""
        leaves: dict[Steps, str] = {}
        lists: set[Steps] = set()
        paths: list[FieldPath] = []
        for column in contract.columns:
            for path in map(parse_path, column.sources):
                paths.append(path)
                kind = "JSON" if column.type == "json" or path.parameter is not None else "VARCHAR"
                if leaves.setdefault(path.steps, kind) != kind:
                    return None
                if path.parameter is not None:
                    lists.add(path.steps)
        branches = sorted({steps[:depth] for steps in leaves for depth in range(len(steps))}, key=lambda b: (len(b), b))
        keys = {step for steps in leaves for step in steps} | {path.parameter or "x" for path in paths}
        if any(branch in leaves for branch in branches) or not all(_SIMPLE.fullmatch(key) for key in keys):
            return None
        if not _are_distinct({*leaves, *branches}):
            return None
        return Plan(contract, used_keys(paths), tuple(branches), tuple(sorted(lists)), leaves)

    def with_extra(self, more: Iterable[Steps]) -> Plan:
        return Plan(self.contract, self.used, self.branches, self.lists, self.leaves, self.extra | set(more))

    def keys_sql(self) -> str:
        """The keys of each branch, one list each; an empty one for what is no object."""
        places = ["$" + "".join(f'."{step}"' for step in branch) for branch in self.branches]
        return f"json_keys(t, [{', '.join(literal(place) for place in places)}])"

    def judge(self, keys: Sequence[Sequence[str] | None]) -> tuple[bool, set[Steps]]:
        """(whether lines with these keys can be read by a plan, the paths it needs beside those it has)."""
        more: set[Steps] = set()
        for branch, names in zip(self.branches, keys, strict=True):
            if names is None:
                continue
            if len(set(names)) != len(names):
                return False, set()
            for name in names:
                steps = (*branch, name)
                if steps in self.leaves or steps in self.branches or steps in self.extra:
                    continue
                if not _SIMPLE.fullmatch(name):
                    return False, set()
                more.add(steps)
        all_paths = {*self.leaves, *self.branches, *self.extra, *more}
        if len(self.extra) + len(more) > _MOST_KEYS or not _are_distinct(all_paths):
            return False, set()
        return True, more

    def query(self, relation: str) -> str:
        """SELECT over `relation` (`t`, `_pos`, `_line`): text columns, `_extra`, `_shape`, `_odd`, and one column
        `_x<n>` for the n-th key of the line itself that goes into `_extra` (see `extra_keys`), true where it does."""
        structure = json.dumps(self._structure(), ensure_ascii=False)
        values = f"from_json(t, {literal(structure)}) AS s, {self.keys_sql()} AS k"
        arrays = "".join(
            f", from_json({self._at(steps)}, {literal(_ENTRY)}) AS a{n}" for n, steps in enumerate(self.lists)
        )
        kinds = ", ".join(f"x.value.{kind}" for kind in VALUE_KINDS)
        pairs = "".join(
            f", list_transform(a{n}, lambda x: x.key) AS k{n}"
            f", list_transform(a{n}, lambda x: coalesce({kinds})) AS v{n}"
            for n in range(len(self.lists))
        )
        texts = ", ".join(f"{self._text(column.sources)} AS {identifier(column.name)}" for column in self._columns())
        tops = "".join(f", {text} IS NOT NULL AS _x{n}" for n, (_, text) in enumerate(self._extra_parts(())))
        return (
            f"WITH parsed AS (SELECT t, _pos, _line, {values} FROM {relation}), "
            f"arrays AS (SELECT *{arrays} FROM parsed), pairs AS (SELECT *{pairs} FROM arrays) "
            f"SELECT {texts}{', ' if texts else ''}{self._extra_sql(())} AS _extra, _pos, _line, hash(k) AS _shape, "
            f"coalesce({self._odd()}, true) AS _odd{tops} FROM pairs"
        )

    def extra_keys(self) -> list[str]:
        """Keys of the line itself that may go into `_extra`, in the order of the query's columns."""
        return [name for name, _ in self._extra_parts(())]

    def _columns(self) -> list[Any]:
        return [column for column in self.contract.columns if column.sources]

    def _structure(self) -> dict[str, Any]:
        top: dict[str, Any] = {}
        for steps, kind in sorted([*self.leaves.items(), *((steps, "JSON") for steps in self.extra)]):
            branch = top
            for step in steps[:-1]:
                branch = branch.setdefault(step, {})
            branch[steps[-1]] = kind
        return top

    @staticmethod
    def _at(steps: Steps) -> str:
        return "s" + "".join(f".{identifier(step)}" for step in steps)

    def _text(self, sources: Sequence[str]) -> str:
        found = []
        for path in map(parse_path, sources):
            if path.parameter is None:
                found.append(f"{self._at(path.steps)}::VARCHAR")
            else:
                n = self.lists.index(path.steps)
                found.append(f"v{n}[list_position(k{n}, {literal(path.parameter)})]")
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _extra_parts(self, branch: Steps) -> list[tuple[str, str]]:
        """(key, SQL of its JSON or NULL) of what is kept of a branch, in the order of the keys."""
        depth = len(branch) + 1
        parts = {steps[-1]: f"{self._at(steps)}::VARCHAR" for steps in self.extra if steps[:-1] == branch}
        for inner in self.branches:
            if len(inner) == depth and inner[:-1] == branch:
                sql = self._extra_sql(inner)
                if sql != "NULL::VARCHAR":
                    parts[inner[-1]] = sql
        return sorted(parts.items())

    def _extra_sql(self, branch: Steps) -> str:
        parts = self._extra_parts(branch)
        if not parts:
            return "NULL::VARCHAR"
        entries = ", ".join(f"{literal(json.dumps(key, ensure_ascii=False) + ':')} || {sql}" for key, sql in parts)
        return f"nullif('{{' || concat_ws(',', {entries}) || '}}', '{{}}')"

    def _odd(self) -> str:
        """True for a line that another reader must look at."""
        checks = ["s IS NULL"]
        for n, branch in enumerate(self.branches, start=1):
            # NULL where the key is missing or null; no object, or an empty one, gives a structure without values.
            checks.append(f"{self._at(branch)} IS NOT NULL AND len(k[{n}]) = 0")
        for n, steps in enumerate(self.lists):
            uneven = f"list_count(k{n}) <> len(a{n}) OR list_count(v{n}) <> len(a{n})"
            checks.append(f"{self._at(steps)} IS NOT NULL AND (a{n} IS NULL OR {uneven})")
        return " OR ".join(f"coalesce({check}, false)" for check in checks)


def _are_distinct(paths: Collection[Steps]) -> bool:
    """False where two differ by capitals only, which are one field to the engine."""
    return len({tuple(step.casefold() for step in steps) for steps in paths}) == len(paths)
