"""Patterns decide which contract reads a file; two that could both match must be seen as such."""

from __future__ import annotations

import pytest

from ingestion.globs import matches, overlap
from kizuna.errors import InputError


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**/orders*.csv", "orders_1.csv", True),
        ("**/orders*.csv", "a/b/orders.csv", True),
        ("**/orders*.csv", "a/orders/x.csv", False),
        ("*.csv", "a/x.csv", False),
        ("**/Contact.csv", "WE_1/CONTACT.CSV", True),
        ("**/e_*.{ndjson,json}{,.gz}", "2026/e_1.json.gz", True),
        ("**/e_*.{ndjson,json}{,.gz}", "2026/e_1.json.zip", False),
        ("**/Case[-_. 0-9]*.csv", "Case_1.csv", True),
        ("**/Case[-_. 0-9]*.csv", "CaseComment.csv", False),
        ("x[!a]?.csv", "xb1.csv", True),
        ("x[!a]?.csv", "xa1.csv", False),
        ("x[!a]y", "x/y", False),
    ],
)
def test_a_path_matches_or_not(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("**/orders*.csv", "exports/*.csv", True),
        ("**/orders*.csv", "**/customers*.csv", False),
        ("**/Case*.csv", "**/CaseComment.csv", True),
        ("**/Case[-_. 0-9]*.csv", "**/CaseComment.csv", False),
        ("*.csv", "a/*.csv", False),
        ("**/*.json", "**/tickets*.{ndjson,json}{,.gz}", True),
        ("**/*.json", "**/*.json.gz", False),
        ("a?c", "a[bd]c", True),
        ("a[!b]c", "abc", False),
    ],
)
def test_overlap_is_found_both_ways(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


def test_an_unclosed_brace_is_refused() -> None:
    with pytest.raises(InputError, match="without"):
        matches("orders.{csv", "orders.csv")
