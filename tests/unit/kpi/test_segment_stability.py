"""Who left a segment counts where they were."""

from __future__ import annotations

from collections.abc import Callable

import duckdb

SCHEMES = ("lifecycle_segment", "value_tier", "rfm_segment", "age_band", "region", "channel_preference", "device_mix")
BEFORE = {"a": "top", "b": "top", "c": "low", "lost": "low"}
NOW = {"a": "top", "b": "low", "c": "low", "new": "low"}


def test_who_left_a_segment_counts_where_they_were(render: Callable[..., str]) -> None:
    """New customers and lost ones are not compared, visitors are left out, a scheme that is new has no past."""
    columns = ", ".join(f"{scheme} varchar" for scheme in SCHEMES)
    with duckdb.connect() as db:
        db.execute(f"create schema state; create table customer_360(customer_id varchar, is_known boolean, {columns})")
        db.execute(f"create table state.customer_360(customer_id varchar, is_known boolean, {columns})")
        db.execute("create table state.published_build as select date '2026-06-29' as as_of")
        for table, people in (("state.customer_360", BEFORE), ("customer_360", NOW)):
            rows = [(person, True, tier) for person, tier in people.items()] + [("visitor", False, table)]
            db.executemany(f"insert into {table}(customer_id, is_known, value_tier) values (?, ?, ?)", rows)
        sql = render("segment_stability", as_of="2026-06-30", timezone="Asia/Tokyo")
        found = db.execute(
            f"select scheme, segment, customers, customers_before, changed, changed_share from ({sql}) order by all"
        ).fetchall()
        assert db.execute(f"select distinct compared_as_of::varchar, is_complete from ({sql})").fetchall() == [
            ("2026-06-29", True)
        ]
        db.execute("delete from state.published_build; delete from state.customer_360")
        first = db.execute(f"select distinct compared_as_of, is_complete, changed from ({sql})").fetchall()
    assert first == [(None, False, 0)]
    assert [row[1:] for row in found if row[0] == "value_tier"] == [
        ("all", 4, 3, 1, 0.333333),
        ("low", 3, 1, 0, 0.0),
        ("top", 1, 2, 1, 0.5),
    ]
    assert {row[1:] for row in found if row[0] != "value_tier"} == {("all", 4, 0, 0, None), ("unknown", 4, 0, 0, None)}
