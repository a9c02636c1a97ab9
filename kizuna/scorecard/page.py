"""Facts to the HTML page: tiles, charts, tables. Pure: the same facts, manifest and company give the same bytes."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from kizuna.fonts import font_face_css
from kizuna.scorecard import charts
from kizuna.scorecard.labels import Labels
from kizuna.scorecard.model import Facts, Undelivered
from kizuna.scorecard.render import chart_svg

if TYPE_CHECKING:
    from jinja2 import Environment

    from kizuna.settings import Company

WINDOW = 28
_SPARK_DAYS = 91
_TAGS = re.compile(r"<style.*?</style>|<[^>]*>", re.DOTALL)


@dataclass(frozen=True)
class Tile:
    """One number. ``exact`` is the unrounded value for machines and for the tooltip; ``tone`` is good, bad or plain."""

    key: str
    label: str
    value: str
    exact: str = ""
    note: str = ""
    change: str = ""
    tone: str = "plain"
    spark: Markup = field(default_factory=Markup)


@dataclass(frozen=True)
class Figure:
    key: str
    title: str
    note: str
    svg: Markup
    wide: bool = False


def render_page(
    facts: Facts, manifest: Mapping[str, Any], company: Company, undelivered: Undelivered | None = None
) -> str:
    """The whole page. Everything that comes from data or settings is escaped by the template."""
    labels = Labels(company.locale, company.currency)
    gates = gate_outcomes(manifest)
    values = {
        "labels": labels,
        "company": company,
        "facts": facts,
        "version": _version(manifest),
        "build_id": str(manifest.get("build_id") or ""),
        "gates": gates,
        "gates_tone": "plain" if not gates else "good" if set(gates.values()) == {"passed"} else "bad",
        "data_tone": _data_tone(facts),
        "tiles": tiles(facts, labels),
        "figures": figures(facts, labels),
        "totals": _totals(facts),
        "undelivered": undelivered,
    }
    template = templates().get_template("scorecard.html.j2")
    draft = template.render(font_css="", **values)
    return template.render(font_css=Markup(font_face_css(page_text(draft))), **values)


def page_text(page: str) -> str:
    """Every character a reader can see on the page, charts included."""
    return html.unescape(_TAGS.sub(" ", page))


@functools.cache
def templates() -> Environment:
    """The environment that pages of this package are made with."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _version(manifest: Mapping[str, Any]) -> str:
    version = manifest.get("version")
    return "" if version is None else f"v-{version}" if isinstance(version, int) else str(version)


