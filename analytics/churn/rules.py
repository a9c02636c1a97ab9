"""The open weights: what each signal adds to the log-odds of churn, how long it lasts, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SignalWeight:
    """One row of the table. `weight` is in log-odds: +0.7 doubles the odds, +1.6 makes them five times as high.

    The weights are judgements, not estimates, until a company's own labels allow an estimate; that is why every
    one of them can be set in kizuna.yaml (kpi.signal_weights).
    """

    code: str
    weight: float
    reason: str


DEFAULT_SIGNALS: tuple[SignalWeight, ...] = (
    SignalWeight("urgent_open", 1.6, "An urgent or high-priority problem is open: it is felt every day it lasts."),
    SignalWeight("urgent_lately", 0.6, "Such a problem within 180 days, solved or not: it is remembered."),
    SignalWeight("open_interaction", 0.5, "Any other request is open: a nuisance, seldom a reason to leave."),
    SignalWeight("stale_interaction", 0.8, "A request is open for more than 7 days: the wait adds to the problem."),
    SignalWeight("negative_csat", 1.1, "Rated a contact 1 or 2 of 5 in the last 90 days."),
    SignalWeight("nps_detractor", 1.3, "The latest NPS answer (180 days at most) is 0 to 6."),
    SignalWeight("nps_promoter", -0.9, "The latest NPS answer (180 days at most) is 9 or 10: says they stay."),
    SignalWeight("frequent_contacts", 0.7, "Three or more contacts within 30 days: effort, whatever their outcome."),
    SignalWeight("abandoned_contact", 0.5, "A call or chat in the last 30 days that nobody answered in time."),
    SignalWeight("refund", 0.6, "A dated refund in the last 30 days: what was bought did not do."),
    SignalWeight("late_delivery", 0.4, "Something sent late, felt for 60 days: a promise that was not kept."),
    SignalWeight("negative_text", 0.6, "Wrote something clearly negative within 90 days: the worst is at most -0.5."),
    SignalWeight("negative_tone", 0.4, "Two texts or more of the last 90 days are negative on average."),
    SignalWeight("positive_tone", -0.4, "The texts of the last 90 days are positive on average."),
    SignalWeight("speaks_of_leaving", 1.4, "Wrote within 90 days of cancelling, going elsewhere or never coming back."),
    SignalWeight("opted_out", 0.5, "Wants no more mail: one way less to come back."),
    SignalWeight("recent_visit", -0.4, "Was on the site or in the app within 30 days: is still interested."),
)

#: What only contracts have, beside the signals above.
CONTRACT_SIGNALS: tuple[SignalWeight, ...] = (
    *DEFAULT_SIGNALS,
    SignalWeight("payment_failed", 1.0, "A payment failed in the last 30 days: the contract ends unless it is mended."),
)

# Names in the published table; a change of the formula or of a default weight changes them. The first is trained on the
# company's own past; the second serves while that is too short.
MODEL_TRAINED = "logistic/2"
MODEL_UNTRAINED = "mbgnbd+signals/3"
MODEL_CONTRACT = "contract-logistic/2"


@dataclass(frozen=True)
class ChurnRules:
    """Settings of the score. Defaults are those of kizuna.yaml; build with `ChurnRules().with_weights(...)`."""

    high: float = 0.85
    medium: float = 0.60
    # No purchase in so many days is what the probability is of; whoever was silent for twice as long has left already.
    horizon_days: int = 90
    # Area under the curve, out of time, below which scores are not shown.
    floor: float = 0.60
    min_customers: int = 500
    # A tenth of the minimum: with fewer repeat buyers the dropout parameters are the prior's, not the data's.
    min_repeaters: int = 50
    horizon_weeks: float = 52.0
    # Per year; only the value of the next year is discounted, never the value at risk.
    discount_rate: float = 0.0
    # Buyers of one order can leave too; the paper's own model keeps them alive for ever (analytics.ltv.bgnbd).
    leave_after_first: bool = True
    signals: tuple[SignalWeight, ...] = DEFAULT_SIGNALS

    def __post_init__(self) -> None:
        if not 0 < self.medium <= self.high < 1:
            raise ValueError(
                f"thresholds must satisfy 0 < medium <= high < 1, not medium={self.medium}, high={self.high}"
            )
        codes = [s.code for s in self.signals]
        if len(set(codes)) != len(codes):
            raise ValueError(f"signal codes must be unique: {codes}")

    @property
    def lapsed_days(self) -> int:
        """Silence after which somebody is gone, not at risk; as lifecycle_segment says."""
        return 2 * self.horizon_days

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(s.code for s in self.signals)

    def with_weights(self, weights: Mapping[str, float]) -> ChurnRules:
        """Override weights by code; ValueError names an unknown code and the allowed ones."""
        unknown = sorted(set(weights) - set(self.codes))
        if unknown:
            raise ValueError(f"unknown signals {unknown}; allowed are {', '.join(self.codes)}")
        return replace(
            self, signals=tuple(replace(s, weight=float(weights.get(s.code, s.weight))) for s in self.signals)
        )


@dataclass(frozen=True)
class ContractRules:
    """Settings of the score of contracts; the probability is that of the end of a contract within `horizon_days`."""

    # Few contracts end within a horizon, so one in two is far above what is usual.
    high: float = 0.50
    medium: float = 0.25
    horizon_days: int = 90
    floor: float = 0.60
    # Payers who left, and who stayed, among the examples: below it nothing is learnt and nothing shown.
    min_ended: int = 30
    signals: tuple[SignalWeight, ...] = CONTRACT_SIGNALS

    def __post_init__(self) -> None:
        if not 0 < self.medium <= self.high < 1:
            raise ValueError(
                f"thresholds must satisfy 0 < medium <= high < 1, not medium={self.medium}, high={self.high}"
            )

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(s.code for s in self.signals)

    def with_weights(self, weights: Mapping[str, float]) -> ContractRules:
        """Weights of a company's own by code; those of other codes are not of contracts."""
        return replace(
            self, signals=tuple(replace(s, weight=float(weights.get(s.code, s.weight))) for s in self.signals)
        )
