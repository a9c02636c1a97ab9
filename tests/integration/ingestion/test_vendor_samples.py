"""Each vendor entity on a small file of the vendor's own shape, and what stands in its raw relation."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SHOPIFY = """Name,Email,Financial Status,Paid at,Currency,Total,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Billing Zip,Shipping Phone,Refunded Amount,Id,Shipping Method,Gift Note
#1001,a@example.jp,paid,2025-10-07 09:50:26 +0900,JPY,4980,2025-10-07 09:50:26 +0900,1,"Tea, green",2980,'100-0001,\
'+81 90 1234 5678,500.00,5001,Standard,For mum
#1001,,,,,,,2,Cup,1000,,,,,,
"""


def test_shopify_orders(shop: Any) -> None:
    record = shop.load("shopify/2025/orders_export_1.csv", SHOPIFY)
    assert (record.status, record.accepted) == ("accepted", 2)
    assert record.detail["drift"]["added"] == ["Gift Note"], "a known column such as Shipping Method is no drift"
    columns = (
        "name, id, total, created_at, lineitem_quantity, billing_zip, shipping_phone, refunded_amount, phone, _line"
    )
    assert shop.rows("shopify__orders", columns) == [
        ("#1001", "5001", Decimal("4980.00"), datetime(2025, 10, 7, 0, 50, 26), 1, "100-0001", "+81 90 1234 5678",
         Decimal("500.00"), None, 2),
        ("#1001", None, None, None, 2, None, None, None, None, 3),
    ]  # fmt: skip
    ((extra, source),) = shop.rows("shopify__orders", "_extra, _source")[:1]
    assert json.loads(extra) == {"Shipping Method": "Standard", "Gift Note": "For mum"}
    assert source == "shopify"


def test_shopify_customers_of_both_header_generations(shop: Any) -> None:
    shop.load(
        "shopify/customers_export.csv",
        "Customer ID,First Name,Last Name,Email,Default Address Zip,Phone,Total Spent,Total Orders,Tags\n"
        "'7001,花子,髙﨑,h@example.jp,'100-0001,'+819012345678,12980.50,3,vip\n",
    )
    old = shop.load(
        "shopify/old/customers_export.csv",
        "Customer ID,First Name,Last Name,Email,Company,Zip,Phone,Total Spent,Total Orders\n"
        "7002,T,S,t@example.jp,ACME,'150-0001,,0.00,0\n",
    )
    assert old.detail["drift"]["renamed"]["Default Address Zip"] == "Zip"
    columns = "customer_id, last_name, default_address_company, default_address_zip, phone, total_spent, total_orders"
    assert shop.rows("shopify__customers", columns) == [
        ("7001", "髙﨑", None, "100-0001", "+819012345678", Decimal("12980.50"), 3),
        ("7002", "S", "ACME", "150-0001", None, Decimal("0.00"), 0),
    ]


def test_salesforce_objects(shop: Any) -> None:
    shop.load(
        "salesforce/WE_1/Contact.csv",
        '"Id","IsDeleted","MasterRecordId","FirstName","LastName","MailingStreet","Email","Birthdate",'
        '"HasOptedOutOfEmail","CreatedDate","SystemModstamp","X__c"\n'
        '"0035g00000AAAAA","1","0035g00000BBBBB","太郎","山田","1-2-3\nビル","t@example.jp","1980-02-29","0",'
        '"2024-01-15T00:30:00.000Z","2024-02-01T00:00:00.000+0000","v"\n',
    )
    shop.load("salesforce/WE_1/Account.csv", "Id,IsDeleted,Name,CreatedDate\n001A,false,㈱山,2024-01-01 00:00:00\n")
    shop.load(
        "salesforce/WE_1/Opportunity.csv",
        "Id,AccountId,StageName,Amount,CloseDate,IsWon,CreatedDate\n006A,001A,Closed Won,120000.5,2024-03-31,1,"
        "2024-01-01T00:00:00Z\n",
    )
    shop.load(
        "salesforce/WE_1/Case.csv",
        "Id,Status,Priority,IsClosed,ClosedDate,CreatedDate\n500A,Closed,High,1,2024-01-02T00:00:00Z,"
        "2024-01-01T00:00:00Z\n",
    )
    unread = shop.land("salesforce/WE_1/LeadHistory.csv", "Id,LeadId\n1,2\n")
    assert unread.relative_to(shop.settings.landing).as_posix() in shop.ingest().unmatched
    columns = "id, is_deleted, master_record_id, mailing_street, birthdate, created_date, system_modstamp"
    assert shop.rows("salesforce__contact", columns) == [
        ("0035g00000AAAAA", True, "0035g00000BBBBB", "1-2-3\nビル", date(1980, 2, 29), datetime(2024, 1, 15, 0, 30),
         datetime(2024, 2, 1)),
    ]  # fmt: skip
    assert shop.rows("salesforce__account", "name, is_deleted, created_date") == [("㈱山", False, datetime(2024, 1, 1))]
    assert shop.rows("salesforce__opportunity", "amount, close_date, is_won") == [
        (Decimal("120000.50"), date(2024, 3, 31), True)
    ]
    assert shop.rows("salesforce__case", "status, is_closed, closed_date") == [("Closed", True, datetime(2024, 1, 2))]


def _event(**values: Any) -> dict[str, Any]:
    params = [
        {"key": "ga_session_id", "value": {"int_value": "55"}},
        {"key": "session_engaged", "value": values.pop("engaged")},
        {"key": "engagement_time_msec", "value": {"int_value": 1200}},
        {"key": "page_location", "value": {"string_value": "https://x.jp/"}},
    ]
    return {
        "event_date": "20260630", "event_timestamp": "1782777600000000", "event_name": "purchase",
        "user_pseudo_id": "p.1", "event_params": params, "device": {"category": "mobile", "language": "ja"},
        "geo": {"country": "Japan", "region": "Tokyo"},
        "ecommerce": {"purchase_revenue": 4980.1, "transaction_id": "#1"},
        "traffic_source": {"source": "google", "medium": "cpc", "name": "(direct)"}, "platform": "WEB", **values,
    }  # fmt: skip


EVENT_COLUMNS = (
    "event_timestamp, event_date, ga_session_id, session_engaged, engagement_time_msec, purchase_revenue, "
    "transaction_id, device_category, geo_region, traffic_campaign"
)
EVENT = (datetime(2026, 6, 30), date(2026, 6, 30), "55", "1", 1200, Decimal("4980.10"), "#1", "mobile", "Tokyo",
         "(direct)")  # fmt: skip


def test_ga4_events_as_ndjson_and_gzip(shop: Any) -> None:
    first, second = _event(engaged={"int_value": 1}), _event(engaged={"string_value": "1"}, user_id="u1")
    shop.load("ga4/events_20260630.ndjson", json.dumps(first) + "\n" + json.dumps(second) + "\n")
    shop.load("ga4/events_20260629.json.gz", gzip.compress(json.dumps({**first, "event_name": "view"}).encode()))
    assert shop.rows("ga4__events", EVENT_COLUMNS) == [EVENT, EVENT, EVENT]
    ((params, extra),) = shop.rows("ga4__events", "event_params, _extra")[:1]
    assert json.loads(params) == first["event_params"]
    assert json.loads(extra) == {"device": {"language": "ja"}}, "nothing that the contract does not read is lost"


def test_ga4_events_as_parquet_with_nested_columns(shop: Any, tmp_path: Path) -> None:
    event = {**_event(engaged={"string_value": None, "int_value": 1}), "event_timestamp": 1782777600000000}
    for parameter in event["event_params"]:
        value = parameter["value"]
        parameter["value"] = {
            "string_value": value.get("string_value"),
            "int_value": int(value["int_value"]) if value.get("int_value") is not None else None,
        }
    pq.write_table(pa.Table.from_pylist([event, event]), tmp_path / "e.parquet")
    record = shop.load("ga4/events_20260630.parquet", (tmp_path / "e.parquet").read_bytes())
    assert (record.rows_in, record.accepted, record.duplicates) == (2, 1, 1)
    assert shop.rows("ga4__events", EVENT_COLUMNS) == [EVENT]


def test_zendesk_pages_with_metrics_beside_and_inside(shop: Any) -> None:
    metric = {
        "reply_time_in_minutes": {"calendar": 90, "business": 30},
        "reopens": 1,
        "solved_at": "2026-06-02T00:00:00Z",
    }
    ticket = {
        "id": 7, "status": "solved", "requester_id": 71, "tags": ["a"], "via": {"channel": "web"},
        "created_at": "2026-06-01T00:00:00Z", "updated_at": "2026-06-02T00:00:00Z", "generated_timestamp": 1782777600,
        "satisfaction_rating": {"score": "good", "comment": "早い"},
    }  # fmt: skip
    page = {
        "tickets": [ticket, {**ticket, "id": 8}],
        "metric_sets": [{"ticket_id": 7, **metric}],
        "end_of_stream": True,
    }
    shop.load("zendesk/tickets_00001.json", json.dumps(page))
    shop.load("zendesk/tickets_full.jsonl", json.dumps({**ticket, "id": 9, "metric_set": metric}))
    columns = "id, reply_time_calendar_minutes, reopens, solved_at, tags, satisfaction_score, generated_timestamp"
    told = (90, 1, datetime(2026, 6, 2), '["a"]', "good", datetime(2026, 6, 30))
    assert shop.rows("zendesk__tickets", columns) == [
        ("7", *told),
        ("8", None, None, None, *told[3:]),
        ("9", *told),
    ]


def test_zendesk_users(shop: Any) -> None:
    user = {"id": 71, "name": "山田", "email": "t@example.jp", "suspended": False, "updated_at": "2026-06-02T00:00:00Z"}
    record = shop.load("zendesk/users_1.json", json.dumps({"users": [user, user, {**user, "suspended": "maybe"}, 5]}))
    assert (record.accepted, record.duplicates, record.quarantined) == (1, 1, 2)
    assert [row[:3] for row in shop.rejected(record)] == [
        (3, "suspended", "type.boolean"),
        (4, None, "json.not_object"),
    ]
    assert shop.rows("zendesk__users", "id, name, suspended") == [("71", "山田", False)]


def test_amazon_connect_contact_records(shop: Any) -> None:
    contact = {
        "ContactId": "c-1", "Channel": "VOICE", "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-06-30T01:00:00Z", "LastUpdateTimestamp": "2026-06-30T01:20:00.123Z",
        "CustomerEndpoint": {"Address": "+819012345678", "Type": "TELEPHONE_NUMBER"},
        "Queue": {"Name": "Basic", "Duration": 12, "ARN": "arn:q"},
        "Agent": {"Username": "sato", "AgentInteractionDuration": 300, "AfterContactWorkDuration": 45},
        "Attributes": {"intent": "refund"},
    }  # fmt: skip
    missed = {**contact, "ContactId": "c-2", "Agent": None}
    lines = json.dumps(contact) + "\n" + json.dumps(missed) + "\n"
    shop.load("amazon_connect/2026/06/contact_records.jsonl.gz", gzip.compress(lines.encode()))
    columns = "contact_id, customer_endpoint, queue_name, queue_duration_seconds, agent_username, attributes"
    assert shop.rows("amazon_connect__contact_records", columns) == [
        ("c-1", "+819012345678", "Basic", 12, "sato", '{"intent":"refund"}'),
        ("c-2", "+819012345678", "Basic", 12, None, '{"intent":"refund"}'),
    ]


DELIGHTED = "Response ID,Person ID,Email,Name,Survey Type,Score,Comment,Sent At,Created At\n"


def test_delighted_in_utf8_and_in_cp932(shop: Any) -> None:
    row = "r{n},p1,a@example.jp,髙﨑㈱,nps,9,良い①～,,2026-06-30 10:00:00 +0900\n"
    utf8 = shop.load("delighted/a.csv", b"\xef\xbb\xbf" + (DELIGHTED + row.format(n=1)).encode())
    cp932 = shop.load("delighted/b.csv", (DELIGHTED + row.format(n=2)).encode("cp932"))
    assert (utf8.detail["encoding"], cp932.detail["encoding"]) == ("utf-8-sig", "cp932")
    assert shop.rows("delighted__responses", "response_id, name, comment, score, created_at, sent_at") == [
        ("r1", "髙﨑㈱", "良い①～", 9, datetime(2026, 6, 30, 1), None),
        ("r2", "髙﨑㈱", "良い①～", 9, datetime(2026, 6, 30, 1), None),
    ]


def test_a_score_of_nine_and_a_half_is_not_a_promoter(shop: Any) -> None:
    rows = [f"r{n},p,a@example.jp,N,nps,{score},,,2026-06-30 10:00:00 +0900" for n, score in
            enumerate(["10", "9.5", "11", "", "8", "7", "6"])]  # fmt: skip
    record = shop.load("delighted/a.csv", DELIGHTED + "\n".join(rows) + "\n")
    assert shop.rejected(record) == [
        (3, "score", "type.integer", rows[1]),
        (4, "score", "value.max", rows[2]),
        (5, "score", "value.required", rows[3]),
    ]
    assert [row[0] for row in shop.rows("delighted__responses", "score")] == [10, 8, 7, 6]


def test_exchange_rates(shop: Any) -> None:
    shop.load("reference/exchange_rates.csv", "rate_on,currency,rate\n2026-06-30,USD,157.12345678\n")
    assert shop.rows("reference__exchange_rates", "rate_on, currency, rate") == [
        (date(2026, 6, 30), "USD", Decimal("157.12345678"))
    ]


HUBSPOT_JA = [
    ("contacts", "レコードID,名,姓,Eメール,電話番号,関連付けられた会社ID,マージ済みオブジェクトID,作成日",
     '101,花子,髙﨑,h@example.jp,03-0000-0001,901,"99;98",2026-03-12 09:14',
     "id, first_name, last_name, email, phone, company_ids, merged_object_ids, created_at",
     ("101", "花子", "髙﨑", "h@example.jp", "03-0000-0001", "901", "99;98", datetime(2026, 3, 12, 0, 14))),
    ("companies", "レコードID,会社名,会社のドメイン名,業種,国/地域,マージ済みオブジェクトID,作成日",
     "901,㈱見本,example.jp,小売,日本,900,2026/03/12 09:14",
     "id, name, domain, industry, country, merged_object_ids, created_at",
     ("901", "㈱見本", "example.jp", "小売", "日本", "900", datetime(2026, 3, 12, 0, 14))),
    ("deals", "レコードID,取引名,取引ステージ,金額,通貨,クローズ日,関連付けられた会社ID,関連付けられたコンタクトID",
     '801,更新,契約済み,"120,000",JPY,2026-06-10 18:00,901,"104;101"',
     "id, name, stage, amount, currency, close_at, company_ids, contact_ids",
     ("801", "更新", "契約済み", Decimal(120000), "JPY", datetime(2026, 6, 10, 9), "901", "104;101")),
    ("tickets", "チケットID,チケット名,チケットステータス,優先度,関連付けられたコンタクトID,作成日,クローズ日",
     "701,届かない,終了,高,101,2026-06-10 09:00,2026-06-11 18:00",
     "id, subject, status, priority, contact_ids, created_at, closed_at",
     ("701", "届かない", "終了", "高", "101", datetime(2026, 6, 10), datetime(2026, 6, 11, 9))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entity", "header", "row", "columns", "told"), HUBSPOT_JA, ids=[case[0] for case in HUBSPOT_JA]
)
def test_hubspot_exports_with_japanese_headers(
    shop: Any, entity: str, header: str, row: str, columns: str, told: tuple[Any, ...]
) -> None:
    record = shop.load(f"hubspot/hubspot-crm-exports-all-{entity}-2026-06-20.csv", f"{header}\n{row}\n")
    assert (record.status, record.quarantined) == ("accepted", 0)
    assert shop.rows(f"hubspot__{entity}", columns) == [told]
    ((extra,),) = shop.rows(f"hubspot__{entity}", "_extra")
    assert extra is None, "every header found its column"


def test_hubspot_contacts_as_a_workbook(shop: Any, tmp_path: Path) -> None:
    """The same export as XLSX: moments are cells of a workbook, ids may be numbers."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Record ID", "First Name", "Last Name", "Email", "Create Date", "Merged object IDs"])
    sheet.append([101, "花子", "見本", "hanako@example.jp", datetime(2026, 3, 12, 9, 14), "99;98"])
    book.save(tmp_path / "book.xlsx")
    record = shop.load("hubspot/all-contacts.xlsx", (tmp_path / "book.xlsx").read_bytes())
    assert (record.status, record.accepted) == ("accepted", 1)
    assert shop.rows("hubspot__contacts", "id, last_name, email, created_at, merged_object_ids") == [
        ("101", "見本", "hanako@example.jp", datetime(2026, 3, 12, 0, 14), "99;98")
    ]
