"""A company of one's own: made by `kizuna init`, fed with what it has, run without anything to delete or to code."""

from __future__ import annotations

import csv
import io
import shutil
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import worked_cases

from ingestion.demo import deliver_day2, generate

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples" / "contracts"
SECRET = {"KIZUNA_PSEUDONYM_KEY": "own-company-" + "k" * 40}

#: Acme pays 100, then 150 a month, pauses, comes back with a year for 1,200; Bolt pays 50 and leaves; somebody tries.
SUBSCRIPTIONS = """Subscription,Company,Customer,Plan,Currency,Amount,Interval,Started,Ended,Changed
s1,acme,u1,team,USD,100,monthly,2023-01-10T00:00:00,,2023-01-10T00:00:00
s1,acme,u1,team,USD,150,monthly,2023-01-10T00:00:00,,2023-03-05T00:00:00
s1,acme,u1,team,USD,150,monthly,2023-01-10T00:00:00,2023-04-20T00:00:00,2023-04-20T00:00:00
s2,acme,u1,team,USD,1200,yearly,2023-06-02T00:00:00,,2023-06-02T00:00:00
s3,bolt,u2,solo,USD,50,monthly,2023-02-01T12:00:00,2023-05-15T00:00:00,2023-05-15T00:00:00
s4,,u3,solo,USD,20,monthly,2023-05-20T00:00:00,,2023-05-20T00:00:00
"""

STRIPE = (
    "id,Customer ID,Customer Email,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),"
    "Start Date (UTC),Trial End (UTC),Canceled At (UTC),Ended At (UTC),Tax Percent\n"
    "sub_1,cus_1,kim@example.com,duo,2,usd,month,{},2023-02-01 10:15,{},2023-02-01 10:15,2023-02-15 10:15,{},\n"
)
#: Stripe's export of March, May and June: two pieces for 30 after a trial, for 40 from April on, then the end.
STRIPE_EXPORTS = {
    "subscriptions-03.csv": ("30.00,active", "2023-02-01 10:15", ","),
    "subscriptions-05.csv": ("40.00,active", "2023-04-03 08:00", ","),
    "subscriptions-06.csv": ("40.00,canceled", "2023-04-03 08:00", "2023-06-02 09:00,2023-06-10 09:00"),
}


@pytest.fixture(scope="module")
def make_company(cli: Any, tmp_path_factory: pytest.TempPathFactory, open_home: Any) -> Any:
    """`kizuna init` in a fresh folder; `run` builds it as of a day."""

    def make(name: str, *options: str) -> Any:
        home = tmp_path_factory.mktemp(name) / "home"
        cli("init", home, "--name", name, *options)
        return open_home(home)

    return make


@pytest.fixture(scope="module")
def mapped(make_company: Any, cli: Any, test_data: Path) -> Any:
    """Orders of CDNOW and tickets of a help desk, joined by the two example contracts and nothing else."""
    company = make_company("records", "--timezone", "America/New_York", "--currency", "USD", "--country", "US")
    for contract in EXAMPLES.glob("*.yml"):
        shutil.copy(contract, company.path / "contracts")
    for source, file in {
        "cdnow": test_data / "cdnow" / "CDNOW_sample.txt",
        "support_desk": test_data / "support_tickets" / "customer_support_tickets.csv",
        "superstore": test_data / "prepbench" / "case_160" / "inputs" / "input_01.csv",
        "sales_list": test_data / "prepbench" / "case_164" / "inputs" / "input_01.csv",
        "order_steps": test_data / "prepbench" / "case_031" / "inputs" / "input_01.csv",
    }.items():
        folder = company.path / "landing" / source
        folder.mkdir()
        shutil.copy(file, folder)
    for name, survey in {
        "event_survey": (test_data / "prepbench" / "case_040" / "inputs" / "input_02.csv").read_text(encoding="utf-8"),
        "store_survey": answers_in_rows(test_data / "prepbench" / "case_050" / "inputs" / "input_01.csv"),
    }.items():
        (company.path / "landing" / name).mkdir()
        (company.path / "landing" / name / "answers.csv").write_text(survey, encoding="utf-8")
    (company.path / "landing" / "billing").mkdir()
    (company.path / "landing" / "billing" / "subscriptions.csv").write_text(SUBSCRIPTIONS, encoding="utf-8")
    (company.path / "landing" / "stripe_billing").mkdir()
    for export, said in STRIPE_EXPORTS.items():
        (company.path / "landing" / "stripe_billing" / export).write_text(STRIPE.format(*said), encoding="utf-8")
    # Pages of Zendesk's own interface: a ticket, its rating, and the metrics of another ticket.
    native = test_data / "zendesk_api"
    for page, name in {
        "tickets_incremental.json": "tickets_incremental.json",
        "satisfaction_ratings.json": "satisfaction_ratings.json",
        "ticket_metrics.json": "ticket_metric_145.json",
    }.items():
        shutil.copy(native / page, company.path / "landing" / "zendesk" / name)
    return company, cli.forked("run", "--home", company.path, "--as-of", "2023-06-30", env=SECRET)


