"""What the Dagster UI shows about the files of a raw relation: rows and fates, open problems, changed columns.

File names, column names, codes and counts only: no cell and no reason that quotes one ever gets here.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from ingestion import doubled
from ingestion.drift import grouped
from ingestion.quarantine import list_quarantined
from kizuna.control import ledger
from kizuna.control.store import Store
from kizuna.settings import Settings

#: A table in the UI is to be read; the whole list is `kizuna quarantine list`.
MAX_LINES = 100

_HARMLESS = str.maketrans("`|<>[]", "'¦‹›()")


def problems_by_relation(settings: Settings, store: Store) -> dict[str, dict[str, Any]]:
    """Relation -> metadata entries: the table `quarantine`, the counts `open_files` and `open_rows`, `drift`,
    and `rows_in_doubled_hours` (accepted rows with a time that clocks showed twice)."""
    lines: dict[str, list[dg.TableRecord]] = {}
    rows: Counter[str] = Counter()
    files: dict[str, set[str]] = {}
    for file in list_quarantined(settings, store):
        relation = file.relation or "raw.batches"
        files.setdefault(relation, set()).add(file.file_id)
        for problem in file.problems:
            rows[relation] += problem.rows
            lines.setdefault(relation, []).append(
                dg.TableRecord(
                    {
                        "file": plain(file.path),
                        "state": file.status,
                        "code": problem.code,
                        "column": plain(problem.column or ""),
                        "rows": problem.rows,
                        "next": file.next_step,
                    }
                )
            )
    found: dict[str, dict[str, Any]] = {}
    for relation, records in lines.items():
        found[relation] = {
            "quarantine": dg.MetadataValue.table(records[:MAX_LINES]),
            "open_files": len(files[relation]),
            "open_rows": rows[relation],
        }
    with store.read() as connection:
        accepted = ledger.list_files(connection, statuses=("accepted", "held", "refused"))
    for relation in {file.relation for file in accepted if file.relation}:
        of_relation = [file for file in accepted if file.relation == relation]
        if text := _drift(of_relation):
            found.setdefault(str(relation), {})["drift"] = dg.MetadataValue.md(text)
        twice = sum(doubled.rows_of(file) for file in of_relation if file.status == "accepted")
        if twice:
            found.setdefault(str(relation), {})["rows_in_doubled_hours"] = twice
    return found


def plain(text: str) -> str:
    """A name from a file without what Markdown or a terminal would act on."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown.translate(_HARMLESS)


def _drift(files: Sequence[ledger.FileRecord]) -> str:
    lines = []
    for finding, paths in grouped(files)[:MAX_LINES]:
        more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        lines.append(f"- `{plain(paths[0])}`{more}: {plain(finding.what)}. {plain(finding.to_do)}")
    return "\n".join(lines)
