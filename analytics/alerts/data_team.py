"""Messages to the data team as data, and their rendering: what stopped, what is late, what is well again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from analytics.alerts.blockkit import context, data, header, link, payload, section
from analytics.alerts.contract_words import words_for
from analytics.alerts.parts import SourceState, listed, small_print
from analytics.alerts.rules import CONTRACTS, OVERALL
from analytics.alerts.words import WORDS, Locale, calendar_day, count

MAX_CAUSES = 20


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
    #: Runs that this gate stopped and that are told together.
    runs: int = 1
    #: The past days that were asked for, where it was no build for readers; sorted.
    past_days: tuple[date, ...] = ()


@dataclass(frozen=True)
class RunFailure:
    """A run that stopped for another reason than a gate, for the data team."""

    step: str
    error: str
    day: date
    build_id: str
    resume: str
    runbook: str
    #: Runs that stopped here and are told together.
    runs: int = 1
    #: The past days that were asked for, where it was no build for readers; sorted.
    past_days: tuple[date, ...] = ()


@dataclass(frozen=True)
class SourcesLate:
    """Sources whose newest event lies further back than they may, for the data team; `last_on` None: nothing yet."""

    day: date
    late: tuple[SourceState, ...]
    build_id: str
    runbook: str


@dataclass(frozen=True)
class ScoresWithheld:
    """No churn score of buyers or of contracts is shown, so no spike can be told. `reason`, `kind` as in churn_risk."""

    reason: str
    day: date
    build_id: str
    link: str
    kind: Literal["non_contractual", "contractual"] = "non_contractual"


@dataclass(frozen=True)
class Recovered:
    """The end of a problem that was told: sources arrive, a gate passes, runs succeed or scores are shown again."""

    kind: Literal["source", "gate", "run", "scores"]
    names: tuple[str, ...]
    since: date
    day: date
    build_id: str
    link: str


DataTeamMessage = GateFailure | RunFailure | SourcesLate | ScoresWithheld | Recovered


def render_data_team(message: DataTeamMessage, locale: Locale) -> dict[str, Any]:
    """Block Kit of a message to the data team."""
    if isinstance(message, GateFailure):
        return _gate(message, locale)
    if isinstance(message, SourcesLate):
        return _late(message, locale)
    if isinstance(message, ScoresWithheld):
        return _scores_withheld(message, locale)
    if isinstance(message, Recovered):
        return _recovered(message, locale)
    return _run(message, locale)


def _gate(m: GateFailure, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    broken = "_broken" if m.outcome == "could_not_run" else ""
    kind, days = _whose(m.past_days, locale)
    causes = sorted(m.causes, key=lambda c: (-(c.failed_rows or 0), c.cause))
    blocks = [
        header(w[f"{kind}gate_title{broken}"].format(gate=m.gate)),
        section([w[f"{kind}gate_sentence{broken}"].format(gate=data(m.gate), days=days), *_together(m.runs, locale)]),
    ]
    blocks += [section([_cause(c, locale)]) for c in causes[:MAX_CAUSES]]
    if len(causes) > MAX_CAUSES:
        blocks.append(section([w["more_causes"].format(count=count(len(causes) - MAX_CAUSES))]))
    if m.blocked:
        blocks.append(section([w["blocked"].format(assets=listed(m.blocked, locale))]))
    blocks.append(section([link(m.runbook, w["runbook"])]))
    blocks.append(context("\n".join(small_print((), m.build_id, m.day, locale))))
    text = w[f"{kind}gate_text{broken}"].format(gate=data(m.gate), causes=count(len(causes)), days=days)
    return payload(text, blocks)


def _run(m: RunFailure, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    kind, days = _whose(m.past_days, locale)
    blocks = [
        header(w[f"{kind}run_title"].format(step=m.step)),
        section([w[f"{kind}run_sentence"].format(step=data(m.step), days=days), *_together(m.runs, locale)]),
        section(
            [
                f"*{w['error']}*",
                data(m.error, 500),
                f"*{w['resume']}*",
                f"`{data(m.resume)}`",
                link(m.runbook, w["runbook"]),
            ]
        ),
        context("\n".join(small_print((), m.build_id, m.day, locale))),
    ]
    return payload(w[f"{kind}run_text"].format(step=data(m.step), error=data(m.error), days=days), blocks)


def _whose(past_days: Sequence[date], locale: Locale) -> tuple[str, str]:
    """Which words hold, those of a build for readers or those of past days that somebody asked for; and the days."""
    return ("past_", listed([calendar_day(day, locale) for day in past_days], locale)) if past_days else ("", "")


def _together(runs: int, locale: Locale) -> list[str]:
    return [WORDS[locale]["runs_together"].format(count=count(runs))] if runs > 1 else []


def _late(m: SourcesLate, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    lines = []
    for s in m.late[:MAX_CAUSES]:
        days = "" if s.last_on is None else count((m.day - s.last_on).days)
        until = "" if s.last_on is None else calendar_day(s.last_on, locale)
        lines.append(w["late_never" if s.last_on is None else "late_line"].format(
            source=data(s.source, 60), day=until, days=days))  # fmt: skip
    if len(m.late) > MAX_CAUSES:
        lines.append(w["late_more"].format(count=count(len(m.late) - MAX_CAUSES)))
    names = listed([s.source for s in m.late], locale)
    blocks = [
        header(w["late_title"].format(count=count(len(m.late)))),
        section([w["late_sentence"], *lines]),
        section([link(m.runbook, w["runbook"])]),
        context("\n".join(small_print((), m.build_id, m.day, locale))),
    ]
    return payload(w["late_text"].format(sources=names), blocks)


def _scores_withheld(m: ScoresWithheld, locale: Locale) -> dict[str, Any]:
    w = words_for(CONTRACTS if m.kind == "contractual" else OVERALL, locale)
    blocks = [
        header(w["scores_title"]),
        section([w.get(f"scores_{m.reason}", w["scores_other"]), w["scores_sentence"], link(m.link, w["open_page"])]),
        context("\n".join(small_print((), m.build_id, m.day, locale))),
    ]
    return payload(w["scores_title"], blocks)


def _recovered(m: Recovered, locale: Locale) -> dict[str, Any]:
    w = WORDS[locale]
    title = w[f"again_{m.kind}"]
    names = listed(m.names, locale)
    said = [title.format(names=names), w["again_since"].format(since=calendar_day(m.since, locale))]
    blocks = [
        section([f":white_check_mark: *{said[0]}*", said[1], link(m.link, w["open_page"])]),
        context("\n".join(small_print((), m.build_id, m.day, locale))),
    ]
    return payload(said[0], blocks)


def _cause(c: GateCause, locale: Locale) -> str:
    w = WORDS[locale]["cause_no_rows" if c.failed_rows is None else "cause"]
    rows = "" if c.failed_rows is None else count(c.failed_rows)
    return w.format(cause=data(c.cause), rows=rows, checks=count(c.checks), relations=listed(c.relations, locale))
