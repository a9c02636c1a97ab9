"""Every table of the warehouse connectors loads: by its example contract, or by the contract drafted from it.

The files are 218 tables of six connectors. What comes out is compared with what Python's own csv reader reads.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from ingestion.contract import Column, Contract
from ingestion.contract_files import load_contracts
from ingestion.draft import DraftText, draft
from ingestion.kept import TABLE
from ingestion.landing import Landed, match
from ingestion.load import ingest
from ingestion.relations import create_raw_relations, list_inputs
from kizuna.control.ledger import FileRecord
from kizuna.control.store import open_store
from kizuna.settings import Settings, load_settings

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "contracts"
TABLES = 218

#: What a person has to correct in the drafts. These hold an address or a phone number and an id, so they are taken for
#: lists of customers; they are staff, shops, places of work, and directories, or changes and baskets of customers.
NO_CUSTOMERS = {
    "hubspot/contact_merge_audit_data.csv",
    "hubspot/users_data.csv",
    "qualtrics/contact_mailing_list_membership.csv",
    "qualtrics/directory.csv",
    "qualtrics/user.csv",
    "salesforce/sf_contact_history_data.csv",
    "salesforce/sf_user_data.csv",
    "shopify/shopify_abandoned_checkout_data.csv",
    "shopify/shopify_gql_abandoned_checkout_data.csv",
    "shopify/shopify_gql_customer_address_data.csv",
    "shopify/shopify_gql_location_data.csv",
    "shopify/shopify_gql_shop_data.csv",
    "shopify/shopify_location_data.csv",
    "shopify/shopify_shop_data.csv",
}


@dataclass(frozen=True)
class Loaded:
    """One file: its name in the seeds, the contract that read it, what the ledger says, and its draft if it has one."""

    name: str
    file: Path
    contract: Contract
    record: FileRecord
    drafted: DraftText | None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, empty_control_store: Path) -> Settings:
    folder = tmp_path_factory.mktemp("connectors")
    shutil.copy(empty_control_store, folder / "control.db")
    (folder / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokyo\ncurrency: JPY\n", encoding="utf-8")
    return load_settings(folder, {"KIZUNA_PSEUDONYM_KEY": "k" * 64})


@pytest.fixture(scope="module")
def loaded(home: Settings, test_data: Path) -> list[Loaded]:
    """All tables in one ingest."""
    files = {file.relative_to(test_data / "vendor_seeds").as_posix(): file
             for file in sorted((test_data / "vendor_seeds").glob("*/*.csv"))}  # fmt: skip
    shutil.copytree(EXAMPLES, home.contracts_dir, ignore=lambda _, names: [n for n in names if "_connector_" not in n])
    examples = [
        contract for contract in load_contracts(home.contracts_dir) if "_connector_" in Path(contract.origin).name
    ]
    drafts: dict[str, DraftText] = {}
    paths: dict[str, str] = {}
    for name, file in files.items():
        path = _by_example(name, examples)
        if path is None:
            vendor = name.partition("/")[0]
            entity = TABLE if name in NO_CUSTOMERS else None
            drafts[name] = draft(file, source=f"{vendor}_tables", entity=entity)
            (home.contracts_dir / f"{vendor}_{file.stem}.yml").write_text(drafts[name].text, encoding="utf-8")
            path = f"{vendor}_tables/{file.name}"
        paths[name] = path
        (home.landing / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, home.landing / path)
    store = open_store(home)
    records = {record.path: record for record in ingest(home, store).files}
    store.close()
    contracts = {contract.name: contract for contract in load_contracts(home.contracts_dir)}
    return [
        Loaded(name, file, contracts[str(records[paths[name]].contract)], records[paths[name]], drafts.get(name))
        for name, file in files.items()
    ]


def _by_example(name: str, examples: list[Contract]) -> str | None:
    """Path below landing at which an example contract reads the file; None where there is none."""
    vendor, _, file = name.partition("/")
    for source in (f"{vendor}_connector", vendor.removesuffix("_export")):
        landed = Landed(f"{source}/{file}", source, Path(file), is_link=False)
        if match(landed, examples) is not None:
            return landed.path
    return None


def records_of(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(first line, cells by header) of each record, as Python reads them; the second `x` of a header is `x (2)`."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        names = next(reader)
        header = [n if (met := names[:at].count(n)) == 0 else f"{n} ({met + 1})" for at, n in enumerate(names)]
        begins = reader.line_num + 1
        for cells in reader:
            yield begins, dict(zip(header, cells, strict=True))
            begins = reader.line_num + 1


def test_every_table_is_accepted_and_every_row_accounted_for(loaded: list[Loaded]) -> None:
    assert len(loaded) == TABLES
    wrong = []
    for table in loaded:
        record, rows = table.record, list(records_of(table.file))
        distinct = {tuple(cells.items()) for _, cells in rows}
        expected = len(distinct) if table.contract.identical_rows == "duplicate" else len(rows)
        found = (record.status, record.code, record.rows_in, record.accepted, record.quarantined, record.duplicates)
        if found != ("accepted", None, len(rows), expected, 0, len(rows) - expected):
            wrong.append((table.name, found, len(rows), expected, record.reason))
    assert wrong == []


def test_every_cell_survives(loaded: list[Loaded], home: Settings) -> None:
    wrong = []
    cells = 0
    for table in loaded:
        record = table.record
        if not record.accepted:
            continue
        path = home.raw / record.source / str(record.entity) / f"{record.batch_id}.parquet"
        stored = {row["_line"]: row for row in pq.read_table(path).to_pylist()}
        by_header = partial(_stored, table.contract)
        for line, said in records_of(table.file):
            if line not in stored:
                continue
            for header, cell in said.items():
                cells += 1
                if not by_header(stored[line], header, cell):
                    wrong.append((table.name, line, header, cell))
    assert wrong == []
    assert cells > 45_000


def _stored(contract: Contract, row: dict[str, Any], header: str, cell: str) -> bool:
    """Whether a stored row says what the cell of the file does: the text, or a value where the column has a type."""
    columns = [c for c in contract.columns if header.casefold() in {name.casefold() for name in c.sources}]
    extra = json.loads(row["_extra"] or "{}")
    if not columns or header in extra:
        return bool(extra.get(header, "") == cell)
    return all(_says(contract, column, row[column.name], cell) for column in columns)


def _says(contract: Contract, column: Column, value: Any, cell: str) -> bool:
    markers = contract.null_markers if column.null_markers is None else column.null_markers
    if cell in {"", *markers} or (column.type != "string" and not cell.strip()):
        return value is None
    if column.type == "string" and column.strip_prefix is None:
        return bool(value == column.values.get(cell, cell))
    return value is not None


def test_drafts_load_as_they_come_and_kept_tables_lose_nothing_to_extra(loaded: list[Loaded]) -> None:
    """176 of the 190 drafts need no correction; the others would have made customers of staff and shops."""
    drafted = [table for table in loaded if table.drafted is not None]
    assert {table.drafted.entity for table in drafted if table.drafted} == {TABLE}
    assert len(drafted) - len(NO_CUSTOMERS) == 176
    assert [table.name for table in drafted if table.record.detail.get("drift")] == []
    assert all("no entity of customer data fits" in table.drafted.text for table in drafted
               if table.drafted and table.name not in NO_CUSTOMERS)  # fmt: skip


def test_a_build_shows_every_kept_table_by_name(loaded: list[Loaded], home: Settings) -> None:
    store = open_store(home)
    with duckdb.connect() as con:
        create_raw_relations(con, home, list_inputs(store))
        rows_of = "SELECT relation, sum(accepted) FROM raw.batches WHERE starts_with(relation, 'raw.kept__') GROUP BY 1"
        shown = dict(con.execute(rows_of).fetchall())
        kept = {table.contract.relation: table.record.accepted for table in loaded if table.contract.kept}
        assert shown == {relation: rows for relation, rows in kept.items() if rows}
        for relation, rows in kept.items():
            assert con.execute(f"SELECT count(*) FROM {relation}").fetchall() == [(rows,)], relation
    store.close()