def answers_in_rows(file: Path) -> str:
    """A survey with one line per question as CSV with one line per answer: a mapping does not turn rows into columns.

    Nothing is cleaned here: day and time stand side by side as they were typed, store and name make a customer.
    """
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    with file.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            answers[row["Response"]].update({**row, row["Question Number"]: row["Answer"]})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Response", "Country", "Store", "Customer", "Completed", "Score", "Reason"])
    for one in answers.values():
        customer, reason = f"{one['Store']}/{one['Name']}", one["3a"] or one["3b"]
        typed = (one["Response"], one["Country"], one["Store"], customer, f"{one['1']} {one['2']}", one["3"], reason)
        writer.writerow(typed)
    return out.getvalue()


@pytest.fixture(scope="module")
def purchases(test_data: Path) -> dict[str, list[Decimal]]:
    """CDNOW's file read by hand: amounts by customer."""
    found: dict[str, list[Decimal]] = defaultdict(list)
    for line in (test_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        customer, _, _, _, dollars = line.split()
        found[customer].append(Decimal(dollars))
    return found


@pytest.fixture(scope="module")
def tickets(test_data: Path) -> list[dict[str, str]]:
    """The help desk's file read by hand."""
    path = test_data / "support_tickets" / "customer_support_tickets.csv"
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_cdnow_customers_and_money_equal_the_file(mapped: Any, purchases: dict[str, list[Decimal]]) -> None:
    company, _ = mapped
    buyers = company.published(
        "SELECT count(*), sum(orders), sum(net) FROM marts.ltv_by_customer "
        "WHERE orders > 0 AND first_channel = 'unknown'"
    )
    amounts = [amount for one in purchases.values() for amount in one]
    assert buyers == [(2357, len(amounts), sum(amounts))] == [(len(purchases), 6919, sum(amounts))]


def test_cdnow_is_right_customer_by_customer(mapped: Any, purchases: dict[str, list[Decimal]]) -> None:
    company, _ = mapped
    by_key = dict(
        company.build("SELECT record_key, customer_id FROM identity.customer_map WHERE source LIKE 'mapped.cdnow%'")
    )
    found = {
        customer: (orders, net, first)
        for customer, orders, net, first in company.published(
            "SELECT customer_id, orders, net, first_order_on FROM marts.ltv_by_customer "
            "WHERE orders > 0 AND first_channel = 'unknown'"
        )
    }
    assert {by_key[key] for key in purchases} == found.keys()
    wrong = [key for key, amounts in purchases.items() if found[by_key[key]][:2] != (len(amounts), sum(amounts))]
    assert wrong == []
    assert min(first for _, _, first in found.values()) == date(1997, 1, 1)


def test_tickets_and_their_satisfaction_equal_the_file(mapped: Any, tickets: list[dict[str, str]]) -> None:
    company, _ = mapped
    scores = [int(float(row["Customer Satisfaction Rating"])) for row in tickets if row["Customer Satisfaction Rating"]]
    desk = "marts.support_interactions WHERE source = 'support_desk'"
    found = company.published(f"SELECT count(*), count(csat), sum(csat) FROM {desk}")
    assert found == [(8469, len(scores), sum(scores))] == [(len(tickets), 2769, sum(scores))]
    ((average,),) = company.published(f"SELECT avg(csat) FROM {desk}")
    assert average == pytest.approx(sum(scores) / len(scores))


def test_every_figure_of_zendesk_s_own_metrics_is_compared_and_no_difference_is_without_a_reason(mapped: Any) -> None:
    """The page's ticket came without metrics and with a rating, the metrics are of a ticket that did not come."""
    company, _ = mapped
    reasons = company.published(
        "SELECT interaction_id, reason, count(*), sum(vendor) FROM marts.support_parity GROUP BY ALL ORDER BY ALL"
    )
    assert reasons == [
        ("zendesk:145", "ticket_not_exported", 5, 0),
        ("zendesk:35436", "neither_knows", 7, None),
        ("zendesk:35436", "vendor_has_none", 2, None),
    ]
    ticket = "SELECT csat, is_open, sla_priority, is_sla_met FROM marts.support_interactions WHERE source = 'zendesk'"
    assert company.published(ticket) == [(5, True, "high", False)]


def test_contradictory_times_are_flagged_and_never_averaged(mapped: Any, tickets: list[dict[str, str]]) -> None:
    company, _ = mapped
    contradictory = {
        row["Ticket ID"]
        for row in tickets
        if row["Time to Resolution"] and row["Time to Resolution"] < row["First Response Time"]
    }
    flagged = company.published(
        "SELECT interaction_id, first_response_minutes, resolution_minutes, is_fcr FROM marts.support_interactions "
        "WHERE has_time_conflict"
    )
    assert len(flagged) == len(contradictory) == 1365
    assert {interaction.rsplit(":", 1)[1] for interaction, *_ in flagged} == contradictory
    assert {(response, resolution, fcr) for _, response, resolution, fcr in flagged} == {(None, None, None)}


def test_nps_of_an_event_equals_its_known_answer(mapped: Any, test_data: Path) -> None:
    company, _ = mapped
    with (test_data / "prepbench" / "case_040" / "gt" / "output_01.csv").open(encoding="utf-8") as handle:
        known = [tuple(float(cell) for cell in row.values()) for row in csv.DictReader(handle)]
    found = company.published(
        "SELECT round(nps, 1), respondents, promoters, detractors FROM marts.nps_by_period "
        "WHERE period = '2019-11-01' AND segment_type = 'overall' AND survey_kind = 'relational'"
    )
    assert found == known == [(-35.9, 39, 8, 22)]


def test_first_and_latest_answers_of_customers_equal_their_known_answer(mapped: Any, test_data: Path) -> None:
    company, _ = mapped
    customers = dict(
        company.build("SELECT customer_id, record_key FROM identity.customer_map WHERE source LIKE 'mapped.store_%'")
    )
    with (test_data / "prepbench" / "case_050" / "gt" / "output_01.csv").open(encoding="utf-8") as handle:
        known = [
            (
                *(row[name] for name in ("Country", "Store", "Name", "Completion Date (Date Time stamp)")),
                row["Result (First / Latest)"],
                *(row[name] or None for name in ("Promoter", "Passive", "Detractor")),
                row["Would you recommend C&BS Co to your friends and family?"],
            )
            for row in csv.DictReader(handle)
        ]
    found = company.published(
        """
        SELECT survey, touchpoint, customer_id, strftime(submitted_at, '%d/%m/%Y %H:%M:%S'),
            CASE answer_place WHEN 'latest' THEN 'Latest' ELSE 'First' END,
            CASE nps_group WHEN 'promoter' THEN '1' END, CASE nps_group WHEN 'passive' THEN '1' END,
            CASE nps_group WHEN 'detractor' THEN '1' END, score::VARCHAR
        FROM marts.survey_responses WHERE source = 'store_survey' AND answer_place <> 'between'
        """
    )
    names = [(*row[:2], customers[row[2]].rsplit("/", 1)[1], *row[3:]) for row in found]
    assert sorted(names, key=str) == sorted(known, key=str)
    assert len(known) == 26


def test_recurring_revenue_moves_as_the_prices_did_and_every_month_closes(mapped: Any) -> None:
    company, _ = mapped
    months = company.published(
        "SELECT strftime(month_on, '%m'), sum(opening), sum(new), sum(expansion), sum(contraction), sum(churned),"
        " sum(reactivated), sum(closing), bool_and(is_complete) FROM marts.mrr_movements GROUP BY ALL ORDER BY 1"
    )
    assert months == [
        ("01", 0, 100, 0, 0, 0, 0, 100, True),
        ("02", 100, 50 + 60, 0, 0, 0, 0, 210, True),
        ("03", 210, 0, 50, 0, 0, 0, 260, True),
        ("04", 260, 0, 20, 0, 150, 0, 130, True),
        ("05", 130, 20, 0, 0, 50, 0, 100, True),
        ("06", 100, 0, 0, 0, 80, 100, 120, True),
    ]


def test_a_subscription_of_stripe_is_that_person_s_with_its_trial_its_rise_and_its_end(mapped: Any) -> None:
    """Three exports of one subscription; the two after the rise carry the same moment, and one knows of the end."""
    company, _ = mapped
    ((kim,),) = company.build(
        "SELECT DISTINCT customer_id FROM core.fct_subscriptions WHERE source = 'stripe_billing' AND NOT is_running"
    )
    moved = company.published(
        "SELECT strftime(month_on, '%m'), movement, closing FROM marts.mrr_movements "
        f"WHERE payer_type = 'customer' AND payer_id = '{kim}' ORDER BY 1"
    )
    assert moved == [
        ("02", "new", 60),
        ("03", "unchanged", 60),
        ("04", "expansion", 80),
        ("05", "unchanged", 80),
        ("06", "churned", 0),
    ]
    value = "SELECT recurring_paid, mrr, prediction_reason FROM marts.ltv_by_contract WHERE payer_id = "
    assert company.published(f"{value}'{kim}'") == [(280, 0, "ended")]


def test_accounts_show_their_contracts_and_people(mapped: Any) -> None:
    company, _ = mapped
    accounts = company.published(
        "SELECT account_id, contract_state, mrr, first_paid_month, customer_since_on, contract_ended_on, people"
        " FROM marts.account_360 ORDER BY 1"
    )
    assert accounts == [
        ("acme", "active", 100, date(2023, 1, 1), date(2023, 1, 9), None, 1),
        ("bolt", "ended", 0, date(2023, 2, 1), date(2023, 2, 1), date(2023, 5, 14), 1),
    ]


@pytest.mark.parametrize("case", worked_cases.CASES, ids=lambda case: case.__name__)
def test_a_worked_case_comes_out_of_the_published_marts(mapped: Any, test_data: Path, case: Any) -> None:
    company, _ = mapped
    found, expected = case(company, test_data / "prepbench")
    assert expected
    assert found == expected


def test_only_the_company_s_own_sources_are_in_its_marts(mapped: Any) -> None:
    company, ran = mapped
    sources = company.published("SELECT source, rows_in, accepted FROM marts.data_state ORDER BY source")
    surveys = [("event_survey", 39, 39), ("store_survey", 28, 27)]
    desks = [("support_desk", 8469, 8469), *[("zendesk", 1, 1)] * 3]
    sales = [("order_steps", 24, 24), ("sales_list", 4365, 4365), ("superstore", 9994, 9994)]
    assert sources == sorted(
        [("billing", 6, 6), ("stripe_billing", 3, 3), ("cdnow", 6919, 6919), *surveys, *sales, *desks]
    )
    assert {row[0] for row in company.published("SELECT DISTINCT currency FROM marts.ltv_by_customer")} == {"USD"}
    assert "cdnow" in ran.output


def test_an_empty_company_runs_and_publishes_empty_marts(make_company: Any, cli: Any) -> None:
    company = make_company("nobody", "--locale", "ja", "--timezone", "Asia/Tokyo", "--currency", "JPY")
    cli("run", "--home", company.path, "--as-of", "2026-06-30", env=SECRET)
    rows = {table: entry["rows"] for table, entry in company.manifest()["tables"].items()}
    #: These describe the platform, not customers: definitions of KPIs, and counts that are all zero.
    described = {"kpi_definitions", "identity_audit", "kpi_daily", "kpi_history"}
    assert {table for table, count in rows.items() if count} <= described
    assert company.published("SELECT count(*) FROM marts.identity_audit WHERE value <> 0") == [(0,)]
    assert company.published("SELECT count(*) FROM marts.kpi_daily WHERE value <> 0 OR numerator <> 0") == [(0,)]
    assert company.control("SELECT count(*) FROM outbox") == [(0,)]
    assert (company.path / "published" / "current" / "scorecard.html").stat().st_size > 10_000


@pytest.fixture(scope="module")
def shop_only(make_company: Any, cli: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Shopify's files of a small company and the rates its dollars need; and one file that nobody announced."""
    planted = tmp_path_factory.mktemp("planted")
    generate(planted, people=60, seed=7, days=240, end=date(2026, 6, 30))
    deliver_day2(planted)
    company = make_company("shop", "--timezone", "Asia/Tokyo", "--currency", "JPY")
    for source in ("shopify", "reference"):
        shutil.copytree(planted / "landing" / source, company.path / "landing" / source, dirs_exist_ok=True)
    (company.path / "landing" / "till").mkdir()
    (company.path / "landing" / "till" / "receipts.csv").write_text("day,amount\n2026-06-30,100\n")
    ran = cli.forked("run", "--home", company.path, "--as-of", "2026-06-30", env=SECRET)
    with (planted / "truth" / "orders.csv").open(encoding="utf-8", newline="") as handle:
        orders = [row for row in csv.DictReader(handle) if row["test"] == row["cancelled_day2"] == "0"]
    return company, ran, orders


def test_a_company_with_shopify_only_has_its_orders_and_nothing_else(shop_only: Any) -> None:
    company, _, orders = shop_only
    yen = [row for row in orders if row["currency"] == "JPY"]
    counted = company.published("SELECT sum(orders) FROM marts.ltv_by_customer")
    assert counted == [(len(orders),)]
    by_currency = company.build(
        "SELECT count(*), sum(gross_amount), sum(refunded_amount) FROM core.fct_orders "
        "WHERE is_counted AND currency = 'JPY'"
    )
    assert by_currency == [
        (len(yen), sum(int(row["total"]) for row in yen), sum(int(row["refunded_day2"]) for row in yen))
    ]
    gross = company.published("SELECT sum(gross) FROM marts.ltv_by_customer")
    assert gross == [(sum(int(row["total_yen"]) for row in orders),)]
    for table in ("support_interactions", "support_weekly", "survey_responses", "nps_by_period"):
        assert company.published(f"SELECT count(*) FROM marts.{table}") == [(0,)], table


def test_a_file_without_a_contract_is_listed_with_what_to_do(shop_only: Any, cli: Any) -> None:
    company, ran, _ = shop_only
    assert "no contract: landing/till/receipts.csv: there is no contract for source 'till'" in ran.output
    assert company.control("SELECT path FROM files WHERE status = 'unmatched'") == [("till/receipts.csv",)]
    status = cli("status", "--home", company.path, env=SECRET)
    assert [line.split()[1] for line in status.output.splitlines() if "│ till" in line] == ["till"]


def test_a_missing_key_is_named(shop_only: Any, cli: Any) -> None:
    company, _, _ = shop_only
    ran = cli("run", "--home", company.path, code=2)
    assert "KIZUNA_PSEUDONYM_KEY is not set" in ran.output


def test_a_bad_setting_names_file_key_value_and_what_is_allowed(shop_only: Any, cli: Any) -> None:
    company, _, _ = shop_only
    config = company.path / "kizuna.yaml"
    good = config.read_text(encoding="utf-8")
    config.write_text(good.replace("Asia/Tokyo", "Mars/Base"), encoding="utf-8")
    try:
        ran = cli("run", "--home", company.path, env=SECRET, code=2)
    finally:
        config.write_text(good, encoding="utf-8")
    assert all(word in ran.output for word in (str(config), "timezone", "'Mars/Base'", "IANA name"))
