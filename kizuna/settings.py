"""Who the company is (`kizuna.yaml`) and where things are (environment), as one frozen object read once.

`kizuna.yaml` lies in the company's home (`KIZUNA_HOME`) and holds nothing secret; secrets and locations come only from
the environment. An error names the file, the key, the value and what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kizuna.errors import SettingsError
from kizuna.message_settings import AlertRules, Channels, Digest, Freshness
from kizuna.opening_hours import SupportParams
from kizuna.operating_settings import BuildLimits, ReadingLimits, WatchParams

CONFIG_NAME = "kizuna.yaml"
DEMO_KEY_NAME = "demo.key"
MIN_KEY_LENGTH = 32

#: Every variable the platform reads, with what it is for. `.env.example` is compared with this by a test.
ENVIRONMENT: Mapping[str, str] = {
    "KIZUNA_HOME": "folder of the company: landing, raw, builds, published (default ./var)",
    "KIZUNA_PSEUDONYM_KEY": f"secret of at least {MIN_KEY_LENGTH} characters that keys every pseudonym; required",
    "KIZUNA_CONTROL_URL": "SQLAlchemy URL of the control store (default SQLite in KIZUNA_HOME)",
    "KIZUNA_DAGSTER_URL": "PostgreSQL database of Dagster's runs and events (default SQLite in KIZUNA_HOME)",
    "KIZUNA_ALARM_COMMAND": "command that gets an alarm of `kizuna watch` on standard input when Slack does not",
    "KIZUNA_SLACK_TOKEN": "bot token (xoxb-…); without it messages go to a local preview",
    "KIZUNA_SLACK_BASE_URL": "other address of the Slack Web API, for a stand-in server in tests",
    "KIZUNA_PUBLIC_URL": "address under which the published folder is served; links in messages start with it",
}

Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(gt=1, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetentionPeriods(_Section):
    """Periods shown of cohorts by day and by week; cohorts by month and year are shown to the end."""

    day: Annotated[int, Field(ge=1, le=366)] = 30
    week: Annotated[int, Field(ge=1, le=260)] = 26


class KpiParams(_Section):
    """Parameters of the KPI definitions; `docs/kpis.md` says where each enters."""

    margin_rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.30")
    discount_rate: Annotated[float, Field(ge=0, le=1)] = 0.10
    churn_horizon_days: Annotated[int, Field(ge=7, le=730)] = 90
    churn_high: Share = 0.85
    churn_medium: Share = 0.60
    churn_floor_auc: Annotated[float, Field(ge=0.5, le=0.95)] = 0.60
    churn_min_customers: Annotated[int, Field(ge=50)] = 500
    identity_limit_default: Annotated[int, Field(ge=1, le=1000)] = 5
    device_login_window_days: Annotated[int, Field(ge=0, le=365)] = 30
    retention_periods: RetentionPeriods = RetentionPeriods()
    retention_windows: Annotated[list[Annotated[int, Field(ge=1, le=3650)]], Field(min_length=1, max_length=20)] = [
        1,
        7,
        14,
        30,
        60,
        90,
    ]
    contract_months: Annotated[int, Field(ge=0, le=120)] = 0
    contract_horizon_days: Annotated[int, Field(ge=7, le=730)] = 90
    contract_high: Share = 0.50
    contract_medium: Share = 0.25
    contract_min_ended: Annotated[int, Field(ge=10)] = 30
    ship_days: Annotated[int, Field(ge=0, le=365)] = 3
    sla_minutes: dict[Literal["urgent", "high", "normal", "low"], Annotated[int, Field(gt=0)]] = {
        "urgent": 60,
        "high": 240,
        "normal": 1440,
        "low": 2880,
    }
    user_id_is: Literal["shopify_customer_id", "email", "none"] = "shopify_customer_id"
    survey_answer: Literal["latest", "first"] = "latest"
    segments: list[Literal["lifecycle_segment", "value_tier", "rfm_segment", "channel_preference", "device_mix"]] = []
    signal_weights: dict[str, float] = {}

    @model_validator(mode="after")
    def _bands_in_order(self) -> KpiParams:
        if self.churn_medium >= self.churn_high:
            raise ValueError("churn_medium must be below churn_high")
        if not 0 < self.contract_medium < self.contract_high < 1:
            raise ValueError("contract_medium must lie between 0 and contract_high, which must be below 1")
        return self


class IdentityParams(_Section):
    """What the identity gate accepts, and links by likeness; `docs/operating.md` says when to change it.

    `max_id_churn`: share of published customer ids that one build may merge, split or lose, once they are more than
    `min_id_churn`. `stitch_rate_low` and `stitch_rate_high` bound the share of devices that lead to a known customer,
    `max_stitch_change` bounds its step from one published version to the next.

    `probabilistic` also links records that share no identifier but are alike (`analytics/linkage`): with a probability
    of `match_threshold` on they are one person, from `review_threshold` on `kizuna identity review` lists them.
    """

    max_id_churn: Share = 0.10
    min_id_churn: Annotated[int, Field(ge=0)] = 100
    stitch_rate_low: Share = 0.0
    stitch_rate_high: Share = 1.0
    max_stitch_change: Share = 0.20
    probabilistic: bool = False
    match_threshold: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    review_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.50

    @model_validator(mode="after")
    def _bounds_in_order(self) -> IdentityParams:
        if self.review_threshold > self.match_threshold:
            raise ValueError("review_threshold must not be above match_threshold")
        if self.stitch_rate_low > self.stitch_rate_high:
            raise ValueError("stitch_rate_low must not be above stitch_rate_high")
        return self


class GateParams(_Section):
    """How far a build may be from the version before it; `docs/operating.md` says when to change it.

    `max_volume_drop`: share of rows a table, or a delivery, may lose. `max_silence`: how late a regular source may be,
    in times of its longest gap. `max_unit_factor` and `max_kpi_factor`: how many times the usual an amount, or a KPI's
    day, may be. `max_mix_change`: share of customers that may change region or segment. `max_restatement`: share by
    which four published weeks may change. `max_ratio_step`: share of its scale by which a ratio's day may leave the
    days before it. `max_null_rise`: share of new rows by which a column may be emptier than in any load before.
    `max_region_share`: distinct regions in times of the customers.
    """

    max_volume_drop: Share = 0.5
    max_silence: Annotated[float, Field(ge=1, le=1000)] = 3.0
    max_unit_factor: Factor = 10.0
    max_mix_change: Share = 0.25
    max_restatement: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    max_kpi_factor: Factor = 10.0
    max_ratio_step: Share = 0.5
    max_null_rise: Share = 0.5
    max_region_share: Share = 0.1


class Retention(_Section):
    """What is kept: at least `versions` published versions and everything younger than `hours`."""

    versions: Annotated[int, Field(ge=2, le=1000)] = 7
    hours: Annotated[int, Field(ge=0)] = 24
    builds: Annotated[int, Field(ge=1, le=100)] = 3
    run_days: Annotated[int, Field(ge=1)] = 90


class Schedule(_Section):
    """Local time of the daily build."""

    at: str = "06:00"

    @field_validator("at")
    @classmethod
    def _clock(cls, value: str) -> str:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError("a time of day is written HH:MM, 00:00 to 23:59")
        return value


class Company(_Section):
    """Content of `kizuna.yaml`."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    locale: Literal["ja", "en"] = "en"
    timezone: str = "UTC"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "JP"
    as_of: date | None = None
    demo: bool = False
    kpi: KpiParams = KpiParams()
    identity: IdentityParams = IdentityParams()
    gates: GateParams = GateParams()
    support: SupportParams = SupportParams()
    alerts: AlertRules = AlertRules()
    channels: Channels = Channels()
    digest: Digest = Digest()
    freshness: Freshness = Freshness()
    retention: Retention = Retention()
    schedule: Schedule = Schedule()
    watch: WatchParams = WatchParams()
    limits: ReadingLimits = ReadingLimits()
    build: BuildLimits = BuildLimits()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("a time zone is an IANA name such as Asia/Tokyo or Europe/Berlin")
        return value

    def laxer_limits(self) -> tuple[str, ...]:
        """Limits of gates above those shipped, in words. They are meant for one build, and are easily left behind."""
        held = {
            "gates": (self.gates, GateParams()),
            "identity": (self.identity, IdentityParams()),
        }
        return tuple(
            f"{section}.{name} {getattr(mine, name):g} (shipped {getattr(shipped, name):g})"
            for section, (mine, shipped) in held.items()
            for name in sorted(type(shipped).model_fields)
            if name.startswith(("max_", "min_")) and getattr(mine, name) > getattr(shipped, name)
        )

    def day_end_utc(self, day: date) -> datetime:
        """First instant after the local `day`, as naive UTC."""
        midnight = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(self.timezone))
        return midnight.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


