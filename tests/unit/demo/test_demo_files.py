"""The files are the vendors' own shapes, arrive in two deliveries and are a function of the seed."""

import gzip
import hashlib
import stat
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ingestion.contract_files import load_contracts
from ingestion.demo import deliver_day2, generate, write_company
from ingestion.landing import match, scan
from kizuna.cli.demo import forget_others
from kizuna.errors import InputError
from kizuna.settings import Company, load_settings


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name, people=60, seed=seed, days=200)
    first, again, other = (_hashes(tmp_path / name) for name in "abc")
    assert first == again
    assert first["landing/salesforce/WE_00D5g000004kZuN_20260629/Contact.csv"] not in other.values()


def test_day_2_waits_aside_until_it_is_delivered(tmp_path):
    plan = generate(tmp_path, people=60, days=200)
    before = _hashes(tmp_path / "landing")
    staged = _hashes(tmp_path / "deliveries" / "day2")
    arrived = deliver_day2(tmp_path)
    after = _hashes(tmp_path / "landing")
    assert len(before) == plan.day1_files and len(arrived) == len(staged) == plan.day2_files
    assert after == before | staged, "arrival must add files and change none"
    assert not list(tmp_path.rglob("*.part"))
    assert deliver_day2(tmp_path) == []


def test_a_used_folder_and_a_company_too_small_are_refused(tmp_path):
    with pytest.raises(InputError, match="at least 50 people"):
        generate(tmp_path, people=10)
    (tmp_path / "landing" / "shopify").mkdir(parents=True)
    (tmp_path / "landing" / "shopify" / "orders_export_1.csv").write_text("mine")
    with pytest.raises(InputError, match="already holds files"):
        generate(tmp_path, people=60, days=200)


def test_the_company_file_is_valid_and_the_key_is_private_and_repeatable(tmp_path):
    config = write_company(tmp_path / "one")
    company = Company.model_validate(yaml.safe_load(config.read_text(encoding="utf-8")))
    assert (company.name, company.locale, company.timezone, company.currency) == ("絆ストア", "ja", "Asia/Tokyo", "JPY")
    assert company.demo
    key = tmp_path / "one" / "demo.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    write_company(tmp_path / "two")
    assert key.read_text() == (tmp_path / "two" / "demo.key").read_text()
    write_company(tmp_path / "two", seed=8)
    assert key.read_text() != (tmp_path / "two" / "demo.key").read_text()


def test_every_file_but_the_planted_one_has_a_contract(demo):
    contracts = load_contracts(timezone="Asia/Tokyo")
    without = {file.path for file in scan(demo.landing) if match(file, contracts) is None}
    assert without == {row["file"] for row in demo.truth("files") if row["contract"] == "0"} == {"misc/notes.csv"}


def test_malformed_and_repeated_rows_stand_where_the_truth_says(demo):
    def lines(path: str) -> list[str]:
        body = (demo.landing / path).read_bytes()
        text = (gzip.decompress(body) if path.endswith(".gz") else body).decode(
            "cp932" if path.endswith("_excel.csv") else "utf-8"
        )
        return text.split("\n")

    malformed = demo.truth("malformed")
    for row in malformed:
        assert lines(row["file"])[int(row["line"]) - 1].rstrip("\r") == row["raw"].split("\n")[0]
    expected = {
        "type.decimal", "type.timestamp", "type.integer", "value.required", "value.max", "row.ragged", "json.invalid",
    }  # fmt: skip
    assert {row["code"] for row in malformed} == expected
    repeated = demo.truth("duplicates")
    assert {row["file"].split("/")[0] for row in repeated} >= {"salesforce", "shopify", "delighted", "amazon_connect"}
    for row in repeated:
        text = lines(row["file"])
        assert text[int(row["line"]) - 1] == text[int(row["first_line"]) - 1]


def test_shopify_orders_have_their_fields_on_the_first_row_only(demo):
    seen: set[str] = set()
    several = 0
    for path in demo.files("shopify/", 1):
        if "orders_export" not in path:
            continue
        for row in demo.csv_rows(path):
            first = row["Name"] not in seen
            seen.add(row["Name"])
            several += not first
            assert bool(row["Total"]) == bool(row["Currency"]) == bool(row["Id"]) == first
            assert row["Lineitem name"] and row["Lineitem price"]
            assert all(row[column][:1] in ("", "'") for column in ("Billing Phone", "Billing Zip", "Phone"))
    assert several > 100


def test_one_japanese_file_is_cp932_with_characters_that_shift_jis_lacks(demo):
    path = next(path for path in demo.files("delighted/") if path.endswith("_excel.csv"))
    body = (demo.landing / path).read_bytes()
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")
    with pytest.raises(UnicodeDecodeError):
        body.decode("shift_jis")
    text = body.decode("cp932")
    assert "﨑" in text and "①" in text and "～" in text and "㈱" in text and "\r\n" in text


def test_salesforce_cells_hold_newlines_and_the_api_names_head_the_columns(demo):
    path = demo.files("salesforce/", 1)[-3]
    assert path.endswith("Case.csv") or path.endswith("Contact.csv")
    rows = [row for path in demo.files("salesforce/", 1) if path.endswith("Contact.csv") for row in demo.csv_rows(path)]
    assert {"Id", "IsDeleted", "MasterRecordId", "MailingState", "HasOptedOutOfEmail", "SystemModstamp"} <= rows[
        0
    ].keys()
    assert any("\n" in row["MailingStreet"] for row in rows)
    assert all(len(row["Id"]) == 18 for row in rows)


