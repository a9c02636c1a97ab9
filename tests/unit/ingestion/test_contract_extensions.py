"""A company says in a few lines what only it knows of a vendor's format; the rest stays the vendor contract's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.contract import Contract
from ingestion.contract_files import load_contracts
from ingestion.landing import Landed, advice, match
from kizuna.errors import InputError

SURVEY = """
extends: qualtrics/responses
files: ["**/relationship*.csv"]
columns:
  survey: {value: relationship}
  nps_score: {from: Q12, values: {"10 - Extremely likely": "10"}}
"""


def contracts(folder: Path, **files: str) -> dict[str, Contract]:
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return {contract.name: contract for contract in load_contracts(folder, timezone="Asia/Tokyo")}


def landed(path: str) -> Landed:
    return Landed(path, path.split("/")[0], Path("/nowhere") / path, is_link=False)


def test_an_extension_keeps_the_vendor_s_format_and_adds_the_company_s_questions(tmp_path: Path) -> None:
    found = contracts(tmp_path, nps=SURVEY)
    base, own = found["qualtrics__responses"], found["qualtrics__nps"]
    assert (own.relation, own.dialect, own.key) == (base.relation, base.dialect, base.key)
    assert own.times.timezone == "Asia/Tokyo"
    by_name = {column.name: column for column in own.columns}
    assert (by_name["nps_score"].sources, by_name["nps_score"].max) == (("Q12",), 10)
    assert by_name["nps_score"].required == "header", "a question that the export lacks is a mistake to hear of"
    assert by_name["survey"].value == "relationship"
    assert by_name["email"] == {column.name: column for column in base.columns}["email"]


def test_a_template_reads_no_file_until_the_company_says_what_its_questions_are(tmp_path: Path) -> None:
    file = landed("qualtrics/relationship_2026.csv")
    assert match(file, contracts(tmp_path).values()) is None
    told = advice(file, contracts(tmp_path).values())
    assert "extends: qualtrics/responses" in told and "relationship_2026.csv" in told
    matched = match(file, contracts(tmp_path, nps=SURVEY).values())
    assert matched is not None and matched.contract.name == "qualtrics__nps"


def test_two_surveys_of_one_vendor_are_two_contracts(tmp_path: Path) -> None:
    found = contracts(tmp_path, nps=SURVEY, csat=SURVEY.replace("relationship", "support").replace("nps_", "csat_"))
    assert {"qualtrics__nps", "qualtrics__csat"} <= found.keys()
    matched = match(landed("qualtrics/support_1.csv"), found.values())
    assert matched is not None and matched.contract.name == "qualtrics__csat"


def test_a_vendor_contract_is_replaced_where_an_account_writes_differently(tmp_path: Path) -> None:
    german = 'extends: stripe/payments\nnumbers: {decimal_separator: ",", thousands_separator: "."}\n'
    found = contracts(tmp_path, stripe=german)
    assert found["stripe__payments"].numbers.decimal_separator == ","
    assert found["stripe__payments"].files, "the files of the vendor contract are those of its replacement"
    assert sum(contract.entity == "payments" for contract in found.values()) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("qualtrics/responses", "qualtrics/surveys"), ["extends", "'qualtrics/surveys'", "qualtrics/responses"]),
        (("nps_score:", "nps:"), ["columns.nps", "unknown column", "nps_score"]),
        (("from: Q12", "form: Q12"), ["columns.nps_score.form", "unknown key", "from"]),
        (("{from: Q12,", "{from: Q12, value: '9',"), ["columns.nps_score", "at most one"]),
        (("files:", "file:"), ["file", "unknown key", "files"]),
    ],
)
def test_a_mistake_in_an_extension_is_named(tmp_path: Path, change: tuple[str, str], expected: list[str]) -> None:
    assert change[0] in SURVEY
    with pytest.raises(InputError) as caught:
        contracts(tmp_path, nps=SURVEY.replace(*change))
    for part in ["nps.yml", *expected]:
        assert part in str(caught.value)
