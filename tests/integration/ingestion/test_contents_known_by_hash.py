"""What a content is known by, and that a company whose files are known by the hashes of an earlier release goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingestion import one_file
from ingestion.quarantine import replay
from ingestion.relations import list_inputs
from kizuna.files import Hasher, has_hash, hash_of, old_hash_of

HEADER = "Response ID,Survey Type,Score,Created At\n"


def responses(*ids: str) -> str:
    return HEADER + "".join(f"{name},nps,9,2026-06-30T00:00:00Z\n" for name in ids)


def ids(shop: Any) -> list[str]:
    return [name for (name,) in shop.rows("delighted__responses", "response_id")]


@pytest.fixture
def older(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shop with one file that an earlier release has loaded: its hashes were SHA-256."""
    with monkeypatch.context() as earlier:
        earlier.setattr(one_file, "hash_of", old_hash_of)
        record = shop.load("delighted/a.csv", responses("r1", "r2"))
    assert record.content_hash.startswith("sha256:")
    return shop


@pytest.mark.parametrize(
    ("size", "digest"),
    [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
    ],
)
def test_contents_are_known_by_their_blake3(size: int, digest: str, tmp_path: Path) -> None:
    """The published test vectors: bytes 0 to 250, repeated."""
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    path = tmp_path / "content"
    path.write_bytes(content)
    in_blocks = Hasher()
    for start in range(0, size, 700):
        in_blocks.see(content[start : start + 700])
    assert hash_of(path) == in_blocks.stated() == f"blake3:{digest}"
    assert has_hash(path, f"blake3:{digest}")
    assert has_hash(path, old_hash_of(path))
    assert not has_hash(path, f"blake3:{'0' * 64}")
    assert not has_hash(path, f"sha256:{'0' * 64}")


def test_a_file_that_an_earlier_release_loaded_is_not_read_again(older: Any) -> None:
    report = older.ingest()
    assert (report.files, report.known) == ((), 1)


def test_its_content_under_another_name_is_a_duplicate(older: Any) -> None:
    older.land("delighted/again.csv", responses("r1", "r2"))
    (record,) = older.ingest().files
    assert (record.status, record.reason) == ("duplicate", "same content as delighted/a.csv")
    assert ids(older) == ["r1", "r2"]


def test_another_content_of_its_size_is_known_by_todays_hash(older: Any) -> None:
    older.land("delighted/b.csv", responses("r3", "r4"))
    (record,) = older.ingest().files
    assert (record.status, record.accepted, record.content_hash[:7]) == ("accepted", 2, "blake3:")
    assert ids(older) == ["r1", "r2", "r3", "r4"]


def test_its_rows_lost_from_the_raw_store_become_the_same_batch(older: Any) -> None:
    (before,) = list_inputs(older.store)
    (older.home / before.path).unlink()
    assert [file.status for file in older.ingest().files] == ["accepted"]
    (after,) = list_inputs(older.store)
    assert (after.batch_id, after.content_hash) == (before.batch_id, before.content_hash)
    assert ids(older) == ["r1", "r2"]


def test_it_can_be_replayed(older: Any) -> None:
    assert replay(older.settings, older.store, "delighted/a.csv").accepted == 2
    assert ids(older) == ["r1", "r2"]
