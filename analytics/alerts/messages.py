"""Messages as data, and their rendering to Block Kit. Pure: the same message and locale give the same bytes.

No message holds personal data: customers are named by the pseudonym label of dim_customers. Whoever fills
`RunFailure.error` passes the kind of error, not the text of an exception that may quote a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from analytics.alerts.blockkit import Block, context, data, fields, header, link, payload, section
from analytics.alerts.silence import Silence, render_silence
from analytics.alerts.words import ACTIONS, WORDS, Locale, calendar_day, count, money, percent, segment_name, short_day
from analytics.churn.drivers import DriverChange, driver_label

MAX_CUSTOMERS = 5
MAX_CAUSES = 20
MAX_NAMES = 5


@dataclass(frozen=True)
class SourceState:
    """How far one source's data reaches; `last_on` None: nothing of it in this build."""

    source: str
    last_on: date | None
    late: bool = False


@dataclass(frozen=True)
class CustomerLine:
    """One customer by pseudonym label, with drivers in words of the company's locale."""

    label: str
    probability: float
    value_at_risk: Decimal
    drivers: tuple[str, ...]


@dataclass(frozen=True)
class SpikeAlert:
    """A share of customers at high risk that left its baseline. Shares are fractions, `value_at_risk` net revenue."""

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


@dataclass(frozen=True)
class GateCause:
    """Failed checks that share one cause. `failed_rows` None: the check counts no rows, or could not run."""

    cause: str
    relations: tuple[str, ...]
    checks: int
    failed_rows: int | None


@dataclass(frozen=True)
class GateFailure:
    """A gate that stopped a build, for the data team."""

    gate: str
    outcome: Literal["failed", "could_not_run"]
    day: date
    build_id: str
    causes: tuple[GateCause, ...]
    blocked: tuple[str, ...]
    runbook: str


@dataclass(frozen=True)
class RunFailure:
    """A run that stopped for another reason than a gate, for the data team."""

    step: str
    error: str
    day: date
    build_id: str
    resume: str
    runbook: str


Message = SpikeAlert | SpikeUpdate | SpikeResolved | AlertsWithheld | GateFailure | RunFailure | Silence


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
    if isinstance(message, GateFailure):
        return _gate(message, locale)
    if isinstance(message, Silence):
        return render_silence(message, locale)
    return _run(message, locale)


def _spike(m: SpikeAlert, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    name = segment_name(m.segment_type, m.segment, locale)
    value = money(m.value_at_risk, m.currency, locale)
    numbers = {
        "where": data(name),
        "share": percent(m.share),
        "baseline": percent(m.baseline),
        "effect": f"{(m.share - m.baseline) * 100:.1f}",
        "at_risk": count(m.at_risk),
        "scored": count(m.scored),
        "value": value,
    }
    usual = count(round(m.baseline * m.scored))
    blocks: list[Block] = [
        header(w["spike_title"].format(where=name)),
        section([w["spike_sentence"].format(**numbers)]),
        fields(
            [
                (w["since"], calendar_day(m.since, locale)),
                (w["customers"], w["customers_value"].format(at_risk=numbers["at_risk"], usual=usual)),
                (w["value"], value),
            ]
        ),
    ]
    if m.children:
        inside = _listed([segment_name(k, s, locale) for k, s in m.children], locale)
        blocks.append(section([f"*{w['children']}*", inside]))
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
            section([f"*{w['named']}*", *(_customer(c, m.currency, locale) for c in m.customers[:MAX_CUSTOMERS])])
        )
    blocks.append(section([f"*{w['todo']}*", *_actions(m.drivers, locale), link(m.link, w["open_page"])]))
    blocks.append(context("\n".join(_small_print(m.sources, m.build_id, m.day, locale))))
    return payload(w["spike_text"].format(**numbers), blocks)


