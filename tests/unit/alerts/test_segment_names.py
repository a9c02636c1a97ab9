"""Segments of the marts have a name in each language."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from analytics.segment_names import segment_in

MART = Path(__file__).parents[3] / "dbt_project/models/marts/customer/customer_360.yml"
# These promise their values in the model's own yml; age bands and channels are words of the SQL.
SEGMENTS = ("lifecycle_segment", "value_tier", "rfm_segment", "device_mix")


@pytest.mark.parametrize("column", SEGMENTS)
def test_every_segment_of_the_customer_mart_has_a_japanese_name(column: str) -> None:
    (model,) = [m for m in yaml.safe_load(MART.read_text())["models"] if m["name"] == "customer_360"]
    (listed,) = [c["config"]["meta"]["values"] for c in model["columns"] if c["name"] == column]
    names = [segment_in("ja", value) for value in listed]
    assert all(not name.isascii() for name in names), names
    assert len(set(names)) == len(names)


def test_names_of_the_company_stay_as_they_are() -> None:
    assert [segment_in(locale, "東北") for locale in ("ja", "en")] == ["東北", "東北"]
    assert [segment_in(locale, "all") for locale in ("ja", "en")] == ["全顧客", "all customers"]
