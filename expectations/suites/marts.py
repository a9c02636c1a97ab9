"""Marts gate: may this be shown to people?

The marts are the public interface, so the questions are those of their readers: do parts add up, do two tables agree,
is a probability one, and does nothing identify a person.
"""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Severity, Suite, Writer
from expectations.suites import history, movement, presence

FINANCE = Writer(owner="finance")
SUPPORT = Writer(owner="support")
INSIGHTS = Writer(owner="insights")
CRM = Writer(owner="crm")
PLATFORM = Writer(owner="data-platform")

_MAIL = "[A-Za-z0-9._%+-]+[@＠][A-Za-z0-9-]+[.][A-Za-z]+"
#: Japanese numbers with dashes or country code. Neighbours exclude UUIDs and hashes, which hold digit groups too.
_PHONE = (
    "(^|[^0-9A-Za-z-])(0[0-9][0-9]?[0-9]?-[0-9][0-9][0-9]?[0-9]?-[0-9][0-9][0-9][0-9]|[+]81[0-9-]+)($|[^0-9A-Za-z-])"
)
_BANDS = ("high", "medium", "low", "lapsed", "ending", "not_scored", "withheld")
#: Marts with a row for each thing that happened or exists: half of them gone is a loss. Others are cut as settings say.
_RECORDS = frozenset(
    {
        "customer_360", "ltv_by_customer", "churn_risk", "survey_responses", "support_interactions",
        "customer_identifiers", "identity_links", "identity_changes", "customer_attributes", "kpi_records",
        "kpi_history", "kpi_restatements", "order_fulfilment", "account_360", "account_people",
    }
)  # fmt: skip
_COUNTED = "core.fct_orders where is_counted and customer_id is not null"
_SAME_NET = "two tables that disagree on revenue are worse than none"


def _common(writer: Writer, ctx: GateContext, relation: str) -> list[Rule]:
    """What holds for every mart: nothing identifies a person, numbers are numbers, and it did not shrink by half."""
    name = relation.split(".", 1)[1]
    severity: Severity = "error" if name in _RECORDS else "warning"
    whole = [presence.numbers(writer), *presence.not_empty(writer, name)]
    return [_no_personal_data(writer), *whole, *writer.volume(ctx, relation, severity)]


def _no_personal_data(writer: Writer) -> Rule:
    # Every text at once. Numbers and days hold neither, and to write them out takes four times as long as to look.
    return writer.no_rows(
        "no_address_and_no_phone_number",
        f"select 1 from {{batch}} where regexp_matches(concat_ws(' ', {{texts}}), '{_MAIL}|{_PHONE}')",
        "marts hold personal data only as masked text or keyed pseudonyms",
    )


