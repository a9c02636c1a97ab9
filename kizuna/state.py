"""State that crosses builds: what a build takes over from the published version.

It advances only by publication and goes back with a rollback, since it is read from nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kizuna.errors import BuildError
from kizuna.pseudonym import key_fingerprint
from kizuna.settings import Settings

#: State that crosses builds: read from the published version, written anew by each build. Columns as in the marts.
STATE_TABLES: Mapping[str, str] = {
    "customer_identifiers": (
        "customer_id VARCHAR, source VARCHAR, identifier_type VARCHAR, identifier_hash VARCHAR, "
        "first_seen_at TIMESTAMP, last_seen_at TIMESTAMP"
    ),
    "churn_risk_daily": (
        "segment_type VARCHAR, segment VARCHAR, day DATE, scored BIGINT, at_risk BIGINT, share DOUBLE, "
        "value_at_risk DECIMAL(18,2), refit_at_risk BIGINT, refit_value DECIMAL(18,2), baseline DOUBLE, z DOUBLE, "
        "is_spike BOOLEAN, status VARCHAR, at_risk_baseline DOUBLE, at_risk_z DOUBLE, at_risk_status VARCHAR, "
        "value_baseline DOUBLE, value_z DOUBLE, value_status VARCHAR, model VARCHAR"
    ),
    "identity_changes": ("change VARCHAR, customer_id VARCHAR, other_customer_id VARCHAR, cause VARCHAR, as_of DATE"),
    "identity_audit": "metric VARCHAR, detail VARCHAR, value DECIMAL(20,6)",
    "customer_360": (
        "customer_id VARCHAR, is_known BOOLEAN, lifecycle_segment VARCHAR, value_tier VARCHAR, rfm_segment VARCHAR, "
        "age_band VARCHAR, region VARCHAR, channel_preference VARCHAR, device_mix VARCHAR"
    ),
    "kpi_daily": (
        "kpi VARCHAR, segment_type VARCHAR, segment VARCHAR, day DATE, value DOUBLE, numerator DECIMAL(20,2), "
        "denominator DECIMAL(20,2)"
    ),
    "kpi_records": (
        "record_type VARCHAR, record_key VARCHAR, customer_id VARCHAR, region VARCHAR, day DATE, counts BOOLEAN, "
        "amount DECIMAL(18,2), kind VARCHAR, sub_kind VARCHAR, until_on DATE, is_open BOOLEAN, is_sla_met BOOLEAN, "
        "is_abandoned BOOLEAN, minutes DECIMAL(18,2), moment TIMESTAMP, is_first BOOLEAN, "
        "resolution_minutes DECIMAL(18,2), is_reopened BOOLEAN, is_unanswered BOOLEAN, is_fcr BOOLEAN, "
        "is_fcr_proxy BOOLEAN, handle_seconds BIGINT, acw_seconds BIGINT"
    ),
    "kpi_history": (
        "build_number BIGINT, build_id VARCHAR, as_of DATE, kpi VARCHAR, segment_type VARCHAR, segment VARCHAR, "
        "day DATE, value DECIMAL(20,6), numerator DECIMAL(20,2), denominator DECIMAL(20,2), unit VARCHAR, "
        "timezone VARCHAR, currency VARCHAR, is_complete BOOLEAN, is_withdrawn BOOLEAN"
    ),
    "kpi_restatements": (
        "build_number BIGINT, build_id VARCHAR, as_of DATE, compared_as_of DATE, kpi VARCHAR, segment_type VARCHAR, "
        "segment VARCHAR, day DATE, cause VARCHAR, effect DECIMAL(20,6), value_before DECIMAL(20,6), "
        "value_after DECIMAL(20,6), unit VARCHAR, timezone VARCHAR, currency VARCHAR, is_complete BOOLEAN"
    ),
}

#: What the manifest of the published version says about its build; schema `state` too.
STATE_OF_THE_BUILD: Mapping[str, str] = {
    "published_build": "build_id VARCHAR, as_of DATE, definition VARCHAR",
    "published_batches": "batch_id VARCHAR",
}


def prepare_state(settings: Settings, db: duckdb.DuckDBPyConnection, as_of: date, base: int | None) -> bool:
    """Fill schema `state` of the build from version `base`. Returns whether there is one.

    Raises `BuildError` when what is published was made with another pseudonym key: every id would change.
    """
    db.execute("CREATE SCHEMA IF NOT EXISTS state")
    for table, columns in {**STATE_TABLES, **STATE_OF_THE_BUILD}.items():
        db.execute(f"CREATE OR REPLACE TABLE state.{table} ({columns})")
    if base is None:
        return False
    folder = settings.published / f"v-{base}"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    fingerprint = key_fingerprint(settings.pseudonym_key)
    if manifest["key_fingerprint"] != fingerprint:
        raise BuildError(
            f"KIZUNA_PSEUDONYM_KEY has fingerprint {fingerprint}, but version {manifest['version']} was published with "
            f"{manifest['key_fingerprint']}. With another key every customer id would change. Set the former key; "
            f"to start over on purpose, move {settings.published} away."
        )
    db.execute(f"ATTACH '{_quoted(folder / 'cx.duckdb')}' AS published (READ_ONLY)")
    try:
        for table, columns in STATE_TABLES.items():
            wanted = [part.strip().split(" ")[0] for part in columns.split(", ")]
            # A version published by an earlier release may lack a table or a column.
            if not db.execute(
                "SELECT 1 FROM duckdb_tables() WHERE database_name = 'published' AND table_name = ?", [table]
            ).fetchall():
                continue
            known = {row[0] for row in db.execute(f"DESCRIBE published.marts.{table}").fetchall()}
            names = ", ".join(name if name in known else f"NULL AS {name}" for name in wanted)
            until = f" WHERE day <= DATE '{as_of}'" if table == "churn_risk_daily" else ""
            db.execute(f"INSERT INTO state.{table} SELECT {names} FROM published.marts.{table}{until}")
            if table == "kpi_records":
                # Without the records of the build before there is nothing to compare with.
                _remember_build(db, manifest)
    finally:
        db.execute("DETACH published")
    return True


def definition_of(config_hash: str, code_version: str) -> str:
    """What decides how a number follows from the records: configuration and code of a build."""
    return f"{code_version}:{config_hash}"


def _remember_build(db: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> None:
    definition = definition_of(manifest["config_hash"], manifest["code_version"])
    values = [manifest["build_id"], manifest["as_of"], definition]
    db.execute("INSERT INTO state.published_build VALUES (?, ?, ?)", values)
    batches = [batch["batch_id"] for batch in manifest["inputs"]]
    db.execute("INSERT INTO state.published_batches SELECT unnest(?::VARCHAR[])", [batches])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
