"""Pseudonyms are HMAC-SHA256 and nothing else, one by one and in bulk, also for keys longer than a block."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pytest

from analytics.identity.hashing import customer_id_array, pseudonym_array
from analytics.identity.pseudonym import customer_ids, key_fingerprint, pseudonym, pseudonyms


@pytest.mark.parametrize("key", ["short", "鍵" * 10, "x" * 64, "x" * 65, "y" * 300])
def test_pseudonyms_are_hmac_sha256(key: str) -> None:
    values = ["taro@example.jp", "", "日本語", "a\x1fb"]
    expected = [
        hmac.new(key.encode(), f"email\x1f{value}".encode(), hashlib.sha256).hexdigest()[:32] for value in values
    ]
    assert [pseudonym(key, "email", value) for value in values] == expected
    assert pseudonyms(key, "email", values) == expected
    assert pseudonym_array(key, "email", pa.array(values)).to_pylist() == expected
    assert customer_id_array(key, pa.array(values)).to_pylist() == customer_ids(key, values)


def test_columns_longer_than_a_block_are_named_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.identity.hashing._ROWS", 3)
    values = [str(number) for number in range(10)]
    assert pseudonym_array("k", "phone", pa.array(["x", *values]).slice(1)).to_pylist() == pseudonyms(
        "k", "phone", values
    )
    assert pseudonym_array("k", "phone", pa.array([], pa.string())).to_pylist() == []


def test_kind_and_key_keep_equal_values_apart() -> None:
    names = {pseudonym(key, kind, "1") for key in ("k1", "k2") for kind in ("email", "phone")}
    assert len(names) == 4
    assert key_fingerprint("k1") != key_fingerprint("k2")
    assert len(key_fingerprint("k1")) == 8


def test_customer_ids_are_the_pseudonym_of_the_oldest_record() -> None:
    (name,) = customer_ids("k", ["shopify.order\x1f#1001"])
    assert name == "c_" + pseudonym("k", "customer", "shopify.order\x1f#1001")[:20]
