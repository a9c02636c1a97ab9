"""Runs one gate over one build's DuckDB file, with three outcomes: passed, failed, could not run.

A gate that could not run is not a pass: a missing relation, an expectation that raises and an empty suite all end as
`could_not_run`. Reports hold counts and names only; messages of the database are kept only where they speak of SQL
names, never where they may quote a value.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.context import Gate, GateContext
from expectations.registry import GateRow, rows_of
from expectations.report import ExpectationResult, GateReport, Outcome, RelationVerdict, worst
from expectations.rules import DOUBLES, NEVER, NO_ROWS, TEXTS, Rule
from expectations.samples import Sample, failed_rows
from kizuna.errors import InputError

if TYPE_CHECKING:
    import duckdb
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext

#: BASIC brings counts; a partial list of length 0 keeps failing values in the database.
RESULT_FORMAT: Mapping[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}

#: Kinds whose observed value is a number of rows. Any other observed value (a minimum, a mode) is data.
COUNTING_KINDS = frozenset({NO_ROWS, "ExpectTableRowCountToBeBetween"})

#: Errors that name tables, columns and syntax. Conversion, constraint and range errors quote values: kind only.
_SAFE_ERROR = re.compile(r"((?:Catalog|Binder|Parser|Connection) Error: [^\n]{1,300})")
_ANY_ERROR = re.compile(
    r"\b((?:Conversion|Constraint|Invalid Input|Out of Range|Out of Memory|IO|Fatal|INTERNAL|Not implemented|"
    r"Serialization|Transaction|Interrupt|Permission|Invalid Type|Mismatch Type|Divide by Zero) Error)\b"
)
_NO_COLUMN = re.compile(r'The column "(\w{1,120})" in \w+ does not exist')

#: Types of columns, lists of them excluded, whose values are written without letters.
_NO_TEXT = re.compile(
    r"(BOOLEAN|(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|DATE|TIMESTAMP[\w ]*|TIME)$"
)

_ONE_AT_A_TIME = threading.Lock()


def run_gate(
    gate: Gate,
    db: Path,
    *,
    context: GateContext,
    rows: Sequence[GateRow] | None = None,
    memory_limit: str = "1GB",
    threads: int = 2,
) -> GateReport:
    """Judge every relation of `gate` in the database file `db`, opened read-only.

    `rows` replaces the registry's rows. Every connection is closed at the end: the next stage opens the file for
    writing. Raises InputError when there is no such file; everything else ends in the report.
    """
    if not db.is_file():
        raise InputError(f"no build database at {db}")
    import duckdb

    chosen = tuple(rows_of(gate) if rows is None else rows)
    started = time.perf_counter()
    with _ONE_AT_A_TIME:
        context_of_gx = _ephemeral_context()
        imported = time.perf_counter()
        try:
            verdicts = _judge_all(gate, db, chosen, context, context_of_gx, memory_limit, threads)
        except duckdb.Error as error:
            verdicts = [_unread(row, describe_error(str(error))) for row in chosen]
    return GateReport(
        gate=gate,
        outcome=worst(verdict.outcome for verdict in verdicts),
        verdicts=tuple(verdicts),
        import_seconds=round(imported - started, 3),
        seconds=round(time.perf_counter() - imported, 3),
    )


def load_in_background() -> None:
    """Begin the import of Great Expectations (5 seconds), to be called where this process is about to wait."""
    # Half imported in one thread, it fails whatever statement another thread is making (seen once).
    import sqlalchemy.orm  # noqa: F401

    threading.Thread(target=_load, name="load-great-expectations", daemon=True).start()


def _load() -> None:
    with _ONE_AT_A_TIME:
        _ephemeral_context()


@cache
def _ephemeral_context() -> EphemeralDataContext:
    """The one Great Expectations context of the process: nothing on disk, no progress bars, nobody phoned.

    Only under `_ONE_AT_A_TIME`: two threads that import it at once would make two.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Its log lines quote queries and errors, values included.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL + 1)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    import expectations.duckdb_dialect  # noqa: F401  (registers the datasource)

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # It writes its whole configuration as YAML, to nowhere, at each of the two steps of every relation.
    context._save_project_config = lambda *_, **__: None  # type: ignore[method-assign]
    return context


