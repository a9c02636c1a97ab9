"""Files that nobody in this project wrote, through the example contracts and the built-in ones."""

from __future__ import annotations

import csv
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "contracts"


def use(shop: Any, contract: str) -> None:
    shop.settings.contracts_dir.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / contract, shop.settings.contracts_dir)


def test_cdnow_purchases_join_through_a_mapping_of_a_file_without_header(shop: Any, test_data: Path) -> None:
    use(shop, "cdnow_orders.yml")
    source = test_data / "cdnow" / "CDNOW_sample.txt"
    record = shop.load("cdnow/CDNOW_sample.txt", source.read_bytes())
    assert (record.rows_in, record.accepted, record.quarantined, record.duplicates) == (6919, 6919, 0, 0)
    lines = [line.split() for line in source.read_text().splitlines()]
    rows = shop.rows("mapped__order", "customer_key, gross_amount, quantity, ordered_at, currency, _line, order_key")
    assert [row[:3] for row in rows] == [(cells[0], Decimal(cells[4]), int(cells[3])) for cells in lines]
    assert rows[0][3:6] == (datetime(1996, 12, 31, 15), "USD", 1)
    assert len({row[6] for row in rows}) == 6919, "equal purchases of a day keep keys of their own"
    assert len({row[0] for row in rows}) == 2357


def test_support_tickets_join_with_newlines_in_cells(shop: Any, test_data: Path) -> None:
    use(shop, "support_tickets.yml")
    source = test_data / "support_tickets" / "customer_support_tickets.csv"
    record = shop.load("support_desk/customer_support_tickets.csv", source.read_bytes())
    assert (record.rows_in, record.accepted, record.quarantined) == (8469, 8469, 0)
    with source.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        expected, line = [], 2
        for row in reader:
            score = row["Customer Satisfaction Rating"]
            expected.append((line, row["Ticket ID"], row["Customer Email"], int(float(score)) if score else None))
            line = reader.line_num + 1
    assert shop.rows("mapped__interaction", "_line, interaction_key, email, csat_score") == expected
    with_times = shop.rows("mapped__interaction", "status, resolved_at, first_response_at")
    closed = [row for row in with_times if row[0] == "closed"]
    assert (len(closed), sum(1 for row in closed if row[1] < row[2])) == (2769, 1365)


def test_genuine_ga4_events_load_without_loss(shop: Any, test_data: Path) -> None:
    record = shop.load("ga4/events_20231005.ndjson", (test_data / "ga4_sample" / "events.ndjson").read_bytes())
    assert (record.rows_in, record.accepted) == (2, 2)
    columns = "event_name, ga_session_id, ga_session_number, session_engaged, page_title, event_timestamp"
    assert shop.rows("ga4__events", columns) == [
        ("scroll", "123526748", None, "1", "J's Angels", datetime(2023, 10, 5, 1, 47, 32, 486466)),
        ("page_view", "84321567", 1, "0", "SuperJ", datetime(2023, 10, 5, 1, 46, 58, 877027)),
    ]


def test_a_native_zendesk_page_loads(shop: Any, test_data: Path) -> None:
    shop.load("zendesk/tickets_incremental.json", (test_data / "zendesk_api" / "tickets_incremental.json").read_bytes())
    columns = "id, external_id, status, via_channel, requester_id, satisfaction_score, created_at"
    assert shop.rows("zendesk__tickets", columns) == [
        ("35436", "ahg35h3jh", "open", "web", "20978392", "good", datetime(2009, 7, 20, 22, 55, 29))
    ]
