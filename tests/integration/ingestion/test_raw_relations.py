"""Schema raw of a build: every relation is there, typed, over exactly the batches it was given."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest
from sqlalchemy import update

from ingestion.load import ingest
from ingestion.relations import create_raw_relations, list_inputs, relation_names
from kizuna.control.schema import batches
from kizuna.errors import InputError
from kizuna.files import hash_of

ORDERS = """
source: {source}
maps_to: order
identity_namespace: {namespace}
files: ["*.csv"]
format: csv
fields:
  customer_key: {{column: Card}}
  ordered_at: {{column: When}}
  currency: {{value: EUR}}
  gross_amount: {{column: Total}}
{more}
"""


def columns(shop: Any) -> dict[str, list[tuple[str, str]]]:
    with duckdb.connect() as con:
        create_raw_relations(con, shop.settings, list_inputs(shop.store))
        return {
            relation: [row[:2] for row in con.execute(f"DESCRIBE raw.{relation}").fetchall()]
            for relation in relation_names()
        }


def test_a_company_without_a_source_has_its_relations_empty_with_the_same_columns(shop: Any) -> None:
    empty = columns(shop)
    assert ("score", "BIGINT") in empty["delighted__responses"]
    assert ("gross_amount", "DECIMAL(18,2)") in empty["mapped__order"]
    assert ("_namespace", "VARCHAR") in empty["mapped__order"]
    shop.load("delighted/a.csv", "Response ID,Survey Type,Score,Created At\nr1,nps,9,2026-06-30T00:00:00Z\n")
    shop.contract("till.yml", ORDERS.format(source="till", namespace="club", more=""))
    shop.load("till/a.csv", "Card,When,Total\nk,2026-06-30,1\n")
    assert columns(shop) == empty


def test_mapped_sources_share_a_relation_and_may_share_a_namespace(shop: Any) -> None:
    for source in ("till", "web"):
        shop.contract(f"{source}.yml", ORDERS.format(source=source, namespace="club", more=""))
        shop.land(f"{source}/a.csv", f"Card,When,Total\nk,2026-06-30,{len(source)}\n")
    shop.ingest()
    rows = shop.rows("mapped__order", "_source, _namespace, customer_key, ordered_at")
    local_midnight = datetime(2026, 6, 29, 15)
    assert rows == [("till", "club", "k", local_midnight), ("web", "club", "k", local_midnight)]


def test_batches_of_an_older_contract_stay_readable(shop: Any) -> None:
    shop.contract("till.yml", ORDERS.format(source="till", namespace="t", more=""))
    shop.load("till/a.csv", "Card,When,Total\nk1,2026-06-30,1\n")
    inputs = list_inputs(shop.store)
    older = shop.home / inputs[0].path
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * EXCLUDE (channel) FROM '{older}') TO '{older}.new' (FORMAT parquet)")
    (older.with_name(older.name + ".new")).replace(older)
    with shop.store.begin() as connection:
        connection.execute(update(batches).values(parquet_hash=hash_of(older)))
    shop.contract("till.yml", ORDERS.format(source="till", namespace="t", more="  channel: {column: Channel}"))
    shop.load("till/b.csv", "Card,When,Total,Channel\nk2,2026-06-30,1,web\n")
    assert shop.rows("mapped__order", "customer_key, channel") == [("k1", None), ("k2", "web")]


def test_a_batch_file_that_is_not_what_was_loaded_is_refused(shop: Any) -> None:
    shop.load("reference/exchange_rates.csv", "rate_on,currency,rate\n2026-06-30,USD,157\n2026-07-01,USD,158\n")
    inputs = list_inputs(shop.store)
    file = shop.home / inputs[0].path
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * FROM '{file}' LIMIT 1) TO '{file}.new' (FORMAT parquet)")
    file.with_name(file.name + ".new").replace(file)
    with duckdb.connect() as con, pytest.raises(InputError, match="is not the file that was loaded"):
        create_raw_relations(con, shop.settings, inputs)


def test_raw_batches_tells_each_input(shop: Any) -> None:
    body = "Response ID,Survey Type,Score,Created At\nr1,nps,9,2026-06-30T00:00:00Z\nr2,nps,9,2026-06-29T00:00:00Z\n"
    record = shop.load("delighted/a.csv", body + "r3,nps,x,2026-06-29T00:00:00Z\n" + "r1,nps,9,2026-06-30T00:00:00Z\n")
    with duckdb.connect() as con:
        create_raw_relations(con, shop.settings, list_inputs(shop.store))
        (row,) = con.execute(
            "SELECT batch_id, relation, file, content_hash, rows_in, accepted, quarantined, duplicates, "
            "first_event_at, last_event_at FROM raw.batches"
        ).fetchall()
    assert row == (record.batch_id, "raw.delighted__responses", "delighted/a.csv", record.content_hash, 4, 2, 1, 1,
                   datetime(2026, 6, 29), datetime(2026, 6, 30))  # fmt: skip


def test_known_as_of_leaves_out_what_was_loaded_later(shop: Any) -> None:
    early = datetime(2026, 7, 1)
    shop.land("reference/exchange_rates_1.csv", "rate_on,currency,rate\n2026-06-30,USD,157\n")
    ingest(shop.settings, shop.store, now=early)
    shop.land("reference/exchange_rates_2.csv", "rate_on,currency,rate\n2026-07-01,USD,158\n")
    ingest(shop.settings, shop.store, now=early + timedelta(days=1))
    assert [batch.file for batch in list_inputs(shop.store, early)] == ["reference/exchange_rates_1.csv"]
    assert len(list_inputs(shop.store)) == 2


def test_a_missing_batch_file_stops_the_build(shop: Any) -> None:
    shop.load("reference/exchange_rates.csv", "rate_on,currency,rate\n2026-06-30,USD,157\n")
    (batch,) = list_inputs(shop.store)
    (shop.home / batch.path).unlink()
    with duckdb.connect() as con, pytest.raises(InputError, match="kizuna ingest"):
        create_raw_relations(con, shop.settings, [batch])


def test_paths_with_quotes_are_no_sql(shop: Any) -> None:
    shop.load("reference/x'y/exchange_rates.csv", "rate_on,currency,rate\n2026-06-30,USD,157\n")
    assert shop.rows("reference__exchange_rates", "_file") == [("reference/x'y/exchange_rates.csv",)]