def _update(m: SpikeUpdate, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    name = data(segment_name(m.segment_type, m.segment, locale))
    numbers = {"where": name, "at_risk": count(m.at_risk), "before": count(m.before), "share": percent(m.share)}
    value = f"*{w['value']}* {money(m.value_at_risk, m.currency, locale)}"
    joined = [f"*{w['joined_in']}* {_listed([segment_name(k, s, locale) for k, s in m.children], locale)}"]
    blocks = [
        section([w["update_sentence"].format(**numbers), value, *(joined if m.children else [])]),
        section([link(m.link, w["open_page"])]),
        context("\n".join(_small_print((), m.build_id, m.day, locale))),
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
        context("\n".join(_small_print(m.sources, m.build_id, m.day, locale))),
    ]
    return payload(w["withheld_title"].format(**numbers), blocks)


def _resolved(m: SpikeResolved, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    kind = "resolved" if m.reason == "back_to_normal" else "new_level"
    name = segment_name(m.segment_type, m.segment, locale)
    sentence = w[f"{kind}_sentence"].format(where=data(name), share=percent(m.share), at_risk=count(m.at_risk))
    began = w["resolved_since"].format(opened=calendar_day(m.opened_on, locale), peak=count(m.peak_at_risk))
    title = w[f"{kind}_title"]
    blocks = [
        header(title.format(where=name)),
        section([sentence, began, link(m.link, w["open_page"])]),
        context("\n".join(_small_print((), m.build_id, m.day, locale))),
    ]
    return payload(title.format(where=data(name)), blocks)


def _gate(m: GateFailure, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    broken = "_broken" if m.outcome == "could_not_run" else ""
    causes = sorted(m.causes, key=lambda c: (-(c.failed_rows or 0), c.cause))
    blocks = [
        header(w[f"gate_title{broken}"].format(gate=m.gate)),
        section([w[f"gate_sentence{broken}"].format(gate=data(m.gate))]),
    ]
    blocks += [section([_cause(c, locale)]) for c in causes[:MAX_CAUSES]]
    if len(causes) > MAX_CAUSES:
        blocks.append(section([w["more_causes"].format(count=count(len(causes) - MAX_CAUSES))]))
    if m.blocked:
        blocks.append(section([w["blocked"].format(assets=_listed(m.blocked, locale))]))
    blocks.append(section([link(m.runbook, w["runbook"])]))
    blocks.append(context("\n".join(_small_print((), m.build_id, m.day, locale))))
    return payload(w[f"gate_text{broken}"].format(gate=data(m.gate), causes=count(len(causes))), blocks)


def _run(m: RunFailure, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    blocks = [
        header(w["run_title"].format(step=m.step)),
        section([w["run_sentence"].format(step=data(m.step))]),
        section(
            [
                f"*{w['error']}*",
                data(m.error, 500),
                f"*{w['resume']}*",
                f"`{data(m.resume)}`",
                link(m.runbook, w["runbook"]),
            ]
        ),
        context("\n".join(_small_print((), m.build_id, m.day, locale))),
    ]
    return payload(w["run_text"].format(step=data(m.step), error=data(m.error)), blocks)


def _customer(c: CustomerLine, currency: str, locale: Locale) -> str:
    w = WORDS[locale]
    said = w["joined"].join(data(d) for d in c.drivers)
    value = money(c.value_at_risk, currency, locale)
    line = w["named_line"].format(
        label=data(c.label, 40), probability=percent(c.probability), value=value, drivers=said
    )
    return line.rstrip(": ")


def _cause(c: GateCause, locale: Locale) -> str:
    w = WORDS[locale]["cause_no_rows" if c.failed_rows is None else "cause"]
    rows = "" if c.failed_rows is None else count(c.failed_rows)
    return w.format(cause=data(c.cause), rows=rows, checks=count(c.checks), relations=_listed(c.relations, locale))


def _actions(drivers: Sequence[DriverChange], locale: Locale) -> list[str]:
    known = ACTIONS[locale]
    advice = [known[d.code] for d in drivers if d.code in known] or [known[""]]
    return [f"• {a}" for a in advice]


def _small_print(sources: Sequence[SourceState], build_id: str, day: date, locale: Locale) -> list[str]:
    w = WORDS[locale]
    lines = []
    if sources:
        said = []
        for s in sources:
            key = "source_none" if s.last_on is None else "source_late" if s.late else "source"
            until = "" if s.last_on is None else short_day(s.last_on, locale)
            said.append(w[key].format(source=data(s.source, 60), day=until))
        lines.append(w["data_until"].format(sources=w["joined"].join(said)))
    lines.append(w["build"].format(build=data(build_id, 80), day=calendar_day(day, locale)))
    return lines


def _listed(names: Sequence[str], locale: Locale) -> str:
    w = WORDS[locale]
    said = w["joined"].join(data(n) for n in names[:MAX_NAMES])
    more = len(names) - MAX_NAMES
    return said + (w["and_more"].format(count=count(more)) if more > 0 else "")
