"""Companies as customers: who stands for them and as what, what they have signed, and how they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

AS_OF = "2026-06-30"
VARIABLES = {"as_of": AS_OF, "as_of_end_utc": "2026-06-30 15:00:00", "timezone": "Asia/Tokyo", "currency": "JPY"}
TABLES = """
create schema scores; create schema identity;
create table dim_accounts(account_id varchar, source varchar, account_type varchar, industry varchar, region varchar,
    country varchar, is_deleted boolean, master_account_id varchar, open_opportunities bigint,
    won_opportunities bigint);
create table dim_customers(customer_id varchar, account_id varchar);
create table fct_orders(account_id varchar, customer_id varchar, net_reporting decimal(18, 2), ordered_on date,
    is_counted boolean);
create table fct_subscriptions(subscription_id varchar, account_id varchar, customer_id varchar, is_running boolean,
    is_trial boolean, cancelled_at timestamp, started_on date, ended_on date);
create table int_contract_spans(contract_id varchar, account_id varchar, from_on date, ended_on date);
create table ltv_by_contract(payer_type varchar, payer_id varchar, mrr decimal(18, 2), first_month date,
    predicted_margin decimal(18, 2));
create table fct_interactions(account_id varchar, customer_id varchar, is_open boolean, is_resolved boolean,
    opened_on date, direction varchar, continues_interaction_id varchar);
create table fct_survey_responses(account_id varchar, customer_id varchar, response_id varchar, kind varchar,
    is_valid boolean, score bigint, submitted_at timestamp, submitted_on date);
