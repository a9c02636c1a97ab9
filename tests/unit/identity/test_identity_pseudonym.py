"""Pseudonyms are HMAC-SHA256 and nothing else, one by one and in bulk, also for keys longer than a block."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from analytics.identity.pseudonym import customer_ids, key_fingerprint, pseudonym, pseudonyms


@pytest.mark.parametrize("key", ["short", "鍵" * 10, "x" * 64, "x" * 65, "y" * 300])
def test_pseudonyms_are_hmac_sha256(key: str) -> None:
    values = ["taro@example.jp", "", "日本語", "a\x1fb"]
    expected = [
        hmac.new(key.encode(), f"email\x1f{value}".encode(), hashlib.sha256).hexdigest()[:32] for value in values
    ]
    assert [pseudonym(key, "email", value) for value in values] == expected
    assert pseudonyms(key, "email", values) == expected


def test_kind_and_key_keep_equal_values_apart() -> None:
    names = {pseudonym(key, kind, "1") for key in ("k1", "k2") for kind in ("email", "phone")}
    assert len(names) == 4
    assert key_fingerprint("k1") != key_fingerprint("k2")
    assert len(key_fingerprint("k1")) == 8


def test_customer_ids_are_the_pseudonym_of_the_oldest_record() -> None:
    (name,) = customer_ids("k", ["shopify.order\x1f#1001"])
    assert name == "c_" + pseudonym("k", "customer", "shopify.order\x1f#1001")[:20]
