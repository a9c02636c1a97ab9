"""What a model promises in its yml is checked when its table is made: a small project of broken promises."""

from collections.abc import Mapping
from pathlib import Path

import duckdb
import orjson
import pytest
import yaml

from orchestration.dbt_child import DbtChild
from orchestration.manifest import DBT_PROJECT

ROWS = "select * from (values (1, 'nps', 10.50::decimal(18, 2)), (2, 'csat', null)) as t(id, kind, score)"
CONTRACT: dict[str, object] = {"contract": {"enforced": True}}


def column(name: str, kind: str, **more: object) -> dict[str, object]:
    return {"name": name, "data_type": kind, **more}


NOT_NULL = {"constraints": [{"type": "not_null"}]}
VALUES = {"config": {"meta": {"values": ["nps", "csat"]}}}
ID, KIND = column("id", "integer", **NOT_NULL), column("kind", "varchar", **VALUES)
SCORE = column("score", "decimal(18, 2)")
KEY = {"meta": {"kizuna": {"key": ["id"]}}}
#: One row per (id, part), and rows in that order.
SORTED = {"meta": {"kizuna": {"key": ["id", "part"], "ascending": True}}}
BEHIND = "rows that do not come after the one before by (id, part)"


#: The first two of these keys have the same hash, the last two are the same key.
COLLIDING = "select * from (values (1::bigint, 1::bigint), (2, 6289507739342993550), (9, 1), (9, 1)) as t(id, part)"
COLLIDE = {"meta": {"kizuna": {"key": ["id", "part"]}}}


def rows(*parts: str) -> str:
    return f"select * from (values {', '.join(parts)}) as t(id, part)"


