"""Incidents advance by publication and go back with a rollback: their state belongs to a version."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from analytics.alerts import Incident
from kizuna.control.schema import builds, incidents, publications
from kizuna.control.store import Store, open_store_at
from kizuna.incident_history import incidents_before, keep

DAY = date(2026, 6, 30)
EAST = Incident("churn:region:east:2026-06-30:open", "region", "east", DAY, DAY, peak_at_risk=90, told_at_risk=90)


def published(store: Store, version: int, base: int | None) -> None:
    at = datetime(2026, 7, 1)
    with store.begin() as connection:
        connection.execute(
            builds.insert().values(
                build_id=f"b{version}", attempt=1, as_of=DAY, config_hash="", code_version="", inputs=[],
                base_version=base, fence=1, run_id="r", status="published", started_at=at,
            )
        )  # fmt: skip
        connection.execute(
            publications.insert().values(
                version=version,
                build_id=f"b{version}",
                attempt=1,
                as_of=DAY,
                fence=1,
                state="published",
                intended_at=at,
            )
        )


def test_the_next_version_goes_on_from_the_one_it_was_built_on(tmp_path: Path) -> None:
    store = open_store_at(f"sqlite:///{tmp_path / 'control.db'}")
    for version, base in ((1, None), (2, 1), (3, 1), (4, 3)):
        published(store, version, base)
    whole = Incident("churn:overall:all:x", "overall", "all", DAY, DAY, told=False, members=(("region", "east"),))
    with store.begin() as connection:
        assert incidents_before(connection, 1) == []
        keep(connection, 1, "b1", [], DAY)
        keep(connection, 2, "b2", [EAST, whole], DAY)

    def shown() -> dict[str, str]:
        with store.read() as connection:
            rows = connection.execute(select(incidents.c.incident_id, incidents.c.state)).all()
        return {row.incident_id: row.state for row in rows}

    assert shown() == {EAST.key: "open", whole.key: "open"}
    with store.begin() as connection:
        # Version 2 was rolled back: 3 was built on 1 and knows nothing of what 2 had opened.
        assert incidents_before(connection, 3) == []
        keep(connection, 3, "b3", [], DAY)
    assert shown() == {EAST.key: "withdrawn", whole.key: "withdrawn"}

    published(store, 5, 2)
    published(store, 6, 5)
    with store.begin() as connection:
        assert incidents_before(connection, 5) == [EAST, whole]
        assert incidents_before(connection, 6) == [EAST, whole], "5 was never told of: the state before it counts"
        ended = DAY - timedelta(days=8)
        old = Incident("old", "region", "west", ended, ended, resolved_on=ended, reason="back_to_normal")
        keep(connection, 5, "b5", [EAST, old], DAY)
        assert incidents_before(connection, 6) == [EAST], "too old to come back"
    store.close()
