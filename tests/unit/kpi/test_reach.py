"""Every export that facts are made of must reach to a day for the day to be complete: none may be left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3] / "dbt_project"
FAMILIES = {
    "order": "orders",
    "interaction": "support",
    "call": "support",
    "survey_response": "survey",
    "web_event": "web",
}
#: Read by the facts of core by name; the others come through the canonical layer.
BY_NAME = {"shopify__orders": "orders", "ga4__events": "web", "delighted__responses": "survey"} | dict.fromkeys(
    ("zendesk__tickets", "salesforce__case", "amazon_connect__contact_records"), "support"
)


def relations(model: str) -> set[str]:
    """Raw relations that a staging model is made of, through others where it reads them."""
    (path,) = (PROJECT / "models" / "staging").rglob(f"{model}.sql")
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r"source\('raw', '(\w+)'\)", text))
    return found.union(*(relations(name) for name in re.findall(r"ref\('(stg_\w+)'\)", text)))


@pytest.mark.parametrize("entity", FAMILIES)
def test_every_source_of_an_entity_is_waited_for(render: Callable[..., str], entity: str) -> None:
    text = (PROJECT / "macros" / "canonical.sql").read_text(encoding="utf-8")
    (listed,) = re.findall(rf"^        '{entity}': \[([^\]]*)\]", text, re.MULTILINE)[:1]
    wanted = dict.fromkeys(set().union(*map(relations, re.findall(r"'(\w+)'", listed))), FAMILIES[entity]) | BY_NAME
    sql = render("int_kpi_reach", as_of="2026-06-30", timezone="Asia/Tokyo")
    waited = {
        relation: family
        for names, family in re.findall(r"when relation in \(([^)]*)\) then '(\w+)'", sql)
        for relation in re.findall(r"'raw\.(\w+)'", names)
    }
    assert {relation: waited.get(relation) for relation in wanted} == wanted