#: name -> (query, config of the model, columns, what the failure says; None where the promises are kept)
MODELS: dict[str, tuple[str, dict[str, object], list[dict[str, object]], str | None]] = {
    "kept": (ROWS, CONTRACT | KEY, [ID, KIND, SCORE], None),
    "no_value_is_a_value": ("select 1 as id, null::varchar as kind", KEY, [ID, KIND], None),
    "keys_of_one_hash": (f"{COLLIDING} where id < 9", COLLIDE, [], None),
    "a_doubled_key_among_keys_of_one_hash": (
        COLLIDING, COLLIDE, [], "1 keys (id, part) that stand in more than one row",
    ),
    "in_order": (rows("(1, 'a')", "(1, 'b')", "(2, 'a')"), SORTED, [], None),
    "empty_in_order": (rows("(1, 'a')") + " where id > 1", SORTED, [], None),
    "out_of_order": (rows("(1, 'b')", "(1, 'a')", "(2, 'a')"), SORTED, [], f"1 {BEHIND}"),
    "doubled_in_order": (rows("(1, 'a')", "(2, 'a')", "(2, 'a')", "(2, 'a')"), SORTED, [], f"2 {BEHIND}"),
    "no_key_in_order": (rows("(null, 'a')"), SORTED, [], f"1 {BEHIND}"),
    "empty_key_in_order": (rows("(1, 'a')", "(1, null)"), SORTED, [], f"1 {BEHIND}"),
    "other_type": (
        ROWS, CONTRACT, [ID, KIND, column("score", "double")],
        "Promised and not made: score DOUBLE. Made and not promised: score DECIMAL(18,2).",
    ),
    "lost_column": (
        ROWS, CONTRACT, [ID, KIND, SCORE, column("at", "date")],
        "Promised and not made: at DATE. Made and not promised: nothing.",
    ),
    "column_more": (ROWS, CONTRACT, [ID, KIND], "Made and not promised: score DECIMAL(18,2)."),
    "other_order": (ROWS, CONTRACT, [KIND, ID, SCORE], "are in another order: id INTEGER, kind VARCHAR, score"),
    "empty_cell": (
        ROWS, CONTRACT, [ID, KIND, column("score", "decimal(18, 2)", **NOT_NULL)], "NOT NULL constraint failed",
    ),
    "constraint_nobody_keeps": (
        ROWS, CONTRACT, [column("id", "integer", constraints=[{"type": "unique"}]), KIND, SCORE],
        "id: only not_null is enforced, not unique.",
    ),
    "doubled_key": (
        f"{ROWS} union all {ROWS}", KEY, [ID, KIND], "2 keys (id) that stand in more than one row",
    ),
    "doubled_empty_key": (
        "select * from (values (null, 'x'), (null, 'x'), (null, 'y')) as t(id, part)",
        {"meta": {"kizuna": {"key": ["id", "part"]}}}, [], "1 keys (id, part) that stand in more than one row",
    ),
    "strange_value": (
        f"{ROWS} union all select 3, 'NPS', 1", KEY, [ID, KIND], "1 rows whose kind is none of its values",
    ),
    "two_at_once": (
        f"{ROWS} union all select null, 'it''s', 1",
        {"meta": {"kizuna": {"never_null": ["id", "score"]}}}, [KIND],
        "1 rows without id; 1 rows without score; 1 rows whose kind is none of its values.",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mapping[str, tuple[str, str]], Path]:
    """Status and message of every model, and the database."""
    project = tmp_path_factory.mktemp("promises")
    (project / "models").mkdir()
    settings = {
        "name": "kizuna", "version": "1.0", "config-version": 2, "profile": "kizuna",
        "macro-paths": [str(DBT_PROJECT / "macros")], "models": {"kizuna": {"+materialized": "table"}},
        "flags": {"send_anonymous_usage_stats": False},
    }  # fmt: skip
    (project / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    described = [
        {"name": name, "config": config, "columns": columns} for name, (_, config, columns, _) in MODELS.items()
    ]
    (project / "models" / "all.yml").write_text(yaml.safe_dump({"version": 2, "models": described}))
    for name, (query, *_) in MODELS.items():
        (project / "models" / f"{name}.sql").write_text(query)
    args = ["run", "--project-dir", str(project), "--profiles-dir", str(DBT_PROJECT)]
    args += ["--target-path", str(project / "target"), "--log-level-file", "none"]
    child = DbtChild(args, env={"KIZUNA_BUILD_DB": str(project / "build.duckdb")}, cwd=project, manifest=None)
    events = [orjson.loads(line) for line in child.stdout]
    child.wait()
    found = {
        event["data"]["node_info"]["node_name"]: (
            event["data"]["run_result"]["status"],
            event["data"]["run_result"].get("message", ""),
        )
        for event in events
        if event["info"]["name"] == "NodeFinished"
    }
    assert set(found) == set(MODELS), [event["info"]["msg"] for event in events if event["info"]["level"] == "error"]
    return found, project / "build.duckdb"


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model[-1] is not None])
def test_a_broken_promise_fails_its_model_and_says_which(
    outcome: tuple[Mapping[str, tuple[str, str]], Path], name: str
) -> None:
    status, message = outcome[0][name]
    assert status == "error"
    assert str(MODELS[name][-1]) in message


def test_only_tables_that_keep_their_promises_are_left(
    outcome: tuple[Mapping[str, tuple[str, str]], Path],
) -> None:
    found, db = outcome
    kept = {name for name, model in MODELS.items() if model[-1] is None}
    assert {name for name, (status, _) in found.items() if status == "success"} == kept
    with duckdb.connect(str(db), read_only=True) as connection:
        assert {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()} == kept
        assert connection.execute("select * from kept order by id").fetchall()[0][1] == "nps"
        required = connection.execute(
            "select column_name from duckdb_columns() where table_name = 'kept' and not is_nullable"
        ).fetchall()
    assert required == [("id",)]


def test_the_keys_of_one_hash_still_have_one() -> None:
    """What `keys_of_one_hash` stands for; when the engine hashes otherwise, its second key is to be found anew."""
    hashes = duckdb.sql(f"select count(distinct hash(id, part)) from ({COLLIDING}) where id < 9").fetchall()
    assert hashes == [(1,)]
