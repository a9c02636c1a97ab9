"""Core gate: do facts and dimensions hold together, to the row and to the yen?

Money is reconciled in SQL on DECIMAL; Great Expectations' own sums are floats.
"""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Suite, Writer
from expectations.suites import history
from expectations.suites.core_days import Days, move_as_days_do

FINANCE = Writer(owner="finance")
SUPPORT = Writer(owner="support")
INSIGHTS = Writer(owner="insights")
CRM = Writer(owner="crm")

ATTRIBUTIONS = ("login", "device", "slice_before", "slice_next", "anonymous")

_SHOPIFY = "staging.stg_shopify__orders"
_CANONICAL = "staging.canonical__order"

#: A country has tens of regions; a company of a few hundred customers may still know each by its town.
MIN_REGIONS = 100

#: How facts are counted by days, and what of their rows is looked at (core_days.py).
_KNOWN = {"of a customer": "customer_id is not null"}
_ORDERS = Days("ordered_on", "orders", {**_KNOWN, "counted": "is_counted"})
_REFUNDS = Days("refunded_on", "orders", {"of a known order": "order_id is not null"})
_SESSIONS = Days("started_on", "web", _KNOWN, source="event_source", rush_is_news=True)
_INTERACTIONS = Days("opened_on", "support", _KNOWN, rush_is_news=True)
_ANSWERS = Days("submitted_on", "survey", {**_KNOWN, "valid": "is_valid"}, comes_in_waves=True)

_ONE_CUSTOMER = "every fact belongs to a customer that exists"


def dim_customers(ctx: GateContext, relation: str) -> list[Rule]:
    """core.dim_customers: one row per customer."""
    return [
        *CRM.not_null("customer_id", "is_known", reason="the key of everything"),
        CRM.unique("customer_id", "a customer listed twice is counted twice in every mart"),
        CRM.equal(
            "every_mapped_customer_is_here",
            "select count(*) from {batch}",
            "select count(distinct customer_id) from identity.customer_map",
            "the identity map decides who exists",
        ),
        CRM.refers_to("customer_id", "identity.customer_map.customer_id", "a customer without a source record"),
        CRM.never(
            "first_seen_is_not_after_last_seen", "first_seen_at > last_seen_at", "a life that ends before it starts"
        ),
        _regions(ctx),
        *history.same_mix(CRM, ctx, "region"),
        *CRM.volume(ctx, relation),
    ]


def _regions(ctx: GateContext) -> Rule:
    """Nothing but numbers in its rows: the values are what must not be seen."""
    share = ctx.limits.max_region_share
    return CRM.no_rows(
        "regions_are_groups_of_customers",
        "select regions, customers from (select count(distinct region) as regions, count(*) as customers from {batch}"
        f" where region is not null) as counted where regions > greatest({MIN_REGIONS}, {share} * customers)",
        f"more than {MIN_REGIONS} regions, and more than {share:.0%} of the customers have one each: a contract maps"
        " names, addresses or ids to `region`, which marts publish in clear (gates.max_region_share)",
    )


def dim_accounts(ctx: GateContext, relation: str) -> list[Rule]:
    """core.dim_accounts: one row per company."""
    return [
        *CRM.not_null("account_id", reason="the key of everything about companies"),
        CRM.unique("account_id", "an account listed twice is counted twice"),
        *CRM.volume(ctx, relation),
    ]


