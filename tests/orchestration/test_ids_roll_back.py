"""A merge is published, and undone: readers go back a version, or one line of a steward parts the two again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from typing import Any

import duckdb
import pytest

from kizuna.builds import shown_version
from kizuna.control.lease import acquire
from kizuna.state import prepare_state
from kizuna.versions import rollback

FILE = (
    "source: loyalty\n"
    "maps_to: contact\n"
    'files: ["*.csv"]\n'
    "format: csv\n"
    "fields:\n"
    "  contact_key: {column: card}\n"
    "  email: {column: mail}\n"
    "  phone: {column: tel}\n"
)


def registry(line: Any) -> set[tuple[Any, ...]]:
    """What the next build will know of published ids."""
    with closing(duckdb.connect()) as db:
        prepare_state(line.settings, db, line.settings.company.as_of, shown_version(line.settings))
        return set(
            db.execute(
                "SELECT customer_id, identifier_type, identifier_hash FROM state.customer_identifiers"
            ).fetchall()
        )


def published(line: Any, query: str) -> list[tuple[Any, ...]]:
    file = (line.settings.published / "current").resolve() / "cx.duckdb"
    with closing(duckdb.connect(str(file), read_only=True)) as db:
        return db.execute(query).fetchall()


@pytest.fixture(scope="module")
def with_card(
    built: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, set[tuple[Any, ...]], tuple[str, str]]:
    """A company where a loyalty card names the address of one customer and the telephone of another; both ids."""
    home = tmp_path_factory.mktemp("merged") / "home"
    shutil.copytree(built.line.home, home, symlinks=True)
    line = type(built.line)(home)
    before = registry(line)
    build = line.build(built.tags)
    with closing(duckdb.connect(str(build.db), read_only=True)) as db:
        # Two people of whom each has one address and one number, so that joined they are within every limit.
        rows = db.execute(
            "SELECT customer_id, min(normalized_value) FILTER (identifier_type = 'email'),"
            " min(normalized_value) FILTER (identifier_type = 'phone') FROM identity.customer_identifiers"
            " GROUP BY customer_id HAVING count(DISTINCT normalized_value) FILTER (identifier_type = 'email') = 1"
            " AND count(DISTINCT normalized_value) FILTER (identifier_type = 'phone') = 1"
            " AND count(*) FILTER (identifier_type = 'user_id') = 0 ORDER BY customer_id LIMIT 2"
        ).fetchall()
    (one, mail, _), (two, _, phone) = rows
    line.settings.contracts_dir.mkdir(exist_ok=True)
    (line.settings.contracts_dir / "loyalty.yml").write_text(FILE, encoding="utf-8")
    folder = line.settings.landing / "loyalty"
    folder.mkdir()
    (folder / "cards.csv").write_text(f"card,mail,tel\nK1,{mail},{phone}\n", encoding="utf-8")
    run = line.run(as_of=build.as_of)
    assert run.success, run.errors
    line.store.close()
    return line, before, (one, two)


@pytest.fixture
def merged(with_card: Any, copy_of: Callable[[Any], Any]) -> tuple[Any, set[tuple[Any, ...]], tuple[str, str]]:
    """A copy of it to go on with."""
    line, before, pair = with_card
    return copy_of(line.home), before, pair


def test_ids_of_before_a_merge_come_back_with_the_version(merged: Any) -> None:
    line, before, pair = merged
    survivor = {name for name, *_ in registry(line)} & set(pair)
    assert len(survivor) == 1
    (absorbed,) = set(pair) - survivor
    assert published(
        line, "SELECT change, customer_id, other_customer_id FROM marts.identity_changes WHERE change = 'merged'"
    ) == [("merged", *survivor, absorbed)]

    # The two may have bought too long ago to change a KPI; if one changed, the merge is the only reason.
    assert set(published(line, "SELECT DISTINCT cause FROM marts.kpi_restatements")) <= {("identity",)}

    lease = acquire(line.store, "build", "rollback of a test", heartbeat=False)
    try:
        rollback(line.store, line.settings, lease)
    finally:
        lease.release()

    assert registry(line) == before
    assert set(pair) <= {name for name, *_ in registry(line)}
    assert published(line, "SELECT count(*) FROM marts.identity_changes WHERE change = 'merged'") == [(0,)]
    assert published(line, "SELECT count(*) FROM marts.kpi_restatements") == [(0,)]


def test_one_line_of_a_steward_undoes_a_merge(merged: Any) -> None:
    line, before, pair = merged
    folder = line.settings.home / "identity"
    folder.mkdir()
    (folder / "decisions.yaml").write_text(
        f"- {{forbid: [{pair[0]}, {pair[1]}], reason: two members of one club, by: data team, on: 2026-06-30}}\n",
        encoding="utf-8",
    )
    run = line.run(as_of=line.settings.company.as_of.replace(day=29))
    assert run.success, run.errors

    parted = {name for name, *_ in registry(line)}
    assert set(pair) <= parted
    homes = published(line, f"SELECT DISTINCT customer_id FROM marts.customer_360 WHERE customer_id IN {pair}")
    assert {name for (name,) in homes} == set(pair)
    (change,) = published(
        line, "SELECT customer_id, other_customer_id, cause FROM marts.identity_changes WHERE change = 'split'"
    )
    assert set(change[:2]) == set(pair) and change[2] == "steward"
    # Nothing but the loyalty card has another place than before the merge.
    moved = {row for row in registry(line) if row not in before}
    assert {kind for _, kind, _ in moved} <= {"record", "customer_key", "email", "phone", "loyalty_contact_id"}
