"""Daily series as the churn assessment gives them, with seeded noise and planted movements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from analytics.churn.assess import DAILY_SCHEMA

FIRST = date(2026, 1, 5)  # a Monday
Shares = Sequence[float]


def table(series: dict[tuple[str, str], tuple[int, Shares]], seed: int = 1) -> pa.Table:
    """Binomial counts around the given shares, one (scored, shares per day) per segment."""
    rng = np.random.default_rng(seed)
    rows = []
    for (kind, segment), (scored, shares) in sorted(series.items()):
        for k, share in enumerate(shares):
            at_risk = int(rng.binomial(scored, share))
            day = FIRST + timedelta(days=k)
            rows.append(
                (kind, segment, day, scored, at_risk, round(at_risk / scored, 6), Decimal(at_risk * 100), None, None)
            )
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, DAILY_SCHEMA, strict=True)], schema=DAILY_SCHEMA)


@pytest.fixture
def one_series() -> Callable[..., pa.Table]:
    def build(shares: Shares, scored: int = 2000, seed: int = 1) -> pa.Table:
        return table({("region", "east"): (scored, shares)}, seed)

    return build