def test_ga4_writes_integers_as_strings_and_brings_late_events(demo):
    types, late_in_history, late_on_day_2 = set(), 0, 0
    total = {1: 0, 2: 0}
    for path in demo.files("ga4/"):
        label = path.split("events_")[1].split(".")[0]
        for event in demo.json_rows(path):
            total[demo.delivery_of[path]] += 1
            assert isinstance(event["event_timestamp"], str) and isinstance(event["event_params"], list)
            moment = datetime(1970, 1, 1) + timedelta(microseconds=int(event["event_timestamp"]), hours=9)
            assert event["event_date"] == f"{moment:%Y%m%d}"
            late_in_history += len(label) == 6 and not event["event_date"].startswith(label)
            late_on_day_2 += len(label) == 8 and event["event_date"] != label
            for param in event["event_params"]:
                types |= {(param["key"], kind) for kind in param["value"]}
                assert all(isinstance(value, str) for value in param["value"].values())
    assert {("session_engaged", "string_value"), ("session_engaged", "int_value")} <= types
    assert late_in_history and late_on_day_2
    web = {int(row["day"]): int(row["events"]) for row in demo.truth("web")}
    assert total[1] == web[1] and total[1] + total[2] == web[2]


def test_zendesk_pages_repeat_records_and_carry_metrics_in_both_shapes(demo):
    shapes, states = set(), []
    for path in demo.files("zendesk/"):
        if "/tickets_" in path:
            page = demo.pages(path)
            assert {"after_url", "after_cursor", "end_of_stream"} <= page.keys()
            assert len(page["tickets"]) <= 1_000
            shapes |= {"beside"} if "metric_sets" in page else set()
            shapes |= {"inside"} if any("metric_set" in ticket for ticket in page["tickets"]) else set()
            states += [(ticket["id"], ticket["updated_at"]) for ticket in page["tickets"]]
    assert shapes == {"beside", "inside"}
    assert len({ticket for ticket, _ in states}) < len(set(states)) < len(states), "older states and plain repeats"


def test_connect_records_come_in_versions(demo):
    versions: dict[str, set[str]] = {}
    for path in demo.files("amazon_connect/"):
        for record in demo.json_rows(path):
            versions.setdefault(record["ContactId"], set()).add(record["LastUpdateTimestamp"])
    assert max(map(len, versions.values())) == 2
    calls = {row["interaction"] for row in demo.truth("interactions") if row["source"] == "amazon_connect"}
    assert calls == set(versions)


def test_day_1_tells_nothing_of_day_2(demo):
    midnight = datetime(2026, 6, 30)  # local
    for path in demo.files("shopify/", 1):
        if "orders_export" in path:
            for row in demo.csv_rows(path):
                for column in ("Created at", "Fulfilled at", "Cancelled at"):
                    assert not row[column] or datetime.fromisoformat(row[column]).replace(tzinfo=None) < midnight
    for path in demo.files("zendesk/", 1):
        for kind in ("tickets", "users"):
            for record in demo.pages(path).get(kind, []):
                assert datetime.fromisoformat(record["updated_at"]).replace(tzinfo=None) < midnight - timedelta(hours=9)
    for path in demo.files("salesforce/", 1):
        for row in demo.csv_rows(path):
            stamp = datetime.fromisoformat(row["SystemModstamp"]).replace(tzinfo=None)
            assert stamp < midnight - timedelta(hours=9)


def test_every_address_is_invented(demo):
    domains = set()
    for row in demo.truth("identifiers"):
        if row["identifier_type"] == "email" and "@" in row["value"]:
            domains.add(row["value"].split("@")[1])
    assert domains <= {"example.com", "example.jp", "example.net", "test.com"}


def test_exchange_rates_cover_every_day(demo):
    days = {row["rate_on"] for path in demo.files("reference/") for row in demo.csv_rows(path)}
    assert days == {(date(2026, 6, 30) - timedelta(days=back)).isoformat() for back in range(500)}


def test_a_zendesk_page_has_one_metric_set_per_ticket(demo):
    for path in demo.files("zendesk/", 1):
        page = demo.pages(path)
        if "tickets" in page:
            tickets = [ticket["id"] for ticket in page["tickets"]]
            assert len(set(tickets)) == len(tickets)
            assert sorted(tickets) == sorted(metric["ticket_id"] for metric in page["metric_sets"])


def test_the_demo_meets_no_store_of_another_company(tmp_path, monkeypatch):
    """`make` exports what is in `.env`; in the storage of its runs the demo would end the company's own as dead."""
    for name, value in {
        "KIZUNA_HOME": str(tmp_path / "company"),
        "KIZUNA_PSEUDONYM_KEY": "k" * 40,
        "KIZUNA_CONTROL_URL": "postgresql://kizuna@db/control",
        "KIZUNA_DAGSTER_URL": "postgresql://kizuna@db/dagster",
        "KIZUNA_PUBLIC_URL": "https://bi.example.com",
    }.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "demo"
    write_company(home)
    forget_others()
    settings = load_settings(home)
    assert (settings.control_url, settings.dagster_url, settings.public_url) == (
        f"sqlite:///{home / 'control.db'}",
        None,
        None,
    )
    assert settings.pseudonym_key == (home / "demo.key").read_text().strip()