def _judge_all(
    gate: Gate,
    db: Path,
    rows: Sequence[GateRow],
    context: GateContext,
    gx_context: Any,
    memory_limit: str,
    threads: int,
) -> list[RelationVerdict]:
    import duckdb

    from expectations.duckdb_dialect import connection_string

    # The first connection holds the instance open and sets its limits for every later one.
    with duckdb.connect(str(db), read_only=True) as anchor:
        anchor.execute("set memory_limit = ?", [memory_limit])
        anchor.execute(f"set threads = {int(threads)}")
        existing = {
            f"{schema}.{table}"
            for schema, table in anchor.execute(
                "select table_schema, table_name from information_schema.tables"
            ).fetchall()
        }
        name = f"{gate}_{time.monotonic_ns()}"
        source = gx_context.data_sources.add_duckdb(
            name, connection_string=connection_string(str(db.resolve())), schema_name=gate
        )
        try:
            return [
                _nothing_to_judge(row, anchor, existing, context) or _judge(row, source, anchor, existing, context)
                for row in rows
            ]
        finally:
            source.release()
            gx_context.data_sources.delete(name)


def _nothing_to_judge(
    row: GateRow, anchor: duckdb.DuckDBPyConnection, existing: set[str], context: GateContext
) -> RelationVerdict | None:
    """The verdict on a relation that is empty as it should be; None where the suite has to be asked."""
    if row.rows_to_judge is None or not {row.relation, "raw.batches"} <= existing:
        return None
    if context.previous_rows.get(row.relation):
        return None
    if anchor.execute(row.rows_to_judge).fetchall()[0][0]:
        return None
    note = "nothing to check: no batch in this build"
    return RelationVerdict(row.gate, row.relation, row.check_name, "passed", 1, (), (), (), 0.0, note, 0)


def _unread(row: GateRow, problem: str) -> RelationVerdict:
    problems = (f"the build's database could not be read: {problem}",)
    return RelationVerdict(row.gate, row.relation, row.check_name, "could_not_run", 0, (), (), problems, 0.0)


def _judge(
    row: GateRow, source: Any, anchor: duckdb.DuckDBPyConnection, existing: set[str], context: GateContext
) -> RelationVerdict:
    started = time.perf_counter()
    size: int | None = None
    unjudged: list[tuple[str, str]] = []

    def verdict(
        outcome: Outcome,
        evaluated: int = 0,
        failed: Iterable[ExpectationResult] = (),
        warnings: Iterable[ExpectationResult] = (),
        problems: Iterable[str] = (),
    ) -> RelationVerdict:
        seconds = round(time.perf_counter() - started, 3)
        return RelationVerdict(
            row.gate, row.relation, row.check_name, outcome, evaluated, tuple(failed), tuple(warnings),
            tuple(problems), seconds, rows=size, unjudged=tuple(unjudged),
        )  # fmt: skip

    if row.relation not in existing:
        return verdict("could_not_run", problems=[f"relation {row.relation} does not exist"])
    try:
        rules = row.suite(context, row.relation)
        if not rules:
            return verdict("could_not_run", problems=["the suite has no expectation"])
        size = int(anchor.execute(f"select count(*) from {row.relation}").fetchall()[0][0])
        unjudged += [(rule.name, rule.needs_what) for rule in rules if not _enough(rule, row.relation, anchor)]
        without = {name for name, _ in unjudged}
        if all(rule.name in without for rule in rules):
            return verdict("could_not_run", problems=["no expectation of the suite could be judged"])
        rules = _with_columns([rule for rule in rules if rule.name not in without], row.relation, anchor)
        results = _validate(row, rules, source)
    except _what_checks_raise() as error:
        return verdict("could_not_run", problems=[f"{type(error).__name__}: {describe_error(str(error))}"])
    failed: list[ExpectationResult] = []
    warnings: list[ExpectationResult] = []
    problems: list[str] = []
    for rule in rules:
        result = results.get(rule.name)
        if result is None:
            problems.append(f"{rule.name}: gave no result")
        elif (message := _raised(result)) is not None:
            problems.append(f"{rule.name}: {describe_error(message)}")
        elif not result.success:
            found = _result(rule, result.result, failed_rows(anchor, row.relation, rule))
            (failed if rule.severity == "error" else warnings).append(found)
    outcome: Outcome = "failed" if failed else "could_not_run" if problems else "passed"
    return verdict(outcome, len(rules) - len(problems), failed, warnings, problems)


def _enough(rule: Rule, relation: str, anchor: duckdb.DuckDBPyConnection) -> bool:
    """Whether there is enough history for a verdict by `rule`."""
    if rule.needs is None:
        return True
    if rule.needs == NEVER:
        return False
    return bool(anchor.execute(rule.needs.replace("{batch}", relation)).fetchall()[0][0])


