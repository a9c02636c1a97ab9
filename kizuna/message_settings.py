"""Parts of `kizuna.yaml` about what people are told: when, where and how often."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


#: Ways to cut customers that do not follow from the risk itself, as recency does.
Cut = Literal["region", "age_band", "value_tier", "channel_preference", "device_mix"]


class Snooze(_Section):
    """No messages of one segment until the end of a day; its incident is kept and told afterwards if it goes on."""

    segment: Annotated[str, Field(min_length=1, max_length=128)]
    segment_type: Cut | Literal["overall", "contracts"] = "region"
    until: date
    reason: Annotated[str, Field(max_length=200)] = ""


class AlertRules(_Section):
    """When customers at high risk are a spike worth a message, and where links in messages lead."""

    z_alert: Annotated[float, Field(gt=0)] = 4.0
    z_warn: Annotated[float, Field(gt=0)] = 3.5
    min_effect: Share = 0.05
    min_count: Annotated[int, Field(ge=1)] = 10
    min_history_days: Annotated[int, Field(ge=14, le=365)] = 35
    level_shift_days: Annotated[int, Field(ge=2, le=14)] = 3
    false_discovery_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    min_rise: Annotated[float, Field(gt=0, le=10)] = 0.5
    segments: list[Cut] = ["region", "age_band", "value_tier", "channel_preference"]
    snooze: list[Snooze] = []
    customer_url: str | None = None
    runbook_url: str | None = None

    @field_validator("segments")
    @classmethod
    def _each_once(cls, value: list[Cut]) -> list[Cut]:
        if len(set(value)) != len(value):
            raise ValueError("each cut stands once")
        return value

    @field_validator("customer_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        places = re.findall(r"\{(.*?)\}", value)
        if not re.match(r"https?://\S+$", value) or len(places) != 1 or places[0] not in ("label", "customer_id"):
            raise ValueError("an address with {label} or {customer_id} in it: https://crm.example.com/find?q={label}")
        return value

    @field_validator("runbook_url")
    @classmethod
    def _pages(cls, value: str | None) -> str | None:
        if value is not None and (not re.match(r"https?://\S+$", value) or re.findall(r"\{.*?\}", value) != ["{page}"]):
            raise ValueError("an address with {page} in it: https://wiki.example.com/kizuna/{page}")
        return value


class Channels(_Section):
    alerts: str = "#cx-alerts"
    data: str = "#cx-data"
    #: The digest goes to `alerts` where it has no channel of its own.
    digest: str | None = None

    @field_validator("alerts", "data", "digest")
    @classmethod
    def _slack_channel(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"#[^\s#@<>]{1,79}|[CG][A-Z0-9]{8,}", value):
            raise ValueError("a channel is '#name' or a channel id such as C0123456789")
        return value


class Freshness(_Section):
    """Days after which a source counts as late: its own of `sources`, else learnt from its deliveries and at least
    `days`. A source that is named is expected."""

    days: Annotated[int, Field(ge=1, le=365)] = 3
    sources: dict[str, Annotated[int, Field(ge=1, le=730)]] = {}


#: KPIs that a digest may show: those that have a value over a period (medians have none).
DigestKpi = Literal[
    "orders",
    "gross_revenue",
    "refunds",
    "net_revenue",
    "new_customers",
    "active_customers_90d",
    "sessions",
    "interactions_opened",
    "open_interactions",
    "sla_met_share",
    "abandonment_share",
    "first_response_mean_minutes",
    "resolution_mean_minutes",
    "reopen_share",
    "fcr_share",
    "fcr_share_proxy",
    "unanswered_share",
    "handle_seconds_mean",
    "acw_seconds_mean",
    "csat_avg",
    "nps_relational_28d",
    "nps_transactional_28d",
    "high_risk_share",
    "value_at_risk",
]


class Digest(_Section):
    """KPIs and targets told once a day, or once for each week from Monday to Sunday."""

    every: Literal["never", "daily", "weekly"] = "weekly"
    kpis: Annotated[list[DigestKpi], Field(min_length=1, max_length=12)] = [
        "net_revenue",
        "orders",
        "new_customers",
        "active_customers_90d",
        "nps_relational_28d",
        "nps_transactional_28d",
        "high_risk_share",
        "value_at_risk",
        "open_interactions",
    ]
