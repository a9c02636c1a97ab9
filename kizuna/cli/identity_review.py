"""`kizuna identity review`: pairs of records too alike to ignore and not alike enough to link, for a person to decide.

Read from the build that readers see now. The file holds personal data in the clear and stays in the company's home.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kizuna.errors import InputError
from kizuna.files import make_private, write_atomically
from kizuna.settings import Settings, load_settings
from kizuna.stewardship import FILE_NAME
from kizuna.versions import current

FOLDER = "identity/review"
_SHOWN = (
    "first_name", "last_name", "full_name", "kana", "birth_on", "birth_text", "house_number", "street",
    "address_line_2", "city", "region", "postal_code", "email", "phone",
)  # fmt: skip
_VERBS = ("force", "forbid")
# What a spreadsheet would run instead of showing it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_review(home: Path | None) -> None:
    """Write the pairs of the published build and say where. Raises `InputError` where there are none to be had."""
    settings = load_settings(home)
    build_id, rows = _pairs(settings)
    if not rows:
        sys.stdout.write("No pair of records is in doubt: nothing to review.\n")
        return
    folder = settings.home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    make_private(folder)
    file = folder / f"{build_id}.csv"
    write_atomically(file, _csv(rows), mode=0o600)
    sys.stdout.write(
        f"{len(rows)} pairs to review: {file}\n"
        "Personal data in the clear; only you can read the file. Delete it when you are done.\n"
        f"Copy the cell `same_person` or `two_people` of a pair into {settings.home / FILE_NAME}, after `- ` on a line "
        "of its own, and add the reason and your name.\n"
    )


def _pairs(settings: Settings) -> tuple[str, list[dict[str, Any]]]:
    """The build shown to readers, and its pairs, most probable first."""
    if not settings.company.identity.probabilistic:
        raise InputError(
            f"{settings.home / 'kizuna.yaml'}: identity.probabilistic: false. Set it to true and run `kizuna run`: "
            "only then are records compared that share no identifier."
        )
    shown = current(settings)
    if shown is None:
        raise InputError("Nothing is published yet, so there is nothing to review. `kizuna run` publishes.")
    build_id = str(shown.manifest["build_id"])
    file = settings.builds / build_id / f"a{shown.manifest['attempt']}" / "build.duckdb"
    if not file.exists():
        raise InputError(
            f"The build behind v-{shown.version} is no longer kept ({file}). `kizuna run --force` makes it again."
        )
    sides = ", ".join(f"{side}.{name} AS {name}_{side}" for name in _SHOWN for side in "ab")
    with closing(duckdb.connect(str(file), read_only=True)) as db:
        made = "SELECT 1 FROM information_schema.tables WHERE table_schema = 'identity' AND table_name = ?"
        if db.execute(made, ["probable_review"]).fetchone() is None:
            raise InputError(
                "The published build compared no records: it was made before identity.probabilistic was set to true. "
                "`kizuna run` builds with it."
            )
        found = db.execute(
            "SELECT pair.probability, pair.explanation, pair.source_a, pair.record_key_a, pair.source_b,"
            f" pair.record_key_b, {sides} FROM identity.probable_review AS pair"
            " JOIN identity.source_records AS a ON a.source = source_a AND a.record_key = record_key_a"
            " JOIN identity.source_records AS b ON b.source = source_b AND b.record_key = record_key_b"
            " ORDER BY pair.probability DESC, source_a, record_key_a, source_b, record_key_b"
        ).to_arrow_table()
    return build_id, found.to_pylist()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    """UTF-8 with a mark, as spreadsheets want it; both records side by side, empty attributes left out."""
    names = [name for name in _SHOWN if any(row[f"{name}_{side}"] is not None for row in rows for side in "ab")]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    pairs = [f"{name}_{side}" for name in names for side in "ab"]
    writer.writerow(["probability", "explanation", "record_a", "record_b", *pairs, "same_person", "two_people"])
    for row in rows:
        ends = [f"{row[f'source_{side}']} {row[f'record_key_{side}']}" for side in "ab"]
        words = f"{json.dumps(ends, ensure_ascii=False)}, reason: , by: , on: {date.today().isoformat()}"
        decided = [f"{{{verb}: {words}}}" for verb in _VERBS]
        cells = [*ends, *(row[name] for name in pairs)]
        writer.writerow([row["probability"], row["explanation"], *map(_harmless, cells), *decided])
    return out.getvalue().encode("utf-8-sig")


def _harmless(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