def _with_columns(rules: Sequence[Rule], relation: str, anchor: duckdb.DuckDBPyConnection) -> list[Rule]:
    """The rules with `{texts}` and `{doubles}` replaced by the relation's columns of these kinds."""
    if not any(_names_columns(rule) for rule in rules):
        return list(rules)
    columns = [(f'"{name}"', kind) for name, kind, *_ in anchor.execute(f"describe {relation}").fetchall()]
    texts = ", ".join(["''", *(name for name, kind in columns if not _NO_TEXT.match(kind))])
    doubles = [f"coalesce({name}, 0)" for name, kind in columns if kind in ("DOUBLE", "FLOAT")]

    def filled(sql: str) -> str:
        return sql.replace(TEXTS, texts).replace(DOUBLES, " + ".join(["0::double", *doubles]))

    return [
        replace(
            rule,
            kwargs={key: filled(value) for key, value in rule.kwargs.items()},
            sample=rule.sample and filled(rule.sample),
        )
        if _names_columns(rule)
        else rule
        for rule in rules
    ]


def _names_columns(rule: Rule) -> bool:
    return any(word in str(rule.kwargs) for word in (TEXTS, DOUBLES))


def _what_checks_raise() -> tuple[type[Exception], ...]:
    """A check that breaks, for any of these reasons, could not run; it never passes and never ends the other checks."""
    import duckdb
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.datasource.fluent.interfaces import TestConnectionError
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from sqlalchemy.exc import SQLAlchemyError

    return (
        GreatExpectationsError, TestConnectionError, ValidationError, SQLAlchemyError, duckdb.Error,
        ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
    )  # fmt: skip


def _validate(row: GateRow, rules: Sequence[Rule], source: Any) -> dict[str, Any]:
    """All rules of one relation in one validation, which bundles their metrics; results by rule name."""
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.expectations.metadata_types import FailureSeverity

    from expectations.duckdb_dialect import REMEMBERED, ExpectNoRows

    expectations = []
    for rule in rules:
        kind = ExpectNoRows if rule.kind == NO_ROWS else getattr(gxe, rule.kind)
        severity = FailureSeverity.CRITICAL if rule.severity == "error" else FailureSeverity.WARNING
        meta = {"rule": rule.name, "severity": rule.severity, "reason": rule.reason, "owner": rule.owner}
        expectations.append(kind(**rule.kwargs, severity=severity, meta=meta))
    # Given whole: added one by one, each is compared with all before it, and what keeps suites is asked each time.
    suite = gx.ExpectationSuite(name=row.check_name, expectations=expectations)
    table = row.relation.split(".", 1)[1]
    batch = source.add_table_asset(row.check_name, table_name=table).add_batch_definition_whole_table("all").get_batch()
    try:
        found = batch.validate(suite, result_format=dict(RESULT_FORMAT)).results
    finally:
        REMEMBERED.forget()
    return {result.expectation_config.meta["rule"]: result for result in found}


def _raised(result: Any) -> str | None:
    """The message of whatever an expectation raised, None when it ran."""
    info: Mapping[str, Any] = result.exception_info or {}
    entries = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    for entry in entries:
        if entry.get("raised_exception"):
            return str(entry.get("exception_message") or "") + "\n" + str(entry.get("exception_traceback") or "")
    return None


def describe_error(message: str) -> str:
    """What may be said of an error: SQL names yes, values of the data no."""
    if missing := _NO_COLUMN.search(message):
        return f"column {missing.group(1)} does not exist"
    if safe := _SAFE_ERROR.search(message):
        return safe.group(1).strip()
    kinds = _ANY_ERROR.findall(message)
    return f"{kinds[0]} (message withheld: it may quote data)" if kinds else "error (message withheld)"


def _result(rule: Rule, found: Mapping[str, Any], sample: Sample) -> ExpectationResult:
    observed = found.get("observed_value") if rule.kind in COUNTING_KINDS else None
    percent = found.get("unexpected_percent")
    return ExpectationResult(
        name=rule.name,
        column=rule.column,
        severity=rule.severity,
        observed=observed if isinstance(observed, int) else None,
        unexpected_count=found.get("unexpected_count", observed if rule.kind == NO_ROWS else None),
        unexpected_percent=round(float(percent), 4) if percent is not None else None,
        reason=rule.reason,
        owner=rule.owner,
        sample=sample,
    )
