"""What is recommended for a customer at risk follows from what drives the risk, the most urgent first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest

from analytics.churn import CONTRACT_SIGNALS
from analytics.churn.contracts import DRIVER_OF
from analytics.churn.drivers import PURCHASES

COLUMNS = """
as_of date, probability double, p_alive double, band varchar, reason varchar, expected_value decimal(18, 2),
value_at_risk decimal(18, 2), model varchar,
driver_1 varchar, driver_1_code varchar, driver_1_effect double,
driver_2 varchar, driver_2_code varchar, driver_2_effect double,
driver_3 varchar, driver_3_code varchar, driver_3_effect double
"""
Advise = Callable[..., str | None]


@pytest.fixture(scope="module")
def advise(render: Callable[..., str]) -> Iterator[Advise]:
    with duckdb.connect() as db:
        db.execute(
            f"create schema scores; create table scores.churn_scores(customer_id varchar, {COLUMNS});"
            f"create table scores.contract_scores(payer_type varchar, payer_id varchar, customer_id varchar, {COLUMNS},"
            " is_of_customer boolean);"
            "create table dim_customers(customer_id varchar, display_label varchar, region varchar, account_id varchar)"
        )
        sql = render("churn_risk", timezone="Asia/Tokyo", currency="JPY")

        def of(
            *drivers: str, band: str = "high", contract: bool = False, probability: float | None = 0.9
        ) -> str | None:
            """Drivers are codes, those that speak for staying with a minus before them."""
            table = "contract_scores" if contract else "churn_scores"
            db.execute(f"delete from scores.churn_scores; delete from scores.contract_scores; "
                       f"insert into scores.{table}(customer_id, band) values ('c', ?)", [band])  # fmt: skip
            db.execute(f"update scores.{table} set probability = ?", [probability])
            if contract:
                db.execute("update scores.contract_scores set is_of_customer = true, payer_id = 'p'")
            for place, code in enumerate(drivers, start=1):
                effect = -0.5 if code.startswith("-") else 0.5
                db.execute(f"update scores.{table} set driver_{place}_code = ?, driver_{place}_effect = ?",
                           [code.removeprefix("-"), effect])  # fmt: skip
            ((kind, action),) = db.execute(f"select kind, recommended_action from ({sql})").fetchall()
            assert kind == ("contractual" if contract else "non_contractual")
            return action if action is None else str(action)

        yield of


EXPECTED = {
    "resolve_request": {"urgent_open", "open_interaction", "stale_interaction"},
    "mend_payment": {"payment_failed"},
    "call_back": {
        "urgent_lately", "negative_csat", "nps_detractor", "frequent_contacts", "abandoned_contact", "negative_text",
        "negative_tone", "speaks_of_leaving",
    },
    "make_good_delivery": {"late_delivery", "refund"},
    "win_back": {PURCHASES, "opted_out"},
}  # fmt: skip


def test_every_signal_that_speaks_for_leaving_has_its_action(advise: Advise) -> None:
    codes = {PURCHASES, *(s.code for s in CONTRACT_SIGNALS if s.weight > 0)}
    found: dict[str | None, set[str]] = {}
    for code in codes:
        found.setdefault(advise(code), set()).add(code)
    assert found == EXPECTED


def test_what_is_open_comes_first_wherever_it_stands_among_the_drivers(advise: Advise) -> None:
    assert advise("purchases", "nps_detractor", "stale_interaction") == "resolve_request"
    assert advise("refund", "negative_csat", "payment_failed", contract=True) == "mend_payment"
    assert advise("refund", "purchases", "negative_csat") == "call_back"
    assert advise("purchases", "late_delivery") == "make_good_delivery"


def test_what_speaks_for_staying_is_no_reason_to_act(advise: Advise) -> None:
    assert advise("-open_interaction", "purchases") == "win_back"
    assert advise("-purchases", "-nps_promoter", band="medium", probability=0.7) == "watch"


def test_contracts_are_talked_of_and_whoever_is_calm_or_unknown_is_left_alone(advise: Advise) -> None:
    assert {advise(code, contract=True) for code in DRIVER_OF.values()} == {"talk_of_contract"}
    assert advise("urgent_open", band="low", probability=0.1) == "none"
    assert advise(band="lapsed", probability=None) is None
    assert advise(band="withheld", probability=None, contract=True) is None
