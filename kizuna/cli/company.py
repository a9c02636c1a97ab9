"""`kizuna init`: an empty company of one's own."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from kizuna.errors import InputError, SettingsError
from kizuna.settings import CONFIG_NAME, load_company

TEMPLATE = """\
# Who the company is. Secrets and locations come from the environment (see .env.example).
# A key left out has the default shown here; `kizuna status` checks the file.
name: {name}
locale: {locale}            # ja | en: language of the scorecard and of messages
timezone: {timezone}        # decides where a day ends
currency: {currency}        # reporting currency; other currencies need landing/reference/exchange_rates.csv
country: {country}          # country of phone numbers written without a prefix
# as_of: 2026-06-30         # fix the day to report; default: the last whole day

kpi:
  margin_rate: 0.30
  churn_horizon_days: 90
  churn_high: 0.85          # from this probability on a customer counts as high risk
  churn_medium: 0.60
  identity_limit_default: 5 # values of one identifier type that one customer may have
  device_login_window_days: 30
  sla_minutes: {{urgent: 60, high: 240, normal: 1440, low: 2880}}

support:                    # when people answer; public holidays of the country are closed
  business_hours:
    mon: ["09:00-18:00"]
    tue: ["09:00-18:00"]
    wed: ["09:00-18:00"]
    thu: ["09:00-18:00"]
    fri: ["09:00-18:00"]
  # bots: ["380000000099"]  # agent ids that are programs
  # topic_tags: [return]    # tags that name what a Zendesk ticket is about

alerts:
  z_alert: 4.0              # distance from the weekday baseline, in robust standard deviations
  z_warn: 3.5
  min_effect: 0.05          # and at least this many points of the share
  min_rise: 0.5             # or this share of the usual number, or value, at risk
  min_count: 10             # and at least this many customers
  min_history_days: 35

channels:
  alerts: "#cx-alerts"
  data: "#cx-data"

retention:
  versions: 7
  hours: 24
  builds: 3

schedule:
  at: "06:00"

watch:                      # `kizuna watch` tells when one and a half of these go by in silence
  publication_hours: 24
  files_hours: 24
  daemon_minutes: 10        # 0 where cron runs the line
  sender_minutes: 30
  # sources: {{shopify: 24}}  # hours between two accepted files of a source
"""


def _sources() -> list[str]:
    """Every vendor that a built-in contract reads."""
    from ingestion.contract_files import load_contracts

    return sorted({contract.source for contract in load_contracts()})


def make_company(folder: Path, *, name: str, locale: str, timezone: str, currency: str, country: str) -> None:
    """Write kizuna.yaml and the folders. Raises `InputError` if a company lives there already."""
    home = folder.expanduser().resolve()
    config = home / CONFIG_NAME
    if config.exists():
        raise InputError(f"{config} exists already; edit it, or choose another folder.")
    sources = _sources()
    for source in sources:
        (home / "landing" / source).mkdir(parents=True, exist_ok=True)
    (home / "contracts").mkdir(exist_ok=True)
    import yaml

    quoted = yaml.safe_dump(name, allow_unicode=True, default_style='"', width=1000).strip()
    text = TEMPLATE.format(name=quoted, locale=locale, timezone=timezone, currency=currency, country=country)
    config.write_text(text, encoding="utf-8")
    try:
        load_company(config)
    except SettingsError:
        config.unlink()
        raise
    out = Console(highlight=False)
    out.print(f"[bold]{name}[/] lives in {home}", soft_wrap=True)
    out.print("Next:")
    out.print(
        "  1. export KIZUNA_PSEUDONYM_KEY=\"$(python3 -c 'import secrets; print(secrets.token_hex(32))')\"  (keep it)",
        soft_wrap=True,
    )
    out.print(f"  2. export KIZUNA_HOME={home}", soft_wrap=True)
    out.print(f"  3. put export files into {home / 'landing'}/<source>/  ({', '.join(sources)})", soft_wrap=True)
    out.print(f"     other files join by a mapping contract in {home / 'contracts'}", soft_wrap=True)
    out.print("  4. kizuna run")
