"""What a published version says beside spikes: the digest of a period, and to the data team what is late or well again.

Versions are published for real, with the few marts that messages are made of.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from kizuna.alerting import raise_alerts
from kizuna.control.schema import batches, files
from kizuna.data_channel import report_run_failure
from kizuna.delivery import outbox
from kizuna.message_settings import DigestKpi
from kizuna.targets import known_kpis
from kizuna.versions import rollback

SUNDAY = date(2026, 6, 28)
MARTS = {
    "kpi_daily": ("kpi", "segment_type", "segment", "day"),
    "kpi_definitions": ("kpi",),
    "kpi_progress": ("kpi", "segment", "period"),
    "churn_risk_daily": ("segment_type", "segment", "day"),
    "churn_risk": ("customer_id",),
    "churn_drivers_daily": ("segment",),
    "data_state": ("source",),
    "customer_360": ("customer_id",),
}
FACTS = """
create table marts.kpi_definitions as select * from (values
    ('net_revenue', 'Net revenue', '純売上', 'money', 'sum', false),
    ('csat_avg', 'CSAT', '満足度', 'score', 'ratio', false),
    ('open_interactions', 'Open contacts', '未解決', 'count', 'sum', true),
    ('nps_relational_28d', 'NPS', 'NPS', 'nps', 'nps', true)
) as d(kpi, name_en, name_ja, unit, aggregation, is_state);
create table marts.kpi_daily as
select kpi, 'overall' as segment_type, 'all' as segment, cast(day as date) as day,
    cast(case kpi when 'net_revenue' then 100 * extract(isodow from day) when 'csat_avg' then 9
        when 'open_interactions' then extract(day from day) else 3 end as decimal(20, 2)) as numerator,
    cast(case kpi when 'csat_avg' then 2 when 'nps_relational_28d' then 12 else 0 end as decimal(20, 2)) as denominator,
    day <= date '{whole_until}' as is_complete
from marts.kpi_definitions,
    range(timestamp '2026-03-01', timestamp '{as_of}' + interval 1 day, interval 1 day) as r(day);
create table marts.kpi_progress as select 'net_revenue' as kpi, 'money' as unit, 'overall' as segment_type,
    'all' as segment, '2026-06' as period, date '2026-06-01' as period_start, date '2026-06-30' as period_end,
    cast(5000 as decimal(20, 6)) as target, cast(4000 as decimal(20, 6)) as actual, 4500.5 as forecast,
    'at_risk' as status;
create table marts.churn_risk_daily as select 'overall' as segment_type, 'all' as segment, date '{as_of}' as day,
    100 as scored, 5 as at_risk, 0.05::double as share, cast(9 as decimal(18, 2)) as value_at_risk,
    0.05::double as baseline, 0.0::double as z,
    false as is_spike, 'calm' as status, true as is_complete where '{withheld}' = '';
create table marts.churn_risk as select 'c1' as customer_id, 'C-1' as display_label, 'east' as region,
    case when '{withheld}' = '' then 'low' else 'withheld' end as band, nullif('{withheld}', '') as reason;
create table marts.customer_360 as select customer_id, '30-39' as age_band, 'top 20 %' as value_tier,
    'web' as channel_preference, 'both' as device_mix from marts.churn_risk;
create table marts.churn_drivers_daily as select 'all' as segment where false;
create table marts.data_state as select * from (values
    ('shopify', timestamp '{shopify}'), ('zendesk', timestamp '{as_of}'), ('reference', null)
) as s(source, last_event_at);
"""


#: 5,000 customers of one region at once, on a day after the day they were calm.
SPIKE = """
delete from marts.churn_risk_daily;
insert into marts.churn_risk_daily
select kind, name, date '{as_of}', scored, at_risk, at_risk / scored, 1000 * at_risk, 0.04, 30.0, kind <> 'overall',
    if(kind = 'overall', 'calm', 'spike'), true
from (values ('overall', 'all', 90000, 9000), ('region', 'east', 6000, 5000), ('age_band', '30-39', 20000, 5600),
    ('value_tier', 'top 20 %', 18000, 5500), ('channel_preference', 'web', 30000, 6000)
) as s(kind, name, scored, at_risk);
create or replace table marts.churn_risk as
select 'c' || i as customer_id, 'C-' || i as display_label, 'east' as region, 'high' as band, null::varchar as reason,
    0.9 as probability, cast(i as decimal(18, 2)) as value_at_risk, 'Urgent request' as driver_1,
    1.6 as driver_1_effect, null::varchar as driver_2, null::double as driver_2_effect,
    null::varchar as driver_3, null::double as driver_3_effect
