"""What every mart must say of itself: its grain, a contract, an owner, who reads it, and how far its numbers hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

MODELS = Path(__file__).parents[3] / "dbt_project" / "models"
#: Lists of things and links, and what describes the data: their rows are no figures of a period.
NO_FIGURES = {
    "account_people",
    "customer_attributes",
    "customer_identifiers",
    "data_state",
    "identity_audit",
    "identity_changes",
    "identity_links",
    "kpi_definitions",
    "kpi_records",
    "support_interactions",
    "support_parity",
    "survey_responses",
}
#: A row is a customer, or the company under one set of rules, as of a day; no period could be half over.
NO_PERIOD = {"customer_360", "churn_risk", "identity_bands"}
#: Units of decimals that are no money, by the end of the column's name.
NO_MONEY = ("_minutes", "_minutes_of_all")


def _marts() -> dict[str, dict[str, Any]]:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((MODELS / "marts").rglob("*.yml"))]
    return {model["name"]: model for file in files for model in file["models"]}


MARTS = _marts()


@pytest.mark.parametrize("mart", sorted(MARTS))
def test_a_mart_states_its_grain_and_keeps_a_contract_with_an_owner(mart: str) -> None:
    model = MARTS[mart]
    assert model["description"].startswith("One row per "), "the first sentence is the grain"
    assert model["config"]["contract"]["enforced"] is True
    assert model["config"]["meta"]["owner"]
    assert model["config"]["meta"]["kizuna"]["key"]
    assert [column["name"] for column in model["columns"] if not column.get("description", "").strip()] == []


@pytest.mark.parametrize("mart", sorted(MARTS.keys() - NO_FIGURES))
def test_a_figure_says_as_of_when_in_which_zone_and_money_and_whether_it_is_whole(mart: str) -> None:
    columns = {column["name"]: column["data_type"] for column in MARTS[mart]["columns"]}
    needed = {"as_of": "date", "timezone": "varchar"}
    if mart not in NO_PERIOD:
        needed["is_complete"] = "boolean"
    if any(kind.startswith("decimal") and not name.endswith(NO_MONEY) for name, kind in columns.items()):
        needed["currency"] = "varchar"
    assert {name: columns.get(name) for name in needed} == needed


def test_what_is_exempt_is_there() -> None:
    assert MARTS.keys() >= NO_FIGURES | NO_PERIOD


def test_every_mart_has_readers_and_every_reader_an_owner() -> None:
    exposures = yaml.safe_load((MODELS / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    assert all(exposure["owner"]["name"] and exposure["description"] for exposure in exposures)
    read = {ref.removeprefix("ref('").removesuffix("')") for exposure in exposures for ref in exposure["depends_on"]}
    assert read == MARTS.keys()


def test_every_fact_that_names_a_person_names_the_account_too() -> None:
    facts = [yaml.safe_load(path.read_text(encoding="utf-8"))["models"] for path in (MODELS / "core").glob("fct_*.yml")]
    columns = {model["name"]: {column["name"] for column in model["columns"]} for models in facts for model in models}
    of_people = {name for name, known in columns.items() if "customer_id" in known}
    assert len(of_people) > 8
    assert [name for name in sorted(of_people) if "account_id" not in columns[name]] == []
    # Parts of an order or a contact are found through it.
    assert columns.keys() - of_people == {"fct_order_items", "fct_interaction_agents"}
