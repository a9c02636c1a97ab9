"""The few Block Kit blocks that the messages use, with Slack's limits kept by construction.

Whatever comes from data passes `data()`: & < > become entities, so that `<!channel>` or a link in a segment name is
text, and line breaks or control characters cannot forge lines. Text objects are `verbatim`, so that Slack does not
turn names and addresses in them into mentions and links.
Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

Block = dict[str, Any]

MAX_BLOCKS = 50
MAX_SECTION = 3000
MAX_HEADER = 150
MAX_FIELD = 2000
MAX_FIELDS = 10
# Slack truncates `text` beyond 40,000 and asks for less than 4,000.
MAX_TEXT = 4000
MAX_URL = 2000
# One value from data; nothing that names a segment, a file or an error is longer and still readable.
MAX_VALUE = 200
CUT = "…"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(value: object, limit: int = MAX_VALUE) -> str:
    """A value from data as one line without control or direction-changing characters, cut to `limit`."""
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in str(value)[: 20 * limit])
    text = " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())
    return text if len(text) <= limit else text[: limit - 1] + CUT


def data(value: object, limit: int = MAX_VALUE) -> str:
    """A value from data, safe inside mrkdwn."""
    return "".join(_ENTITIES.get(c, c) for c in plain(value, limit))


def link(url: str, label: str) -> str:
    """A web address as a link; anything else (a path, another scheme) as plain text."""
    if not url.startswith(("https://", "http://")) or len(url) > MAX_URL:
        return f"{label}: {data(url, 1000)}"
    return f"<{quote(url, safe=':/?#[]@!$&%=+,;~*()-._').replace('&', '&amp;')}|{label}>"


def header(text: str) -> Block:
    """A header is plain text: Slack interprets nothing in it."""
    return {"type": "header", "text": {"type": "plain_text", "text": plain(text, MAX_HEADER), "emoji": False}}


def section(lines: Iterable[str]) -> Block:
    """Lines that are already safe. Lines that do not fit are left out whole, with a mark."""
    return {"type": "section", "text": _mrkdwn(fitted(lines, MAX_SECTION))}


def fields(pairs: Sequence[tuple[str, str]]) -> Block:
    """Label and value pairs that are already safe, ten at most."""
    cells = [_mrkdwn(fitted([f"*{label}*", value], MAX_FIELD)) for label, value in pairs[:MAX_FIELDS]]
    return {"type": "section", "fields": cells}


def context(text: str) -> Block:
    """Small print, already safe."""
    return {"type": "context", "elements": [_mrkdwn(fitted(text.split("\n"), MAX_SECTION))]}


def payload(text: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """What chat.postMessage takes. `text` is shown in notifications and where blocks are refused."""
    kept = list(blocks)
    if len(kept) > MAX_BLOCKS:
        kept = [*kept[: MAX_BLOCKS - 1], context(CUT)]
    return {"text": fitted([text], MAX_TEXT), "blocks": kept}


def fitted(lines: Iterable[str], limit: int) -> str:
    """Lines joined within `limit`; a single line too long is cut without splitting an entity."""
    kept: list[str] = []
    room = limit - len(CUT) - 1
    for line in lines:
        if len(line) > room and not kept:
            return _cut(line, limit)
        if len(line) > room:
            return "\n".join([*kept, CUT])
        kept.append(line)
        room -= len(line) + 1
    return "\n".join(kept)


def _cut(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    short = line[: limit - len(CUT)]
    start = short.rfind("&")
    if start >= 0 and ";" not in short[start:]:
        short = short[:start]
    return short + CUT


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