from range(5000) as r(i);
create or replace table marts.customer_360 as select customer_id, '30-39' as age_band, 'top 20 %' as value_tier,
    'web' as channel_preference, 'both' as device_mix from marts.churn_risk;
create or replace table marts.churn_drivers_daily as
select 'region' as segment_type, 'east' as segment, date '{as_of}' as day, 'urgent_open' as driver, 4900 as customers;
"""


#: The same day, and half of 600 payers under contract.
BOTH = """
{spike}
alter table marts.churn_risk add column kind varchar;
update marts.churn_risk set kind = 'non_contractual';
insert into marts.churn_risk by name select * replace ('contractual' as kind) from marts.churn_risk limit 300;
insert into marts.churn_risk_daily
values ('contracts', 'all contracts', date '{{as_of}}', 600, 300, 0.5, 90000, 0.04, 30.0, true, 'spike', true);
""".format(spike=SPIKE.replace("{", "{{").replace("}", "}}")).replace("{{as_of}}", "{as_of}")
#: Both are as usual again.
CALM_AGAIN = """
update marts.churn_risk_daily set at_risk = scored // 25, is_spike = false, status = 'calm', z = 0;
"""


#: Half of 600 payers under contract at once; buyers are calm.
CONTRACTS = """
insert into marts.churn_risk_daily
values ('contracts', 'all contracts', date '{as_of}', 600, 300, 0.5, 90000, 0.04, 30.0, true, 'spike', true);
create or replace table marts.churn_risk as
select 'c' || i as customer_id, 'C-' || i as display_label, 'east' as region, kind,
    if(kind = 'contractual', 'high', 'low') as band, null::varchar as reason,
    if(kind = 'contractual', 0.7, 0.1) as probability, cast(i as decimal(18, 2)) as value_at_risk,
    'Payment failed' as driver_1, 1.0 as driver_1_effect, null::varchar as driver_2, null::double as driver_2_effect,
    null::varchar as driver_3, null::double as driver_3_effect
from range(300) as r(i), (values ('contractual'), ('non_contractual')) as k(kind);
create or replace table marts.churn_drivers_daily as select 'contracts' as segment_type, 'all contracts' as segment,
    date '{as_of}' as day, 'payment_failed' as driver, 280 as customers;
