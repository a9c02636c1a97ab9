"""Ways around a gate or past a newer version that were once open."""

from __future__ import annotations

import os
import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import select, update

from kizuna import publishing
from kizuna.builds import begin_stage, config_hash, require_same_ground, start_build
from kizuna.control.lease import acquire, living_holder
from kizuna.control.schema import builds, link_moves
from kizuna.control.schema import lease as leases
from kizuna.errors import BuildError, GateFailed, InputError, LeaseHeld, PublishError
from kizuna.files import make_private
from kizuna.flow import STEPS
from kizuna.rebuilt import keep_rebuilt
from kizuna.redact import engine_errors_without_values, tree_without_values, without_values
from kizuna.settings import load_settings
from kizuna.state import prepare_state
from kizuna.versions import current, expire, reconcile, rollback

TABLES = {"orders": ("order_id",), "customers": ("customer_id",)}


def shown(company: Any) -> int | None:
    publication = current(company.settings)
    return publication.version if publication else None


@pytest.mark.parametrize("stage", ["raw", "staging", "identity", "core", "scores", "marts"])
def test_a_stage_that_began_to_write_again_and_did_not_end_is_not_published(company: Any, stage: str) -> None:
    lease = company.lease()
    build = company.build(lease, 5)
    begin_stage(company.store, build, stage)
    with pytest.raises(GateFailed, match=f"stage {stage} did not end"):
        company.publish(build, lease)
    assert shown(company) is None


def test_a_build_whose_configuration_changed_meanwhile_is_not_published(company: Any) -> None:
    lease = company.lease()
    build = company.build(lease, 5)
    config = company.settings.home / "kizuna.yaml"
    config.write_text(config.read_text() + "kpi: {identity_limit_default: 50}\n")
    company.settings = load_settings(company.settings.home, {"KIZUNA_PSEUDONYM_KEY": "k" * 40})
    with pytest.raises(BuildError, match="another configuration or pseudonym key"):
        company.publish(build, lease)
    assert shown(company) is None


@pytest.mark.parametrize("name", ["rules", "decisions"])
def test_what_the_company_says_about_identity_is_part_of_the_ground(company: Any, name: str) -> None:
    before = config_hash(company.settings)
    file = company.settings.home / "identity" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("# nothing yet\n")
    assert config_hash(company.settings) != before
    file.unlink()
    assert config_hash(company.settings) == before


def test_a_build_does_not_begin_with_decisions_that_nobody_can_read(company: Any) -> None:
    file = company.settings.home / "identity" / "decisions.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("- {force: [email a@example.jp], reason: r, by: b, on: 2026-01-01}\n")
    with pytest.raises(InputError, match=r"decisions\.yaml:1: force: a decision has two ends"):
        company.build(company.lease(), 5)


def test_another_key_is_another_ground(company: Any) -> None:
    build = company.build(company.lease(), 5)
    other = load_settings(company.settings.home, {"KIZUNA_PSEUDONYM_KEY": "other" * 10})
    assert config_hash(other) != config_hash(company.settings)
    with pytest.raises(BuildError, match="pseudonym key"):
        require_same_ground(other, build, build.code_version)


