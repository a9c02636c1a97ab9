"""How customers sound in what they write: a score per text, from words that are known, in English and Japanese."""

from analytics.sentiment.reading import SENTIMENT_SCHEMA, TextScore, score_text, score_texts

__all__ = ["SENTIMENT_SCHEMA", "TextScore", "score_text", "score_texts"]
