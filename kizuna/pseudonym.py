"""Keyed pseudonyms, under the name that the runtime uses."""

from analytics.identity.pseudonym import key_fingerprint, pseudonym

__all__ = ["key_fingerprint", "pseudonym"]
