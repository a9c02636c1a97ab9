"""A bad setting names file, key, value and what is allowed; a missing variable is named."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

import pytest

from kizuna.errors import SettingsError
from kizuna.settings import ENVIRONMENT, Company, load_company, load_settings

KEY = "0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).resolve().parents[3]


def write(folder: Path, text: str) -> Path:
    path = folder / "kizuna.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: A\ntimezone: Tokyo", ["timezone", "'Tokyo'", "Asia/Tokyo"]),
        ("name: A\nlocale: fr", ["locale", "'fr'", "'ja'", "'en'"]),
        ("name: A\nkpi: {churn_high: 1.5}", ["kpi.churn_high", "1.5", "less than or equal to 1"]),
        ("name: A\nkpi: {churn_hihg: 0.5}", ["kpi.churn_hihg", "unknown key", "churn_high"]),
        ("name: A\nkpi: {churn_high: 0.2}", ["kpi", "churn_medium must be below churn_high"]),
        ("name: A\ncurrency: yen", ["currency", "'yen'"]),
        ("name: A\nchannels: {alerts: cx alerts}", ["channels.alerts", "'cx alerts'", "#name"]),
        ("name: A\nalerts: {customer_url: 'https://crm.example.com/'}", ["alerts.customer_url", "{label}"]),
        ("name: A\nalerts: {runbook_url: 'https://wiki.example.com/{name}'}", ["alerts.runbook_url", "{page}"]),
        ("name: A\nalerts: {runbook_url: '/srv/{page}'}", ["alerts.runbook_url", "'/srv/{page}'", "https://"]),
        ("name: A\nschedule: {at: '25:00'}", ["schedule.at", "'25:00'", "HH:MM"]),
        ("name: A\ngates: {max_kpi_factor: .inf}", ["gates.max_kpi_factor", "inf", "finite"]),
        ("locale: ja", ["name", "missing"]),
        ("name: A\nsupport: {business_hours: {mon: ['9-18']}}", ["support.business_hours", "'9-18'", "09:00-18:00"]),
        ("name: A\nsupport: {business_hours: {mon: ['12:00-18:00', '09:00-13:00']}}", ["mon: ranges follow"]),
        ("name: A\nsupport: {business_hours: {mon: ['18:00-24:30']}}", ["'18:00-24:30' ends after the day"]),
        ("name: A\nsupport: {business_hours: {}}", ["at least one weekday"]),
        ("name: A\nsupport: {business_hours: {monday: ['09:00-18:00']}}", ["business_hours.monday", "'mon'"]),
        ("name: A\nsupport: {holidays: ZZ}", ["support.holidays", "'ZZ'", "JP", "none"]),
        ("name: A\nsupport: {sla_clock: working}", ["support.sla_clock", "'working'", "'business'"]),
        ("- a\n- b", ["expected keys", "list"]),
        ("name: [A", ["not valid YAML", "kizuna.yaml:"]),
    ],
)
def test_a_bad_setting_names_file_key_value_and_what_is_allowed(tmp_path: Path, text: str, says: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        load_company(path)
    for word in ["kizuna.yaml", *says]:
        assert word in str(error.value)


def test_a_missing_company_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="kizuna init"):
        load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": KEY})


@pytest.mark.parametrize("value", ["", "   ", "short"])
def test_the_pseudonym_key_is_required_and_long(tmp_path: Path, value: str) -> None:
    write(tmp_path, "name: A")
    with pytest.raises(SettingsError, match="KIZUNA_PSEUDONYM_KEY"):
        load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": value})


def test_only_a_demo_company_may_bring_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "demo.key").write_text(KEY)
    write(tmp_path, "name: A")
    with pytest.raises(SettingsError, match="KIZUNA_PSEUDONYM_KEY"):
        load_settings(tmp_path, {})
    write(tmp_path, "name: A\ndemo: true")
    assert load_settings(tmp_path, {}).pseudonym_key == KEY


def test_secrets_do_not_show_in_a_printed_settings_object(tmp_path: Path) -> None:
    write(tmp_path, "name: A")
    settings = load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": KEY, "KIZUNA_SLACK_TOKEN": "xoxb-secret"})
    assert KEY not in repr(settings)
    assert "xoxb-secret" not in repr(settings)


def test_a_wrong_token_is_refused_without_repeating_it(tmp_path: Path) -> None:
    write(tmp_path, "name: A")
    with pytest.raises(SettingsError, match="KIZUNA_SLACK_TOKEN") as error:
        load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": KEY, "KIZUNA_SLACK_TOKEN": "hunter2"})
    assert "hunter2" not in str(error.value)


def test_the_end_of_a_day_is_the_company_s_midnight_in_utc() -> None:
    tokyo = Company(name="A", timezone="Asia/Tokyo")
    assert tokyo.day_end_utc(date(2026, 6, 30)) == datetime(2026, 6, 30, 15, 0)
    berlin = Company(name="A", timezone="Europe/Berlin")
    # The night clocks go forward: that day has 23 hours.
    assert berlin.day_end_utc(date(2026, 3, 28)) == datetime(2026, 3, 28, 23, 0)
    assert berlin.day_end_utc(date(2026, 3, 29)) == datetime(2026, 3, 29, 22, 0)


def test_the_example_file_lists_every_variable_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#? ?([A-Z_]+)=", example, flags=re.M)) == set(ENVIRONMENT)