"""


class Told:
    """A company whose versions are published one after another; `new` is what each said first."""

    def __init__(self, company: Any) -> None:
        self.company = company

    def version(self, as_of: date, rows: int = 3, **facts: Any) -> list[dict[str, Any]]:
        given = {"as_of": as_of, "whole_until": as_of, "shopify": as_of, "withheld": ""} | facts
        lease = self.company.lease(f"run-{as_of}-{rows}")
        try:
            build = self.company.build(lease, rows, as_of=as_of, sql=(FACTS + given.pop("more", "")).format(**given))
            self.company.publish(build, lease, MARTS)
        finally:
            lease.release()
        return self.look()

    def look(self) -> list[dict[str, Any]]:
        new = raise_alerts(self.company.store, self.company.settings)
        assert raise_alerts(self.company.store, self.company.settings) == [], "looking again says nothing new"
        with self.company.store.read() as connection:
            found = [outbox.get(connection, key) for key in new]
        return [{"key": m.key, "channel": m.channel, "text": m.payload["text"], "thread": m.thread_key,
                 "image": m.image, "lines": m.payload["blocks"]} for m in found if m is not None]  # fmt: skip


@pytest.fixture
def told(make_company: Callable[..., Any]) -> Callable[..., Told]:
    return lambda yaml="digest: {every: never}": Told(make_company(yaml))


def text_of(message: dict[str, Any]) -> str:
    return str(message["lines"])


def test_a_week_is_told_once_when_it_is_over_with_its_figures(told: Callable[..., Told]) -> None:
    week = told(
        "locale: en\ncurrency: JPY\ndigest: {kpis: [net_revenue, open_interactions, nps_relational_28d, csat_avg]}"
    )
    assert [m["key"] for m in week.version(SUNDAY - timedelta(days=1))] == ["digest:weekly:2026-W25"]
    (message,) = week.version(SUNDAY)
    assert message["key"] == "digest:weekly:2026-W26" and message["image"].stat().st_size > 1000
    said = text_of(message)
    # Flows are summed over Monday to Sunday, a state is Sunday's, ratios are sums by sums.
    for figure in (
        "*Net revenue* ¥2,800  ±0",
        "*Open contacts* 28  ▲33.3% (the week before 21)",
        "*NPS* 25.0",
        "*CSAT* 4.50",
    ):
        assert figure in said, said
    assert "¥4,000 of ¥5,000, heading for ¥4,501 — at risk" in said
    assert week.version(SUNDAY + timedelta(days=1)) == []
    assert week.version(SUNDAY + timedelta(days=1), rows=5) == [], "built again: the week has been told"
    rollback(week.company.store, week.company.settings, week.company.lease("back"), to=2)
    assert week.look() == [], "an older day shown again is no news"


def test_a_week_waits_two_days_for_its_data_and_then_says_what_is_missing(told: Callable[..., Told]) -> None:
    late = told("locale: en\ndigest: {kpis: [net_revenue]}")
    late.version(SUNDAY - timedelta(days=1))
    missing = {"whole_until": SUNDAY - timedelta(days=1), "shopify": SUNDAY - timedelta(days=1)}
    assert late.version(SUNDAY, **missing) == late.version(SUNDAY + timedelta(days=1), **missing) == []
    (message,) = late.version(SUNDAY + timedelta(days=2), **missing)
    assert message["key"] == "digest:weekly:2026-W26" and "part of the data is still missing" in text_of(message)


def test_a_day_is_told_once_in_the_channel_of_the_digest(told: Callable[..., Told]) -> None:
    daily = told('locale: ja\nchannels: {digest: "#kpi"}\ndigest: {every: daily, kpis: [net_revenue]}')
    (message,) = daily.version(SUNDAY)
    assert (message["key"], message["channel"]) == ("digest:daily:2026-06-28", "#kpi")
    assert "*純売上* 700.00 USD  ▲16.7%（前日 600.00 USD）" in text_of(message)
    assert daily.version(SUNDAY, rows=4) == []


def test_a_source_that_stays_away_is_told_once_and_once_when_it_is_back(told: Callable[..., Told]) -> None:
    source = told("locale: en\ndigest: {every: never}\nfreshness: {sources: {zendesk: 9, shopify: 2}}")
    last = SUNDAY - timedelta(days=2)
    assert source.version(SUNDAY, shopify=last) == []
    (late,) = source.version(SUNDAY + timedelta(days=1), shopify=last)
    assert late["channel"] == "#cx-data" and "*shopify* until Fri 26 Jun 2026, 3 days ago" in text_of(late)
    assert "source-late" in text_of(late)
    assert source.version(SUNDAY + timedelta(days=2), shopify=last) == []
    (back,) = source.version(SUNDAY + timedelta(days=3))
    assert back["text"] == "Data arrives again: shopify" and back["channel"] == "#cx-data"
    assert [m["text"] for m in source.version(SUNDAY + timedelta(days=9), shopify=last)] == [
        "Data has not arrived: shopify"
    ], "the next time is told again"


def test_a_source_that_is_expected_and_never_came_is_told(told: Callable[..., Told]) -> None:
    (missing,) = told("digest: {every: never}\nfreshness: {sources: {delighted: 8}}").version(SUNDAY)
    assert "*delighted* has never arrived" in text_of(missing)


def test_runs_that_fail_and_succeed_again(told: Callable[..., Told]) -> None:
    runs = told()
    store, settings = runs.company.store, runs.company.settings
    runs.version(SUNDAY)
    for run in ("r1", "r1", "r2"):
        report_run_failure(store, settings, run_id=run, build_id=None, steps=["dbt_core"])
    assert runs.look() == [], "the version of before the failure proves nothing"
    with store.read() as connection:
        failed = [m for m in outbox.listing(connection) if m.key.startswith("run-failed")]
    assert [m.key for m in failed] == ["run-failed:r1", "run-failed:r2"]
    (well,) = runs.version(SUNDAY + timedelta(days=1))
    assert well["text"].startswith("Runs succeed again") and well["channel"] == "#cx-data"
    assert {m.thread_key for m in failed} == {well["thread"]}, "what belongs together is one thread"
    assert runs.version(SUNDAY + timedelta(days=2)) == []


def test_a_gate_that_stops_a_build_and_passes_again(told: Callable[..., Told]) -> None:
    from kizuna.builds import record_gate

    gate = told()
    store, settings = gate.company.store, gate.company.settings
    lease = gate.company.lease("stopped")
    build = gate.company.build(lease, 9)
    broken = {"relation": "core.fct_orders", "suite": "core", "outcome": "failed", "evaluated": 3, "warnings": [],
              "failed": [{"reason": "orders of nobody", "unexpected_count": 37}]}  # fmt: skip
    record_gate(store, build, "core", "failed", [broken])
    report_run_failure(store, settings, run_id="stopped", build_id=build.build_id, steps=["gate_core"])
    lease.release()
    (well,) = gate.version(SUNDAY)
    assert well["text"] == "The data check passes again and the build is published: core"
    with store.read() as connection:
        stopped = outbox.get(connection, "run-failed:stopped")
    assert stopped is not None and "*orders of nobody* — 37 rows" in str(stopped.payload)
    assert stopped.thread_key == well["thread"]


def test_withheld_scores_are_told_to_both_channels_once_and_their_return(told: Callable[..., Told]) -> None:
    scores = told()
    assert scores.version(SUNDAY, withheld="too_little_history") == [], "a young company waits for its history"
    found = scores.version(SUNDAY + timedelta(days=1), withheld="below_floor")
    assert {m["channel"] for m in found} == {"#cx-data", "#cx-alerts"} and len(found) == 2
    assert all("did not rank customers well enough" in text_of(m) for m in found)
    assert scores.version(SUNDAY + timedelta(days=2), withheld="below_floor") == []
    back = scores.version(SUNDAY + timedelta(days=3))
    assert {m["channel"] for m in back} == {"#cx-data", "#cx-alerts"} and len(back) == 2
    assert scores.version(SUNDAY + timedelta(days=4)) == []


def test_a_digest_may_show_every_kpi_that_has_a_value_over_a_period() -> None:
    assert set(DigestKpi.__args__) == known_kpis()


def test_a_spike_of_five_thousand_customers_in_four_cuts_is_one_message(told: Callable[..., Told]) -> None:
    page = "https://crm.example.com/find?q={label}"
    company = told(f"locale: en\ndigest: {{every: never}}\nalerts: {{customer_url: '{page}'}}")
    assert company.version(SUNDAY) == []
    (message,) = company.version(SUNDAY + timedelta(days=1), more=SPIKE)
    assert message["key"] == "churn:region:east:2026-06-29:open"
    said = text_of(message)
    assert "5,000 of 6,000" in said and "20 % (value tier)" in said and "web (channel)" in said
    assert said.count("crm.example.com") == 5 and "<https://crm.example.com/find?q=C-4999|C-4999>" in said
    assert len(message["lines"]) <= 50 and max(len(str(block)) for block in message["lines"]) < 3000


def test_a_source_that_comes_every_day_is_late_after_three_times_its_longest_gap(told: Callable[..., Told]) -> None:
    company = told("digest: {every: never}\nfreshness: {days: 1}")
    with company.company.store.begin() as connection:
        for k in (0, 1, 2, 4, 5, 6):
            at = datetime(2026, 6, 20) + timedelta(days=k)
            shared = {"source": "shopify", "content_hash": f"{k}", "bytes": 1, "rows_in": 1}
            connection.execute(insert(files).values(
                file_id=f"f{k}", path=f"a{k}", status="accepted", first_seen_at=at, **shared))  # fmt: skip
            connection.execute(insert(batches).values(
                batch_id=f"b{k}", file_id=f"f{k}", entity="orders", relation="raw.shopify__orders", path=f"p{k}",
                parquet_hash="x", accepted=1, quarantined=0, duplicates=0, known_at=at, last_event_at=at,
                active=True, **shared))  # fmt: skip
    assert company.version(date(2026, 7, 2), shopify=date(2026, 6, 26)) == [], "six days: as often as not"
    (late,) = company.version(date(2026, 7, 3), shopify=date(2026, 6, 26))
    assert late["text"] == "Data has not arrived: shopify"


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", ("Risk of cancellations spikes: 50.0% of contracts", "payment failed (30 days): 280 payers", "70.0%")),
        ("ja", ("解約リスクが急上昇: 契約中のお客様 50.0%", "支払いに失敗（30日以内）: 280件", "解約確率 70.0%")),
    ],
)
def test_contracts_that_come_to_risk_are_told_in_words_of_contracts(
    told: Callable[..., Told], locale: str, said: tuple[str, ...]
) -> None:
    company = told(f"locale: {locale}\ncurrency: JPY\ndigest: {{every: never}}")
    assert company.version(SUNDAY - timedelta(days=1)) == []
    (message,) = company.version(SUNDAY, more=CONTRACTS)
    assert message["key"] == f"churn:contracts:all contracts:{SUNDAY}:open"
    assert message["image"].stat().st_size > 1000
    assert [words for words in said if words not in message["text"] + text_of(message)] == []
    assert "`C-299`" in text_of(message), "the payers with most at stake, by the score of their contracts"


@pytest.mark.parametrize(
    ("locale", "line"),
    [
        ("en", "*50.0%* of *contracts* are at high risk of being ended (300 of 600)"),
        ("ja", "*契約中のお客様* のうち、解約となるおそれの高い方が *50.0%*（300件 / 600件）"),
    ],
)
def test_one_cause_for_buyers_and_contracts_is_one_root_message(
    told: Callable[..., Told], locale: str, line: str
) -> None:
    company = told(f"locale: {locale}\ncurrency: JPY\ndigest: {{every: never}}")
    company.version(SUNDAY - timedelta(days=1))
    root, answer = company.version(SUNDAY, more=BOTH)
    east, contracts = f"churn:region:east:{SUNDAY}", f"churn:contracts:all contracts:{SUNDAY}"
    assert [root["key"], answer["key"]] == [f"{east}:open", f"{contracts}:open"]
    assert line in text_of(root) and line in text_of(answer) and "300" in root["text"]
    assert root["thread"] == answer["thread"] == east, "people get one message, whose thread has the other"
    ends = [m for k in (1, 2, 3) for m in company.version(SUNDAY + timedelta(days=k), more=BOTH + CALM_AGAIN)]
    assert [(m["key"], m["thread"]) for m in ends] == [(f"{contracts}:resolve", east), (f"{east}:resolve", east)]


@pytest.mark.parametrize(
    ("first", "second", "contracts_in"),
    [
        (BOTH, CONTRACTS, "region:east"),
        (SPIKE, BOTH, "contracts:all contracts"),
        (CONTRACTS, BOTH, "contracts:all contracts"),
    ],
    ids=["both, then contracts", "buyers, then both", "contracts, then both"],
)
def test_after_a_rollback_neither_is_told_twice_nor_hidden_in_a_thread(
    told: Callable[..., Told], first: str, second: str, contracts_in: str
) -> None:
    """What a version told stays told. The day built anew may have one of the two only, or the other as well."""
    company = told("locale: en\ndigest: {every: never}")
    company.version(SUNDAY - timedelta(days=1))
    heard = company.version(SUNDAY, more=first)
    lease = company.company.lease("back")
    rollback(company.company.store, company.company.settings, lease, to=1)
    lease.release()
    heard += company.version(SUNDAY, rows=4, more=second)
    east, contracts = f"churn:region:east:{SUNDAY}", f"churn:contracts:all contracts:{SUNDAY}"
    threads = {m["key"]: m["thread"] for m in heard}
    assert len(heard) == 2 and threads == {f"{east}:open": east, f"{contracts}:open": f"churn:{contracts_in}:{SUNDAY}"}
    (buyers,) = (m for m in heard if m["key"].startswith(east))
    assert ("contracts" in buyers["text"]) == (first == BOTH), "a line only where its thread has the rest"


def test_a_snooze_of_contracts_holds(told: Callable[..., Told]) -> None:
    snooze = f"{{segment_type: contracts, segment: all contracts, until: {SUNDAY}}}"
    company = told(f"digest: {{every: never}}\nalerts: {{snooze: [{snooze}]}}")
    company.version(SUNDAY - timedelta(days=1))
    assert company.version(SUNDAY, more=CONTRACTS) == []


#: Orders reach to 27 June: no day after the 28th can be believed, and people seem to stop buying.
MISSING = """
insert into marts.churn_risk_daily select 'overall', 'all', cast(day as date), 90000, 3600, 0.04, 3600000, 0.04, 0.0,
    false, 'calm', true from range(timestamp '2026-06-20', timestamp '{as_of}', interval 1 day) as r(day);
