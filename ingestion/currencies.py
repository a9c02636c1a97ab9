"""ISO 4217: which currency codes exist, and which currencies have no smaller unit."""

from __future__ import annotations

from functools import lru_cache

#: Minor units are ISO 4217's own. The locale data of the library says how amounts are usually shown, which is another
#: thing: it shows dinars without the decimals that they have.
WITHOUT_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"}
    | {"UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
)


@lru_cache(maxsize=1)
def codes() -> tuple[str, ...]:
    """Every code, those of currencies that are gone included: history is written in them."""
    from babel.numbers import list_currencies

    return tuple(sorted(list_currencies()))
