"""Texts told apart and looked up by number give exactly what looking at the texts gives."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analytics.identity.matching import Places, fingerprints, numbered
from analytics.identity.memory import reused

ALPHABET = ["", "a", "b", "0", "-", "髙", "é", "\x00", "x" * 7, "y" * 8, "z" * 9]


def some_texts(seed: int, rows: int, distinct: int) -> pa.StringArray:
    """Texts of many lengths, some empty, some that begin alike, as a slice of a longer column."""
    dice = random.Random(seed)
    pool = ["".join(dice.choices(ALPHABET, k=dice.randrange(6))) for _ in range(distinct)]
    return pa.array(["before", *dice.choices(pool, k=rows), "behind"]).slice(1, rows)


def colliding() -> tuple[str, str]:
    """Two texts of 16 characters with one fingerprint: the second word undoes what the first one changed."""
    dice = np.random.default_rng(5)
    kept = b"12345678"
    for _ in range(20_000):
        one, other = (bytes(dice.integers(97, 123, 8, dtype=np.uint8)) for _ in range(2))
        # Of texts of one word the fingerprint can be undone to the state after it, which the second word meets.
        states = []
        for word in (one, other):
            state = (17 * 0xD6E8FEB86659FD93 ^ int.from_bytes(word, "little")) * 0x9E3779B97F4A7C15 % 2**64
            states.append(state ^ state >> 29)
        second = (int.from_bytes(kept, "little") ^ states[0] ^ states[1]).to_bytes(8, "little")
        if max(second) < 128:
            return (one + kept).decode(), (other + second).decode()
    raise AssertionError("no collision among 20,000 pairs, of which one in 256 is one")


@pytest.mark.parametrize("seed", range(8))
def test_texts_are_numbered_in_the_order_in_which_they_first_appear(seed: int) -> None:
    texts = some_texts(seed, 500, 1 + 90 * seed)
    codes, distinct = numbered(texts)
    encoded = texts.dictionary_encode()
    assert codes.tolist() == encoded.indices.to_pylist()
    assert distinct.equals(encoded.dictionary)


@pytest.mark.parametrize("seed", range(8))
def test_a_text_is_found_at_its_first_place_and_nowhere_else(seed: int) -> None:
    column, asked = some_texts(seed, 300, 250), some_texts(seed + 1, 200, 250)
    both = pa.concat_arrays([asked, column.slice(0, 50), pa.array([None], pa.string())])
    places = Places(column)
    assert places.of(both).tolist() == pc.fill_null(pc.index_in(both, value_set=column), -1).to_pylist()
    assert places.unique == (len(column.unique()) == len(column))
    assert Places(column.unique()).unique


def test_texts_with_one_fingerprint_are_still_told_apart() -> None:
    one, other = colliding()
    assert len(set(fingerprints(pa.array([one, other])).tolist())) == 1
    codes, distinct = numbered(pa.array([one, other, one]))
    assert (codes.tolist(), distinct.to_pylist()) == ([0, 1, 0], [one, other])
    assert Places(pa.array([one])).of(pa.array([other, one])).tolist() == [-1, 0]
    both = Places(pa.array([one, other]))
    assert both.unique
    assert both.of(pa.array([other, "else", one])).tolist() == [1, -1, 0]


def test_nothing_is_numbered_and_found_in_nothing() -> None:
    nothing = pa.array([], pa.string())
    assert numbered(nothing)[0].tolist() == []
    assert Places(nothing).of(pa.array(["a", ""])).tolist() == [-1, -1]
    assert Places(pa.array(["a"])).of(nothing).tolist() == []


def test_memory_is_handed_out_as_before_after_a_large_piece_of_work_even_one_that_fails() -> None:
    before = pa.default_memory_pool().backend_name
    with pytest.raises(KeyError), reused(10**9):
        raise KeyError
    assert pa.default_memory_pool().backend_name == before
    with reused(10):
        assert pa.default_memory_pool().backend_name == before
