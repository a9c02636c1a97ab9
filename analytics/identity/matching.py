"""Equal texts found by number: which place of one column each text of another stands at, and which texts are the same.

A text is compared by a fingerprint of 64 bits, a number that is fast to sort and to look up, and where two fingerprints
are the same the texts themselves are compared. So answers are exact, and where fingerprints do collide the slower way
of Arrow's own hash tables is taken. Looking up seven million texts among three million takes half of its time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Prints = npt.NDArray[np.uint64]

_WORD = 8  # bytes
# Odd numbers without pattern; a word times one of them moves every bit of it up.
_STIR, _BEGIN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


def text_bytes(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Where each text begins, and one place more; and the bytes of all texts, as they lie in Arrow's buffer."""
    if not len(texts):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    _, places, held = texts.buffers()
    offsets = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    begin, end = int(offsets[0]), int(offsets[-1])
    data = np.frombuffer(held, np.uint8)[begin:end] if end > begin else np.empty(0, np.uint8)
    return offsets - begin if begin else offsets, data


def fingerprints(texts: pa.StringArray) -> Prints:
    """A number per text, equal for equal texts and nearly never for others."""
    offsets, data = text_bytes(texts)
    begin, length = offsets[:-1], np.diff(offsets)
    # Eight bytes from any place on; the last place has eight more behind it.
    padded = np.concatenate([data, np.zeros(_WORD, np.uint8)])
    words = np.ndarray((len(data) + 1,), "<u8", padded, 0, (1,))
    found = (length.astype(np.uint64) + np.uint64(1)) * _BEGIN
    shortest = int(length.min()) if len(length) else 0
    for done in range(0, int(length.max(initial=0)), _WORD):
        rows = slice(None) if shortest > done else np.flatnonzero(length > done)
        left = length[rows] - done
        word = words[begin[rows] + done]
        if left.min() < _WORD:
            # What lies behind a text is not its own.
            word <<= (np.uint64(_WORD) - np.minimum(left, _WORD).astype(np.uint64)) * np.uint64(8)
        word ^= found[rows]
        word *= _STIR
        word ^= word >> np.uint64(29)
        found[rows] = word
    found *= _BEGIN
    return found


def numbered(texts: pa.StringArray) -> tuple[Ints, pa.StringArray]:
    """A number per text, counted from 0 in the order of first appearance, and the distinct texts by number."""
    prints = fingerprints(texts)
    ordered = np.sort(prints)
    if not (ordered[1:] == ordered[:-1]).any():
        return np.arange(len(texts)), texts
    del ordered
    codes = pa.array(prints).dictionary_encode()
    number = np.asarray(codes.indices.to_numpy(), np.int64)
    first = np.full(len(codes.dictionary), len(texts), np.int64)
    np.minimum.at(first, number, np.arange(len(texts)))
    distinct = texts.take(pa.array(first))
    again = np.flatnonzero(first[number] != np.arange(len(texts)))
    if not distinct.take(pa.array(number[again])).equals(texts.take(pa.array(again))):
        encoded = texts.dictionary_encode()
        return np.asarray(encoded.indices.to_numpy(), np.int64), encoded.dictionary
    return number, distinct


class Places:
    """Where texts stand in a column; of equal ones the first counts. `unique`: no text stands in it twice."""

    def __init__(self, texts: pa.StringArray) -> None:
        self._texts = texts
        prints = fingerprints(texts)
        order = np.argsort(prints, kind="stable")
        prints = prints[order]
        new = np.append(True, prints[1:] != prints[:-1])[: len(prints)]
        again = np.flatnonzero(~new)
        one, other = (texts.take(pa.array(order[rows])) for rows in (again, again - 1))
        self._exact = one.equals(other)
        self.unique = not len(again) or (not self._exact and pc.count_distinct(texts).as_py() == len(texts))
        self._order = order[new] if len(again) else order
        # One more than any, so that a search past the end has something to look at.
        self._sorted = np.append(prints[new] if len(again) else prints, np.uint64(np.iinfo(np.uint64).max))
        # About one fingerprint per pigeonhole, since they are spread evenly.
        bits = max(len(texts).bit_length(), 1)
        self._shift = np.uint64(64 - bits)
        holes = np.bincount((self._sorted[:-1] >> self._shift).astype(np.int64), minlength=1 << bits)
        self._begin = np.append(0, np.cumsum(holes))

    def of(self, texts: pa.StringArray) -> Ints:
        """The place of each text, -1 where it stands nowhere; a null stands nowhere."""
        if not self._exact:
            return np.asarray(pc.fill_null(pc.index_in(texts, value_set=self._texts), -1).to_numpy(), np.int64)
        prints = fingerprints(texts)
        at = self._begin[(prints >> self._shift).astype(np.int64)]
        behind = np.flatnonzero(self._sorted[at] < prints)
        while len(behind):
            at[behind] += 1
            behind = behind[self._sorted[at[behind]] < prints[behind]]
        hit = (self._sorted[at] == prints) & (at < len(self._order))
        found = np.full(len(texts), -1, np.int64)
        rows = np.flatnonzero(hit)
        found[rows] = self._order[at[rows]]
        asked = texts.take(pa.array(rows)) if len(rows) < len(texts) else texts
        same = pc.fill_null(pc.equal(self._texts.take(pa.array(found[rows])), asked), False)
        found[rows[~np.asarray(same.to_numpy(zero_copy_only=False), np.bool_)]] = -1
        return found
