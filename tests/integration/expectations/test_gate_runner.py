"""The runner itself: three outcomes, no personal data in what it says, nothing left open, nobody phoned."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.context import GateContext
from expectations.registry import GateRow
from expectations.report import worst
from expectations.rules import NEVER, NO_ROWS, Rule, Writer
from expectations.runner import run_gate
from expectations.samples import failed_rows
from kizuna.errors import InputError

CANARY = "canary.person@example.jp"
ME = Writer(owner="test")


def row(*rules: Rule, relation: str = "core.people") -> GateRow:
    return GateRow("core", relation, relation.split(".")[1], lambda _ctx, _relation: list(rules), "a test")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "build.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create schema core")
        con.execute(
            "create table core.people as select i as id, 'x' as name, 10::decimal(18,2) as amount, 1 as points"
            " from range(9) r(i)"
        )
        con.execute("insert into core.people values (1, ?, -7, -4711)", [CANARY])
        # A namesake in the default schema: reading it instead would pass.
        con.execute("create table main.people as select 100 as id, 'y' as name, 1::decimal(18,2) as amount")
    return path


def test_a_missing_relation_could_not_run(people: Path, context: GateContext) -> None:
    report = run_gate("core", people, context=context, rows=[row(ME.unique("id", "r"), relation="core.absent")])
    assert report.outcome == "could_not_run"
    assert report.verdicts[0].problems == ("relation core.absent does not exist",)


def test_an_empty_suite_could_not_run(people: Path, context: GateContext) -> None:
    assert run_gate("core", people, context=context, rows=[row()]).outcome == "could_not_run"


def test_a_suite_of_which_nothing_could_be_judged_could_not_run(people: Path, context: GateContext) -> None:
    """Every rule waits for history: no expectation was asked, and none has passed."""
    waiting = replace(ME.unique("amount", "r"), needs=NEVER, needs_what="nothing was published before")
    report = run_gate("core", people, context=context, rows=[row(waiting)])
    assert (report.outcome, report.verdicts[0].evaluated) == ("could_not_run", 0)
    assert run_gate("core", people, context=context, rows=[row(waiting, ME.unique("name", "r"))]).outcome == "failed"


def test_a_gate_without_rows_could_not_run(people: Path, context: GateContext) -> None:
    assert run_gate("core", people, context=context, rows=[]).outcome == "could_not_run"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (ME.between("nope", 0, None, reason="r"), "column nope does not exist"),
        (ME.unique("nope", "r"), 'Referenced column "nope" not found'),
        (ME.never("odd", "nope > 1", "r"), 'Referenced column "nope" not found'),
        (ME.never("odd", "name::int > 1", "r"), "Conversion Error (message withheld: it may quote data)"),
        (ME.no_rows("odd", "select 1 from {batch} join core.absent using (id)", "r"), "absent does not exist"),
        (Rule("odd", "ExpectSomethingThatIsNot", {}, "r", "o"), "AttributeError"),
        (Rule("odd", NO_ROWS, {"unexpected_rows_query": "select {nothing} from {batch}"}, "r", "o"), "withheld"),
    ],
)
def test_a_check_that_breaks_could_not_run_and_quotes_no_value(
    people: Path, context: GateContext, rule: Rule, said: str
) -> None:
    report = run_gate("core", people, context=context, rows=[row(rule)])
    assert report.outcome == "could_not_run"
    assert said in report.verdicts[0].problems[0]
    assert CANARY not in json.dumps(report.to_dict())


def test_a_suite_that_raises_could_not_run_and_stops_no_other(people: Path, context: GateContext) -> None:
    def broken(_ctx: GateContext, _relation: str) -> list[Rule]:
        raise KeyError(CANARY)

    rows = [GateRow("core", "core.people", "people", broken, "r"), row(ME.between("id", 0, None, reason="r"))]
    report = run_gate("core", people, context=context, rows=rows)
    assert [verdict.outcome for verdict in report.verdicts] == ["could_not_run", "passed"]
    assert CANARY not in json.dumps(report.to_dict())


def test_a_failure_beside_a_broken_check_is_still_a_failure(people: Path, context: GateContext) -> None:
    report = run_gate("core", people, context=context, rows=[row(ME.unique("id", "r"), ME.unique("nope", "r"))])
    verdict = report.verdicts[0]
    assert (verdict.outcome, verdict.evaluated, len(verdict.problems)) == ("failed", 1, 1)


def test_counts_are_reported(people: Path, context: GateContext) -> None:
    rules = [
        ME.unique("id", "why"),
        ME.never("negative", "amount < 0", "why"),
        ME.in_set("id", [2, 3, 4, 5, 6, 7, 8], "why"),
    ]
    failed = {r.name: r for r in run_gate("core", people, context=context, rows=[row(*rules)]).verdicts[0].failed}
    unique = failed["id_is_unique"]
    assert (unique.unexpected_count, unique.observed, unique.column) == (2, 2, "id")
    assert (unique.reason, unique.owner, unique.severity) == ("why", "test", "error")
    assert failed["negative"].observed == 1


def test_the_table_of_the_right_schema_is_read(people: Path, context: GateContext) -> None:
    rules = [
        ME.between("id", 0, 8, reason="r"),
        Rule("type", "ExpectColumnValuesToBeOfType", {"column": "amount", "type_": "DECIMAL(18,2)"}, "r", "o"),
        Rule("rows", "ExpectTableRowCountToEqual", {"value": 10}, "r", "o"),
    ]
    assert run_gate("core", people, context=context, rows=[row(*rules)]).outcome == "passed"


def test_no_value_leaves_the_database(
    people: Path, context: GateContext, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Every kind of failure over a canary: report, log, output hold counts and never the value."""
    rules = [
        Rule("regex", "ExpectColumnValuesToNotMatchRegex", {"column": "name", "regex": "@"}, "r", "o"),
        Rule("set", "ExpectColumnValuesToBeInSet", {"column": "name", "value_set": ["x"]}, "r", "o"),
        Rule("min", "ExpectColumnMinToBeBetween", {"column": "points", "min_value": 0}, "r", "o"),
        Rule("mode", "ExpectColumnDistinctValuesToBeInSet", {"column": "name", "value_set": ["q"]}, "r", "o"),
        Rule("length", "ExpectColumnValueLengthsToBeBetween", {"column": "name", "max_value": 3}, "r", "o"),
        ME.never("rows", f"name = '{CANARY[:6]}' || substr(name, 7) and name like '%@%'", "r"),
        ME.never("conversion", "name::int > 1", "r"),
    ]
    with caplog.at_level(logging.DEBUG):
        report = run_gate("core", people, context=context, rows=[row(*rules)])
    names = {result.name for result in report.verdicts[0].failed}
    assert names == {"regex", "set", "min", "mode", "length", "rows"}
    assert len(report.verdicts[0].problems) == 1
    said = json.dumps(report.to_dict()) + report.verdicts[0].summary + caplog.text + "".join(capfd.readouterr())
    assert CANARY not in said
    assert "4711" not in said


