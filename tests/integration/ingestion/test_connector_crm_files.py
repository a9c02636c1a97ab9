"""CRM and web tables in the shapes of warehouse connectors, by contracts that extend the vendors' own."""

from __future__ import annotations

import csv
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "contracts"

#: Contract, folder of the file, the file, relation, key and the header of the key.
TABLES = [
    ("hubspot_connector_contacts", "hubspot", "contact_data.csv", "hubspot__contacts", "id", "id"),
    ("hubspot_connector_companies", "hubspot", "company_data.csv", "hubspot__companies", "id", "id"),
    ("hubspot_connector_companies", "hubspot", "company_data_snowflake.csv", "hubspot__companies", "id", "id"),
    ("hubspot_connector_companies", "hubspot", "company_data_postgres.csv", "hubspot__companies", "id", "id"),
    ("hubspot_connector_companies", "hubspot", "company_data_databricks.csv", "hubspot__companies", "id", "id"),
    ("hubspot_connector_deals", "hubspot", "deal_data.csv", "hubspot__deals", "id", "deal_id"),
    ("hubspot_connector_tickets", "hubspot", "ticket_data.csv", "hubspot__tickets", "id", "id"),
    ("hubspot_connector_email_events", "hubspot", "email_event_data.csv", "hubspot__email_events", "id", "id"),
    ("salesforce_connector_contacts", "salesforce", "sf_contact_data.csv", "salesforce__contact", "id", "id"),
    ("salesforce_connector_accounts", "salesforce", "sf_account_data.csv", "salesforce__account", "id", "id"),
    ("salesforce_connector_opportunities", "salesforce", "sf_opportunity_data.csv", "salesforce__opportunity", "id",
     "id"),
    ("salesforce_connector_leads", "salesforce", "sf_lead_data.csv", "salesforce__lead", "id", "id"),
    ("salesforce_connector_tasks", "salesforce", "sf_task_data.csv", "salesforce__task", "id", "id"),
    ("zendesk_connector_comments", "zendesk", "ticket_comment_data.csv", "zendesk__comments", "id", "id"),
    ("zendesk_connector_organizations", "zendesk", "organization_data.csv", "zendesk__organizations", "id", "id"),
    ("ga4_connector_events", "ga4_export", "event_data.csv", "ga4__events", "user_pseudo_id", "user_pseudo_id"),
]  # fmt: skip


def land(shop: Any, contract: str, file: Path, path: str) -> Any:
    shop.settings.contracts_dir.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / f"{contract}.yml", shop.settings.contracts_dir)
    return shop.load(path, file.read_bytes())


@pytest.mark.parametrize(("contract", "folder", "name", "relation", "key", "header"), TABLES, ids=lambda v: str(v))
def test_every_row_of_a_connector_table_loads(
    shop: Any, test_data: Path, contract: str, folder: str, name: str, relation: str, key: str, header: str
) -> None:
    file = test_data / "vendor_seeds" / folder / name
    record = land(shop, contract, file, f"{relation.split('__')[0]}/{name}")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    distinct = {tuple(row.items()) for row in rows}
    assert (record.status, record.quarantined, record.code) == ("accepted", 0, None)
    assert (record.rows_in, record.accepted) == (len(rows), len(distinct))
    found = {value for (value,) in shop.rows(relation, key)}
    assert found == {row[header] for row in rows}


def test_merged_ids_of_the_connector_name_their_survivor(shop: Any, test_data: Path) -> None:
    file = test_data / "vendor_seeds" / "hubspot" / "contact_data.csv"
    land(shop, "hubspot_connector_contacts", file, "hubspot/contact_data.csv")
    trails = dict(shop.rows("hubspot__contacts", "id, merged_object_ids"))
    assert trails["78971951"] == "76340251;46897301;76226001"
    assert trails["76340251"] is None


def test_connector_times_and_flags_are_typed(shop: Any, test_data: Path) -> None:
    seeds = test_data / "vendor_seeds"
    land(shop, "ga4_connector_events", seeds / "ga4_export" / "event_data.csv", "ga4/event_data.csv")
    columns = "event_timestamp, event_date, event_name, ga_session_id, session_engaged, transaction_id, user_id"
    assert shop.rows("ga4__events", columns)[0] == (
        datetime(2024, 9, 10, 12, 35), date(2024, 9, 10), "purchase", "session_123", "1", "txn_123", "user_123"
    )  # fmt: skip
    land(shop, "salesforce_connector_opportunities", seeds / "salesforce" / "sf_opportunity_data.csv",
         "salesforce/sf_opportunity_data.csv")  # fmt: skip
    assert shop.rows("salesforce__opportunity", "close_date, is_won, created_date")[0] == (
        date(2018, 12, 19), True, datetime(2018, 12, 19, 19, 51, 13)
    )  # fmt: skip
    land(shop, "zendesk_connector_comments", seeds / "zendesk" / "ticket_comment_data.csv",
         "zendesk/ticket_comment_data.csv")  # fmt: skip
    assert shop.rows("zendesk__comments", "ticket_id, author_id, public, body, created_at")[0] == (
        "1077", "402935450113", True, "body1", datetime(2020, 2, 11, 7, 49, 14)
    )  # fmt: skip
