"""Tables that a company keeps stand in the UI with their rows, their fates and what is odd about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.kept_tables import kept_tables
from orchestration.session import Company, release_lease

STOCK = """\
source: shop
maps_to: table
table: stock
files: ["stock*.csv"]
format: csv
key: [sku]
columns: {sku: string, pieces: integer}
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defs: Any) -> Path:
    (tmp_path / "kizuna.yaml").write_text("name: Test\ntimezone: UTC\ncurrency: EUR\n", encoding="utf-8")
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "stock.yml").write_text(STOCK, encoding="utf-8")
    (tmp_path / "landing" / "shop").mkdir(parents=True)
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "k" * 64)
    return tmp_path


def first_step(home: Path, defs: Any) -> dict[str, dict[str, Any]]:
    """Assets that the step that opens the raw relations reports, with their metadata."""
    import dagster as dg

    result = defs.resolve_job_def("daily").get_subset(op_selection=["ingest"]).execute_in_process(
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        instance=dg.DagsterInstance.ephemeral(),
        resources={"company": Company(home=str(home))},
    )  # fmt: skip
    release_lease(result.run_id)
    events = result.get_asset_materialization_events()
    return {event.asset_key.to_user_string(): event.materialization.metadata for event in events}


def test_a_kept_table_is_reported_with_its_files(company: Path, defs: Any) -> None:
    (company / "landing" / "shop" / "stock_1.csv").write_text("sku,pieces,colour\nsecret,5,red\nB,x,blue\nC,1,red\n")
    told = first_step(company, defs)["raw/kept/shop__stock"]
    counts = {name: told[name].value for name in ("dagster/row_count", "files", "rows_in", "accepted", "quarantined")}
    assert counts == {"dagster/row_count": 2, "files": 1, "rows_in": 3, "accepted": 2, "quarantined": 1}
    (line,) = [record.data for record in told["quarantine"].records]
    assert (line["code"], line["column"]) == ("type.integer", "pieces")
    assert "columns added: 'colour'" in told["drift"].value
    assert "secret" not in str(told)


def test_a_table_without_files_is_not_reported() -> None:
    rows = {"raw.kept__shop__stock": 0, "raw.kept__shop__tags": 0, "raw.mapped__order": 5}
    fates = {"raw.mapped__order": {"files": 1}}
    held = {"raw.kept__shop__tags": {"open_files": 1}}
    assert list(kept_tables(rows, fates, {})) == []
    (told,) = kept_tables(rows, fates, held)
    assert told.asset_key.path == ["raw", "kept", "shop__tags"]
