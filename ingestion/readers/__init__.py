"""Readers: one per format, all giving the same chunks of text for the type checks."""