def fct_orders(ctx: GateContext, relation: str) -> list[Rule]:
    """core.fct_orders: one row per order."""
    return [
        *FINANCE.not_null(
            "order_id", "source", "currency", "gross_amount", "net_amount", "is_counted",
            reason="without it the order has no value or cannot be traced",
        ),
        FINANCE.never(
            "counted_orders_have_a_day",
            "is_counted and ordered_on is null",
            "revenue without a day is in no period and in every total",
            column="ordered_on",
        ),
        FINANCE.never(
            "counted_orders_have_a_customer",
            "is_counted and customer_id is null",
            "revenue of nobody: the buyer left no usable identifier (identity.unmapped says which)",
            severity="warning",
            column="customer_id",
        ),
        FINANCE.equal(
            "no_order_is_lost_after_staging",
            "select count(*) from {batch}",
            f"select (select count(*) from {_SHOPIFY}) + (select count(*) from {_CANONICAL})",
            "every staged order is a fact, counted or excluded with its reason",
        ),
        FINANCE.no_rows(
            "no_revenue_is_lost_after_staging",
            "select currency from"
            " (select currency, sum(gross_amount) as total from {batch} group by currency) as core_sums"
            " full join (select currency, sum(amount) as staged from (select currency, total_amount as amount"
            f" from {_SHOPIFY} union all select currency, gross_amount from {_CANONICAL}) as orders group by currency)"
            " as staged_sums using (currency) where total is distinct from staged",
            "gross per currency is the same before and after, exact",
        ),
        FINANCE.unique("order_id", "a double order is double revenue"),
        FINANCE.refers_to("customer_id", "core.dim_customers.customer_id", _ONE_CUSTOMER),
        FINANCE.never(
            "gross_is_net_plus_refunded",
            "gross_amount is distinct from net_amount + refunded_amount",
            "the definition of net, exact",
        ),
        FINANCE.never(
            "gross_is_net_plus_refunded_in_reporting_currency",
            "is_counted and gross_reporting is distinct from net_reporting + refunded_reporting",
            "the definition of net holds after conversion too, exact",
        ),
        FINANCE.between("gross_amount", 0, None, reason="returns come as refunds, never as negative orders"),
        FINANCE.between("refunded_amount", 0, None, reason="a refund lowers net by being positive"),
        FINANCE.never(
            "every_counted_order_has_an_exchange_rate",
            "is_counted and (exchange_rate is null or exchange_rate <= 0)",
            "a missing rate is an error, never a silent 1.0: add the currency to reference/exchange_rates",
            column="exchange_rate",
        ),
        FINANCE.never(
            "reporting_currency_is_not_converted",
            f"currency = '{ctx.currency}' and exchange_rate <> 1",
            "the company's own currency has the rate 1",
            column="exchange_rate",
        ),
        FINANCE.never(
            "cancelled_and_test_orders_do_not_count",
            "is_counted and (is_cancelled or is_test)",
            "cancelled and test orders never count",
        ),
        *_days(FINANCE, ctx, "ordered_on"),
        *move_as_days_do(FINANCE, ctx, _ORDERS),
        *FINANCE.volume(ctx, relation),
    ]  # fmt: skip


def fct_refunds(ctx: GateContext, relation: str) -> list[Rule]:
    """core.fct_refunds: one row per refund."""
    return [
        *FINANCE.not_null("refund_id", "currency", "amount", "is_counted", reason="a refund has a value"),
        FINANCE.never(
            "refunds_have_an_order",
            "order_id is null",
            "its order is in no file of this build: the refund lowers nobody's net",
            severity="warning",
            column="order_id",
        ),
        FINANCE.never(
            "counted_refunds_have_a_rate",
            "is_counted and (exchange_rate is null or amount_reporting is null)",
            "a missing rate is an error, never a silent 1.0: add the currency to reference/exchange_rates",
            column="exchange_rate",
        ),
        FINANCE.unique("refund_id", "a double refund lowers net twice"),
        FINANCE.refers_to("order_id", "core.fct_orders.order_id", "a refund of no order lowers nobody's net"),
        FINANCE.between("amount", 0, None, reason="a refund lowers net by being positive"),
        FINANCE.no_rows(
            "refunds_equal_what_orders_lost",
            "select order_id from (select order_id, sum(amount_order_currency) as refunded from {batch}"
            " where order_id is not null group by order_id) as refunds full join core.fct_orders using (order_id)"
            " where coalesce(refunded, 0) <> coalesce(refunded_amount, 0)",
            "the refunds of an order add up to its refunded amount, exact",
        ),
        *_days(FINANCE, ctx, "refunded_on"),
        *move_as_days_do(FINANCE, ctx, _REFUNDS),
        *FINANCE.volume(ctx, relation),
    ]


