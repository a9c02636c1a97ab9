"""File patterns of contracts: does a path match, and could two patterns ever match the same path?

`*` and `?` stay inside one folder, `**/` stands for any number of folders (none included), `{a,b}` for either text,
`[…]` for one character out of a set. Case is ignored, since one vendor's `Contact.csv` is another mailbox's
`CONTACT.CSV`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kizuna.errors import InputError


@dataclass(frozen=True)
class _Token:
    """One step of a pattern: a character out of `chars` (or outside of it), or a repetition of such characters."""

    chars: frozenset[str]
    negated: bool
    repeat: bool = False

    def accepts(self, character: str) -> bool:
        return (character in self.chars) != self.negated

    def meets(self, other: _Token) -> bool:
        """True when one character satisfies both."""
        if self.negated and other.negated:
            return True
        if self.negated:
            return bool(other.chars - self.chars)
        if other.negated:
            return bool(self.chars - other.chars)
        return bool(self.chars & other.chars)


_IN_FOLDER = _Token(frozenset("/"), negated=True)
_NAME = _Token(frozenset("/"), negated=True, repeat=True)
_ANY = _Token(frozenset(), negated=True, repeat=True)


def matches(pattern: str, path: str) -> bool:
    """True when `path` (POSIX, relative) fits `pattern`."""
    return any(_match(tokens, path.casefold()) for tokens in _compiled(pattern))


@lru_cache(maxsize=4096)
def overlap(one: str, other: str) -> bool:
    """True when some path could match both patterns."""
    return any(_share(a, b) for a in _compiled(one) for b in _compiled(other))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> tuple[tuple[_Token, ...], ...]:
    return tuple(tuple(_tokens(folders, pattern)) for text in _braces(pattern.casefold()) for folders in _folders(text))


def _braces(text: str) -> Iterator[str]:
    start = text.find("{")
    if start < 0:
        yield text
        return
    end = text.find("}", start)
    if end < 0:
        raise InputError(f"file pattern {text!r}: '{{' without '}}'")
    for choice in text[start + 1 : end].split(","):
        yield from _braces(text[:start] + choice + text[end + 1 :])


def _folders(text: str) -> Iterator[str]:
    """`**/` as "no folder" and as "some folders"; the latter is written with the marker NUL."""
    head, found, tail = text.partition("**/")
    if not found:
        yield text
        return
    for rest in _folders(tail):
        yield head + rest
        yield head + "\0/" + rest


def _tokens(text: str, pattern: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\0":
            yield _ANY
        elif character == "*":
            yield _NAME
        elif character == "?":
            yield _IN_FOLDER
        elif character == "[":
            end = text.find("]", position + 1)
            if end < 0:
                raise InputError(f"file pattern {pattern!r}: '[' without ']'")
            yield _Token(*_char_class(text[position + 1 : end]))
            position = end
        else:
            yield _Token(frozenset(character), negated=False)
        position += 1


def _char_class(body: str) -> tuple[frozenset[str], bool]:
    negated = body.startswith("!")
    body = body.removeprefix("!")
    chars: set[str] = set()
    position = 0
    while position < len(body):
        if position + 2 < len(body) and body[position + 1] == "-":
            chars.update(chr(code) for code in range(ord(body[position]), ord(body[position + 2]) + 1))
            position += 3
        else:
            chars.add(body[position])
            position += 1
    return (frozenset(chars | {"/"}), True) if negated else (frozenset(chars), False)


def _match(tokens: tuple[_Token, ...], path: str) -> bool:
    states = _closure(tokens, {0})
    for character in path:
        moved = {
            state if tokens[state].repeat else state + 1
            for state in states
            if state < len(tokens) and tokens[state].accepts(character)
        }
        states = _closure(tokens, moved)
    return len(tokens) in states


def _closure(tokens: tuple[_Token, ...], states: set[int]) -> set[int]:
    """States reachable by letting repetitions stand for nothing."""
    reached = set(states)
    for state in states:
        while state < len(tokens) and tokens[state].repeat:
            state += 1
            reached.add(state)
    return reached


def _share(one: tuple[_Token, ...], other: tuple[_Token, ...]) -> bool:
    """Walk both patterns at once; reaching both ends means a common path exists."""
    seen: set[tuple[int, int]] = set()
    waiting = [(0, 0)]
    while waiting:
        pair = waiting.pop()
        if pair in seen:
            continue
        seen.add(pair)
        i, j = pair
        if i == len(one) and j == len(other):
            return True
        left = one[i] if i < len(one) else None
        right = other[j] if j < len(other) else None
        if left is not None and left.repeat:
            waiting.append((i + 1, j))
        if right is not None and right.repeat:
            waiting.append((i, j + 1))
        if left is not None and right is not None and left.meets(right):
            waiting.append((i if left.repeat else i + 1, j if right.repeat else j + 1))
    return False
