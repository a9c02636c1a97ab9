"""What a gate needs to know beyond the tables: the day, the company, and the limits with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

Gate = Literal["raw", "identity", "core", "marts"]

#: Every identifier type has this many values per customer unless stated otherwise (docs: identity rules).
DEFAULT_IDENTIFIERS_PER_CUSTOMER = 5

IDENTIFIER_LIMITS: Mapping[str, int | None] = MappingProxyType(
    {
        "user_id": 1,
        "device_id": 50,
        "salesforce_contact_id": None,
        "shopify_customer_id": None,
        "zendesk_user_id": None,
        "delighted_person_id": 5,
        # Every order and answer is a record of its own; the guard on persons' records is another one.
        "record": None,
        # Links are no identifiers and do not stand in the table.
        "steward": None,
        "probable_match": None,
    }
)


@dataclass(frozen=True)
class GateLimits:
    """The numbers that expectations compare with. Shares are 0..1."""

    #: A quarter of the rows rejected means that the contract does not fit the export; below it, dirty rows.
    quarantine_share_error: float = 0.25
    #: One row in fifty is more than vendors' exports show in practice: worth a look, not a stop.
    quarantine_share_warning: float = 0.02
    #: Shares over fewer rows than this say nothing (2 bad rows of 5 are a small file, not a broken contract).
    quarantine_min_rows: int = 50
    #: One row in a hundred out of the plausible period: a unit or time-zone mistake, not a typing mistake.
    implausible_time_share: float = 0.01
    #: No system that exports to us was in use before.
    earliest_on: date = date(1990, 1, 1)
    #: Clocks of vendors run ahead by hours at most; two days leave room for every time zone.
    future_days: int = 2
    #: With five values per identifier type, a person has tens of records at most; above, people were merged.
    max_records_per_customer: int = 200
    #: `kpi.identity_limit_default` of the company.
    identifiers_per_customer_default: int = DEFAULT_IDENTIFIERS_PER_CUSTOMER
    #: Types with a limit of their own. None: no limit here, since ids that the vendor itself merged do not count.
    identifiers_per_customer: Mapping[str, int | None] = field(default_factory=lambda: IDENTIFIER_LIMITS)
    #: `identity.max_id_churn`: a build that changes one published id in ten is a new rule or a shared value let
    #: through, not a day's news. Below the count it is: a batch of merges in the CRM is a few dozen.
    max_id_churn: float = 0.10
    min_id_churn: int = 100
    #: `identity.stitch_rate_*`: bounds on the share of devices that lead to a known customer, and on its step between
    #: two versions; a step of 20 points is a log-in that is no longer sent, or one value that ties all devices.
    stitch_rate_low: float = 0.0
    stitch_rate_high: float = 1.0
    max_stitch_change: float = 0.20
    #: Shares over fewer devices than this jump about by themselves (one of 200 is half a point).
    stitch_min_devices: int = 200
    #: Types whose limit the company states itself (identity/rules.yaml); they win over all others.
    identifiers_per_customer_stated: Mapping[str, int | None] = field(default_factory=dict)
    #: With web data most visitors are anonymous; nearly all of them means that log-ins no longer arrive.
    anonymous_share_warning: float = 0.98
    anonymous_min_customers: int = 500
    #: `gates.max_volume_drop`: a relation that lost half of its rows since the last publication, or a delivery of half
    #: of the smallest so far, lost files, not customers.
    max_volume_drop: float = 0.5
    #: `gates.max_unit_factor`: prices do not rise tenfold over night; cents for euros and yen for dollars do.
    max_unit_factor: float = 10.0
    #: `gates.max_silence`: times the longest gap between two deliveries; a daily export has then been gone for four
    #: days, one that rests at weekends for ten.
    max_silence: float = 3.0
    #: `gates.max_mix_change`: customers move between regions and segments by a few in a hundred a month.
    max_mix_change: float = 0.25
    #: `gates.max_restatement`: late files and refunds move published weeks by a few in a hundred.
    max_restatement: float = 0.5
    #: `gates.max_kpi_factor`: the best day of a year is three to five times a usual good one.
    max_kpi_factor: float = 10.0
    #: `gates.max_ratio_step`: no bad day moves a share of hundreds by half of its scale beyond two months of days.
    max_ratio_step: float = 0.5
    #: `gates.max_null_rise`: an optional column varies by a few in a hundred from load to load.
    max_null_rise: float = 0.5
    #: `gates.max_region_share`: a million customers live in a few thousand towns; names are nearly one each.
    max_region_share: float = 0.1

    def identifier_limit(self, identifier_type: str) -> int | None:
        """Distinct values of a type that one customer may hold; None where nothing is limited.

        The same table as `analytics.identity.rules`, kept apart on purpose: a gate that takes its limits from what it
        judges proves nothing. A test holds both together.
        """
        if identifier_type in self.identifiers_per_customer_stated:
            return self.identifiers_per_customer_stated[identifier_type]
        # `<vendor>_<kind>_id`: ids that a vendor merged do not count, and how many those are is its own affair.
        other = None if identifier_type.endswith("_id") else self.identifiers_per_customer_default
        limit = self.identifiers_per_customer.get(identifier_type, other)
        if limit is None or limit == 1:
            return limit
        return max(limit, self.identifiers_per_customer_default)


@dataclass(frozen=True)
class GateContext:
    """One build as the gates see it.

    `previous_rows`: rows of each relation ('core.fct_orders') as the gates of the version readers see counted them;
    empty for the first build.
    `previous_as_of`: the day of that publication.
    """

    as_of: date
    timezone: str = "UTC"
    currency: str = "USD"
    limits: GateLimits = field(default_factory=GateLimits)
    previous_rows: Mapping[str, int] = field(default_factory=dict)
    previous_as_of: date | None = None

    @property
    def goes_back(self) -> bool:
        """Whether a day before the published one is built again: much of what is published had not happened then."""
        return self.previous_as_of is not None and self.as_of < self.previous_as_of

    @property
    def first_new_day(self) -> date:
        """The first day that was not published; `as_of` where there is nothing to go on from."""
        if self.previous_as_of is None or self.goes_back:
            return self.as_of
        return min(self.as_of, self.previous_as_of + timedelta(days=1))

    @property
    def as_of_end_utc(self) -> datetime:
        """First instant after the local day `as_of`, as naive UTC."""
        midnight = datetime.combine(self.as_of + timedelta(days=1), time(), ZoneInfo(self.timezone))
        return midnight.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
