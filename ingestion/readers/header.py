"""Which cell of a row holds which column of the contract, told by the header's names and never by position."""

from __future__ import annotations

from ingestion.contract import Contract
from ingestion.limits import limits
from ingestion.readers.base import FileRefused, Notes, is_known

#: Signs without width that a second byte order mark or a copied name leaves at the edges of a header's names.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060\u200e\u200f"


def name_of(cell: str) -> str:
    """A header's cell as the name it is compared by, without blanks and invisible signs around it."""
    return cell.strip().strip(_INVISIBLE).strip()


class Layout:
    """Which cell holds which column of the contract, settled once from the header."""

    def __init__(self, contract: Contract, headers: list[str], notes: Notes, raw: str) -> None:
        limits().check_columns(len(headers), raw)
        self.width = len(headers)
        self.cells: dict[str, int] = {}
        folded: dict[str, list[int]] = {}
        twins = _told_apart_by_capitals(contract)
        for position, header in enumerate(headers):
            folded.setdefault(header.casefold(), []).append(position)
        for column in contract.columns:
            found = [(name, at) for name in column.sources if (at := _places(name, headers, folded, twins))]
            if not found:
                if column.required != "no" and column.sources:
                    raise FileRefused(
                        "header.missing_column",
                        f"the header has no column {' or '.join(repr(name) for name in column.sources)}, which "
                        f"{contract.name} requires; {_kept(len(headers))} in quarantine",
                        line=1,
                        column=column.source,
                        raw=raw,
                    )
                if column.sources:
                    notes.dropped.add(column.sources[0])
                continue
            name, positions = found[0]
            if len(positions) > 1:
                raise FileRefused(
                    "header.duplicate",
                    f"the header names {name!r} {len(positions)} times; which one holds {column.name} cannot be told",
                    line=1,
                    column=name,
                    raw=raw,
                )
            if name != column.source:
                notes.renamed[str(column.source)] = name
            self.cells[column.name] = positions[0]
        used = set(self.cells.values())
        spare = [(header, position) for position, header in enumerate(headers) if position not in used]
        self.extra = _unlike_names(spare)
        notes.header = tuple(headers)
        notes.added.update(header for header, _ in spare if not is_known(contract, header))


def _told_apart_by_capitals(contract: Contract) -> set[str]:
    """Names, without capitals, that the contract itself writes in two ways for two columns: `Tag` and `tag`."""
    spelt: dict[str, set[str]] = {}
    for column in contract.columns:
        spelt.setdefault((column.source or "").casefold(), set()).add(column.source or "")
    return {name for name, spellings in spelt.items() if len(spellings) > 1}


def _places(name: str, headers: list[str], folded: dict[str, list[int]], twins: set[str]) -> list[int]:
    """Positions of the headers of this name. Capitals do not count unless the contract tells two columns by them."""
    found = folded.get(name.casefold(), [])
    return [place for place in found if headers[place] == name] if name.casefold() in twins else found


def _kept(count: int) -> str:
    return "the one name it has is kept" if count == 1 else f"the {count} names it has are kept"


def _unlike_names(columns: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The second `Note` becomes `Note (2)`: under one name only one of the two values would be kept."""
    met: dict[str, int] = {}
    named = []
    for header, position in columns:
        met[header] = met.get(header, 0) + 1
        named.append((header if met[header] == 1 else f"{header} ({met[header]})", position))
    return named