def gate_outcomes(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Gate -> worst outcome of its relations, from the manifest's ``verdicts`` (rows or a map)."""
    verdicts = manifest.get("verdicts") or {}
    if isinstance(verdicts, Mapping):
        pairs = [(str(gate), str(v.get("outcome") if isinstance(v, Mapping) else v)) for gate, v in verdicts.items()]
    else:
        pairs = [(str(row["gate"]), str(row["outcome"])) for row in verdicts]
    worst: dict[str, str] = {}
    for gate, outcome in pairs:
        rank = {"passed": 0, "failed": 1}
        if gate not in worst or rank.get(outcome, 2) > rank.get(worst[gate], 2):
            worst[gate] = outcome
    return worst


def _data_tone(facts: Facts) -> str:
    """Bad: a raw gate not passed, over 1 % of the rows quarantined, or nothing newer than two days before as_of."""
    used = [source for source in facts.sources if source.files]
    if not used:
        return "plain"
    ages = [source.freshness_days for source in used if source.freshness_days is not None]
    totals = _totals(facts)
    stopped = any(source.raw_gate in ("failed", "could_not_run") for source in used)
    many = totals["quarantined"] * 100 > totals["rows_in"]
    return "bad" if stopped or many or min(ages, default=0) > 2 else "good"


def _totals(facts: Facts) -> dict[str, int]:
    names = ("files", "rows_in", "accepted", "quarantined", "duplicates")
    return {name: sum(getattr(source, name) for source in facts.sources) for name in names}


def tiles(facts: Facts, labels: Labels) -> list[Tile]:
    """The seven numbers at the top, in the order people ask for them."""
    makers = (_customers, _revenue, _nps, _retention, _first_response, _risk_share, _value_at_risk)
    return [maker(facts, labels) for maker in makers]


def _none(key: str, labels: Labels) -> Tile:
    return Tile(key, labels[key], "–", note=labels["no_data"])


def _spark(values: Sequence[float | Decimal]) -> Markup:
    return Markup(charts.sparkline([float(v) for v in values]))


def _customers(facts: Facts, labels: Labels) -> Tile:
    if not facts.customers:
        return _none("customers", labels)
    note = ""
    months = facts.customers_by_month
    if len(months) >= 2:
        added = int(months[-1].value - months[-2].value)
        note = labels["new_last_month"].format(n=labels.integer(added), month=labels.month(months[-1].day))
    if facts.customers_band is not None and len(set(facts.customers_band)) > 1:
        low, high = (labels.integer(number) for number in facts.customers_band)
        band = labels["by_identity_rules"].format(low=low, high=high)
        note = f"{band}; {note}" if note else band
    spark = _spark([m.value for m in months[-24:]])
    return Tile(
        "customers", labels["customers"], labels.integer(facts.customers), str(facts.customers), note, spark=spark
    )


def _revenue(facts: Facts, labels: Labels) -> Tile:
    if not facts.revenue or facts.as_of is None:
        return _none("revenue", labels)
    now, before = revenue_windows(facts)
    change, tone = "", "plain"
    if before is not None and before > 0:
        ratio = now / before - 1
        change = f"{'+' if ratio >= 0 else ''}{labels.percent(float(ratio))}"
        tone = "good" if ratio >= 0 else "bad"
    weeks = [total for _, total, whole in charts.weekly(facts.revenue, facts.as_of) if whole]
    note = labels["vs_previous"] if change else ""
    value = labels.short_money(now)
    return Tile("revenue", labels["revenue"], value, str(now), note, change, tone, _spark(weeks[-26:]))


def revenue_windows(facts: Facts) -> tuple[Decimal, Decimal | None]:
    """Net revenue of the 28 days up to as_of and of the 28 before (None where the data does not reach back so far)."""
    as_of = facts.as_of or date.max
    start, first = as_of - timedelta(days=WINDOW), min(d.day for d in facts.revenue)
    now = sum((d.value for d in facts.revenue if start < d.day <= as_of), Decimal(0))
    before_start = start - timedelta(days=WINDOW)
    if first > before_start + timedelta(days=1):
        return now, None
    return now, sum((d.value for d in facts.revenue if before_start < d.day <= start), Decimal(0))


def _nps(facts: Facts, labels: Labels) -> Tile:
    whole = [m for m in facts.nps if m.is_complete]
    if not whole:
        return _none("nps", labels)
    last = whole[-1]
    note = f"{labels.month(last.month)}, {labels['answers'].format(n=labels.integer(last.respondents))}"
    if last.low is not None and last.high is not None:
        interval = labels["interval"].format(low=labels.decimal(last.low), high=labels.decimal(last.high))
        note = f"{interval}; {note}"
    change, tone = "", "plain"
    if len(whole) > 1:
        difference = last.nps - whole[-2].nps
        change = ("+" if difference >= 0 else "") + labels["points"].format(n=labels.decimal(difference))
        # A move is coloured only when it leaves the interval; otherwise it is noise.
        if last.low is not None and last.high is not None and not last.low <= whole[-2].nps <= last.high:
            tone = "good" if difference > 0 else "bad"
    spark = _spark([m.nps for m in whole[-18:]])
    return Tile("nps", labels["nps"], labels.decimal(last.nps), str(last.nps), note, change, tone, spark)


def _retention(facts: Facts, labels: Labels) -> Tile:
    cells = sorted((c for c in facts.cohorts if c.period == 1 and c.is_complete and c.size), key=lambda c: c.cohort)
    if not cells:
        return _none("retention", labels)
    last = cells[-1]
    rate = last.returned / last.size
    note = labels["cohort_of"].format(month=labels.month(last.cohort), size=labels.integer(last.size))
    spark = _spark([c.returned / c.size for c in cells[-24:]])
    return Tile(
        "retention", labels["retention"], labels.percent(rate), f"{last.returned}/{last.size}", note, spark=spark
    )


def _first_response(facts: Facts, labels: Labels) -> Tile:
    now, before = facts.first_response_median, facts.first_response_before
    if now is None:
        return _none("first_response", labels)
    change, tone = "", "plain"
    if before:
        ratio = now / before - 1
        change = f"{'+' if ratio >= 0 else ''}{labels.percent(ratio)}"
        tone = "bad" if ratio > 0.1 else "good" if ratio < -0.1 else "plain"
    minutes = [
        w.first_response_minutes for w in facts.support if w.first_response_minutes is not None and w.is_complete
    ]
    return Tile(
        "first_response",
        labels["first_response"],
        labels.minutes(now),
        str(now),
        labels["last_28"],
        change,
        tone,
        _spark(minutes[-26:]),
    )


def _risk_share(facts: Facts, labels: Labels) -> Tile:
    days = facts.overall_risk
    if not days or not days[-1].scored:
        return _none("risk_share", labels)
    last = days[-1]
    note = labels["of_scored"].format(n=labels.integer(last.at_risk), scored=labels.integer(last.scored))
    usual = labels["usual"].format(share=labels.percent(last.baseline)) if last.baseline is not None else ""
    return Tile(
        "risk_share",
        labels["risk_share"],
        labels.percent(last.share),
        str(last.share),
        note,
        usual,
        "bad" if last.is_spike else "plain",
        _spark([d.share for d in days[-_SPARK_DAYS:]]),
    )


def _value_at_risk(facts: Facts, labels: Labels) -> Tile:
    days = facts.overall_risk
    if not days or not days[-1].scored:
        return _none("value_at_risk", labels)
    value = days[-1].value_at_risk
    spark = _spark([d.value_at_risk for d in days[-_SPARK_DAYS:]])
    return Tile("value_at_risk", labels["value_at_risk"], labels.short_money(value), str(value), spark=spark)


def figures(facts: Facts, labels: Labels) -> list[Figure]:
    """The charts; one whose data is missing keeps its place with an empty picture, and the page says so."""
    as_of = facts.as_of or date.max
    specs: dict[str, charts.Spec | None] = {
        "revenue": charts.revenue_chart(facts.revenue, as_of, labels) if facts.revenue else None,
        "nps": charts.nps_chart(facts.nps, labels) if facts.nps else None,
        "retention": charts.retention_chart(facts.cohorts, labels) if facts.cohorts else None,
        "risk": charts.risk_chart(facts.risk, labels) if facts.risk else None,
        "support": charts.support_chart(facts.support, labels) if facts.support else None,
    }
    return [
        Figure(
            key,
            labels[f"chart_{key}"],
            labels[f"chart_{key}_note"],
            Markup(chart_svg(spec, key)) if spec else Markup(""),
            wide=key == "revenue",
        )
        for key, spec in specs.items()
    ]
