"""Is a file whole, or is somebody still writing it?

Whole is what a sender says is whole (a file `<name>.done` or a `_manifest.json` beside it), what nobody touched for
`QUIET_SECONDS`, and a younger file that looks the same a moment later. The loader looks a last time: a file whose
content changed while it was read is left for the next ingest.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ingestion.landing import DONE, MANIFEST, Landed
from kizuna.files import sha256_of

#: A file that nobody touched for so long is whole without a second look.
QUIET_SECONDS = 10.0
#: Between the two looks at younger files; all of them wait together.
PAUSE_SECONDS = 0.4

_Look = tuple[int, int, int, int]


#: What is done with the young files between the two looks: (files, when the second one is due by `time.monotonic`).
Meanwhile = Callable[[Sequence[Landed], float], None]


def unfinished(
    files: Sequence[Landed],
    *,
    settled: Collection[str] = (),
    need_done: Collection[str] = (),
    meanwhile: Meanwhile | None = None,
) -> dict[str, str]:
    """`{path: why}` of files to leave alone for now.

    `settled` are paths that were loaded after they were last touched; those of `need_done` wait for their sender.
    """
    waiting: dict[str, str] = {}
    young: dict[str, tuple[Landed, _Look]] = {}
    for file in files:
        if file.path in settled or file.is_link:
            continue
        said = _what_the_sender_says(file)
        if said is None and file.path in need_done:
            waiting[file.path] = f"its contract waits for {file.full.name}{DONE} beside it"
        elif said:
            waiting[file.path] = said
        elif said is None and (look := _look(file.full)) is not None and _is_young(look):
            young[file.path] = (file, look)
    if young and PAUSE_SECONDS:
        due = time.monotonic() + PAUSE_SECONDS
        if meanwhile is not None:
            meanwhile([file for file, _ in young.values()], due)
        time.sleep(max(due - time.monotonic(), 0.0))
    waiting |= {path: "it is being written to" for path, (file, before) in young.items() if _look(file.full) != before}
    return waiting


def _what_the_sender_says(file: Landed) -> str | None:
    """Empty for a file that its sender declares whole, a reason to wait, or None when nothing is said."""
    done = file.full.with_name(file.full.name + DONE)
    if done.is_file():
        sha256 = done.read_text(encoding="utf-8", errors="replace")[:64].casefold()
        if re.fullmatch(r"[0-9a-f]{64}", sha256) and sha256_of(file.full) != sha256:
            return f"{done.name} states another SHA-256 than the file has"
        return ""
    entry = _listed(file.full.parent / MANIFEST).get(file.full.name)
    if entry is None:
        return None
    size = file.full.stat().st_size
    if isinstance(entry.get("bytes"), int) and entry["bytes"] != size:
        return f"{MANIFEST} states {entry['bytes']:,} bytes, there are {size:,}"
    stated = entry.get("sha256")
    if isinstance(stated, str) and stated.casefold() != sha256_of(file.full):
        return f"{MANIFEST} states another SHA-256 than the file has"
    return ""


def _listed(manifest: Path) -> dict[str, dict[str, object]]:
    """Files of a manifest `{"files": [{"name": …, "bytes": …, "sha256": …}]}`; one that cannot be read says nothing."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    entries = content.get("files") if isinstance(content, dict) else None
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("name")): entry for entry in found}


def _look(path: Path) -> _Look | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is_young(look: _Look) -> bool:
    """A copy may carry the time of its original; the time of the last change of the entry cannot be set."""
    return time.time() - max(look[1], look[2]) / 1e9 < QUIET_SECONDS
