"""Every vendor beyond the demo's own stack: what its export holds is in core and marts, row for row and yen for yen."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ingestion.demo import deliver_day2, generate, write_company
from ingestion.demo.more import MORE


@pytest.fixture(scope="module")
def company(cli: Any, tmp_path_factory: pytest.TempPathFactory, open_home: Any) -> Any:
    """100 people, all vendors, both deliveries in one build."""
    home = tmp_path_factory.mktemp("vendors") / "home"
    generate(home, people=100, seed=7, days=240, end=date(2026, 6, 30), vendors=MORE)
    deliver_day2(home)
    write_company(home)
    cli.forked("run", "--home", home, "--as-of", "2026-06-30")
    return open_home(home)


def test_what_was_planted_is_what_came_out(company: Any) -> None:
    planted = json.loads((company.path / "truth" / "vendors.json").read_text(encoding="utf-8"))
    assert {fact["vendor"] for fact in planted} == set(MORE)
    wrong = []
    for fact in planted:
        query = f"SELECT {fact['measure']} FROM {fact['relation']} WHERE {fact['where']}"
        ((found,),) = company.build(query)
        if found != fact["value"]:
            wrong.append((fact["vendor"], query, f"planted {fact['value']}, found {found}"))
    assert wrong == []
    # A vendor of whom nothing is planted would pass unseen.
    sums: dict[str, int] = defaultdict(int)
    for fact in planted:
        sums[fact["vendor"]] += fact["value"]
    assert all(sums[vendor] > 0 for vendor in MORE)


def test_every_vendor_s_person_is_the_customer_whom_the_shop_knows(company: Any) -> None:
    """The demo's people use one address with these vendors and the shop, so their records are one customer each."""
    split = company.build(
        "SELECT r.email, count(DISTINCT m.customer_id) FROM identity.source_records r "
        "JOIN identity.customer_map m ON r.source = m.source AND r.record_key = m.record_key "
        "WHERE r.email IS NOT NULL AND split_part(r.source, '.', 1) IN "
        "('stripe', 'intercom', 'freshdesk', 'qualtrics', 'typeform', 'medallia', 'hubspot') "
        "GROUP BY 1 HAVING count(DISTINCT m.customer_id) > 1"
    )
    assert split == []
    with_shop = company.build(
        "SELECT count(DISTINCT s.customer_id) FROM identity.customer_map s "
        "JOIN identity.customer_map c ON s.customer_id = c.customer_id "
        "WHERE s.source LIKE 'stripe.%' AND c.source LIKE 'shopify.%'"
    )
    assert with_shop[0][0] > 20


def test_every_source_stands_in_the_state_of_the_data(company: Any) -> None:
    sources = {row[0] for row in company.published("SELECT DISTINCT source FROM marts.data_state")}
    assert {"stripe", "intercom", "freshdesk", "qualtrics", "typeform", "medallia", "zendesk"} <= sources


def test_a_vendor_that_the_demo_does_not_know_is_refused(cli: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran = cli("demo", "--home", home, "--vendors", "stripe,nobody", code=8)
    assert "nobody" in ran.output and "freshdesk" in ran.output
    assert not home.exists()


def test_whom_a_contract_names_has_a_risk_of_that_kind_and_too_small_a_club_says_so(company: Any) -> None:
    rows = company.published(
        "SELECT kind, count(*), count(DISTINCT customer_id), count(probability), "
        "count(*) FILTER (reason = 'too_few_ended') FROM marts.churn_risk GROUP BY kind ORDER BY kind"
    )
    (kind, contracts, people, scored, withheld), (other, everybody, buyers, _, _) = rows
    assert (kind, other) == ("contractual", "non_contractual")
    assert contracts == people > 10 and scored == 0 and withheld > 0
    ((known, bearing),) = company.published(
        "SELECT count(*), count(contract_churn_band) FROM marts.customer_360 WHERE is_known"
    )
    assert everybody == buyers == known and bearing == contracts