create table scores.churn_scores(customer_id varchar, band varchar);
create table scores.contract_scores(payer_type varchar, payer_id varchar, probability double, band varchar);
create table source_records(source varchar, record_key varchar, account_key varchar, seen_at timestamp);
create table identity.customer_map(source varchar, record_key varchar, customer_id varchar);
"""


@pytest.fixture
def companies(render: Callable[..., str]) -> Iterator[Any]:
    """`companies.put(table, rows)`, and `companies.show(columns)` of account_360, or of its people, by account."""

    class Companies:
        def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
            self.db = db

        def put(self, table: str, *rows: dict[str, Any]) -> None:
            for row in rows:
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                self.db.execute(f"insert into {table}({names}) values ({marks})", list(row.values()))

        def account(self, name: str, is_deleted: bool = False, seen_on: str | None = AS_OF) -> None:
            """An account with somebody, lately seen, who has no part in it but that."""
            self.put("dim_accounts", {"account_id": name, "is_deleted": is_deleted})
            person = f"{name}'s"
            self.put("dim_customers", {"customer_id": person, "account_id": name})
            card = {"source": "crm", "record_key": person}
            self.put("source_records", {**card, "account_key": f" {name} ", "seen_at": seen_on})
            self.put("identity.customer_map", {**card, "customer_id": person})

        def people(self) -> list[tuple[Any, ...]]:
            sql = render("int_account_people", **VARIABLES)
            return self.db.execute(f"select * from ({sql}) order by account_id, customer_id, role").fetchall()

        def show(self, columns: str) -> dict[str, tuple[Any, ...]]:
            self.db.execute(
                f"create or replace table int_account_people as {render('int_account_people', **VARIABLES)}"
            )
            sql = render("account_360", **VARIABLES)
            return {row[0]: row[1:] for row in self.db.execute(f"select account_id, {columns} from ({sql})").fetchall()}

    with duckdb.connect() as db:
        db.execute(TABLES)
        yield Companies(db)


def test_people_keep_each_role_with_its_days_and_the_account_they_left(companies: Any) -> None:
    """Emi had a card with the old firm and has one with the new; what she did for each stays with it."""
    for account in ("new", "old"):
        companies.put("dim_accounts", {"account_id": account, "is_deleted": False})
    companies.put("dim_customers", {"customer_id": "emi", "account_id": "new"})
    for key, account, seen in (("c1", "old", "2025-01-10 16:00:00"), ("c2", "new", "2026-05-01 00:00:00")):
        companies.put("source_records", {"source": "crm", "record_key": key, "account_key": account, "seen_at": seen})
        companies.put("identity.customer_map", {"source": "crm", "record_key": key, "customer_id": "emi"})
    emi = {"customer_id": "emi"}
    bought = {**emi, "is_counted": True, "net_reporting": 5}
    companies.put("fct_orders", {**bought, "account_id": "old", "ordered_on": "2025-02-01"})
    companies.put("fct_orders", {**bought, "account_id": "old", "ordered_on": "2025-03-01"})
    companies.put("fct_orders", {**bought, "account_id": "new", "ordered_on": "2026-06-01", "is_counted": False})
    companies.put("fct_subscriptions", {**emi, "account_id": "new", "started_on": "2026-05-02"})
    asked = {**emi, "account_id": "new", "opened_on": "2026-06-02"}
    companies.put("fct_interactions", {**asked, "direction": "inbound"})
    companies.put("fct_interactions", {**asked, "direction": "outbound", "opened_on": "2026-06-20"})
    answer = {**emi, "account_id": "new", "kind": "nps", "is_valid": True, "submitted_on": "2026-06-03"}
    companies.put("fct_survey_responses", answer)
    companies.put("fct_survey_responses", {**answer, "is_valid": False, "submitted_on": "2026-06-29"})
    day = date.fromisoformat
    assert companies.people() == [
        ("new", "emi", "contact", day("2026-05-01"), day("2026-05-01"), 1, True),
        ("new", "emi", "requester", day("2026-06-02"), day("2026-06-02"), 1, True),
        ("new", "emi", "respondent", day("2026-06-03"), day("2026-06-03"), 1, True),
        ("new", "emi", "subscriber", day("2026-05-02"), day("2026-05-02"), 1, True),
        ("old", "emi", "buyer", day("2025-02-01"), day("2025-03-01"), 2, False),
        # Seen at one in the morning of the eleventh, by the company's clock.
        ("old", "emi", "contact", day("2025-01-11"), day("2025-01-11"), 1, False),
    ]
    counted = companies.show("people, people_now, people_active_90d, first_seen_on, last_seen_on, orders")
    assert counted["new"] == (1, 1, 1, day("2026-05-01"), day("2026-06-03"), 0)
    assert counted["old"] == (1, 0, 0, day("2025-01-11"), day("2025-03-01"), 2)


def test_the_state_of_a_contract_is_that_of_all_that_was_signed(companies: Any) -> None:
    """Subscriptions, trials and won opportunities; a contract that ends by its term has ended when nothing follows."""
    running = {"is_running": True, "is_trial": False, "started_on": "2026-01-01"}
    gone = {"is_running": False, "is_trial": False, "started_on": "2025-01-01", "ended_on": "2026-03-01"}
    leaving = {**running, "cancelled_at": "2026-06-01 00:00:00"}
    signed: dict[str, list[dict[str, Any]]] = {
        "none": [],
        "runs": [running, gone],
        "leaves": [leaving, gone],
        "stays with one": [leaving, running],
        "left": [gone],
        "tries": [{**running, "is_trial": True}],
    }
    for account, subscriptions in signed.items():
        companies.account(account)
        for number, terms in enumerate(subscriptions):
            key = {"subscription_id": f"{account}/{number}", "account_id": account}
            companies.put("fct_subscriptions", {**key, **terms})
            span = {"contract_id": key["subscription_id"], "account_id": account, "from_on": terms["started_on"]}
            companies.put("int_contract_spans", {**span, "ended_on": terms.get("ended_on")})
    for account, until in (("deal runs", "2026-07-01"), ("deal over", "2026-06-30")):
        companies.account(account)
        deal = {"contract_id": f"crm:{account}", "account_id": account, "from_on": "2025-07-01", "ended_on": until}
        companies.put("int_contract_spans", deal)
    found = companies.show("contract_state, subscriptions, customer_since_on, contract_ended_on, is_leaving")
    new_year, before, ended, july = (date(2026, 1, 1), date(2025, 1, 1), date(2026, 3, 1), date(2025, 7, 1))
    assert found == {
        "none": ("none", 0, None, None, False),
        "runs": ("active", 2, before, None, False),
        "leaves": ("cancelling", 2, before, None, True),
        "stays with one": ("active", 2, new_year, None, False),
        "left": ("ended", 1, before, ended, True),
        "tries": ("trial", 1, new_year, None, False),
        "deal runs": ("active", 1, july, None, False),
        "deal over": ("ended", 1, july, date(2026, 6, 30), True),
    }


def test_nps_of_an_account_is_one_answer_per_person_of_the_last_year(companies: Any) -> None:
    companies.account("acme")
    companies.account("bolt")
    answers = [
        ("acme", "a", 3, "2026-01-01"),
        ("acme", "a", 9, "2026-06-01"),
        ("acme", "b", 10, "2026-06-02"),
        ("acme", "c", 7, "2026-06-03"),
        ("acme", "d", 6, "2026-06-04"),
        ("acme", "e", 8, "2026-06-04"),
        ("acme", "left long ago", 0, "2025-06-30"),
        ("acme", None, 10, "2026-06-05"),
        ("bolt", "f", 6, "2025-07-01"),
    ]
    for number, (account, person, score, day) in enumerate(answers):
        row = {"account_id": account, "customer_id": person, "response_id": f"r{number}", "score": score}
        companies.put(
            "fct_survey_responses", {**row, "kind": "nps", "is_valid": True, "submitted_at": day, "submitted_on": day}
        )
    csat = {"account_id": "bolt", "customer_id": "f", "response_id": "r", "score": 5, "kind": "csat", "is_valid": True}
    companies.put("fct_survey_responses", {**csat, "submitted_at": "2026-06-30", "submitted_on": "2026-06-30"})
    # Three promoters, two passives, one detractor; and one detractor.
    found = companies.show("nps_respondents, nps, is_unhappy")
    assert found == {"acme": (6, 33.333333, False), "bolt": (1, -100.0, True)}


def test_health_counts_what_speaks_against_an_account(companies: Any) -> None:
    companies.account("well")
    companies.account("silent", seen_on="2026-04-01 00:00:00")
    companies.account("seen 89 days ago", seen_on="2026-04-02 00:00:00")
    companies.account("burdened")
    companies.account("burdened and silent", seen_on=None)
    companies.account("closed", is_deleted=True, seen_on=None)
    contact = {"is_open": True, "is_resolved": False, "direction": "inbound"}
    for account in ("burdened", "burdened and silent"):
        day = "2026-06-29" if account == "burdened" else "2026-01-01"
        for _ in range(3):
            companies.put("fct_interactions", {**contact, "account_id": account, "opened_on": day})
    for missed in ({"direction": "outbound"}, {"continues_interaction_id": "x"}, {"is_open": False}):
        companies.put("fct_interactions", {**contact, "account_id": "well", "opened_on": AS_OF, **missed})
    found = companies.show("health, is_leaving, is_unhappy, is_burdened, is_silent, open_tickets, tickets_90d")
    assert found == {
        "well": ("good", False, False, False, False, 0, 1),
        "silent": ("watch", False, False, False, True, 0, 0),
        "seen 89 days ago": ("good", False, False, False, False, 0, 0),
        "burdened": ("watch", False, False, True, False, 3, 3),
        "burdened and silent": ("critical", False, False, True, True, 3, 0),
        "closed": ("closed", False, False, False, True, 0, 0),
    }


def test_money_of_an_account_is_that_of_its_contracts_and_orders(companies: Any) -> None:
    """A person's contract of the same name is none of the account's."""
    companies.account("acme")
    month = {"first_month": "2025-07-01", "mrr": 150, "predicted_margin": 400}
    companies.put("ltv_by_contract", {**month, "payer_type": "account", "payer_id": "acme"})
    companies.put("ltv_by_contract", {**month, "payer_type": "customer", "payer_id": "acme", "mrr": 9})
    for net, day in ((100, "2026-01-01"), (-30, "2026-02-01")):
        order = {"account_id": "acme", "net_reporting": net, "ordered_on": day, "is_counted": True}
        companies.put("fct_orders", order)
    found = companies.show("mrr, arr, predicted_margin, first_paid_month, orders, net_revenue, currency, is_complete")
    assert found == {"acme": (150, 1800, 400, date(2025, 7, 1), 2, 70, "JPY", True)}
