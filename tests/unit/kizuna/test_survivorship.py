"""A company's survivorship file: what it may say, and how it is told what it may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kizuna.builds import PROJECT_ROOT
from kizuna.errors import SettingsError
from kizuna.survivorship import GROUPS, company_survivorship


def written(home: Path, text: str) -> Path:
    (home / "identity").mkdir()
    (home / "identity" / "survivorship.yaml").write_text(text, encoding="utf-8")
    return home


def test_no_file_and_an_empty_file_change_nothing(tmp_path: Path) -> None:
    assert company_survivorship(tmp_path) == {}
    assert company_survivorship(written(tmp_path, "# nothing yet\n")) == {}


def test_sources_share_a_place_or_have_one_each(tmp_path: Path) -> None:
    said = company_survivorship(
        written(
            tmp_path,
            "sources: [mapped.loyalty, [zendesk.user, '*.contact']]\ngroups:\n  birth: {by: [recency, source]}\n",
        )
    )
    assert said == {
        "sources": [["mapped.loyalty"], ["zendesk.user", "*.contact"]],
        "groups": {"birth": {"by": ["recency", "source"]}},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "groups: {region: {by: [source]}}",
            ["groups", "'region'", "address, name, email, phone, birth, account, consent"],
        ),
        ("groups: {birth: {by: [completeness]}}", ["groups.birth.by", "'completeness'", "recency, source"]),
        ("groups: {birth: {by: [source, source]}}", ["groups.birth.by", "different"]),
        ("sources: salesforce.contact", ["sources", "'salesforce.contact' is not a list"]),
        ("sources: ['sales force']", ["sources", "'sales force'", "mapped.*"]),
        ("sources: [a.b]\nfirst: 1", ["'first'", "sources, groups"]),
        ("- a", ["expected the keys sources, groups"]),
        ("sources: [", ["survivorship.yaml:1", "not valid YAML"]),
    ],
)
def test_a_mistake_is_named_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(SettingsError) as raised:
        company_survivorship(written(tmp_path, text))
    assert "identity/survivorship.yaml" in str(raised.value)
    for word in words:
        assert word in str(raised.value)


def test_the_rule_table_of_dbt_has_the_same_groups_and_criteria() -> None:
    macro = (PROJECT_ROOT / "dbt_project" / "macros" / "survivorship.sql").read_text(encoding="utf-8")
    listed = {
        group: frozenset(re.findall(r"'(\w+)'", by))
        for group, by in re.findall(r"\{'group': '(\w+)'.*?'by': \[(.*?)\]\}", macro, re.DOTALL)
    }
    assert listed == GROUPS
