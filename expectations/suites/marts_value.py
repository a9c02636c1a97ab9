"""Marts gate, what customers are worth and whether they stay: do parts add up, and do tables agree with the core?"""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Suite
from expectations.suites.marts import _COUNTED, _SAME_NET, FINANCE, INSIGHTS, SUPPORT, _common


def ltv_by_customer(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.ltv_by_customer: one row per customer and reporting currency."""
    return [
        *FINANCE.not_null("customer_id", "currency", "gross", "refunds", "net", reason="the parts of a value"),
        FINANCE.unique_together("customer_id", "currency", reason="a customer listed twice is worth twice as much"),
        FINANCE.refers_to("customer_id", "core.dim_customers.customer_id", "the value of nobody"),
        FINANCE.never("net_is_gross_minus_refunds", "net is distinct from gross - refunds", "the definition, exact"),
        FINANCE.equal(
            "net_equals_core",
            "select coalesce(sum(net), 0) from {batch}",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED}",
            _SAME_NET,
        ),
        FINANCE.never("margin_does_not_exceed_net", "net >= 0 and margin > net", "a margin rate is at most 1"),
        FINANCE.between("gross", 0, None, reason="returns come as refunds"),
        FINANCE.between("refunds", 0, None, reason="a refund lowers net by being positive"),
        FINANCE.never(
            "values_are_in_the_reporting_currency", f"currency <> '{ctx.currency}'", "one currency per company's report"
        ),
        FINANCE.never(
            "ltv_is_the_sum_of_its_parts",
            "ltv is distinct from net + coalesce(predicted_12m, 0)"
            " or ltv_margin is distinct from margin + coalesce(predicted_margin_12m, 0)",
            "the definition, exact",
        ),
        FINANCE.never(
            "a_prediction_or_a_reason",
            "(predicted_12m is null) <> (prediction_reason is not null)",
            "whoever has no prediction is told why",
        ),
        FINANCE.between("predicted_12m", 0, None, reason="nobody is expected to bring less than nothing"),
        FINANCE.between("predicted_low", 0, None, reason="nobody is expected to bring less than nothing"),
        FINANCE.never("the_interval_is_one", "predicted_low > predicted_high", "an interval has its ends in order"),
        *_common(FINANCE, ctx, relation),
    ]


def ltv_by_cohort(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.ltv_by_cohort: one row per cohort month and months since the first order."""
    return [
        *FINANCE.not_null("cohort_month", "months_since_first_order", "net", reason="the coordinates of a curve"),
        FINANCE.unique_together("cohort_month", "months_since_first_order", reason="two values at one point"),
        FINANCE.between("months_since_first_order", 0, None, reason="nobody buys before the first order"),
        FINANCE.between("customers", 1, None, reason="a cohort is made of customers"),
        FINANCE.equal(
            "cohorts_add_up_to_core",
            "select coalesce(sum(net), 0) from {batch}",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED}",
            _SAME_NET,
        ),
        FINANCE.no_rows(
            "cumulative_net_is_the_running_sum",
            "select 1 from (select net_cumulative, sum(net) over (partition by cohort_month"
            " order by months_since_first_order) as running from {batch}) as curves"
            " where net_cumulative is distinct from running",
            "a curve is the sum of its steps, exact",
        ),
        *_common(FINANCE, ctx, relation),
    ]


def _retained(*key: str) -> list[Rule]:
    """What holds for counts of a cohort, whatever cuts it."""
    return [
        *INSIGHTS.not_null("cohort_size", "returned", "lost", *key, reason="a rate is made of these"),
        INSIGHTS.unique_together(*key, reason="two values at one point"),
        INSIGHTS.between("cohort_size", 1, None, reason="a cohort is made of customers"),
        INSIGHTS.never(
            "returned_and_lost_are_the_cohort",
            "returned + lost <> cohort_size or returned < 0 or lost < 0",
            "retained + lost = cohort",
        ),
        INSIGHTS.between("rate", 0, 1, reason="a share"),
    ]


_PERIODS_IN_ORDER = "nobody returns before coming"


