"""A drafted contract that keeps a table as it is, for files in which no entity of customer data can be seen."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from ingestion.draft_look import Look
from ingestion.draft_text import comment, flow, literally, pattern_of, scalar, shape
from ingestion.kept import TABLE

_LONGEST = 63


def table_of(path: Path) -> str:
    """A table's name from the file's: `Stock levels 2026-06.csv` becomes `stock_levels`."""
    stem = path.name.partition(".")[0].casefold()
    name = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")[:_LONGEST]
    name = re.sub(r"[_\d]+$", "", name)
    return name if re.match(r"[a-z]", name) else "my_table"


def table_text(path: Path, source: str, look: Look, why: str) -> str:
    """YAML of the contract. `why` says why no entity fits; empty where a table was asked for."""
    names = look.keys or look.sample.header
    stored = stored_names(names)
    left_out = [name for name in dict.fromkeys(names) if name not in stored]
    lines = [f"# Draft of a contract for {comment(path.name)}, made from {len(look.sample.rows)} of its rows."]
    if why:
        lines += [
            f"# CHECK: no entity of customer data fits: {why}. So the table is kept as it is.",
            "# If it describes customers all the same, draft it again with --entity and the entity's name.",
        ]
    lines += [
        "# Its rows are kept whole and can be read by name; no customer, number or message is made of them.",
        "# Look at every line that says CHECK, then move the file into contracts/. Until then it does nothing.",
        *(f"# CHECK: {comment(note)}" for note in look.notes),
        f"source: {scalar(source)}  # the folder under landing/ where such files will lie",
        f"maps_to: {TABLE}",
        f"table: {table_of(path)}  # a build shows it as raw.kept__{source}__{table_of(path)}",
        f"files: [{scalar(pattern_of(path))}]  # CHECK: does this fit the next delivery, and nothing else?",
        f"format: {look.format}",
        *shape(look),
        "# key: [id]  # the columns that tell rows apart, if any do: each must be filled, and equal rows count once",
        "columns:  # string keeps what is written; integer, decimal, boolean, date, timestamp are checked row by row",
    ]
    for header, name in stored.items():
        kind = "json" if header in look.nested else "string"
        told = {"from": header} if kind == "string" else {"from": header, "type": kind}
        lines.append(f"  {scalar(name)}: {kind if name == header else flow(told)}")
    if left_out:
        lines += ["known:  # columns that no path can name; their values are kept in _extra"]
        lines += [f"  - {scalar(literally(name))}" for name in left_out]
    return "\n".join(lines) + "\n"


def stored_names(headers: tuple[str, ...]) -> dict[str, str]:
    """A name that a database takes for each header that can be named; no two are the same without capitals."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for header in headers:
        if not header.strip() or headers.count(header) > 1:
            continue
        plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", header).lower()).strip("_")
        if not re.match(r"[^\W\d_]", plain):
            plain = f"column_{plain}".rstrip("_")
        name, number = plain[:_LONGEST].rstrip("_"), 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain[: _LONGEST - len(str(number)) - 1].rstrip('_')}_{number}"
        taken.add(name.casefold())
        found[header] = name
    return found