def test_nothing_is_printed(unharmed: Path, context: GateContext, capfd: pytest.CaptureFixture[str]) -> None:
    run_gate("identity", unharmed, context=context)
    assert capfd.readouterr() == ("", "")


def test_the_file_can_be_written_right_after(harmed: Callable[[str], Path], context: GateContext) -> None:
    path = harmed("select 1")
    assert run_gate("core", path, context=context).outcome == "passed"
    with duckdb.connect(str(path)) as con:  # DuckDB refuses while a read-only connection of the process is open
        con.execute("create table core.next_stage as select 1")


def test_readers_of_the_same_process_do_not_disturb(unharmed: Path, context: GateContext) -> None:
    with duckdb.connect(str(unharmed), read_only=True) as con:
        assert run_gate("identity", unharmed, context=context).outcome == "passed"
        assert con.execute("select count(*) from core.dim_customers").fetchone() == (40,)


def test_a_file_that_is_no_database_could_not_run(tmp_path: Path, context: GateContext) -> None:
    torn = tmp_path / "build.duckdb"
    torn.write_bytes(b"torn" * 5000)
    report = run_gate("core", torn, context=context)
    assert {verdict.outcome for verdict in report.verdicts} == {"could_not_run"}


def test_a_file_open_for_writing_could_not_run(harmed: Callable[[str], Path], context: GateContext) -> None:
    path = harmed("select 1")
    with duckdb.connect(str(path)):
        assert run_gate("core", path, context=context).outcome == "could_not_run"


