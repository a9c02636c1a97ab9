"""Rules for what is not there: a mart without rows and values that are no numbers pass every comparison."""

from __future__ import annotations

from expectations.rules import Rule, Writer

#: Marts that cannot be empty where this has rows, read by one who sees only that nothing happened.
MADE_OF = {
    "churn_risk_daily": "marts.churn_risk where kind = 'non_contractual' and probability is not null",
    "customer_value_ranks": "marts.ltv_by_customer where gross > 0",
    "data_state": "raw.batches where not starts_with(relation, 'raw.kept__')",
    "fulfilment_by_segment": "marts.order_fulfilment",
    "identity_audit": "identity.customer_map",
    "knowledge_gaps": "core.fct_interactions where opened_on is not null and continues_interaction_id is null "
    "and direction = 'inbound' and topic is not null",
    "kpi_definitions": "(select 1)",
    "ltv_by_segment": "marts.ltv_by_customer where gross > 0",
    "nps_by_period": "core.fct_survey_responses where kind = 'nps' and is_valid and submitted_on is not null",
    "retention_by_segment": "marts.retention_cohorts where cohort_by = 'first_order'",
    "retention_within_days": "marts.retention_cohorts where cohort_by = 'first_order'",
    "segment_stability": "marts.customer_360 where is_known",
    "support_parity": "core.fct_interactions where source = 'zendesk'",
    "survey_scores_by_period": "core.fct_survey_responses where kind in ('csat', 'ces') and is_valid "
    "and submitted_on is not null",
}


def numbers(writer: Writer) -> Rule:
    """Every floating-point value of the relation is a number."""
    # A range without an upper end lets both through: to the engine they are greater than everything.
    return writer.no_rows(
        "values_are_numbers",
        "select 1 from {batch} where not isfinite({doubles})",
        "no number and infinity come of a division by zero, and every sum over them is lost",
    )


def not_empty(writer: Writer, mart: str) -> list[Rule]:
    """A rule for the marts of `MADE_OF`, none for others."""
    if mart not in MADE_OF:
        return []
    rule = writer.no_rows(
        "is_not_empty",
        f"select 1 from (select count(*) as n from {{batch}}) where n = 0 and exists (select 1 from {MADE_OF[mart]})",
        "what it is made of has rows, and it has none: nothing else asks, since there is nothing to add up",
    )
    return [rule]
