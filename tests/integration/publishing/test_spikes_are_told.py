"""What a published version says of customers who come to risk: one message per cause, none while data is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from told_versions import SUNDAY, Told, text_of

from kizuna.versions import rollback

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


#: Contracts, of whom no probability is shown; buyers are as usual.
HIDDEN = """
create or replace table marts.churn_risk as
select 'c' || i as customer_id, 'C-' || i as display_label, 'east' as region, kind,
    if(kind = 'contractual', 'withheld', 'low') as band, if(kind = 'contractual', '{why}', null) as reason
from range(30) as r(i), (values ('contractual'), ('non_contractual')) as k(kind);
"""


def test_withheld_scores_of_contracts_are_told_apart_from_those_of_buyers(told: Callable[..., Told]) -> None:
    company = told("locale: en\ndigest: {every: never}")
    assert company.version(SUNDAY, more=HIDDEN, why="too_few_ended") == [], "young contracts wait for the first to end"
    hidden = company.version(SUNDAY + timedelta(days=1), more=HIDDEN, why="below_floor")
    assert sorted(m["channel"] for m in hidden) == ["#cx-alerts", "#cx-data"]
    assert {m["text"] for m in hidden} == {"Risk of cancellations is withheld"}
    assert all("did not rank contracts well enough" in text_of(m) for m in hidden)
    assert company.version(SUNDAY + timedelta(days=2), more=HIDDEN, why="below_floor") == []
    shown = HIDDEN.replace("'withheld'", "'low'").replace("'{why}'", "null")
    back = company.version(SUNDAY + timedelta(days=3), more=shown)
    assert {m["text"] for m in back} == {"Churn risk is shown again: contracts"} and len(back) == 2
