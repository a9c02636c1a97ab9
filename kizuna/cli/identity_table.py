"""`kizuna identity rules` and `kizuna identity decisions`: what the company says about who is who. No personal data."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from analytics.identity.rules import PROBABLE, STEWARD, Rule, RuleTable, default_rules
from kizuna import identity_rules, stewardship
from kizuna.identity_rules import company_rules
from kizuna.settings import load_settings
from kizuna.stewardship import company_decisions
from kizuna.versions import current

_WIDTH = 160


def print_rules(home: Path | None) -> None:
    """The effective rule table, strongest first; what the company changed is marked."""
    settings = load_settings(home)
    table = company_rules(settings.home, settings.company)
    shipped = default_rules(limit_default=settings.company.kpi.identity_limit_default)
    console = _console()
    console.print(_drawn(table, shipped))
    console.print()
    for rule in sorted(table.rules, key=lambda rule: rule.priority):
        console.print(f"{rule.identifier_type}: {rule.note}")
    console.print()
    file = settings.home / identity_rules.FILE_NAME
    console.print(
        f"priority: over a limit the highest number goes first. Types that are not named here follow "
        f"`vendor_id` (names that end in _id) or `fallback`.\n"
        f"A value that lies between more than {table.sharer_limit} customers is blocked; the one login ever seen on a "
        f"device counts {table.device_login_confidence:.2f}.\n"
        + (f"* changed in {file}" if file.exists() else f"As shipped; {file} would change it.")
    )


def _drawn(table: RuleTable, shipped: RuleTable) -> Table:
    drawn = Table(box=None, pad_edge=False, expand=False)
    for name in ("", "type", "priority", "per customer", "records", "partners", "unique", "lives (days)", "confidence"):
        drawn.add_column(name, justify="left" if name in ("", "type") else "right", no_wrap=True)
    drawn.add_column("blocked", no_wrap=True)
    general = {"vendor_id": table.vendor_id, "fallback": table.fallback}
    rows = [(rule.identifier_type, rule) for rule in table.rules]
    rows += [(name, rule) for name, rule in general.items() if rule is not None]
    for name, rule in sorted(rows, key=lambda row: row[1].priority):
        mark = "" if name in general or shipped.by_type.get(name) == rule else "*"
        drawn.add_row(mark, name, *_cells(name, rule))
    return drawn


def _cells(name: str, rule: Rule) -> list[str]:
    def number(value: int | None) -> str:
        return "any" if value is None else f"{value:,}"

    blocked = [f"{len(rule.blocked_values)} values"] if rule.blocked_values else []
    blocked += list(dict.fromkeys(pattern for pattern, _ in rule.blocked_patterns))
    limit = "any" if name in (STEWARD, PROBABLE) else number(rule.limit_per_customer)
    return [
        str(rule.priority),
        limit + (" + trail" if rule.merge_trail else ""),
        number(rule.value_limit),
        number(rule.partner_limit),
        "yes" if rule.unique else "",
        number(rule.time_to_live_days),
        f"{rule.confidence:.2f}",
        ", ".join(blocked),
    ]


def print_decisions(home: Path | None) -> None:
    """How many decisions there are, and what the published build could not follow."""
    settings = load_settings(home)
    decisions = company_decisions(settings.home)
    console = _console()
    file = settings.home / stewardship.FILE_NAME
    forced = sum(decision.kind == "force" for decision in decisions)
    console.print(f"{file}: {forced} force, {len(decisions) - forced} forbid.")
    shown = current(settings)
    build = None
    if shown is not None:
        build = settings.builds / str(shown.manifest["build_id"]) / f"a{shown.manifest['attempt']}" / "build.duckdb"
    if shown is None or build is None or not build.exists():
        console.print("No published build is at hand; `kizuna run` says which decisions it can follow.")
        return
    with closing(duckdb.connect(str(build), read_only=True)) as db:
        rows = db.execute(
            "SELECT line, decision, problem, what_to_do FROM identity.decision_conflicts ORDER BY ALL"
        ).fetchall()
    console.print(f"v-{shown.version} followed all of those it knew." if not rows else f"v-{shown.version} could not:")
    for line, decision, problem, advice in rows:
        console.print(f"  line {line}, {decision} ({problem}): {advice}", soft_wrap=True)


def _console() -> Console:
    console = Console(highlight=False, markup=False, file=sys.stdout)
    return console if console.is_terminal else Console(highlight=False, markup=False, file=sys.stdout, width=_WIDTH)