def test_no_file_is_an_error(tmp_path: Path, context: GateContext) -> None:
    with pytest.raises(InputError, match="no build database"):
        run_gate("core", tmp_path / "absent.duckdb", context=context)


def test_odd_characters_in_the_path(tmp_path: Path, people: Path, context: GateContext) -> None:
    odd = tmp_path / "会社 100% #1?.duckdb"
    odd.write_bytes(people.read_bytes())
    assert run_gate("core", odd, context=context, rows=[row(ME.between("id", 0, 8, reason="r"))]).outcome == "passed"


def test_nobody_is_phoned(unharmed: Path, context: GateContext, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kw: Any) -> None:
        raise AssertionError("a gate opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert run_gate("core", unharmed, context=context).outcome == "passed"


def test_reports_are_json_and_lookup_works(unharmed: Path, context: GateContext) -> None:
    report = run_gate("identity", unharmed, context=context)
    assert json.loads(json.dumps(report.to_dict()))["verdicts"][0]["relation"] == "identity.customer_map"
    assert report.verdict("identity.identity_links").outcome == "passed"


def test_the_worst_outcome_wins() -> None:
    assert worst(["passed", "could_not_run"]) == "could_not_run"
    assert worst(["could_not_run", "failed", "passed"]) == "failed"
    assert worst(["passed", "passed"]) == "passed"
    assert worst([]) == "could_not_run"


def test_failed_rows_are_shown_by_their_shape_only(people: Path, context: GateContext) -> None:
    rules = [
        ME.unique("id", "r"),
        ME.between("amount", 0, None, reason="r"),
        ME.in_set("name", ["x"], "r"),
        ME.never("negative", "points < 0", "r", column="points"),
        ME.no_rows("names", "select name, points from {batch} where id = 1 and points < 0", "r"),
    ]
    report = run_gate("core", people, context=context, rows=[row(*rules)])
    found = {result.name: result.sample for result in report.verdicts[0].failed}
    assert found == {
        "id_is_unique": ({"id": "9"}, {"id": "9"}),
        "amount_is_in_range": ({"amount": "-9.99"},),
        "name_is_known": ({"name": "xxxxxx.xxxxxx@xxxxxxx.xx"},),
        "negative": ({"points": "-9999"},),
        "names": ({"name": "xxxxxx.xxxxxx@xxxxxxx.xx", "points": "-9999"},),
    }


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("relation", "raw.shopify__orders", "raw.shopify__orders"),
        ("day", "2026-06-30", "2026-06-30"),
        ("relation", CANARY, "xxxxxx.xxxxxx@xxxxxxx.xx"),
        ("relation", "090-0000-0000", "999-9999-9999"),
        ("relation", "09000000000", "99999999999"),
        ("customer_id", "c_0a1b2c3d4e5f60718293", "c_0a1b2c3d4e5f60718293"),
        ("customer_id", "hana", "xxxx"),
        ("customer_id", "4000000000000000", "9999999999999999"),
    ],
)
def test_a_column_of_names_is_clear_only_where_it_holds_names(
    people: Path, column: str, value: str, shown: str
) -> None:
    rule = ME.no_rows("odd", f"select '{value}' as {column} from {{batch}} limit 1", "r")
    with duckdb.connect(str(people), read_only=True) as con:
        assert failed_rows(con, "core.people", rule) == ({column: shown},)
