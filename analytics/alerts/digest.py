"""The KPI digest as data, and its rendering to Block Kit: figures of a day or a week, and how the targets stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from analytics.alerts.blockkit import Block, context, data, header, link, payload, section
from analytics.alerts.words import WORDS, Locale, calendar_day, money, segment_name, short_day

MAX_KPIS = 12
MAX_TARGETS = 10
#: KPIs that the notification names.
_IN_TEXT = 3

Unit = Literal["count", "money", "share", "score", "nps", "minutes", "seconds"]
_LIGHTS = {"met": "large_green_circle", "on_track": "large_green_circle", "at_risk": "large_yellow_circle",
           "missed": "red_circle", "not_started": "white_circle", "unknown": "white_circle"}  # fmt: skip


@dataclass(frozen=True)
class DigestKpi:
    """One KPI over the period, and over the one before. `whole` False: data of a day of it is still missing."""

    name: str
    unit: Unit
    value: Decimal
    before: Decimal | None
    whole: bool


@dataclass(frozen=True)
class DigestTarget:
    """One line of kpi_progress; values in the unit of the KPI."""

    name: str
    unit: Unit
    segment_type: str
    segment: str
    period: str
    target: Decimal
    actual: Decimal | None
    forecast: Decimal | None
    status: str


@dataclass(frozen=True)
class KpiDigest:
    """Figures of the days `first` to `last`, targets as they stand at `day`, the day of the build."""

    every: Literal["daily", "weekly"]
    first: date
    last: date
    day: date
    kpis: tuple[DigestKpi, ...]
    targets: tuple[DigestTarget, ...]
    currency: str
    build_id: str
    link: str


def render_digest(m: KpiDigest, locale: Locale) -> dict[str, Any]:
    """Block Kit of a digest, its trend chart between figures and targets."""
    w = WORDS[locale]
    if m.every == "daily":
        days = calendar_day(m.last, locale)
    else:
        days = w["digest_days"].format(first=short_day(m.first, locale), last=calendar_day(m.last, locale))
    title = w[f"digest_{m.every}"].format(days=days)
    blocks: list[Block] = [
        header(title),
        section([_figure(k, m, locale) for k in m.kpis[:MAX_KPIS]] or [w["digest_nothing"]]),
        {"type": "image", "alt_text": w["digest_chart"].format(days=days)},
    ]
    if m.targets:
        lines = [_target(t, m.currency, locale) for t in m.targets[:MAX_TARGETS]]
        more = len(m.targets) - MAX_TARGETS
        lines += [w["digest_more_targets"].format(count=more)] if more > 0 else []
        blocks.append(section([f"*{w['digest_targets'].format(day=short_day(m.day, locale))}*", *lines]))
    blocks.append(section([link(m.link, w["open_page"])]))
    blocks.append(context(w["build"].format(build=data(m.build_id, 80), day=calendar_day(m.day, locale))))
    told = [f"{data(k.name, 60)} {in_unit(k.value, k.unit, m.currency, locale)}" for k in m.kpis[:_IN_TEXT]]
    return payload(w["digest_text"].format(title=title, figures=w["joined"].join(told)), blocks)


def in_unit(value: Decimal, unit: str, currency: str, locale: Locale) -> str:
    """A value as people write it in its unit."""
    if unit == "money":
        return money(value, currency, locale)
    if unit == "share":
        return f"{_rounded(value * 100, 1)}%"
    return f"{_rounded(value, {'score': 2, 'nps': 1}.get(unit, 0)):,}"


def _figure(k: DigestKpi, m: KpiDigest, locale: Locale) -> str:
    w = WORDS[locale]
    parts = [w["digest_figure"].format(name=data(k.name, 60), value=in_unit(k.value, k.unit, m.currency, locale))]
    if not k.whole:
        parts.append(w["digest_partial"])
    elif k.before is not None:
        before = in_unit(k.before, k.unit, m.currency, locale)
        parts.append(_change(k.value, k.before, k.unit, locale) + w[f"digest_before_{m.every}"].format(value=before))
    return "  ".join(parts)


def _change(value: Decimal, before: Decimal, unit: str, locale: Locale) -> str:
    """Relative for amounts and counts, in points for shares and scores."""
    if value == before:
        return "±0"
    sign = "▲" if value > before else "▼"
    if unit in ("share", "nps", "score"):
        moved = abs(value - before) * (100 if unit == "share" else 1)
        return sign + WORDS[locale]["digest_points"].format(points=_rounded(moved, 2 if unit == "score" else 1))
    return f"{sign}{_rounded(abs(value - before) / abs(before) * 100, 1):,}%" if before else sign


def _target(t: DigestTarget, currency: str, locale: Locale) -> str:
    w = WORDS[locale]

    def said(value: Decimal | None) -> str:
        return "–" if value is None else in_unit(value, t.unit, currency, locale)

    where = "" if t.segment_type == "overall" else f" {data(segment_name(t.segment_type, t.segment, locale), 60)}"
    return w["digest_target"].format(
        light=_LIGHTS.get(t.status, "white_circle"), name=data(t.name, 60), where=where, period=data(t.period, 20),
        actual=said(t.actual), target=said(t.target), forecast=said(t.forecast),
        status=w.get(f"target_{t.status}", data(t.status, 20)),
    )  # fmt: skip


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
