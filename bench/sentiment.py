"""Sentiment of texts: agreement with the scores that their writers gave, and the time it takes, in two builds too.

Usage: python bench/sentiment.py [texts], by default 100,000 distinct ones for the time. The agreement needs
KIZUNA_TEST_DATA: reasons beside an answer of 0 to 10 (prepbench 040 and 050) and descriptions of tickets beside a
rating of 1 to 5 (support_tickets, whose texts and ratings were made up independently).
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from analytics.churn.judge import auc
from analytics.sentiment import score_text, score_texts

Rated = list[tuple[float, str]]


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def reasons(data: Path) -> Rated:
    """(0..10, reason) of everybody who gave one, once per person and survey."""
    found = [
        (float(row[1]), row[2]) for row in _rows(data / "prepbench/case_040/inputs/input_01.csv")[1:] if row[2].strip()
    ]
    answers: dict[str, dict[str, str]] = {}
    for number, answer, _, _, _, response, _ in _rows(data / "prepbench/case_050/inputs/input_01.csv")[1:]:
        answers.setdefault(response, {})[number] = answer
    for said in answers.values():
        text = f"{said['3a']} {said['3b']}".strip()
        if text:
            found.append((float(said["3"]), text))
    return found


def tickets(data: Path) -> Rated:
    """(1..5, description) of the rated tickets."""
    header, *rows = _rows(data / "support_tickets/customer_support_tickets.csv")
    rating, text = header.index("Customer Satisfaction Rating"), header.index("Ticket Description")
    return [(float(row[rating]), row[text]) for row in rows if row[rating]]


def agreement(rated: Rated, low: float) -> tuple[int, int, float, float]:
    """(low ones, texts with a score, AUC of the scored against a low answer, AUC of all with no score as 0)."""
    scores = [score_text(text).score for _, text in rated]
    is_low = np.array([given <= low for given, _ in rated])
    known = np.array([s is not None for s in scores])
    bad = -np.array([s or 0.0 for s in scores])
    return int(is_low.sum()), int(known.sum()), auc(bad[known], is_low[known]), auc(bad, is_low)


def main(count: int) -> None:
    data = Path(os.environ.get("KIZUNA_TEST_DATA") or "absent")
    if data.is_dir():
        for name, rated, low in (("reasons", reasons(data), 6), ("tickets", tickets(data), 2)):
            lows, known, scored, everybody = agreement(rated, low)
            print(
                f"{name}: {len(rated)} texts, {lows} low (<= {low}), {known} with a score; AUC {scored:.3f} of these, "
                f"{everybody:.3f} of all"
            )
    japanese = "先日注文した商品が届きません。何度も連絡しましたが返事がなく困っています。番号は{}です。"
    english = (
        "I ordered number {} two weeks ago and it still has not arrived. I have written several times and nobody "
        "replies. The kettle I bought before was great, but this is really disappointing."
    )
    texts = [(japanese if k % 2 else english).format(k) for k in range(count)]
    begin, worked = time.perf_counter(), time.process_time()
    table = score_texts(texts)
    print(f"{table.num_rows:,} distinct texts, half Japanese: {spent(begin, worked)}")
    with tempfile.TemporaryDirectory() as folder:
        builds(texts, Path(folder))


def spent(begin: float, worked: float) -> str:
    return f"{time.perf_counter() - begin:.1f} s ({time.process_time() - worked:.1f} s of processor time)"


def builds(texts: list[str], folder: Path) -> None:
    """The step of a build, without and with the readings of the build before it."""
    from orchestration.text_scoring import reader_of, text_sentiment

    found = []
    for name, before in (("first", None), ("next", folder / "first.duckdb")):
        with duckdb.connect(str(folder / f"{name}.duckdb")) as db:
            db.register("given", pa.table({"content": texts}))
            db.execute("CREATE SCHEMA core; CREATE SCHEMA scores")
            db.execute(
                "CREATE TABLE core.customer_texts AS SELECT content AS text_id, '' AS kind, '' AS customer_id, "
                "'' AS interaction_id, DATE '2026-06-01' AS written_on, content FROM given"
            )
            begin, worked = time.perf_counter(), time.process_time()
            scores, read = text_sentiment(db, reader_of("bench"), before)
            print(f"  {name} build, {read:,} texts read: {spent(begin, worked)}")
            found.append(scores)
    assert found[0].equals(found[1])


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100_000)
