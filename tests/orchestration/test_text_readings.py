"""Readings of texts go over from build to build by what was written, and can change nothing but the time it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

from analytics.sentiment import score_text
from orchestration.text_scoring import build_before, reader_of, text_sentiment

READER = reader_of("code-1")
TEXTS = ["The parcel never arrived", "最高です", "bad", "17", "bad", *(f"great service, {k}" for k in range(3_000))]
Built = Callable[..., tuple[Path, list[tuple[object, ...]], int]]


@pytest.fixture
def build(tmp_path: Path) -> Built:
    """A build over these texts, after another one: its file, its scores, how many texts were read."""

    def made(
        name: str, texts: Sequence[str], before: Path | None = None, reader: str = READER
    ) -> tuple[Path, list[tuple[object, ...]], int]:
        path = tmp_path / f"{name}.duckdb"
        rows = pa.table({"n": pa.array(range(len(texts))), "content": pa.array(texts, pa.string())})
        with duckdb.connect(str(path)) as db:
            db.register("given", rows)
            db.execute("CREATE SCHEMA core; CREATE SCHEMA scores")
            db.execute(
                "CREATE TABLE core.customer_texts AS SELECT format('t{:05d}', n) AS text_id, 'message' AS kind, "
                "'c1' AS customer_id, 'i1' AS interaction_id, DATE '2026-06-01' AS written_on, content FROM given"
            )
            table, read = text_sentiment(db, reader, before)
        return path, [tuple(row.values()) for row in table.to_pylist()], read

    return made


def test_what_was_read_before_is_not_read_again_and_sounds_the_same(
    build: Built,
) -> None:
    before, first, read = build("first", TEXTS)
    assert read == len(set(TEXTS)) and len(first) == len(TEXTS)
    assert [row[5:] for row in first[:5]] == [tuple(score_text(text)) for text in TEXTS[:5]]
    assert build("again", TEXTS, before)[1:] == (first, 0)
    # Other texts under the same ids: what was written decides.
    turned = [*reversed(TEXTS), "terrible"]
    cold = build("cold", turned)
    assert build("warm", turned, before)[1:] == (cold[1], 1)


def test_what_no_build_needs_any_more_is_gone_with_it(build: Built) -> None:
    before, _, _ = build("first", TEXTS)
    after, _, read = build("fewer", TEXTS[:5], before)
    with duckdb.connect(str(after), read_only=True) as db:
        kept = db.execute("SELECT text_hash FROM scores.text_readings").fetchall()
    assert len(kept) == 4 and read == 0
    assert all(len(text) == 64 and text not in TEXTS for (text,) in kept), "hashes, never a text"


def test_another_reader_reads_everything_anew(build: Built) -> None:
    before, first, _ = build("first", TEXTS, reader=reader_of("code-0"))
    with duckdb.connect(str(before)) as db:
        db.execute("UPDATE scores.text_readings SET score = -score")
    assert build("after", TEXTS, before)[1:] == (first, len(set(TEXTS)))


def damaged(path: Path, how: str) -> None:
    if how == "absent":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "flipped":
        whole = bytearray(path.read_bytes())
        for place in range(20_000, len(whole), 4_096):
            whole[place] ^= 0xFF
        path.write_bytes(whole)
    elif how == "without the table":
        with duckdb.connect(str(path)) as db:
            db.execute("DROP TABLE scores.text_readings")
    else:
        with duckdb.connect(str(path)) as db:
            db.execute("INSERT INTO scores.text_readings SELECT * FROM scores.text_readings")


@pytest.mark.parametrize("how", ["absent", "empty", "cut", "flipped", "without the table", "everything twice"])
def test_a_damaged_build_before_changes_nothing(build: Built, how: str) -> None:
    before, first, _ = build("first", TEXTS)
    damaged(before, how)
    _, scores, read = build("after", TEXTS, before)
    assert scores == first
    assert read == (0 if how == "everything twice" else len(set(TEXTS)))


def test_a_build_that_another_process_writes_to_is_not_waited_for(
    build: Built,
) -> None:
    before, first, _ = build("first", TEXTS)
    with duckdb.connect(str(before)):
        # In this process another configuration of the same file is refused as a lock is in another one.
        assert build("after", TEXTS, before)[1:] == (first, len(set(TEXTS)))


def test_the_build_before_is_the_one_that_readers_see_while_its_file_is_there(tmp_path: Path) -> None:
    published, builds = tmp_path / "published", tmp_path / "builds"
    (published / "v-3").mkdir(parents=True)
    (published / "v-3" / "manifest.json").write_text(json.dumps({"build_id": "b1", "attempt": 2}))
    settings = SimpleNamespace(published=published, builds=builds)

    def found(base: int | None) -> Path | None:
        return build_before(SimpleNamespace(settings=settings, build=SimpleNamespace(base_version=base)))  # type: ignore[arg-type]

    assert found(3) is None, "cleared away"
    (builds / "b1" / "a2").mkdir(parents=True)
    (builds / "b1" / "a2" / "build.duckdb").write_bytes(b"")
    assert found(3) == builds / "b1" / "a2" / "build.duckdb"
    assert found(None) is None and found(2) is None
