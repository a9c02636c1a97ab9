"""Marts gate, second part: scores of surveys, and the history, targets and stability of the KPIs."""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Suite
from expectations.suites.marts import INSIGHTS, _common


def survey_scores_by_period(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.survey_scores_by_period: one row per period, segment, question and kind of survey."""
    return [
        *INSIGHTS.not_null("period", "kind", "respondents", reason="the coordinates of a score"),
        INSIGHTS.unique_together(
            "period_type",
            "period",
            "segment_type",
            "segment",
            "kind",
            "survey_kind",
            reason="two values for one period",
        ),
        INSIGHTS.no_rows(
            "segments_add_up_to_overall",
            "select period from {batch} group by period_type, period, kind, survey_kind"
            " having sum(case when segment_type = 'region' then respondents end)"
            " is distinct from sum(case when segment_type = 'overall' then respondents end)",
            "everybody who answered is in one region or in 'unknown'",
        ),
        INSIGHTS.between("mean_score", 1, 7, reason="CSAT is 1 to 5, CES 1 to 7"),
        INSIGHTS.between("satisfied_share", 0, 1, reason="a share"),
        INSIGHTS.between("response_rate", 0, 1, reason="more answers than questions"),
        *_common(INSIGHTS, ctx, relation),
    ]


#: (mart, suite, what is at stake), judged after those of `marts.py`.
SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("survey_scores_by_period", survey_scores_by_period, "scores lie on their scale and segments add up"),
)
