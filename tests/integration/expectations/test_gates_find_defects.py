"""One seeded defect at a time: the gate fails and names the expectation that was meant to find it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from expectations.context import GateContext, GateLimits
from expectations.registry import GATE_NAMES, GATES
from expectations.report import RelationVerdict
from expectations.runner import run_gate

AS_OF = date(2026, 6, 30)

DEFECTS: list[tuple[str, str, str]] = [
    # What came in.
    ("raw.batches", "update raw.batches set accepted = accepted - 1 where entity = 'orders'",
     "rows_in_are_all_accounted_for"),
    ("raw.batches", "insert into raw.batches select * from raw.batches where entity = 'orders'", "batch_id_is_unique"),
    ("raw.batches", "update raw.batches set quarantined = 30, rows_in = rows_in + 29 where entity = 'orders'",
     "contracts_fit_their_files"),
    ("raw.batches", "update raw.batches set first_event_at = timestamp '2026-06-02' where entity = 'orders'",
     "first_event_is_not_after_last_event"),
    ("raw.shopify__orders", "update raw.shopify__orders set name = null where _line = 5", "name_is_present"),
    ("raw.shopify__orders", "update raw.shopify__orders set total = -1 where _line = 5", "total_is_in_range"),
    ("raw.ga4__events", "delete from raw.ga4__events where _line = 5", "rows_equal_the_accepted_rows_of_its_batches"),
    ("raw.salesforce__contact", "update raw.salesforce__contact set _batch = 'lost' where _line = 5",
     "_batch_exists_in_batches"),
    ("raw.salesforce__contact", "delete from raw.salesforce__contact", "rows_equal_the_accepted_rows_of_its_batches"),
    ("raw.zendesk__tickets", "update raw.zendesk__tickets set created_at = created_at + interval 50 year",
     "created_at_is_in_a_plausible_period"),
    ("raw.delighted__responses", "update raw.delighted__responses set created_at = timestamp '1970-01-01'",
     "created_at_is_in_a_plausible_period"),
    # Who is who.
    ("identity.customer_map", "delete from identity.customer_map where record_key = 'c5'",
     "every_source_record_is_mapped_or_unmapped"),
    ("identity.customer_map", "insert into identity.customer_map values ('shopify.customer', 'c5', 'K6', true)",
     "source_and_record_key_are_unique_together"),
    ("identity.customer_map", "insert into identity.unmapped values ('shopify.customer', 'c5', 'no identifier')",
     "no_record_is_both_mapped_and_unmapped"),
    ("identity.customer_map", "insert into identity.customer_map values ('zendesk.user', 'ghost', 'K5', true)",
     "no_record_comes_from_nowhere"),
    ("identity.customer_map", "update identity.unmapped set reason = ' ' where record_key = 'd1'",
     "every_unmapped_record_has_a_reason"),
    ("identity.customer_map", "update identity.customer_map set is_known = false where record_key = '#5'",
     "known_and_anonymous_are_not_mixed"),
    ("identity.customer_map",
     "insert into identity.source_records select 'zendesk.user', 'z' || i, 'user' from range(201) r(i);"
     "insert into identity.customer_map select 'zendesk.user', 'z' || i, 'K5', true from range(201) r(i)",
     "no_customer_swallowed_others"),
    ("identity.customer_map",
     "insert into identity.source_records select 'ga4.device', 'x' || i, 'device' from range(300) r(i);"
     "insert into identity.customer_map select 'ga4.device', 'x' || i, 'D' || i, i < 100 from range(300) r(i)",
     "stitch_rate_holds_against_last_publication"),
    ("identity.customer_map",
     "insert into state.customer_identifiers select 'L' || i, 'record', md5('L' || i) from range(101) r(i)",
     "published_ids_stay"),
    ("identity.customer_map",
     "insert into state.customer_identifiers select 'L' || i, 'record', md5('L' || i) from range(101) r(i);"
     "insert into identity.source_records select 'zendesk.user', 'z' || i, 'user' from range(101) r(i);"
     "insert into identity.customer_map select 'zendesk.user', 'z' || i, 'L' || i, true from range(101) r(i);"
     "insert into identity.identity_changes select 'split', 'M' || i, 'L' || i, 'over_limit:email', date '2026-06-30'"
     " from range(101) r(i)",
     "published_ids_stay"),
    ("identity.customer_identifiers",
     "update identity.customer_identifiers set customer_id = 'K5' where customer_id = 'K6'",
     "no_customer_is_above_an_identifier_limit"),
    ("identity.customer_identifiers",
     "update identity.customer_identifiers set customer_id = 'nobody' where customer_id = 'K6'",
     "customer_id_exists_in_customer_map"),
    ("identity.identity_links", "update identity.identity_links set confidence = 1.5 where customer_id = 'K5'",
     "confidence_is_in_range"),
    ("identity.decision_conflicts", "insert into identity.decision_conflicts values (3, 'force', 'no_match', null)",
     "what_to_do_is_present"),
    # Facts and money.
    ("core.dim_customers", "insert into core.dim_customers select * from core.dim_customers where customer_id = 'K5'",
     "customer_id_is_unique"),
    ("core.dim_customers", "delete from core.dim_customers where customer_id = 'K5'", "every_mapped_customer_is_here"),
    ("core.fct_orders", "update core.fct_orders set order_id = null where order_id = 'shopify:#5'",
     "order_id_is_present"),
    ("core.fct_orders", "insert into core.fct_orders select * from core.fct_orders where order_id = 'shopify:#5'",
     "order_id_is_unique"),
    ("core.fct_orders", "update core.fct_orders set customer_id = 'nobody' where order_id = 'shopify:#5'",
     "customer_id_exists_in_dim_customers"),
    ("core.fct_orders", "update core.fct_orders set gross_amount = gross_amount * 100", "gross_is_net_plus_refunded"),
    ("core.fct_orders",
     "update core.fct_orders set gross_amount = gross_amount * 100, refunded_amount = refunded_amount * 100,"
     " net_amount = net_amount * 100", "no_revenue_is_lost_after_staging"),
    ("core.fct_orders", "update core.fct_orders set net_reporting = net_reporting + 0.01 where order_id = 'shopify:#5'",
     "gross_is_net_plus_refunded_in_reporting_currency"),
    ("core.fct_orders", "update core.fct_orders set exchange_rate = null where order_id = 'shopify:#5'",
     "every_counted_order_has_an_exchange_rate"),
    ("core.fct_orders", "update core.fct_orders set exchange_rate = 150 where order_id = 'shopify:#5'",
     "reporting_currency_is_not_converted"),
    ("core.fct_orders", "delete from core.fct_orders where order_id = 'shopify:#5'", "no_order_is_lost_after_staging"),
    ("core.fct_orders", "update core.fct_orders set ordered_on = date '2026-07-01' where order_id = 'shopify:#5'",
     "ordered_on_is_not_after_as_of"),
    ("core.fct_orders", "update core.fct_orders set is_counted = true where is_cancelled",
     "cancelled_and_test_orders_do_not_count"),
    ("core.fct_refunds", "update core.fct_refunds set amount_order_currency = amount_order_currency + 1",
     "refunds_equal_what_orders_lost"),
    ("core.fct_refunds", "update core.fct_refunds set order_id = 'shopify:#99'", "order_id_exists_in_fct_orders"),
    ("core.fct_sessions", "update core.fct_sessions set session_id = 's5' where session_id = 's6'",
     "session_id_is_unique"),
    ("core.fct_sessions", "update core.fct_sessions set events = 2 where session_id = 's6'",
     "no_event_is_lost_in_sessions"),
    ("core.fct_sessions", "update core.fct_sessions set attribution = 'luck' where session_id = 's6'",
     "attribution_is_known"),
    ("core.fct_interactions",
     "update core.fct_interactions set first_response_at = opened_at - interval 1 hour where interaction_id like '%t5'",
     "time_conflicts_are_flagged"),
    ("core.fct_interactions", "delete from core.fct_interactions where interaction_id like '%t5'",
     "no_interaction_is_lost_after_staging"),
    ("core.fct_survey_responses", "update core.fct_survey_responses set score = 11 where response_id like '%r5'",
     "valid_scores_are_on_their_scale"),
    ("core.customer_features",
     "update core.customer_features set last_order_on = date '2026-07-01' where customer_id = 'K5'",
     "features_do_not_see_the_future"),
    # What people read.
    ("marts.customer_360", "insert into marts.customer_360 select * from marts.customer_360 where customer_id = 'K5'",
     "customer_id_is_unique"),
    ("marts.customer_360", "delete from marts.customer_360 where customer_id = 'K7'", "every_customer_is_here"),
    ("marts.customer_360", "update marts.customer_360 set churn_probability = -0.1 where customer_id = 'K5'",
     "churn_probability_is_in_range"),
    ("marts.customer_360", "update marts.customer_360 set region = 'hana@example.jp' where customer_id = 'K5'",
     "no_address_and_no_phone_number"),
    ("marts.survey_responses", "update marts.survey_responses set comment_masked = '電話は03-1234-5678です' "
     "where response_id like '%r5'", "no_address_and_no_phone_number"),
    ("marts.ltv_by_customer", "update marts.ltv_by_customer set net = net + 1 where customer_id = 'K5'",
     "net_is_gross_minus_refunds"),
    ("marts.ltv_by_customer",
     "update marts.ltv_by_customer set gross = gross + 1, net = net + 1 where customer_id = 'K5'",
     "net_equals_core"),
    ("marts.ltv_by_customer", "update marts.ltv_by_customer set currency = 'USD' where customer_id = 'K5'",
     "values_are_in_the_reporting_currency"),
    ("marts.ltv_by_customer", "update marts.ltv_by_customer set ltv_margin = 0 where customer_id = 'K5'",
     "ltv_is_the_sum_of_its_parts"),
    ("marts.ltv_by_customer", "update marts.ltv_by_customer set predicted_12m = null, predicted_margin_12m = null,"
     " ltv = net, ltv_margin = margin where customer_id = 'K5'", "a_prediction_or_a_reason"),
    ("marts.ltv_by_segment", "update marts.ltv_by_segment set ltv = ltv + 1", "every_type_has_everybody_once"),
    ("marts.customer_value_ranks", "update marts.customer_value_ranks set net_share_cumulative = 0.9",
     "a_curve_ends_with_everybody"),
    ("marts.customer_years", "update marts.customer_years set has_ordered = false where customer_id = 'K5'",
     "sleepers_have_not_ordered"),
    ("marts.customer_years", "update marts.customer_years set net = net - 1 where customer_id = 'K5'",
     "years_add_up_to_core"),
    ("marts.mrr_movements", "update marts.mrr_movements set churned = 1 where payer_id = 'K5'",
     "movements_lead_from_opening_to_closing"),
    ("marts.ltv_by_contract", "update marts.ltv_by_contract set recurring_paid = 0 where payer_id = 'K5'",
     "recurring_revenue_is_that_of_the_movements"),
    ("marts.order_fulfilment", "update marts.order_fulfilment set is_shipped = false where order_id like '%#5'",
     "in_time_is_shipped"),
    ("marts.fulfilment_by_segment", "update marts.fulfilment_by_segment set not_shipped = 1", "sent_or_not_sent"),
    ("marts.ltv_backtest", "update marts.ltv_backtest set actual_purchases = 6 where repeat_purchases = '0'",
     "groups_add_up_to_all"),
    ("marts.revenue_reconciliation", "update marts.revenue_reconciliation set net_reporting = net_reporting - 1"
     " where fate = 'counted'", "counted_net_is_that_of_the_customers"),
    ("marts.account_360", "update marts.account_360 set mrr = 1 where account_id = 'A1'",
     "recurring_revenue_is_that_of_the_contracts"),
    ("marts.account_360", "delete from marts.account_360 where account_id = 'A1'", "every_account_is_here"),
    ("marts.account_people", "update marts.account_people set first_on = date '2026-06-02'",
     "a_role_ends_after_it_began"),
    ("marts.ltv_by_cohort", "update marts.ltv_by_cohort set net_cumulative = 0 where months_since_first_order = 1",
     "cumulative_net_is_the_running_sum"),
    ("marts.nps_by_period", "update marts.nps_by_period set nps = 101", "nps_is_in_range"),
    ("marts.nps_by_period", "update marts.nps_by_period set passives = passives + 1", "parts_are_all_respondents"),
    ("marts.nps_by_period", "update marts.nps_by_period set nps = nps + 1", "nps_follows_from_its_parts"),
    ("marts.nps_by_period",
     "update marts.nps_by_period set passives = passives + 1, respondents = respondents + 1 where segment = 'Kanto'",
     "segments_add_up_to_overall"),
    ("marts.survey_scores_by_period",
     "update marts.survey_scores_by_period set respondents = 8 where segment = 'Kanto'", "segments_add_up_to_overall"),
    ("marts.kpi_history", "update marts.kpi_history set numerator = numerator + 1 where day = date '2026-06-30'",
     "the_history_ends_with_what_is_published"),
    ("marts.kpi_restatements", "update marts.kpi_restatements set effect = effect + 0.01 where cause = 'refund'",
     "causes_add_up_to_the_difference"),
    ("marts.kpi_progress", "update marts.kpi_progress set forecast_low = 13", "forecast_lies_in_its_interval"),
    ("marts.kpi_progress", "update marts.kpi_progress set status = 'at_risk'", "what_is_over_is_met_or_missed"),
    ("marts.segment_stability", "update marts.segment_stability set changed = 41", "no_more_leave_than_were_there"),
    ("marts.segment_stability", "update marts.segment_stability set customers = 3 where segment = 'all'",
     "segments_add_up_to_all"),
    ("marts.kpi_records", "insert into marts.kpi_records from marts.kpi_records limit 1",
     "record_type_and_record_key_are_unique_together"),
    ("marts.retention_cohorts", "update marts.retention_cohorts set returned = cohort_size + 1, returned_unbounded = 99"
     " where period_number = 1", "returned_and_lost_are_the_cohort"),
    ("marts.retention_cohorts", "update marts.retention_cohorts set returned = 1, lost = cohort_size - 1"
     " where period_number = 0", "everybody_is_there_in_period_zero"),
    ("marts.retention_by_segment", "update marts.retention_by_segment set lost = lost - 1 where period_number = 1",
     "returned_and_lost_are_the_cohort"),
    ("marts.retention_within_days", "insert into marts.retention_within_days from marts.retention_within_days limit 1",
     "cohort_by_and_segment_type_and_segment_and_cohort_month_and_window_days_are_unique_together"),
    ("marts.support_interactions", "update marts.support_interactions set first_response_minutes = -5"
     " where interaction_id like '%t5'", "first_response_minutes_is_in_range"),
    ("marts.support_weekly", "update marts.support_weekly set opened = opened - 1", "weeks_add_up_to_core"),
    ("marts.support_weekly", "update marts.support_weekly set closed = closed - 1", "backlog_closes"),
    ("marts.support_weekly", "update marts.support_weekly set backlog_start = 1, backlog_end = 1",
     "backlog_goes_on_where_it_ended"),
    ("marts.support_parity", "update marts.support_parity set ours = 2 where interaction_id like '%t5'",
     "equal_is_equal"),
    ("marts.support_history_quality", "update marts.support_history_quality set contacts = contacts - 1",
     "months_add_up_to_core"),
    ("marts.knowledge_gaps", "update marts.knowledge_gaps set returned = 5", "returned_were_judged"),
    ("marts.churn_risk", "update marts.churn_risk set probability = -0.01 where customer_id = 'K5'",
     "probability_is_in_range"),
    ("marts.churn_risk", "update marts.churn_risk set probability = null where customer_id = 'K5'",
     "scored_customers_have_a_probability"),
    ("marts.churn_risk_daily", "update marts.churn_risk_daily set at_risk = scored + 1", "at_risk_are_scored"),
    ("marts.kpi_daily", "insert into marts.kpi_daily select * from marts.kpi_daily limit 1",
     "kpi_and_segment_type_and_segment_and_day_are_unique_together"),
    ("marts.kpi_daily", "update marts.kpi_daily set value = 'nan'::double where day = date '2026-06-30'",
     "values_are_numbers"),
    ("marts.kpi_daily", "delete from marts.kpi_daily where day > date '2026-06-28'", "days_reach_as_of"),
    ("marts.kpi_progress", "update marts.kpi_progress set forecast_high = 'inf'::double", "values_are_numbers"),
    ("marts.customer_360", "update marts.customer_360 set ltv = null", "known_customers_have_a_value"),
    ("marts.survey_responses", "update marts.survey_responses set score = null",
     "answers_say_what_they_said_and_whose_they_are"),
    ("marts.survey_responses", "update marts.survey_responses set customer_id = null where response_id like '%r5'",
     "answers_say_what_they_said_and_whose_they_are"),
    ("marts.churn_risk_daily", "update marts.churn_risk_daily set share = null", "who_was_scored_has_a_share"),
    ("marts.kpi_daily", "update marts.kpi_daily set value = null", "values_are_there"),
    ("marts.kpi_daily", "update marts.kpi_daily set numerator = null", "values_are_there"),
    ("marts.kpi_daily", "delete from marts.kpi_daily; insert into core.fct_orders select * replace ('N' as order_id,"
     " date '2026-06-30' as ordered_on) from core.fct_orders where is_counted limit 1", "days_reach_as_of"),
    *((f"marts.{name}", f"delete from marts.{name}", "is_not_empty") for name in (
        "churn_risk_daily", "customer_value_ranks", "data_state", "fulfilment_by_segment", "identity_audit",
        "knowledge_gaps", "kpi_definitions", "ltv_by_segment", "nps_by_period", "retention_by_segment",
        "retention_within_days", "segment_stability", "support_parity")),
    ("marts.survey_scores_by_period", "delete from marts.survey_scores_by_period; insert into core.fct_survey_responses"
     " select * replace ('C' as response_id, 'csat' as kind) from core.fct_survey_responses limit 1", "is_not_empty"),
    ("marts.kpi_daily", "update marts.kpi_daily set numerator = 100 * numerator where day = date '2026-06-30'",
     "new_days_are_no_other_unit"),
    ("marts.ltv_by_customer", "update marts.ltv_by_customer set predicted_12m = -5, predicted_low = 0, ltv = net - 5"
     " where customer_id = 'K5'", "predicted_12m_is_in_range"),
    ("marts.kpi_definitions", "update marts.kpi_definitions set name_ja = null", "name_ja_is_present"),
    ("marts.churn_drivers_daily", "update marts.churn_drivers_daily set customers = 1000000",
     "drivers_belong_to_customers_at_risk"),
    ("marts.data_state", "update marts.data_state set accepted = accepted + 1", "rows_in_are_all_accounted_for"),
    ("marts.customer_identifiers", "update marts.customer_identifiers set identifier_hash = '+819012345678'"
     " where customer_id = 'K5'", "identifiers_are_hashes"),
    ("marts.identity_changes", "update marts.identity_changes set change = 'moved' where customer_id = 'K5'",
     "change_is_known"),
    ("marts.identity_bands", "update marts.identity_bands set value = value + 1 where ruleset = 'strict'",
     "values_lie_in_their_band"),
    ("marts.identity_bands", "update marts.identity_bands set value = value + 1, high = high + 1 where kpi ="
     " 'known_customers'", "known_customers_are_those_published"),
    ("marts.identity_bands", "update marts.identity_bands set value = value + 1, high = high + 1 where kpi ="
     " 'customers_with_orders'", "buyers_are_those_published"),
    ("marts.identity_bands", "update marts.identity_bands set numerator = numerator + 1",
     "net_revenue_is_that_of_the_core"),
    ("marts.customer_attributes", "insert into marts.customer_attributes values ('K5', 'first_name', 'someone',"
     " 'shopify.customer', md5('x'))", "names_are_withheld"),
    ("marts.customer_attributes", "update marts.customer_attributes set record_key_hash = 'c5'", "records_are_hashes"),
    ("marts.customer_attributes", "update marts.customer_attributes set value = 'Kansai' where customer_id = 'K5'",
     "regions_are_those_of_the_customers"),
]  # fmt: skip


def judge(path: Path, relation: str, context: GateContext) -> RelationVerdict:
    row = next(row for row in GATES if row.relation == relation)
    return run_gate(row.gate, path, context=context, rows=[row]).verdicts[0]


@pytest.mark.parametrize(("relation", "sql", "expected"), DEFECTS, ids=[f"{d[0]}-{d[2]}" for d in DEFECTS])
def test_a_seeded_defect_fails_its_expectation(
    harmed: Callable[[str], Path], context: GateContext, relation: str, sql: str, expected: str
) -> None:
    verdict = judge(harmed(sql), relation, context)
    assert verdict.outcome == "failed", verdict.summary
    assert expected in {result.name for result in verdict.failed}, verdict.summary
    assert verdict.problems == ()


HUNDRED_IDS_LOST = "insert into state.customer_identifiers select 'L' || i, 'record', md5('L' || i) from range({}) r(i)"
TOLD_BEFORE = "insert into state.identity_changes select * from identity.identity_changes"


@pytest.mark.parametrize(
    ("sql", "limits"),
    [
        (HUNDRED_IDS_LOST.format(100), {}),  # below the count
        (HUNDRED_IDS_LOST.format(101), {"max_id_churn": 0.8}),  # 101 of 141
        ("delete from state.customer_identifiers; delete from state.identity_audit;"
         "update identity.identity_changes set change = 'merged', other_customer_id = 'L' || customer_id", {}),
        ("update identity.identity_changes set change = 'split', other_customer_id = 'K1';" + TOLD_BEFORE,
         {"min_id_churn": 0}),
        ("insert into identity.source_records select 'ga4.device', 'x' || i, 'device' from range(189) r(i);"
         "insert into identity.customer_map select 'ga4.device', 'x' || i, 'D' || i, true from range(189) r(i)", {}),
    ],
    ids=["few ids", "a share that is allowed", "a first build", "changes of an earlier build", "few devices"],
)  # fmt: skip
def test_a_day_like_others_passes_the_identity_gate(
    harmed: Callable[[str], Path], sql: str, limits: dict[str, float]
) -> None:
    context = GateContext(as_of=AS_OF, timezone="Asia/Tokyo", currency="JPY", limits=GateLimits(**limits))  # type: ignore[arg-type]
    verdict = judge(harmed(sql), "identity.customer_map", context)
    assert verdict.outcome == "passed", verdict.summary


def test_a_day_before_the_published_one_is_built_again(harmed: Callable[[str], Path]) -> None:
    """Ids of customers who came later are not lost, they are not there yet."""
    path = harmed(HUNDRED_IDS_LOST.format(101))
    for published, failed in ((date(2026, 7, 1), []), (AS_OF, ["published_ids_stay"])):
        context = GateContext(as_of=AS_OF, timezone="Asia/Tokyo", currency="JPY", previous_as_of=published)
        assert [result.name for result in judge(path, "identity.customer_map", context).failed] == failed


def test_a_stitch_rate_out_of_its_bounds_fails(harmed: Callable[[str], Path]) -> None:
    devices = (
        "insert into identity.source_records select 'ga4.device', 'x' || i, 'device' from range(200) r(i);"
        "insert into identity.customer_map select 'ga4.device', 'x' || i, 'D' || i, i < 20 from range(200) r(i)"
    )
    for limits, expected in (
        (GateLimits(), []),
        (GateLimits(stitch_rate_low=0.2), ["stitch_rate_is_within_its_bounds"]),
        (GateLimits(stitch_rate_high=0.05), ["stitch_rate_is_within_its_bounds"]),
    ):
        context = GateContext(as_of=AS_OF, timezone="Asia/Tokyo", currency="JPY", limits=limits)
        verdict = judge(harmed(devices), "identity.customer_map", context)
        assert [result.name for result in verdict.failed] == expected


def test_every_relation_has_a_seeded_defect() -> None:
    """Where one suite stands for many relations (raw) a few are enough; every other suite is broken at least once."""
    broken = {relation for relation, _, _ in DEFECTS}
    harmless = {"core.dim_accounts", "marts.identity_links"}  # not_null and unique only
    assert {row.relation for row in GATES if row.gate != "raw"} - broken == harmless


@pytest.mark.parametrize("gate", GATE_NAMES)
def test_the_unharmed_company_passes_without_a_warning(unharmed: Path, context: GateContext, gate: str) -> None:
    report = run_gate(gate, unharmed, context=context)  # type: ignore[arg-type]
    assert report.outcome == "passed", [v.summary for v in report.verdicts if v.outcome != "passed"]
    assert [v.relation for v in report.verdicts if v.warnings] == []
    assert all(v.evaluated > 0 for v in report.verdicts)


@pytest.mark.parametrize("gate", GATE_NAMES)
def test_an_empty_company_passes(empty_company: Path, context: GateContext, gate: str) -> None:
    report = run_gate(gate, empty_company, context=context)  # type: ignore[arg-type]
    assert report.outcome == "passed", [v.summary for v in report.verdicts if v.outcome != "passed"]


@pytest.mark.parametrize(
    ("relation", "sql", "warning"),
    [
        ("raw.batches", "update raw.batches set quarantined = 5, rows_in = rows_in + 44, accepted = accepted + 40"
         " where entity = 'orders'", "few_rows_are_quarantined"),
        ("core.fct_orders", "update core.fct_orders set customer_id = null where order_id = 'shopify:#5'",
         "counted_orders_have_a_customer"),
        ("core.fct_refunds", "update core.fct_refunds set order_id = null; update core.fct_orders set"
         " refunded_amount = 0, net_amount = gross_amount", "refunds_have_an_order"),
    ],
)  # fmt: skip
def test_a_warning_passes_and_is_reported(
    harmed: Callable[[str], Path], context: GateContext, relation: str, sql: str, warning: str
) -> None:
    verdict = judge(harmed(sql), relation, context)
    assert verdict.outcome == "passed", verdict.summary
    assert warning in {result.name for result in verdict.warnings}


@pytest.mark.parametrize(("relation", "outcome"), [("marts.customer_360", "failed"), ("marts.ltv_by_cohort", "passed")])
def test_half_the_volume_of_the_last_publication_stops_records_and_warns_of_summaries(
    unharmed: Path, relation: str, outcome: str
) -> None:
    before = GateContext(as_of=AS_OF, currency="JPY", previous_rows={relation: 100})
    verdict = judge(unharmed, relation, before)
    assert verdict.outcome == outcome, verdict.summary
    found = verdict.failed if outcome == "failed" else verdict.warnings
    assert [result.name for result in found] == ["rows_hold_against_last_publication"]


def test_a_past_day_is_rebuilt_from_files_that_came_later(unharmed: Path) -> None:
    """Raw holds events after as_of then; loading them later than as_of explains it."""
    past = GateContext(as_of=date(2026, 1, 10), timezone="Asia/Tokyo", currency="JPY")
    assert judge(unharmed, "raw.shopify__orders", past).outcome == "passed"


@pytest.mark.parametrize(
    "harmless",
    [
        "8c5f2a10-0123-4567-8901-1234567890ab",  # UUID with a digit group that starts with 0
        "2026-06-30 10:00:00",
        "t***@e***.jp",
        "C-1a2b3c",
        "[email] [number]",
    ],
)
def test_pseudonyms_dates_and_masks_are_no_personal_data(
    harmed: Callable[[str], Path], context: GateContext, harmless: str
) -> None:
    path = harmed(f"update marts.customer_360 set region = '{harmless}' where customer_id = 'K5'")
    assert judge(path, "marts.customer_360", context).outcome == "passed"
