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


def kpi_history(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.kpi_history: one row per KPI, segment, day and build that said something new."""
    return [
        *INSIGHTS.not_null("build_id", "kpi", "day", reason="who said what of when"),
        INSIGHTS.unique_together(
            "kpi", "segment_type", "segment", "day", "build_number", reason="a build says one value"
        ),
        INSIGHTS.no_rows(
            "the_history_ends_with_what_is_published",
            "select 1 from (select *, row_number() over (partition by kpi, segment_type, segment, day"
            " order by build_number desc) as newest_first from {batch}) as told"
            " inner join marts.kpi_daily as d on told.kpi = d.kpi and told.segment_type = d.segment_type"
            " and told.segment = d.segment and told.day = d.day where newest_first = 1"
            " and (told.numerator is distinct from d.numerator or told.denominator is distinct from d.denominator)",
            "a value that readers see and the history does not know cannot be explained later",
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


def kpi_restatements(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.kpi_restatements: one row per changed value and cause."""
    return [
        *INSIGHTS.not_null("build_id", "kpi", "day", "cause", "effect", reason="what changed, and why"),
        INSIGHTS.unique_together(
            "kpi", "segment_type", "segment", "day", "build_number", "cause", reason="a cause is told once"
        ),
        INSIGHTS.no_rows(
            "causes_add_up_to_the_difference",
            "select 1 from {batch} group by kpi, segment_type, segment, day, build_number"
            " having sum(effect) <> min(coalesce(value_after, 0) - coalesce(value_before, 0))",
            "a difference that is told in part is not explained",
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


def kpi_records(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.kpi_records: one row per record that a daily KPI rests on."""
    return [
        *INSIGHTS.not_null("record_type", "record_key", "day", reason="the next build finds records by these"),
        INSIGHTS.unique_together("record_type", "record_key", reason="a record counts once"),
        *_common(INSIGHTS, ctx, relation),
    ]


def kpi_progress(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.kpi_progress: one row per target."""
    return [
        *INSIGHTS.not_null("kpi", "period", "target", "status", reason="a target without these says nothing"),
        INSIGHTS.unique_together("kpi", "segment_type", "segment", "period", reason="two verdicts on one target"),
        INSIGHTS.never(
            "forecast_lies_in_its_interval",
            "forecast < forecast_low - 0.01 or forecast > forecast_high + 0.01",
            "an interval holds its estimate, to the rounding of the published values",
            column="forecast",
        ),
        INSIGHTS.never(
            "what_is_over_is_met_or_missed",
            "is_complete and actual is not null and status not in ('met', 'missed')",
            "a period that is over has an outcome",
            column="status",
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


def segment_stability(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.segment_stability: one row per scheme of segments and segment."""
    return [
        *INSIGHTS.not_null("scheme", "segment", "customers", "changed", reason="who moved from where"),
        INSIGHTS.unique_together("scheme", "segment", reason="a segment has one size"),
        INSIGHTS.never(
            "no_more_leave_than_were_there",
            "changed > customers_before",
            "only who was in a segment can leave it",
            column="changed",
        ),
        INSIGHTS.no_rows(
            "segments_add_up_to_all",
            "select 1 from {batch} group by scheme having sum(case when segment = 'all' then customers else -customers"
            " end) <> 0 or sum(case when segment = 'all' then changed else -changed end) <> 0",
            "every known customer is in one segment of each scheme",
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


#: (mart, suite, what is at stake), judged after those of `marts.py`.
SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("survey_scores_by_period", survey_scores_by_period, "scores lie on their scale and segments add up"),
    ("kpi_history", kpi_history, "what was said when is never lost"),
    ("kpi_restatements", kpi_restatements, "causes add up to the difference"),
    ("kpi_progress", kpi_progress, "a target has one status and it follows from the numbers"),
    ("segment_stability", segment_stability, "segments are all customers"),
    ("kpi_records", kpi_records, "what the next build explains changes from"),
)