update marts.churn_risk_daily set is_complete = day <= date '2026-06-28';
"""


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Alerts withheld: orders are 3 days late"),
        ("ja", "通知を保留: 注文データが3日遅れています"),
    ],
)
def test_while_orders_are_missing_a_banner_stands_for_the_spike_which_is_told_afterwards(
    told: Callable[..., Told], locale: str, said: str
) -> None:
    company = told(f"locale: {locale}\ndigest: {{every: never}}")
    company.version(SUNDAY)
    day = SUNDAY + timedelta(days=2)
    (banner,) = company.version(day, more=SPIKE + MISSING)
    assert (banner["key"], banner["channel"]) == ("churn:withheld:2026-06-27", "#cx-alerts")
    assert banner["text"] == said and banner["thread"] is None
    assert company.version(day + timedelta(days=1), more=SPIKE + MISSING) == [], "told once while they are missing"
    (spike,) = company.version(day + timedelta(days=2), more=SPIKE)
    assert spike["key"] == f"churn:region:east:{day}:open", "it goes on, so it is told when the data is whole"


def test_without_a_spike_missing_orders_are_no_banner(told: Callable[..., Told]) -> None:
    company = told()
    company.version(SUNDAY)
    assert company.version(SUNDAY + timedelta(days=2), more=MISSING) == []