class Settings(BaseModel):
    """Company, locations and secrets. Paths are absolute. `pseudonym_key` never leaves the process."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path
    company: Company
    pseudonym_key: str = Field(repr=False)
    slack_token: str | None = Field(default=None, repr=False)
    slack_base_url: str | None = None
    public_url: str | None = None
    control_url: str = Field(repr=False)
    dagster_url: str | None = Field(default=None, repr=False)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def raw(self) -> Path:
        return self.home / "raw"

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

    @property
    def builds(self) -> Path:
        return self.home / "builds"

    @property
    def rebuilt(self) -> Path:
        """Past days that were built again to be looked at."""
        return self.home / "rebuilt"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def previews(self) -> Path:
        return self.home / "previews"

    @property
    def contracts_dir(self) -> Path:
        return self.home / "contracts"

    @property
    def private_folders(self) -> tuple[Path, ...]:
        """What holds personal data or a run's logs. `published` is for readers and stays open."""
        names = ("raw", "quarantine", "builds", "messages", "previews", "dagster")
        return tuple(self.home / name for name in names)

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"


def home_from_environment(environ: Mapping[str, str] | None = None) -> Path:
    """`KIZUNA_HOME` as an absolute path, `./var` by default."""
    env = os.environ if environ is None else environ
    return Path(env.get("KIZUNA_HOME") or "var").expanduser().resolve()