def fct_sessions(ctx: GateContext, relation: str) -> list[Rule]:
    """core.fct_sessions: one row per visit."""
    return [
        *INSIGHTS.not_null(
            "session_id", "started_at", "attribution", reason="a visit has a start and a person or none"
        ),
        INSIGHTS.unique("session_id", "a double visit is double activity"),
        INSIGHTS.refers_to("customer_id", "core.dim_customers.customer_id", _ONE_CUSTOMER),
        INSIGHTS.in_set("attribution", ATTRIBUTIONS, "how the visit found its person is part of the contract"),
        INSIGHTS.never("sessions_end_after_they_start", "ended_at < started_at", "events in reversed order"),
        INSIGHTS.between("events", 1, None, reason="a visit is made of events"),
        INSIGHTS.equal(
            "no_event_is_lost_in_sessions",
            "select coalesce(sum(events), 0) from {batch}",
            "select (select count(*) from staging.stg_ga4__events"
            " where device_id is not null and occurred_at is not null)"
            " + (select count(*) from staging.canonical__web_event"
            " where device_id is not null and occurred_at is not null)",
            "every staged event of a device is in exactly one visit",
        ),
        *_days(INSIGHTS, ctx, "started_on"),
        *move_as_days_do(INSIGHTS, ctx, _SESSIONS),
        *INSIGHTS.volume(ctx, relation),
    ]


def fct_interactions(ctx: GateContext, relation: str) -> list[Rule]:
    """core.fct_interactions: one row per ticket, case or contact."""
    return [
        *SUPPORT.not_null("interaction_id", "source", reason="without it nobody can look it up"),
        SUPPORT.equal(
            "no_interaction_is_lost_after_staging",
            "select count(*) from {batch}",
            "select (select count(*) from staging.stg_zendesk__tickets)"
            " + (select count(*) from staging.stg_salesforce__case"
            " where not coalesce(is_deleted, false) and master_case_id is null)"
            " + (select count(*) from staging.stg_amazon_connect__contact_records)"
            " + (select count(*) from staging.canonical__interaction)"
            " + (select count(*) from staging.canonical__call)",
            "every staged ticket, case and contact is a fact; merged cases live on in their master",
        ),
        SUPPORT.never(
            "interactions_have_a_start",
            "opened_at is null",
            "without a start it is in no period; the vendor's export deserves a look",
            severity="warning",
            column="opened_at",
        ),
        SUPPORT.unique("interaction_id", "a double contact is double workload"),
        SUPPORT.refers_to("customer_id", "core.dim_customers.customer_id", _ONE_CUSTOMER),
        SUPPORT.never(
            "time_conflicts_are_flagged",
            "not has_time_conflict and (first_response_at < opened_at or resolved_at < opened_at"
            " or resolved_at < first_response_at)",
            "a reply before the question is a clock fault; unflagged it would lower response times",
        ),
        SUPPORT.between("first_response_minutes", 0, None, reason="conflicting times give no duration"),
        SUPPORT.between("resolution_minutes", 0, None, reason="conflicting times give no duration"),
        SUPPORT.between("csat_score", 1, 5, reason="CSAT is held on the scale 1 to 5"),
        *_days(SUPPORT, ctx, "opened_on"),
        *move_as_days_do(SUPPORT, ctx, _INTERACTIONS),
        *SUPPORT.volume(ctx, relation),
    ]


