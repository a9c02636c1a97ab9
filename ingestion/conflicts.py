"""What two contracts must not both say: one name, one file, one table."""

from __future__ import annotations

from ingestion.contract import Contract
from ingestion.globs import overlap
from kizuna.errors import InputError


def refuse_conflicts(contracts: list[Contract], *, trusted: str | None = "built-in") -> None:
    """Raise `InputError` for two of one name, or patterns that could both match one file.

    Contracts of origin `trusted` are not compared with one another: that takes a second, and a test does it.
    """
    for position, one in enumerate(contracts):
        for other in contracts[position + 1 :]:
            if one.origin == other.origin == trusted:
                continue
            if one.name == other.name:
                raise InputError(
                    f"{other.origin}: name: {other.name!r} is already taken by the contract of {one.origin}; "
                    "give this one its own `name:`"
                )
            if one.source != other.source:
                continue
            for mine in one.files:
                for theirs in other.files:
                    if overlap(mine.pattern, theirs.pattern):
                        raise InputError(
                            f"{other.origin}: files: pattern {theirs.pattern!r} of contract {other.name} overlaps "
                            f"{mine.pattern!r} of contract {one.name} ({one.origin}): a file could belong to both. "
                            "Make one of the patterns narrower."
                        )


def refuse_taken_names(contracts: list[Contract]) -> None:
    """Raise `InputError` for a kept table that has the name of what another contract of its source feeds.

    `data_state` and the folders of the raw store know files by source and entity.
    """
    for kept in (contract for contract in contracts if contract.kept):
        for other in contracts:
            if other is kept:
                continue
            same_entity = (other.source, other.entity) == (kept.source, kept.entity)
            if same_entity or other.relation == kept.relation:
                raise InputError(
                    f"{kept.origin}: table: {kept.entity!r} of source {kept.source!r} is what {other.name} "
                    f"({other.origin}) feeds already; give the table another name. Files of several names are one "
                    "contract with several `files`."
                )
