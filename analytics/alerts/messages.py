"""Messages as data, and their rendering to Block Kit. Pure: the same message and locale give the same bytes.

No message holds personal data: customers are named by the pseudonym label of dim_customers. Whoever fills
`RunFailure.error` passes the kind of error, not the text of an exception that may quote a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from analytics.alerts.blockkit import Block, context, data, fields, header, link, payload, section
from analytics.alerts.contract_words import actions_for, words_for
from analytics.alerts.data_team import DataTeamMessage, render_data_team
from analytics.alerts.digest import KpiDigest, render_digest
from analytics.alerts.parts import SourceState, listed, small_print
from analytics.alerts.rules import CONTRACTS, OVERALL
from analytics.alerts.silence import Silence, render_silence
from analytics.alerts.words import WORDS, Locale, calendar_day, count, money, percent, segment_name
from analytics.churn.drivers import DriverChange, driver_label

MAX_CUSTOMERS = 5


@dataclass(frozen=True)
class CustomerLine:
    """One customer by pseudonym label, with drivers in words of the company's locale."""

    label: str
    probability: float
    value_at_risk: Decimal
    drivers: tuple[str, ...]
    url: str = ""


@dataclass(frozen=True)
class ContractsBeside:
    """Contracts that came to high risk on the same day, as a line in the message about buyers; as in SpikeAlert."""

    scored: int
    at_risk: int
    share: float
    baseline: float
    value_at_risk: Decimal
    measure: str = "share"
    usual_at_risk: float | None = None
    usual_value: Decimal | None = None


@dataclass(frozen=True)
class SpikeAlert:
    """Customers at high risk who left their baseline. Shares are fractions, `value_at_risk` net revenue.

    `measure`: what rose beyond the usual, share, number or value. `usual_at_risk` and `usual_value`: the usual number
    and value, None where they are not known. `children`: segments of the whole company, or those of other cuts in which
    the same customers show. `beside`: contracts, where they spike on the same day; their own message answers this one.
    """

    segment_type: str
    segment: str
    day: date
    since: date
    scored: int
    at_risk: int
    share: float
    baseline: float
    value_at_risk: Decimal
    currency: str
    drivers: tuple[DriverChange, ...]
    customers: tuple[CustomerLine, ...]
    children: tuple[tuple[str, str], ...]
    build_id: str
    link: str
    sources: tuple[SourceState, ...]
    measure: str = "share"
    usual_at_risk: float | None = None
    usual_value: Decimal | None = None
    beside: ContractsBeside | None = None


@dataclass(frozen=True)
class SpikeResolved:
    """The end of an incident: back to normal, or the new level has become the baseline."""

    segment_type: str
    segment: str
    day: date
    opened_on: date
    reason: Literal["back_to_normal", "new_level"]
    at_risk: int
    share: float
    peak_at_risk: int
    build_id: str
    link: str


@dataclass(frozen=True)
class SpikeUpdate:
    """An incident that has grown, for its thread: `before` customers were told last; `children` joined since."""

    segment_type: str
    segment: str
    day: date
    before: int
    at_risk: int
    scored: int
    share: float
    value_at_risk: Decimal
    currency: str
    children: tuple[tuple[str, str], ...]
    build_id: str
    link: str


@dataclass(frozen=True)
class AlertsWithheld:
    """Spikes that are not told since orders are missing: complete until `since`, `segments` would have alerted."""

    day: date
    since: date
    segments: int
    build_id: str
    link: str
    sources: tuple[SourceState, ...]


Message = SpikeAlert | SpikeUpdate | SpikeResolved | AlertsWithheld | KpiDigest | Silence | DataTeamMessage


def render_block_kit(message: Message, locale: Locale) -> dict[str, Any]:
    """`{"text": ..., "blocks": [...]}` for chat.postMessage, within Slack's limits whatever the data."""
    if isinstance(message, SpikeAlert):
        return _spike(message, locale)
    if isinstance(message, SpikeUpdate):
        return _update(message, locale)
    if isinstance(message, SpikeResolved):
        return _resolved(message, locale)
    if isinstance(message, AlertsWithheld):
        return _withheld(message, locale)
    if isinstance(message, KpiDigest):
        return render_digest(message, locale)
    if isinstance(message, Silence):
        return render_silence(message, locale)
    return render_data_team(message, locale)


