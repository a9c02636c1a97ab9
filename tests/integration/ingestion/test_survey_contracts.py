"""A survey's file with and without the company's word on which question is which."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "contracts"
HEADER = "StartDate,EndDate,Status,Progress,Finished,RecordedDate,ResponseId,RecipientEmail,Q12,Q12_TEXT\n"
EXPORT = (
    HEADER
    + "Start Date,End Date,Response Type,Progress,Finished,Recorded Date,Response ID,Recipient Email,Score?,Why?\n"
    + ",".join('"{""ImportId"":""x""}"' for _ in range(10))
    + "\n2026-06-10 09:00:00,2026-06-10 09:02:00,IP Address,100,True,2026-06-10 09:02:00,R_1,a@example.com,"
    "10 - Extremely likely,Good\n"
    + "2026-06-10 09:00:00,2026-06-10 09:02:00,IP Address,100,True,2026-06-10 09:02:00,R_2,b@example.com,11,Odd\n"
)


def use_example(shop: Any) -> None:
    shop.settings.contracts_dir.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / "qualtrics_relationship.yml", shop.settings.contracts_dir)


def test_without_a_contract_a_survey_is_unmatched_and_loads_once_there_is_one(shop: Any) -> None:
    shop.land("qualtrics/relationship_june.csv", EXPORT)
    assert shop.ingest().unmatched == ("qualtrics/relationship_june.csv",)
    assert shop.rows("qualtrics__responses") == []
    use_example(shop)
    (record,) = shop.ingest().files
    assert (record.status, record.rows_in, record.accepted) == ("accepted", 2, 1)
    assert shop.rows("qualtrics__responses", "response_id, nps_score, survey, comment, _line") == [
        ("R_1", 10, "relationship", "Good", 4)
    ]
    assert [row[:3] for row in shop.rejected(record)] == [(5, "nps_score", "value.max")]


def test_a_survey_without_the_question_that_the_company_named_is_refused(shop: Any) -> None:
    use_example(shop)
    record = shop.load("qualtrics/relationship_july.csv", EXPORT.replace("Q12,", "Q13,", 1))
    assert (record.status, record.code) == ("refused", "header.missing_column")
    assert "'Q12'" in str(record.reason)


def test_an_account_that_writes_numbers_differently_says_so(shop: Any) -> None:
    text = (
        "id;Created date (UTC);Amount;Amount Refunded;Currency;Captured;Status\n"
        "ch_1;2026-06-01 00:00:00;1.234,50;0,00;eur;true;Paid\n"
    )
    shop.contract(
        "stripe.yml",
        "extends: stripe/payments\ndialect: {delimiter: ';'}\n"
        "numbers: {decimal_separator: ',', thousands_separator: '.'}\n",
    )
    assert shop.load("stripe/payments.csv", text).accepted == 1
    ((amount,),) = shop.rows("stripe__payments", "amount")
    assert str(amount) == "1234.50"
