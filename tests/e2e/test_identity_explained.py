"""`kizuna identity explain` answers whoever doubts a merge, by customer, by record and by identifier."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kizuna.cli.identity import _Asked
from kizuna.settings import load_settings
from kizuna.stewardship import company_decisions


def asked(cli: Any, demo: Any, who: str, code: int = 0) -> str:
    return str(cli("identity", "explain", who, "--home", demo.path, code=code).output)


def lines_of(text: str) -> dict[int, str]:
    return {int(found[1]): found[2] for found in re.finditer(r"^ +(\d+)\. (.*)$", text, re.MULTILINE)}


@pytest.fixture(scope="module")
def customer(demo: Any) -> str:
    """A customer of many sources."""
    rows = demo.build(
        "SELECT customer_id FROM identity.customer_map GROUP BY customer_id HAVING count(*) < 40"
        " ORDER BY count(DISTINCT source) DESC, customer_id LIMIT 1"
    )
    return str(rows[0][0])


def test_every_record_of_a_customer_is_told_and_tied_to_one_above(cli: Any, demo: Any, customer: str) -> None:
    text = asked(cli, demo, customer)
    records = demo.build(
        f"SELECT count(*), count(DISTINCT source) FROM identity.customer_map WHERE customer_id = '{customer}'"
    )
    assert f"{customer}: {records[0][0]} records of {records[0][1]} sources are one customer." in text
    told = lines_of(text)
    assert told[1].endswith("the oldest record")
    for number, line in list(told.items())[1:]:
        ties = [int(found) for found in re.findall(r"as on (\d+)", line)]
        assert ties and all(tie < number for tie in ties), line
    assert "The weakest tie" in text


def test_the_line_that_parts_the_weakest_tie_is_one_that_a_steward_may_write(
    cli: Any, demo: Any, customer: str, tmp_path: Path
) -> None:
    (line,) = re.findall(r"parts them: (- \{forbid: .*\})", asked(cli, demo, customer))
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "decisions.yaml").write_text(line + "\n", encoding="utf-8")
    (decision,) = company_decisions(tmp_path)
    ends = {(end.name, end.value) for end in decision.ends}
    mapped = demo.build(f"SELECT source, record_key FROM identity.customer_map WHERE customer_id = '{customer}'")
    assert decision.kind == "forbid" and len(ends) == 2 and ends <= set(mapped)


def test_an_address_and_a_record_lead_to_their_customer(cli: Any, demo: Any, customer: str) -> None:
    (email,) = demo.build(
        "SELECT min(normalized_value) FROM identity.customer_identifiers "
        f"WHERE identifier_type = 'email' AND customer_id = '{customer}'"
    )[0]
    source, key = demo.build(
        f"SELECT source, record_key FROM identity.customer_map WHERE customer_id = '{customer}' ORDER BY ALL LIMIT 1"
    )[0]
    for who in (email.upper(), f"{source} {key}"):
        text = asked(cli, demo, who)
        assert customer in text and "are one customer" in text


def test_a_value_that_joins_nobody_says_why(cli: Any, demo: Any) -> None:
    text = asked(cli, demo, "test@test.com")
    assert re.search(r"email test@test.com was not used on \d+ records?: blocked_value \(placeholder", text)


def test_what_was_not_used_of_a_customer_is_told(cli: Any, demo: Any) -> None:
    customer = demo.build(
        "SELECT min(customer_id) FROM identity.customer_map JOIN identity.identifiers USING (source, record_key)"
        " WHERE raw_value = 'test@test.com'"
    )[0][0]
    text = asked(cli, demo, customer)
    assert "Not used:" in text and "email test@test.com of " in text


def test_a_stranger_is_an_error_that_says_what_to_write(cli: Any, demo: Any) -> None:
    text = asked(cli, demo, "nobody@example.com", code=8)
    assert "is no customer id, no record and no identifier" in text and "Traceback" not in text


def test_an_id_that_ended_says_when_and_why(demo: Any) -> None:
    with duckdb.connect() as db:
        db.execute("CREATE SCHEMA identity; CREATE TABLE identity.customer_map (customer_id VARCHAR)")
        db.execute(
            "CREATE TABLE identity.identity_changes AS SELECT 'retired' AS change, 'c_0' AS customer_id,"
            " NULL::VARCHAR AS other_customer_id, 'shared_device' AS cause, DATE '2026-06-30' AS as_of"
        )
        (line,) = _Asked(load_settings(demo.path), db).about("c_0")
    assert line.startswith("c_0 ended on 2026-06-30 (by shared_device)")
