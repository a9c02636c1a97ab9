"""A company of a million: the demo's files many times over, each copy with people of its own.

The demo's generator tells a life at a time, 5 ms each and all in memory. Here its files are cut once at everything
that identifies somebody or something (addresses, phones, ids of customers, orders, tickets, contacts, devices), and put
together again with those numbers moved, so that copy k holds the same lives under identifiers that no other copy has.
Shared inboxes and the shop's own phone stay as they are, and so are shared by all copies. Of the web events only every
`WEB`-th device is copied.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

#: Every so many devices of the demo come again in a copy.
WEB = 4
#: From the demo's generator: what one person more adds to the numbers of the systems.
PHONE_STEP, PHONES, DEVICE_STEP, DEVICES = 7_368_787, 89_999_999, 3 * 611_953, 1_900_000_000

Move = Callable[[str, int], str]


def _plus(step: int, text: str, people: int) -> str:
    """The number of somebody `people` further on; full-width digits come out as ordinary ones."""
    return str(int(text) + step * people)


def _phone(text: str, people: int) -> str:
    """Two groups of four digits with what stands between them."""
    left, between, right = text[:4], text[4:-4], text[-4:]
    number = (int(left + right) - 10_000_000 + people * PHONE_STEP) % PHONES + 10_000_000
    return f"{number // 10_000}{between}{number % 10_000:04d}"


def _device(text: str, people: int) -> str:
    return str((int(text) - 100_000_000 + people * DEVICE_STEP) % DEVICES + 100_000_000)


def _patterns(one: int) -> list[tuple[str, Move]]:
    """What identifies, as a pattern with one group, and how it moves; `one` is the number of people in a copy."""

    def counted(step: int) -> Move:
        return lambda text, people: str(int(text) + step * (people // one))

    return [
        # Addresses carry the number of their owner.
        (r"(\d+)(?:\.private)?(?=[@＠](?i:example|ｅｘａｍｐｌｅ))", partial(_plus, 1)),
        # Mobile phones in seven ways of writing: all but 080 and the like, which stays.
        (r"(?<=[^\d.])(?:\+81 ?|[(]?[0０])[7-9７-９][0０][)（）\- －]*(\d{4}[\- －]?\d{4})(?!\d)", _phone),
        (r"(?<!\d)(71\d{11})(?!\d)", partial(_plus, 32_768)),
        (r"(?<!\d)(360\d{9})(?!\d)", partial(_plus, 97)),
        (r"(?<!\d)(210\d{6})(?=,)", partial(_plus, 13)),
        (r"(?<!\d)(56\d{11})(?!\d)", counted(1_000_000_000)),
        (r"(?<!\d)(64\d{7})(?=,)", counted(10_000_000)),
        (r"#(\d{4,6})(?!\d)", counted(1_000_000)),
        (r'(?:"id":|"ticket_id":|tickets/|ticket_metrics/)(\d{5,7})(?!\d)', counted(100_000)),
        (r'"user_pseudo_id":"(\d+)(?=\.)', _device),
        # Contacts, accounts, deals, cases; owners are the same people everywhere.
        (r"(?<![0-9A-Za-z])(?:00[136]|500)5g(00)(?=0[0-9A-Za-z]{7,10}(?![0-9A-Za-z]))",
         lambda _text, people: f"{people // one:02d}"),
        (r'ContactId":"([0-9a-f]{2})', lambda text, people: f"{(int(text, 16) + people // one) % 256:02x}"),
    ]  # fmt: skip


class Moved:
    """A text cut at its identifiers; `copy(people)` is the same text `people` further on."""

    def __init__(self, text: str, one: int) -> None:
        patterns = _patterns(one)
        # Most places are passed by one look at their letter.
        everything = re.compile('(?=[0-9０-９+(#"tC])(?:' + "|".join(pattern for pattern, _ in patterns) + ")")
        self._between: list[str] = []
        self._found: list[tuple[str, Move]] = []
        at = 0
        for match in everything.finditer(text):
            group = match.lastindex or 0
            self._between.append(text[at : match.start(group)])
            self._found.append((match[group], patterns[group - 1][1]))
            at = match.end(group)
        self._rest = text[at:]

    def copy(self, people: int) -> str:
        parts = []
        for before, (text, move) in zip(self._between, self._found, strict=True):
            parts.append(before)
            parts.append(move(text, people) if people else text)
        return "".join(parts) + self._rest


def multiply(company: Path, folder: Path, *, one: int, copies: int) -> None:
    """Write landing and the second day's delivery of `company` into `folder`, `copies` times over.

    CSV files and lines of JSON grow; pages of Zendesk get further numbers. Files of nobody (rates, notes) come once.
    """
    for source in sorted(path for part in ("landing", "deliveries") for path in (company / part).rglob("*")):
        if not source.is_file():
            continue
        target = folder / source.relative_to(company)
        target.parent.mkdir(parents=True, exist_ok=True)
        if {"reference", "misc"} & set(source.parts):
            target.write_bytes(source.read_bytes())
        elif source.suffix == ".json":
            _pages(source, target, one, copies)
        elif ".ndjson" in source.name or ".jsonl" in source.name:
            _lines(source, target, one, copies)
        else:
            _table(source, target, one, copies)


def _pages(source: Path, target: Path, one: int, copies: int) -> None:
    text = Moved(source.read_text("utf-8"), one)
    stem, _, number = target.stem.rpartition("_")
    for k in range(copies):
        target.with_name(f"{stem}_{int(number) + k * 1_000:05d}.json").write_text(text.copy(k * one), "utf-8")


def _lines(source: Path, target: Path, one: int, copies: int) -> None:
    packed = source.suffix == ".gz"
    raw = source.read_bytes()
    text = (gzip.decompress(raw) if packed else raw).decode("utf-8")
    few = "".join(_every(text)) if "user_pseudo_id" in text else text
    moved = Moved(few, one)
    with target.open("wb") as out:
        for k in range(copies):
            data = (text if k == 0 else moved.copy(k * one)).encode("utf-8")
            out.write(gzip.compress(data, 1) if packed else data)


def _every(text: str) -> Iterator[str]:
    """The lines of every `WEB`-th device."""
    for line in text.splitlines(keepends=True):
        device = re.search(r'"user_pseudo_id":"(\d+)', line)
        if device is None or int(device[1]) % WEB == 0:
            yield line


def _table(source: Path, target: Path, one: int, copies: int) -> None:
    raw = source.read_bytes()
    try:
        text, encoding = raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = raw.decode("cp932"), "cp932"
    header, newline, rows = text.partition("\n")
    moved = Moved(rows, one)
    with target.open("wb") as out:
        out.write((header + newline).encode(encoding))
        for k in range(copies):
            out.write(moved.copy(k * one).encode(encoding))