def customer_360(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.customer_360: one row per customer."""
    return [
        *CRM.not_null("customer_id", "is_known", reason="the key of everything"),
        CRM.unique("customer_id", "a customer listed twice is counted twice by every reader"),
        CRM.equal(
            "every_customer_is_here",
            "select count(*) from {batch}",
            "select count(*) from core.dim_customers",
            "a join that drops or doubles customers changes every KPI",
        ),
        CRM.refers_to("customer_id", "core.dim_customers.customer_id", "a customer that the core does not know"),
        CRM.never(
            "known_customers_have_a_value",
            "is_known and (ltv is null or margin is null)",
            "who has bought nothing is worth nothing, which is a number",
            column="ltv",
        ),
        FINANCE.equal(
            "net_revenue_equals_core",
            "select coalesce(sum(net_revenue), 0) from {batch}",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED}",
            _SAME_NET,
        ),
        INSIGHTS.between("churn_probability", 0, 1, reason="a probability"),
        SUPPORT.between("open_tickets", 0, None, reason="a count"),
        INSIGHTS.between("nps", 0, 10, reason="the last answer on the scale 0 to 10"),
        *history.same_mix(INSIGHTS, ctx, "lifecycle_segment", "value_tier"),
        *_common(CRM, ctx, relation),
    ]


def nps_by_period(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.nps_by_period: one row per period, segment and kind of survey."""
    return [
        *INSIGHTS.not_null(
            "period", "promoters", "passives", "detractors", "respondents", reason="NPS is made of these"
        ),
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
        INSIGHTS.never(
            "parts_are_all_respondents",
            "promoters + passives + detractors <> respondents",
            "promoters, passives and detractors are everybody who answered",
        ),
        INSIGHTS.between("nps", -100, 100, reason="100 x (promoters - detractors) / respondents"),
        INSIGHTS.never(
            "nps_follows_from_its_parts",
            "respondents > 0 and abs(nps - 100.0 * (promoters - detractors) / respondents) > 0.01",
            "the definition, to the rounding of the published value",
            column="nps",
        ),
        INSIGHTS.never(
            "nps_lies_in_its_interval",
            "nps < ci_low - 0.01 or nps > ci_high + 0.01",
            "an interval holds its estimate, to the rounding of the published values",
            column="nps",
        ),
        INSIGHTS.between("response_rate", 0, 1, reason="more answers than questions"),
        *_common(INSIGHTS, ctx, relation),
    ]


def survey_responses(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.survey_responses: one row per answer."""
    return [
        *INSIGHTS.not_null("response_id", "kind", reason="an answer has a key and a kind"),
        INSIGHTS.unique("response_id", "a double answer votes twice"),
        INSIGHTS.refers_to("response_id", "core.fct_survey_responses.response_id", "an answer that nobody gave"),
        INSIGHTS.equal(
            "every_answer_is_here",
            "select count(*) from {batch}",
            "select count(*) from core.fct_survey_responses",
            "an answer lost between core and mart is a voice nobody hears",
        ),
        INSIGHTS.equal(
            "answers_say_what_they_said_and_whose_they_are",
            "select concat_ws(' ', count(score), count(customer_id)) from {batch}",
            "select concat_ws(' ', count(score), count(customer_id)) from core.fct_survey_responses",
            "an answer without its score or its customer is counted nowhere",
        ),
        *_common(INSIGHTS, ctx, relation),
    ]


def churn_risk(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.churn_risk: one row per customer and kind of risk at `as_of`."""
    return [
        *INSIGHTS.not_null("customer_id", "as_of", "band", reason="a score of nobody or of no day"),
        INSIGHTS.unique_together("customer_id", "kind", reason="one customer, one score of a kind"),
        INSIGHTS.refers_to("customer_id", "core.dim_customers.customer_id", "a score of nobody"),
        INSIGHTS.between("probability", 0, 1, reason="a probability"),
        INSIGHTS.in_set("band", _BANDS, "bands are part of the contract"),
        INSIGHTS.never(
            "scored_customers_have_a_probability",
            "(band in ('high', 'medium', 'low')) <> (probability is not null)",
            "a band without a probability, or a probability that was withheld",
            column="probability",
        ),
        INSIGHTS.between("value_at_risk", 0, None, reason="probability x expected value"),
        INSIGHTS.never("scores_are_of_this_day", f"as_of <> date '{ctx.as_of.isoformat()}'", "scores of another day"),
        *_common(INSIGHTS, ctx, relation),
    ]


def churn_risk_daily(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.churn_risk_daily: one row per segment and day."""
    return [
        *INSIGHTS.not_null("segment_type", "segment", "day", "scored", "at_risk", reason="a share is made of these"),
        INSIGHTS.unique_together("segment_type", "segment", "day", reason="two values for one day raise two alerts"),
        INSIGHTS.never("at_risk_are_scored", "at_risk > scored or at_risk < 0", "only who was scored can be at risk"),
        INSIGHTS.between("share", 0, 1, reason="a share"),
        INSIGHTS.never(
            "who_was_scored_has_a_share",
            "scored > 0 and share is null",
            "no spike can be told of a share that is not there",
            column="share",
        ),
        INSIGHTS.never("days_are_not_after_as_of", f"day > date '{ctx.as_of.isoformat()}'", "a day that was not yet"),
        *_common(INSIGHTS, ctx, relation),
    ]


def churn_drivers_daily(_ctx: GateContext, _relation: str) -> list[Rule]:
    """marts.churn_drivers_daily: one row per segment, day and driver."""
    return [
        *INSIGHTS.not_null("segment_type", "segment", "day", "driver", reason="its coordinates"),
        INSIGHTS.unique_together("segment_type", "segment", "day", "driver", reason="two counts of one driver"),
        INSIGHTS.between("customers", 0, None, reason="a count"),
        INSIGHTS.no_rows(
            "drivers_belong_to_customers_at_risk",
            "select 1 from {batch} as drivers left join ("
            "select 'region' as segment_type, coalesce(region, 'unknown') as segment, count(*) as high"
            " from marts.churn_risk where band = 'high' and kind = 'non_contractual' group by all"
            " union all select 'overall', 'all', count(*) from marts.churn_risk"
            " where band = 'high' and kind = 'non_contractual'"
            ") as risk using (segment_type, segment)"
            " where drivers.segment_type in ('region', 'overall')"
            " and drivers.day = drivers.as_of and drivers.customers > coalesce(risk.high, 0)",
            "a driver is carried by customers at high risk of that segment and day",
        ),
        # Only the days since the last build: their number says nothing about lost rows.
        _no_personal_data(INSIGHTS),
    ]


def kpi_definitions(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.kpi_definitions: one row per KPI."""
    return [
        *INSIGHTS.not_null("kpi", "name_en", "name_ja", reason="a number without a name"),
        INSIGHTS.unique("kpi", "two definitions of one number"),
        *_common(INSIGHTS, ctx, relation),
    ]


def kpi_daily(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.kpi_daily: one row per KPI, segment and day."""
    return [
        *INSIGHTS.not_null("kpi", "segment_type", "segment", "day", "as_of", "is_complete", reason="its coordinates"),
        INSIGHTS.unique_together("kpi", "segment_type", "segment", "day", reason="two values for one KPI and day"),
        INSIGHTS.never("days_are_not_after_as_of", f"day > date '{ctx.as_of.isoformat()}'", "a day that was not yet"),
        INSIGHTS.refers_to("kpi", "marts.kpi_definitions.kpi", "a number that nobody defined"),
        INSIGHTS.never(
            "values_are_there",
            "(value is null and denominator is distinct from 0) or (numerator is null and denominator is null)",
            "a sum is its numerator, and a ratio exists as soon as there is something to divide by",
            column="value",
        ),
        INSIGHTS.no_rows(
            "days_reach_as_of",
            f"select max(day) from {{batch}} having max(day) < date '{ctx.as_of.isoformat()}' or (max(day) is null and"
            f" exists (from {_COUNTED} and ordered_on > date '{ctx.as_of.isoformat()}' - 30))",
            "numbers of a day that are not there yet are no numbers of that day",
            column="day",
        ),
        *history.kpi_movement(INSIGHTS, ctx),
        *movement.ratios_move_as_days_do(INSIGHTS, ctx),
        *_common(INSIGHTS, ctx, relation),
    ]


def data_state(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.data_state: one row per source and entity."""
    return [
        *PLATFORM.not_null("source", "entity", reason="its coordinates"),
        PLATFORM.unique_together("source", "entity", reason="two states of one source"),
        PLATFORM.never(
            "rows_in_are_all_accounted_for",
            "rows_in is distinct from accepted + quarantined + duplicates",
            "every row has one fate, in what people read too",
        ),
        *_common(PLATFORM, ctx, relation),
    ]


def customer_identifiers(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.customer_identifiers: one row per customer, source and identifier."""
    return [
        *CRM.not_null("customer_id", "identifier_type", "identifier_hash", reason="its key"),
        CRM.never(
            "identifiers_are_hashes",
            "not regexp_full_match(identifier_hash, '[0-9a-f]+') or length(identifier_hash) <> 32",
            "only the keyed hash is published, 32 hexadecimal digits",
            column="identifier_hash",
        ),
        *_common(CRM, ctx, relation),
    ]


def identity_links(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.identity_links: one row per link."""
    return [
        *CRM.not_null("customer_id", "rule", reason="every link explains itself"),
        CRM.between("confidence", 0, 1, reason="a confidence is a share"),
        *_common(CRM, ctx, relation),
    ]


def identity_changes(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.identity_changes: one row per customer created, merged, split or retired."""
    return [
        *CRM.not_null("change", "customer_id", reason="what happened to whom"),
        CRM.in_set("change", ["created", "merged", "split", "retired"], "changes are part of the contract"),
        *_common(CRM, ctx, relation),
    ]


def identity_audit(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.identity_audit: one row per metric."""
    return [*CRM.not_null("metric", "detail", "value", reason="a value of nothing"), *_common(CRM, ctx, relation)]


def identity_bands(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.identity_bands: one row per KPI and set of rules."""
    usual = "from {batch} where ruleset = 'default' and kpi ="
    return [
        *CRM.not_null("kpi", "ruleset", "as_of", reason="its coordinates"),
        CRM.unique_together("kpi", "ruleset", reason="two values of one KPI under one set of rules"),
        CRM.in_set("ruleset", ["strict", "default", "loose"], "the sets of rules are part of the contract"),
        CRM.never("values_lie_in_their_band", "value not between low and high", "a band without its own value"),
        CRM.equal(
            "known_customers_are_those_published",
            f"select coalesce(max(value), 0) {usual} 'known_customers'",
            "select count(*) from marts.customer_360 where is_known",
            "under the usual rules the band holds the published number, or it is a band of something else",
        ),
        CRM.equal(
            "buyers_are_those_published",
            f"select coalesce(max(value), 0) {usual} 'customers_with_orders'",
            f"select count(distinct customer_id) from {_COUNTED}",
            "under the usual rules the band holds the published number, or it is a band of something else",
        ),
        CRM.equal(
            "net_revenue_is_that_of_the_core",
            f"select coalesce(max(numerator), 0) {usual} 'net_revenue_per_customer'",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED}",
            _SAME_NET,
        ),
        *_common(CRM, ctx, relation),
    ]


def customer_attributes(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.customer_attributes: one row per customer and attribute."""
    return [
        *CRM.not_null("customer_id", "attribute", "source", reason="its coordinates, and whose word it is"),
        CRM.unique_together("customer_id", "attribute", reason="two golden values of one attribute"),
        CRM.refers_to("customer_id", "core.dim_customers.customer_id", "an attribute of nobody"),
        CRM.never(
            "names_are_withheld",
            "attribute not in ('region', 'postal_prefix', 'country', 'age_band', 'account_id', 'email_consent')"
            " and value is not null",
            "what names a person stays in the build; whoever adds an attribute decides here what it is",
            column="value",
        ),
        CRM.never(
            "records_are_hashes",
            "not regexp_full_match(coalesce(record_key_hash, ''), '[0-9a-f]+') or length(record_key_hash) <> 32",
            "only the keyed hash is published, 32 hexadecimal digits",
            column="record_key_hash",
        ),
        CRM.no_rows(
            "regions_are_those_of_the_customers",
            "select 1 from {batch} as golden join marts.customer_360 as shown using (customer_id)"
            " where golden.attribute = 'region' and golden.value is distinct from shown.region",
            "two tables that disagree on where somebody lives",
        ),
        *_common(CRM, ctx, relation),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("customer_360", customer_360, "one row per customer, and it agrees with the core"),
    ("nps_by_period", nps_by_period, "promoters, passives and detractors are all respondents"),
    ("survey_responses", survey_responses, "answers without personal data"),
    ("churn_risk", churn_risk, "probabilities are probabilities"),
    ("churn_risk_daily", churn_risk_daily, "what alerts are computed from"),
    ("churn_drivers_daily", churn_drivers_daily, "the reasons that alerts give"),
    ("kpi_definitions", kpi_definitions, "every number has one definition"),
    ("kpi_daily", kpi_daily, "one value per KPI, segment and day"),
    ("data_state", data_state, "what people are told about completeness is true"),
    ("customer_identifiers", customer_identifiers, "only hashes are published"),
    ("identity_links", identity_links, "every link explains itself"),
    ("identity_changes", identity_changes, "changes of customers are of a known kind"),
    ("identity_audit", identity_audit, "the audit names its metrics"),
    ("identity_bands", identity_bands, "a band holds the number that is published"),
    ("customer_attributes", customer_attributes, "who said what, without naming anybody"),
)
