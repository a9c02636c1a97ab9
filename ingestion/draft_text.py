"""The text of a draft: YAML that loads whatever a file's names hold, and the lines that every kind of draft has."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ingestion.draft_look import Look


def source_of(path: Path) -> str:
    """The folder below `landing` if the file lies there, else a name made of the file's."""
    parts = path.resolve().parts
    if "landing" in parts[:-2]:
        return parts[len(parts) - 1 - parts[::-1].index("landing") + 1]
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.casefold()).strip("_")
    name = re.sub(r"[_\d]+$", "", name)
    return name if re.match(r"[a-z]", name) else "my_source"


def pattern_of(path: Path) -> str:
    """The file's name with any digits, so that the next delivery fits too."""
    safe = re.sub(r"[\[\]{}?*]", "?", path.name)
    return "**/" + re.sub(r"\d+([-_.]?\d+)*", "*", safe)


def shape(look: Look) -> list[str]:
    if look.format == "csv":
        dialect = look.dialect.model_dump()
        shown = {key: dialect[key] for key in ("delimiter", "quote", "header_rows", "encodings")}
        if look.dialect.columns:
            shown["columns"] = list(look.dialect.columns)
        return [f"dialect: {flow(shown)}  # CHECK: as the file looks; nothing is guessed when it is loaded"]
    if look.format == "xlsx" and look.xlsx.range:
        return [f"xlsx: {flow({'range': look.xlsx.range})}"]
    return [f"json: {flow({'records': look.records})}"] if look.records else []


def literally(header: str) -> str:
    """`known` takes patterns; a header's own brackets and stars mean themselves."""
    return re.sub(r"([*?\[])", r"[\1]", header)


def scalar(value: object) -> str:
    """A YAML scalar: JSON is one whatever it holds."""
    text = json.dumps(value, ensure_ascii=False)
    plain_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value)
    return str(value) if plain_word and str(value) not in ("true", "false", "null") else _escaped(text)


def flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    return scalar(value)


def _escaped(text: str) -> str:
    """Characters that YAML does not take as they are, written as JSON escapes."""
    return "".join(c if c.isprintable() else f"\\u{min(ord(c), 0xFFFF):04x}" for c in text)


def comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
