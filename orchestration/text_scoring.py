"""core -> scores: how each text of a customer sounds. Every distinct text is read once; only its score is kept."""

import duckdb
import pyarrow as pa

#: Distinct texts read at a time: a million texts never stand in memory as Python strings together.
TEXTS_AT_A_TIME = 50_000

_RESULT = """
    SELECT
        t.text_id, t.kind, t.customer_id, t.interaction_id, t.written_on,
        s.score, s.language, s.evidence, s.is_leaving
    FROM core.customer_texts t JOIN texts_now s ON t.content = s.text
    ORDER BY t.text_id
"""


def text_sentiment(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """text_id, kind, customer_id, interaction_id, written_on, score (-1 to 1, NULL where no word is known), language,
    evidence, is_leaving; one row per text of core.customer_texts."""
    from analytics.sentiment import SENTIMENT_SCHEMA, score_texts

    reader = db.execute("SELECT DISTINCT content FROM core.customer_texts").to_arrow_reader(TEXTS_AT_A_TIME)
    parts = [score_texts(batch.column(0).to_pylist()) for batch in reader]
    db.register("texts_now", pa.concat_tables(parts) if parts else SENTIMENT_SCHEMA.empty_table())
    table = db.execute(_RESULT).to_arrow_table()
    db.unregister("texts_now")
    return table