def retention_cohorts(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.retention_cohorts: one row per definition, cohort and period number."""
    return [
        *_retained("definition", "cohort", "period_number"),
        INSIGHTS.between("period_number", 0, None, reason=_PERIODS_IN_ORDER),
        INSIGHTS.never(
            "everybody_is_there_in_period_zero",
            "period_number = 0 and cohort_by <> 'sign_up' and returned <> cohort_size",
            "a cohort is who came in its first period; whoever signed up may never have come",
        ),
        FINANCE.equal(
            "cohort_revenue_adds_up_to_core",
            "select coalesce(sum(net), 0) from {batch} where definition = 'first_order_month'",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED}",
            _SAME_NET,
        ),
        INSIGHTS.never(
            "unbounded_includes_the_period",
            "returned_unbounded < returned or returned_unbounded > cohort_size",
            "who returned in a period returned in or after it",
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


def retention_by_segment(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.retention_by_segment: one row per definition, segment, cohort and period number."""
    return [
        *_retained("definition", "segment_type", "segment", "cohort", "period_number"),
        INSIGHTS.between("period_number", 0, None, reason=_PERIODS_IN_ORDER),
        *_common(INSIGHTS, ctx, relation),
    ]


def retention_within_days(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.retention_within_days: one row per way into a cohort, segment, cohort month and window."""
    return [
        *_retained("cohort_by", "segment_type", "segment", "cohort_month", "window_days"),
        *_common(INSIGHTS, ctx, relation),
    ]


def ltv_backtest(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.ltv_backtest: one row per group of buyers."""
    return [
        *FINANCE.not_null("repeat_purchases", "customers", "actual_purchases", reason="what is compared"),
        FINANCE.unique("repeat_purchases", "two verdicts on one group"),
        FINANCE.no_rows(
            "groups_add_up_to_all",
            "select 1 from {batch}"
            " having sum(case when repeat_purchases = 'all' then customers else -customers end) <> 0"
            " or sum(case when repeat_purchases = 'all' then actual_purchases else -actual_purchases end) <> 0",
            "everybody is in one group",
        ),
        FINANCE.never("inside_are_customers", "inside_interval > customers", "a share of the customers"),
        *_common(FINANCE, ctx, relation),
    ]


def revenue_reconciliation(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.revenue_reconciliation: one row per currency and fate of its orders."""
    return [
        *FINANCE.not_null("order_currency", "fate", "orders", "gross", reason="its coordinates and what is counted"),
        FINANCE.unique_together("order_currency", "fate", reason="an order has one fate"),
        FINANCE.equal(
            "counted_net_is_that_of_the_customers",
            "select coalesce(sum(net_reporting), 0) from {batch} where fate = 'counted'",
            "select coalesce(sum(net), 0) from marts.ltv_by_customer",
            _SAME_NET,
        ),
        *_common(FINANCE, ctx, relation),
    ]


def ltv_by_segment(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.ltv_by_segment: one row per segment."""
    return [
        *FINANCE.not_null("segment_type", "segment", "customers", "net", reason="its coordinates and what is counted"),
        FINANCE.unique_together("segment_type", "segment", reason="two values of one segment"),
        FINANCE.no_rows(
            "every_type_has_everybody_once",
            "select segment_type from {batch} group by segment_type"
            " having sum(customers) <> (select count(*) from marts.ltv_by_customer)"
            " or sum(ltv) <> (select sum(ltv) from marts.ltv_by_customer)",
            "segments are the customers, cut",
        ),
        *_common(FINANCE, ctx, relation),
    ]


def customer_value_ranks(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.customer_value_ranks: one row per buyer and segment."""
    return [
        *FINANCE.not_null("customer_id", "segment_type", "segment", "net_rank", reason="a place in a curve"),
        FINANCE.unique_together("segment_type", "segment", "net_rank", reason="two on one place"),
        FINANCE.no_rows(
            "a_curve_ends_with_everybody",
            "select 1 from {batch} where net_rank = buyers and abs(net_share_cumulative - 1) > 1e-9",
            "all buyers together bring all the net",
        ),
        *_common(FINANCE, ctx, relation),
    ]


def customer_years(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.customer_years: one row per buyer and calendar year."""
    return [
        *INSIGHTS.not_null("customer_id", "calendar_year", "customer_class", reason="who was what, and when"),
        INSIGHTS.unique_together("customer_id", "calendar_year", reason="one customer, one class a year"),
        INSIGHTS.never(
            "sleepers_have_not_ordered", "has_ordered <> (customer_class <> 'sleeping')", "the definition of sleeping"
        ),
        INSIGHTS.never(
            "new_in_the_first_year", "(calendar_year = first_year) <> (customer_class = 'new')", "once is new"
        ),
        FINANCE.equal(
            "years_add_up_to_core",
            "select coalesce(sum(net), 0) from {batch}",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED}",
            _SAME_NET,
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


def mrr_movements(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.mrr_movements: one row per payer and month."""
    return [
        *FINANCE.not_null("payer_type", "payer_id", "month_on", "opening", "closing", reason="a movement of somebody"),
        FINANCE.unique_together("payer_type", "payer_id", "month_on", reason="a month has one movement"),
        FINANCE.never(
            "movements_lead_from_opening_to_closing",
            "closing <> opening + new + expansion + reactivated - contraction - churned",
            "the definition, exact",
        ),
        *_common(FINANCE, ctx, relation),
    ]


def ltv_by_contract(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.ltv_by_contract: one row per payer."""
    return [
        *FINANCE.not_null("payer_type", "payer_id", "mrr", reason="a payer and what recurs"),
        FINANCE.unique_together("payer_type", "payer_id", reason="a payer listed twice pays twice"),
        FINANCE.equal(
            "recurring_revenue_is_that_of_the_movements",
            "select coalesce(sum(recurring_paid), 0) from {batch}",
            "select coalesce(sum(closing), 0) from marts.mrr_movements",
            _SAME_NET,
        ),
        FINANCE.never(
            "a_prediction_or_a_reason",
            "(predicted_margin is null) <> (prediction_reason is not null) and mrr > 0",
            "whoever has no prediction is told why",
        ),
        *_common(FINANCE, ctx, relation),
    ]


def order_fulfilment(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.order_fulfilment: one row per order whose steps are told."""
    return [
        *SUPPORT.not_null("order_id", "is_shipped", "is_shipped_in_time", reason="an order and how it went"),
        SUPPORT.unique("order_id", "a double order is sent twice"),
        SUPPORT.between("days_to_ship", 0, None, reason="nothing is sent before it is ordered"),
        SUPPORT.never("in_time_is_shipped", "is_shipped_in_time and not is_shipped", "what was not sent is late"),
        *_common(SUPPORT, ctx, relation),
    ]


def fulfilment_by_segment(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.fulfilment_by_segment: one row per segment of orders."""
    return [
        *SUPPORT.not_null("segment_type", "segment", "orders", reason="its coordinates and what is counted"),
        SUPPORT.unique_together("segment_type", "segment", reason="two values of one segment"),
        SUPPORT.never("sent_or_not_sent", "shipped + not_shipped <> orders", "every order was sent or was not"),
        SUPPORT.between("share_in_time", 0, 1, reason="a share"),
        *_common(SUPPORT, ctx, relation),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("ltv_by_customer", ltv_by_customer, "the parts of a customer's value add up"),
    ("ltv_by_cohort", ltv_by_cohort, "cohort curves add up to revenue"),
    ("ltv_by_segment", ltv_by_segment, "segments are the customers, cut"),
    ("customer_value_ranks", customer_value_ranks, "the curve of Pareto ends with everybody"),
    ("customer_years", customer_years, "one class per customer and year"),
    ("mrr_movements", mrr_movements, "recurring revenue closes from month to month"),
    ("ltv_by_contract", ltv_by_contract, "contracts are worth what recurs"),
    ("order_fulfilment", order_fulfilment, "an order is sent or it is not"),
    ("fulfilment_by_segment", fulfilment_by_segment, "segments are made of orders"),
    ("ltv_backtest", ltv_backtest, "the forecast is judged on everybody"),
    ("revenue_reconciliation", revenue_reconciliation, "every order has one fate, and money is not lost"),
    ("retention_cohorts", retention_cohorts, "nobody returns who was not there"),
    ("retention_by_segment", retention_by_segment, "segments are made of the same customers"),
    ("retention_within_days", retention_within_days, "who came back in time and who did not are everybody"),
)
