"""Files in the shapes of warehouse connectors, and monthly files whose headers drift, through the example contracts."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "contracts"


def land(shop: Any, contracts: list[str], files: dict[str, Path]) -> dict[str, Any]:
    """Load `files` (landing path: real file) by the example contracts; the ledger's record of each by its name."""
    shop.settings.contracts_dir.mkdir(exist_ok=True)
    for contract in contracts:
        shutil.copy(EXAMPLES / f"{contract}.yml", shop.settings.contracts_dir)
    for path, file in files.items():
        shop.land(path, file.read_bytes())
    return {Path(file.path).name: file for file in shop.ingest().files}


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


#: Which file of a connector a contract reads, and the key of the row in it. The connectors' other tables have no
#: contract: products, inventories, schedules, survey definitions, and parts of a record that count only once they are
#: joined to it.
CONNECTORS = [
    ("shopify_connector_orders", "shopify", "shopify_order_data.csv", "mapped__order", "order_key", "id"),
    ("shopify_connector_orders", "shopify", "shopify_gql_order_data.csv", "mapped__order", "order_key", "id"),
    ("shopify_connector_customers", "shopify", "shopify_customer_data.csv", "mapped__contact", "contact_key", "id"),
    ("shopify_connector_customers", "shopify", "shopify_gql_customer_data.csv", "mapped__contact", "contact_key", "id"),
    ("shopify_connector_refunds", "shopify", "shopify_gql_refund_data.csv", "mapped__refund", "refund_key", "id"),
    ("shopify_connector_order_lines", "shopify", "shopify_order_line_data.csv", "mapped__order_line", "line_key", "id"),
    ("zendesk_connector_tickets", "zendesk", "ticket_data.csv", "mapped__interaction", "interaction_key", "id"),
    ("zendesk_connector_users", "zendesk", "user_data.csv", "mapped__contact", "contact_key", "id"),
    ("zendesk_connector_users", "zendesk", "user_data_snowflake.csv", "mapped__contact", "contact_key", "id"),
    ("qualtrics_connector_contacts", "qualtrics", "directory_contact.csv", "mapped__contact", "contact_key", "id"),
    ("qualtrics_connector_contacts", "qualtrics", "core_contact.csv", "mapped__contact", "contact_key", "id"),
    ("qualtrics_connector_responses", "qualtrics", "survey_response.csv", "qualtrics__responses", "response_id", "id"),
]


@pytest.mark.parametrize(("contract", "vendor", "name", "relation", "key", "column"), CONNECTORS, ids=lambda v: str(v))
def test_every_row_of_a_connector_s_file_loads(
    shop: Any, test_data: Path, contract: str, vendor: str, name: str, relation: str, key: str, column: str
) -> None:
    file = test_data / "vendor_seeds" / vendor / name
    source = "qualtrics" if relation == "qualtrics__responses" else f"{vendor}_connector"
    record = land(shop, [contract], {f"{source}/{name}": file})[name]
    expected = [row[column] for row in rows_of(file)]
    assert (record.status, record.quarantined, record.code) == ("accepted", 0, None)
    assert record.rows_in == len(expected)
    assert record.detail.get("drift", {}).get("added") is None
    unique = list(dict.fromkeys(expected))
    found = [row[0] for row in shop.rows(relation, key)]
    assert list(dict.fromkeys(found)) == unique


def test_the_two_generations_of_a_connector_fill_the_same_fields(shop: Any, test_data: Path) -> None:
    seeds = test_data / "vendor_seeds" / "shopify"
    names = ["shopify_order_data.csv", "shopify_gql_order_data.csv"]
    land(shop, ["shopify_connector_orders"], {f"shopify_connector/{name}": seeds / name for name in names})
    columns = "order_key, gross_amount, currency, status, ordered_at, is_test"
    by_key = {row[0]: row[1:] for row in shop.rows("mapped__order", columns)}
    assert by_key["2674098602081"] == (Decimal("2.80"), "GBP", "paid", datetime(2020, 9, 11, 19, 35, 42), False)
    assert by_key["4001"] == (Decimal("55.00"), "USD", "PAID", datetime(2025, 7, 18, 8, 45), False)


def test_lines_of_a_connector_s_orders_carry_piece_prices(shop: Any, test_data: Path) -> None:
    name = "shopify_order_line_data.csv"
    land(
        shop,
        ["shopify_connector_order_lines"],
        {f"shopify_connector/{name}": test_data / "vendor_seeds/shopify" / name},
    )
    columns = "order_key, sku, quantity, unit_price, discount_amount"
    assert shop.rows("mapped__order_line", columns)[-1] == (
        "2674098602081", "b988b358c81b47d3e438c99bfb1c4ee1", 2, Decimal("2.80"), Decimal("0.00")
    )  # fmt: skip


def test_native_zendesk_ratings_load(shop: Any, test_data: Path) -> None:
    page = test_data / "zendesk_api" / "satisfaction_ratings.json"
    record = shop.load("zendesk/satisfaction_ratings.json", page.read_bytes())
    assert record.accepted == 1
    assert shop.rows("zendesk__satisfaction_ratings", "id, ticket_id, score, created_at") == [
        ("35436", "35436", "good", datetime(2009, 7, 20, 22, 55, 29))
    ]


#: The files are the sheets of a workbook in the order of the months' names.
MONTHS = (4, 8, 12, 2, 1, 7, 6, 3, 5, 11, 10, 9)


def test_monthly_files_whose_headers_drift_lose_nothing(shop: Any, test_data: Path) -> None:
    """The known answer of the case is what comes out when the raw rows are turned round, whichever header they had."""
    inputs = test_data / "prepbench" / "case_207"
    files = {f"monthly_customers/{file.name}": file for file in sorted((inputs / "inputs").glob("input_*.csv"))}
    records = land(shop, ["monthly_customers"], files)
    assert len(records) == 12
    assert {record.status for record in records.values()} == {"accepted"}
    assert sum(record.accepted for record in records.values()) == sum(len(rows_of(file)) for file in files.values())
    assert all("added" not in record.detail.get("drift", {}) for record in records.values())

    customers: dict[tuple[str, date], dict[str, str]] = defaultdict(dict)
    for key, extra, path in shop.rows("mapped__contact", "contact_key, _extra, _file"):
        row = json.loads(extra)
        (kind,) = [value for name, value in row.items() if name.startswith("Dem")]
        month = MONTHS[int(Path(path).stem.removeprefix("input_")) - 1]
        customers[key, date(2023, month, int(row["Joining Day"]))][kind] = row["Value"]
    first: dict[str, tuple[date, dict[str, str]]] = {}
    for (key, day), told in sorted(customers.items(), key=lambda item: item[0][1]):
        first.setdefault(key, (day, told))
    expected = {row["ID"]: row for row in rows_of(inputs / "gt" / "output_01.csv")}
    assert first.keys() == expected.keys()
    for key, (day, told) in first.items():
        born = datetime.strptime(told["Date of Birth"], "%m/%d/%Y").strftime("%d/%m/%Y")
        answer = (day.strftime("%d/%m/%Y"), told["Account Type"], born, told["Ethnicity"])
        wanted = expected[key]
        assert answer == tuple(wanted[name] for name in ("Joining Date", "Account Type", "Date of Birth", "Ethnicity"))