def load_company(path: Path) -> Company:
    """Read and check one `kizuna.yaml`. Raises `SettingsError` naming file, key, value and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist. `kizuna init {path.parent}` makes an empty company there, "
            "`kizuna demo` the demo company."
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8.") from None
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SettingsError(f"{where}: not valid YAML ({getattr(error, 'problem', error)}).") from None
    if not isinstance(data, dict):
        raise SettingsError(f"{path}: expected keys such as `name:` and `timezone:`, found {type(data).__name__}.")
    try:
        return Company.model_validate(data)
    except ValidationError as error:
        raise SettingsError(_explain(path, error)) from None


def load_settings(home: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of the company in `home` (default `KIZUNA_HOME`).

    Raises `SettingsError`: a bad key of `kizuna.yaml`, or a variable that is missing or malformed, by name.
    """
    env = os.environ if environ is None else environ
    root = (home or home_from_environment(env)).expanduser().resolve()
    company = load_company(root / CONFIG_NAME)
    return Settings(
        home=root,
        company=company,
        pseudonym_key=_pseudonym_key(root, company, env),
        slack_token=_slack_token(env),
        slack_base_url=_url(env, "KIZUNA_SLACK_BASE_URL"),
        public_url=_url(env, "KIZUNA_PUBLIC_URL"),
        control_url=env.get("KIZUNA_CONTROL_URL") or f"sqlite:///{root / 'control.db'}",
        dagster_url=_dagster_url(env),
    )


def _pseudonym_key(home: Path, company: Company, env: Mapping[str, str]) -> str:
    key = env.get("KIZUNA_PSEUDONYM_KEY", "").strip()
    demo_key = home / DEMO_KEY_NAME
    if not key and company.demo and demo_key.exists():
        key = demo_key.read_text(encoding="ascii").strip()
    if not key:
        raise SettingsError(
            "KIZUNA_PSEUDONYM_KEY is not set. It keys every pseudonym, so keep one value for good: "
            'make one with `python -c "import secrets; print(secrets.token_hex(32))"`, '
            "store it where you keep secrets, and export it."
        )
    if len(key) < MIN_KEY_LENGTH:
        raise SettingsError(
            f"KIZUNA_PSEUDONYM_KEY has {len(key)} characters; at least {MIN_KEY_LENGTH} are needed "
            "so that nobody can guess e-mail addresses from pseudonyms."
        )
    return key


def _slack_token(env: Mapping[str, str]) -> str | None:
    token = env.get("KIZUNA_SLACK_TOKEN", "").strip()
    if token and not token.startswith("xoxb-"):
        raise SettingsError("KIZUNA_SLACK_TOKEN does not look like a bot token: it should start with 'xoxb-'.")
    return token or None


def _dagster_url(env: Mapping[str, str]) -> str | None:
    value = env.get("KIZUNA_DAGSTER_URL", "").strip()
    if value and not re.match(r"postgres(ql)?(\+psycopg2)?://", value):
        raise SettingsError("KIZUNA_DAGSTER_URL is not an address of PostgreSQL: it should start with postgresql://.")
    if value and value == env.get("KIZUNA_CONTROL_URL", "").strip():
        raise SettingsError(
            "KIZUNA_DAGSTER_URL and KIZUNA_CONTROL_URL name the same database. Each keeps the state of its own "
            "migrations in a table of the same name: make a second database on that server."
        )
    # SQLAlchemy would take psycopg 3, which Dagster's statements do not fit.
    return re.sub(r"^[^:]+", "postgresql+psycopg2", value) if value else None


def _url(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name, "").strip()
    if value and not re.match(r"https?://\S+$", value):
        raise SettingsError(f"{name}={value!r} is not an address; it should start with http:// or https://.")
    return value or None


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        lines.append(f"{path}: {key}: {_what_is_allowed(problem)}")
    return "\n".join(lines)


def _what_is_allowed(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        section: type[BaseModel] = Company
        for part in problem["loc"][:-1]:
            section = section.model_fields[str(part)].annotation  # type: ignore[assignment]
        return f"unknown key; allowed here: {', '.join(sorted(section.model_fields))}"
    if problem["type"] == "missing":
        return "missing; this key is required"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{problem['input']!r} is not allowed: {message}"
