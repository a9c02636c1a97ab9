"""A verdict holds for the database file that was looked at: what is written into it afterwards is not published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from kizuna.builds import begin_stage, record_gate, record_stage
from kizuna.errors import GateFailed
from kizuna.files import database_state
from kizuna.flow import STEPS
from kizuna.publishing import publish
from kizuna.rebuilt import keep_rebuilt
from kizuna.untouched import require_untouched
from kizuna.versions import current

TABLES = {"orders": ("order_id",), "customers": ("customer_id",)}


def shown(company: Any) -> int | None:
    publication = current(company.settings)
    return publication.version if publication else None


def mend_by_hand(db: Path) -> None:
    with duckdb.connect(str(db)) as connection:
        connection.execute("UPDATE marts.orders SET stamp = 4711 WHERE order_id = 0")


def test_a_table_changed_after_the_last_gate_is_not_published(company: Any) -> None:
    company.publish_rows(5)
    lease = company.lease()
    build = company.build(lease, 6)
    mend_by_hand(build.db)
    with pytest.raises(GateFailed, match="was written to after gate marts"):
        company.publish(build, lease)
    with pytest.raises(GateFailed, match="was written to after gate marts"):
        keep_rebuilt(company.store, company.settings, build, lease, tables=TABLES, scorecard=lambda *_: "", pages={})
    assert shown(company) == 1


def test_a_change_that_is_not_yet_in_the_file_but_in_its_log_counts_too(company: Any) -> None:
    lease = company.lease()
    build = company.build(lease, 6)
    before = database_state(build.db)
    with duckdb.connect(str(build.db)) as connection:
        connection.execute("SET checkpoint_threshold = '1GB'")
        connection.execute("UPDATE marts.orders SET stamp = 4711 WHERE order_id = 0")
        assert build.db.with_name("build.duckdb.wal").exists()
        assert database_state(build.db) != before


def test_a_table_changed_while_the_version_is_written_is_not_shown(company: Any) -> None:
    company.publish_rows(5)
    lease = company.lease()
    build = company.build(lease, 6)

    def scorecard(_db: Path, _manifest: Any) -> str:
        mend_by_hand(build.db)
        return "page"

    with pytest.raises(GateFailed, match="was written to after gate marts"):
        publish(company.store, company.settings, build, lease, tables=TABLES, scorecard=scorecard)
    assert shown(company) == 1
    assert sorted(path.name for path in company.settings.published.iterdir()) == ["current", "v-1"]


@pytest.mark.parametrize("read_only", [True, False])
def test_who_only_looks_changes_nothing(company: Any, *, read_only: bool) -> None:
    lease = company.lease()
    build = company.build(lease, 6)
    with duckdb.connect(str(build.db), read_only=read_only) as connection:
        assert connection.execute("SELECT count(*) FROM marts.orders").fetchall() == [(6,)]
    assert company.publish(build, lease).version == 1


def test_the_verdict_of_a_late_worker_on_what_lay_there_before_counts_for_nothing(company: Any) -> None:
    """It judged, stood still, and wrote down its verdict when another run had written the tables anew."""
    lease = company.lease()
    build = company.build(lease, 6)
    as_judged = database_state(build.db)
    mend_by_hand(build.db)
    record_stage(company.store, build, "marts")
    record_gate(company.store, build, "marts", "failed", [])
    record_gate(company.store, build, "marts", "passed", [], file=as_judged)
    with pytest.raises(GateFailed, match="was written to after gate marts"):
        company.publish(build, lease)
    assert shown(company) is None


@pytest.mark.parametrize("steps", range(1, len(STEPS)))
def test_no_step_goes_on_over_a_file_that_was_changed_since_the_one_before(company: Any, steps: int) -> None:
    build = company.build(company.lease(), 6, steps=STEPS[:steps])
    require_untouched(company.store, build)
    mend_by_hand(build.db)
    with pytest.raises(GateFailed, match=f"after {' '.join(STEPS[steps - 1])}"):
        require_untouched(company.store, build)


def test_a_stage_that_was_cut_off_is_done_anew(company: Any) -> None:
    build = company.build(company.lease(), 6, steps=STEPS[:5])
    begin_stage(company.store, build, "core")
    mend_by_hand(build.db)
    require_untouched(company.store, build)