def fct_survey_responses(ctx: GateContext, relation: str) -> list[Rule]:
    """core.fct_survey_responses: one row per answer."""
    return [
        *INSIGHTS.not_null("response_id", "source", "is_valid", reason="an answer without a key votes twice"),
        INSIGHTS.equal(
            "no_answer_is_lost_after_staging",
            "select count(*) from {batch}",
            "select (select count(*) from staging.stg_delighted__responses)"
            " + (select count(*) from staging.canonical__survey_response)",
            "every staged answer is a fact, valid or not",
        ),
        INSIGHTS.never(
            "valid_answers_have_a_day", "is_valid and submitted_on is null", "an answer without a day is in no period"
        ),
        INSIGHTS.unique("response_id", "a double answer votes twice"),
        INSIGHTS.refers_to("customer_id", "core.dim_customers.customer_id", _ONE_CUSTOMER),
        INSIGHTS.in_set("kind", ["nps", "csat", "ces"], "other kinds have no defined scale"),
        INSIGHTS.never(
            "valid_scores_are_on_their_scale",
            "is_valid and (score is null or score < case kind when 'nps' then 0 else 1 end"
            " or score > case kind when 'nps' then 10 when 'csat' then 5 else 7 end)",
            "NPS 0 to 10, CSAT 1 to 5, CES 1 to 7; anything else is not an answer",
            column="score",
        ),
        *_days(INSIGHTS, ctx, "submitted_on"),
        *move_as_days_do(INSIGHTS, ctx, _ANSWERS),
        *INSIGHTS.volume(ctx, relation),
    ]


def customer_features(ctx: GateContext, relation: str) -> list[Rule]:
    """core.customer_features: one row per customer, as known at `as_of`."""
    return [
        *INSIGHTS.not_null("customer_id", "as_of", reason="a feature without a day can leak the future"),
        INSIGHTS.unique("customer_id", "one customer, one row of features"),
        INSIGHTS.refers_to("customer_id", "core.dim_customers.customer_id", _ONE_CUSTOMER),
        INSIGHTS.never(
            "features_are_of_this_day", f"as_of <> date '{ctx.as_of.isoformat()}'", "features of another day"
        ),
        INSIGHTS.never(
            "features_do_not_see_the_future",
            f"greatest(first_order_on, last_order_on, last_nps_on, last_interaction_on, last_session_on)"
            f" > date '{ctx.as_of.isoformat()}'",
            "nothing after as_of may be seen by a score",
        ),
        INSIGHTS.equal(
            "no_counted_revenue_is_lost_in_features",
            "select coalesce(sum(net_reporting), 0) from {batch}",
            "select coalesce(sum(net_reporting), 0) from core.fct_orders where is_counted and customer_id is not null",
            "what customers bought adds up to what was sold, exact",
        ),
        INSIGHTS.never("first_order_is_not_after_last", "first_order_on > last_order_on", "a history that ends first"),
        *INSIGHTS.volume(ctx, relation),
    ]


def _days(writer: Writer, ctx: GateContext, column: str) -> list[Rule]:
    first, last = ctx.limits.earliest_on.isoformat(), ctx.as_of.isoformat()
    return [
        writer.never(
            f"{column}_is_not_after_as_of",
            f"{column} > date '{last}'",
            "staging cuts event time at as_of; a later day was let through",
            column=column,
        ),
        writer.never(
            f"{column}_is_not_long_ago",
            f"{column} < date '{first}'",
            "older than any system that exports to us: a wrong unit or a default date",
            severity="warning",
            column=column,
        ),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("dim_customers", dim_customers, "one row per customer of the identity map"),
    ("dim_accounts", dim_accounts, "one row per company"),
    ("fct_orders", fct_orders, "no revenue lost, doubled or converted without a rate"),
    ("fct_refunds", fct_refunds, "refunds and orders tell the same net"),
    ("fct_sessions", fct_sessions, "every visit has one person or none"),
    ("fct_interactions", fct_interactions, "no reply before its question"),
    ("fct_survey_responses", fct_survey_responses, "every counted answer is on its scale"),
    ("customer_features", customer_features, "scores see nothing of the future"),
)