def test_code_that_changed_meanwhile_is_another_ground(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = company.lease()
    build = company.build(lease, 5)
    monkeypatch.setattr(publishing, "current_code", lambda: "0123456789abcdef")
    with pytest.raises(BuildError, match="another code"):
        company.publish(build, lease)


def test_an_older_build_does_not_go_over_a_newer_version(company: Any) -> None:
    company.publish_rows(5)
    lease = company.lease()
    late = company.build(lease, 6)
    company.publish(company.build(lease, 7), lease)
    with pytest.raises(PublishError, match="goes on from v-1, but readers see v-2"):
        company.publish(late, lease)
    assert shown(company) == 2


def test_a_failure_while_writing_leaves_nothing_behind(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    company.publish_rows(5)
    lease = company.lease()
    build = company.build(lease, 6)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, "_write_parquet", full)
    with pytest.raises(OSError, match="No space left"):
        company.publish(build, lease)
    assert sorted(path.name for path in company.settings.published.iterdir()) == ["current", "v-1"]


def test_a_version_that_is_out_stays_out_when_cleaning_up_fails(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(publishing, "expire", denied)
    assert company.publish_rows(5).version == 1
    with company.store.read() as connection:
        assert connection.execute(select(builds.c.status)).scalars().all() == ["published"]


def test_what_was_rolled_away_from_is_neither_the_next_rollback_nor_what_is_kept(make_company: Any) -> None:
    company = make_company("retention: {versions: 2, hours: 0}")
    for rows in (5, 6, 7):
        company.publish_rows(rows)
    lease = company.lease()
    rollback(company.store, company.settings, lease)
    lease.release()
    company.publish_rows(8)
    lease = company.lease()
    assert rollback(company.store, company.settings, lease).version == 2


def test_a_version_shown_until_lately_is_kept_however_old_it_is(make_company: Any) -> None:
    company = make_company("retention: {versions: 2, hours: 24}")
    for rows in (5, 6, 7, 8):
        company.publish_rows(rows)
    long_ago = timedelta(days=3)
    with company.store.begin() as connection:
        connection.execute(update(publishing.publications).values(published_at=publishing.utcnow() - long_ago))
        connection.execute(
            update(link_moves).where(link_moves.c.to_version < 3).values(at=publishing.utcnow() - long_ago)
        )
    # v-2 was left for v-3 just now; v-1 was left three days ago.
    assert expire(company.store, company.settings) == [1]


def test_a_lost_link_is_not_taken_for_a_first_build(company: Any) -> None:
    company.publish_rows(5)
    (company.settings.published / "current").unlink()
    with pytest.raises(PublishError, match="kizuna rollback --to 1"):
        reconcile(company.store, company.settings)
    lease = company.lease()
    assert rollback(company.store, company.settings, lease, to=1).version == 1


def test_a_link_to_nowhere_says_how_to_mend_it(company: Any) -> None:
    company.publish_rows(5)
    link = company.settings.published / "current"
    link.unlink()
    link.symlink_to("v-9")
    with pytest.raises(PublishError, match=r"v-9, which is not there.*v-1"):
        current(company.settings)


def test_half_deleted_versions_are_swept(company: Any) -> None:
    company.publish_rows(5)
    (company.settings.published / ".gone-v-0" / "marts").mkdir(parents=True)
    reconcile(company.store, company.settings)
    assert not (company.settings.published / ".gone-v-0").exists()


def test_state_of_an_earlier_release_without_a_column_is_read(company: Any) -> None:
    folder = company.publish_rows(5).folder
    database = folder / "cx.duckdb"
    database.chmod(0o600)
    with duckdb.connect(str(database)) as db:
        db.execute("CREATE TABLE marts.customer_identifiers AS SELECT 'c' AS customer_id, 's' AS source")
        db.execute("CREATE TABLE marts.churn_risk_daily AS SELECT DATE '2026-06-29' AS day, 0.5 AS share")
        db.execute("CREATE TABLE marts.identity_changes AS SELECT 'created' AS change")
    with duckdb.connect(":memory:") as db:
        assert prepare_state(company.settings, db, date(2026, 6, 30), 1)
        assert db.execute("SELECT customer_id, identifier_hash FROM state.customer_identifiers").fetchall() == [
            ("c", None)
        ]
        assert db.execute("SELECT day, share, status FROM state.churn_risk_daily").fetchall() == [
            (date(2026, 6, 29), 0.5, None)
        ]


def test_the_same_run_in_another_process_does_not_take_a_living_lease(company: Any) -> None:
    acquire(company.store, "build", "run", heartbeat=False)
    pid = os.fork()
    if pid == 0:
        try:
            acquire(company.store, "build", "run", heartbeat=False)
        except LeaseHeld:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert living_holder(company.store, "build") == "run"


def test_folders_with_personal_data_are_the_owner_s_only(company: Any) -> None:
    company.settings.raw.mkdir(mode=0o755)
    make_private(*company.settings.private_folders)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in company.settings.private_folders} == {0o700}
    assert company.settings.published not in company.settings.private_folders


def test_engine_errors_name_tables_and_quote_no_row() -> None:
    with pytest.raises(BuildError) as error, engine_errors_without_values(), duckdb.connect(":memory:") as db:
        db.execute("SELECT CAST(x AS INTEGER) FROM (VALUES ('jane.doe@example.com')) t(x)")
    assert "ConversionException" in str(error.value)
    assert "jane.doe" not in str(error.value)
    duplicate = 'Constraint Error: Duplicate key "email: jane.doe@example.com" violates primary key constraint'
    assert "jane.doe" not in without_values(duplicate)
    assert "jane.doe" not in str(tree_without_values({"info": {"msg": [duplicate]}}))
    missing = 'Catalog Error: Table with name "orders" does not exist!'
    assert without_values(missing) == missing


def test_a_past_day_that_was_built_again_is_not_published(company: Any) -> None:
    company.publish_rows(5)
    lease = company.lease()
    build = start_build(
        company.store,
        company.settings,
        as_of=date(2026, 6, 30),
        batch_ids=["batch-6"],
        fence=lease.fence,
        run_id=lease.holder,
        rebuild_from=(1,),
    )
    company.record(build, STEPS)
    with pytest.raises(PublishError, match="built again to be looked at"):
        company.publish(build, lease)
    assert current(company.settings).version == 1


def test_a_late_worker_keeps_no_past_day_and_the_next_one_sweeps_up(company: Any) -> None:
    """Its lease was taken over while it wrote; what a killed one left goes with the next."""

    def keep(lease: Any, *, loses: bool) -> Path:
        build = company.build(lease, 5)

        def scorecard(_db: Any, _manifest: Any) -> str:
            if loses:
                with company.store.begin() as connection:
                    connection.execute(update(leases).values(fence=leases.c.fence + 1, holder="somebody"))
            return ""

        return keep_rebuilt(company.store, company.settings, build, lease, tables=TABLES, scorecard=scorecard, pages={})

    with pytest.raises(LeaseHeld, match="declared dead"):
        keep(company.lease("late"), loses=True)
    assert [path.name[:5] for path in company.settings.rebuilt.iterdir()] == [".tmp-"]
    with company.store.begin() as connection:
        connection.execute(update(leases).values(holder=None, pid=None))
    folder = keep(company.lease(), loses=False)
    assert [path.name for path in company.settings.rebuilt.iterdir()] == [folder.name]
    assert folder.name.startswith("2026-06-30_now_")