def _spike(m: SpikeAlert, locale: Locale) -> dict[str, Any]:
    w = words_for(m.segment_type, locale)
    name = segment_name(m.segment_type, m.segment, locale)
    numbers, what = _numbers(m, name, m.currency, locale), _what_rose(m)
    title = w["spike_title_value" if what == "value" else "spike_title"]
    blocks: list[Block] = [
        header(title.format(where=name)),
        section([w["spike_sentence" if what == "share" else f"spike_sentence_{what}"].format(**numbers)]),
        fields(
            [
                (w["since"], calendar_day(m.since, locale)),
                (w["customers"], w["customers_value"].format(at_risk=numbers["at_risk"], usual=numbers["usual"])),
                (w["value"], numbers["value"]),
            ]
        ),
    ]
    said = w["spike_text" if what == "share" else f"spike_text_{what}"].format(**numbers)
    if m.beside is not None:
        theirs = words_for(CONTRACTS, locale)
        others = _numbers(m.beside, segment_name(CONTRACTS, "", locale), m.currency, locale)
        line = theirs[f"beside_{_what_rose(m.beside)}"].format(**others)
        blocks.append(section([f"*{theirs['beside']}*", f"{line}{theirs['beside_more']}"]))
        said += theirs["beside_text"].format(**others)
    if m.children:
        inside = listed([segment_name(k, s, locale) for k, s in m.children], locale)
        blocks.append(section([f"*{w['children' if m.segment_type == OVERALL else 'also']}*", inside]))
    if m.drivers:
        lines = [
            w["driver"].format(
                label=data(driver_label(d.code, locale)), customers=count(d.customers), usual=count(d.usual)
            )
            for d in m.drivers
        ]
        blocks.append(section([f"*{w['drivers']}*", *lines]))
    if m.customers:
        blocks.append(
            section([f"*{w['named']}*", *(_customer(c, m.currency, w, locale) for c in m.customers[:MAX_CUSTOMERS])])
        )
    todo = [f"*{w['todo']}*", *_actions(m.segment_type, m.drivers, locale)]
    blocks.append(section([*todo, link(m.link, w["open_page"])]))
    blocks.append(context("\n".join(small_print(m.sources, m.build_id, m.day, locale))))
    return payload(said, blocks)


def _numbers(m: SpikeAlert | ContractsBeside, name: str, currency: str, locale: Locale) -> dict[str, str]:
    usual = m.baseline * m.scored if m.usual_at_risk is None else m.usual_at_risk
    return {
        "where": data(name),
        "share": percent(m.share),
        "baseline": percent(m.baseline),
        "effect": f"{(m.share - m.baseline) * 100:.1f}",
        "at_risk": count(m.at_risk),
        "scored": count(m.scored),
        "value": money(m.value_at_risk, currency, locale),
        "usual": count(round(usual)),
        "usual_value": "" if m.usual_value is None else money(m.usual_value, currency, locale),
    }


def _what_rose(m: SpikeAlert | ContractsBeside) -> str:
    """The measure to speak of; of a value whose usual one is unknown nothing can be said."""
    return m.measure if m.measure == "number" or (m.measure == "value" and m.usual_value is not None) else "share"


def _update(m: SpikeUpdate, locale: Locale) -> dict[str, Any]:
    w = words_for(m.segment_type, locale)
    name = data(segment_name(m.segment_type, m.segment, locale))
    numbers = {"where": name, "at_risk": count(m.at_risk), "before": count(m.before), "share": percent(m.share)}
    value = f"*{w['value']}* {money(m.value_at_risk, m.currency, locale)}"
    joined = [f"*{w['joined_in']}* {listed([segment_name(k, s, locale) for k, s in m.children], locale)}"]
    blocks = [
        section([w["update_sentence"].format(**numbers), value, *(joined if m.children else [])]),
        section([link(m.link, w["open_page"])]),
        context("\n".join(small_print((), m.build_id, m.day, locale))),
    ]
    return payload(w["update_text"].format(**numbers), blocks)


def _withheld(m: AlertsWithheld, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    numbers = {
        "days": count((m.day - m.since).days),
        "since": calendar_day(m.since, locale),
        "segments": count(m.segments),
    }
    blocks = [
        header(w["withheld_title"].format(**numbers)),
        section([w["withheld_sentence"].format(**numbers), link(m.link, w["open_page"])]),
        context("\n".join(small_print(m.sources, m.build_id, m.day, locale))),
    ]
    return payload(w["withheld_title"].format(**numbers), blocks)


def _resolved(m: SpikeResolved, locale: Locale) -> dict[str, Any]:
    w = words_for(m.segment_type, locale)
    kind = "resolved" if m.reason == "back_to_normal" else "new_level"
    name = segment_name(m.segment_type, m.segment, locale)
    sentence = w[f"{kind}_sentence"].format(where=data(name), share=percent(m.share), at_risk=count(m.at_risk))
    began = w["resolved_since"].format(opened=calendar_day(m.opened_on, locale), peak=count(m.peak_at_risk))
    title = w[f"{kind}_title"]
    blocks = [
        header(title.format(where=name)),
        section([sentence, began, link(m.link, w["open_page"])]),
        context("\n".join(small_print((), m.build_id, m.day, locale))),
    ]
    return payload(title.format(where=data(name)), blocks)


def _customer(c: CustomerLine, currency: str, w: Mapping[str, str], locale: Locale) -> str:
    said = w["joined"].join(data(d) for d in c.drivers)
    value = money(c.value_at_risk, currency, locale)
    label = data(c.label, 40)
    line = w["named_line"].format(
        label=link(c.url, label) if c.url.startswith(("https://", "http://")) else f"`{label}`",
        probability=percent(c.probability),
        value=value,
        drivers=said,
    )
    return line.rstrip(": ")


def _actions(segment_type: str, drivers: Sequence[DriverChange], locale: Locale) -> list[str]:
    known = actions_for(segment_type, locale)
    advice = [known[d.code] for d in drivers if d.code in known] or [known[""]]
    return [f"• {a}" for a in advice]
