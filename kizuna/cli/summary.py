"""What happened and where to look, after a run."""

from __future__ import annotations

from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from kizuna.control.schema import files, outbox
from kizuna.control.store import open_store
from kizuna.settings import Settings
from kizuna.versions import Publication, current

#: Warnings that are told in full; the gate report has all of them.
MOST_WARNINGS = 5


def print_summary(settings: Settings) -> None:
    """Rows and their fates, gates, customers, KPI values, version, page, messages."""
    console = Console(highlight=False)
    shown = current(settings)
    if shown is None:
        console.print("Nothing is published yet.")
        return
    _rows(console, settings)
    print_gates(console, shown, settings)
    _kpis(console, shown, settings)
    console.print(f"published  v-{shown.version}, as of {shown.manifest['as_of']}, build {shown.manifest['build_id']}")
    link = settings.published / "current"
    console.print(f"  scorecard  {link / 'scorecard.html'}", soft_wrap=True)
    console.print(f"  for BI     {link / 'cx.duckdb'} (schema marts), {link / 'marts'}/*.parquet", soft_wrap=True)
    _messages(console, settings)


def _rows(console: Console, settings: Settings) -> None:
    with open_store(settings).read() as connection:
        sources = connection.execute(
            select(
                files.c.source,
                func.count().label("files"),
                func.sum(files.c.rows_in).label("rows_in"),
                func.sum(files.c.accepted).label("accepted"),
                func.sum(files.c.quarantined).label("quarantined"),
                func.sum(files.c.duplicates).label("duplicates"),
            )
            .where(files.c.status.in_(("accepted", "held", "refused")))
            .group_by(files.c.source)
            .order_by(files.c.source)
        ).all()
        unmatched = connection.execute(
            select(files.c.path, files.c.reason).where(files.c.status == "unmatched").order_by(files.c.path)
        ).all()
    names = ("files", "rows_in", "accepted", "quarantined", "duplicates")
    table = Table(title="Rows in = accepted + quarantined + duplicates", title_justify="left")
    table.add_column("source")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in sources:
        table.add_row(row.source, *(f"{getattr(row, name) or 0:,}" for name in names))
    table.add_section()
    table.add_row("all", *(f"{sum(getattr(row, name) or 0 for row in sources):,}" for name in names), style="bold")
    console.print(table)
    for row in unmatched:
        console.print(f"  no contract: landing/{row.path}: {row.reason}", style="yellow", soft_wrap=True)


def print_gates(console: Console, shown: Publication, settings: Settings) -> None:
    """Relations that passed by gate, and what was noticed without stopping anything."""
    gates: dict[str, list[dict[str, Any]]] = {}
    for verdict in shown.manifest["verdicts"]:
        gates.setdefault(verdict["gate"], []).append(verdict)
    parts = []
    for gate, verdicts in gates.items():
        passed = sum(verdict["outcome"] == "passed" for verdict in verdicts)
        checks = sum(verdict["evaluated"] for verdict in verdicts)
        warned = sum(len(verdict["warnings"]) for verdict in verdicts)
        words = f", {warned} warning{'' if warned == 1 else 's'}" if warned else ""
        parts.append(f"{gate} {passed}/{len(verdicts)} ({checks} expectations{words})")
    console.print("gates      " + " · ".join(parts), soft_wrap=True)
    lines = [
        f"  warning    {verdict['relation']}: {rule_in_words(warning)}"
        for verdicts in gates.values()
        for verdict in verdicts
        for warning in verdict["warnings"]
    ]
    for line in lines[:MOST_WARNINGS]:
        console.print(line, style="yellow", soft_wrap=True, markup=False)
    if lines:
        more = f" ({len(lines) - MOST_WARNINGS} more)" if len(lines) > MOST_WARNINGS else ""
        report = settings.published / "current" / "gate-report.html"
        console.print(f"  report     {report}{more}", soft_wrap=True)


def _kpis(console: Console, shown: Publication, settings: Settings) -> None:
    with duckdb.connect(str(shown.folder / "cx.duckdb"), read_only=True) as db:

        def one(query: str) -> Any:
            rows = db.execute(query).fetchall()
            return rows[0] if rows else None

        known, visitors = one(
            "SELECT count(*) FILTER (is_known), count(*) FILTER (NOT is_known) FROM marts.customer_360"
        )
        net = one("SELECT sum(net) FROM marts.ltv_by_customer")[0]
        nps = one(
            "SELECT period, nps, respondents FROM marts.nps_by_period WHERE segment_type = 'overall' AND is_complete "
            "ORDER BY period DESC, respondents DESC LIMIT 1"
        )
        risk = one(
            "SELECT count(*) FILTER (band = 'high'), sum(value_at_risk) FILTER (band = 'high') FROM marts.churn_risk "
            "WHERE kind = 'non_contractual'"
        )
        spikes = db.execute(
            "SELECT segment, share, baseline, at_risk, scored FROM marts.churn_risk_daily "
            "WHERE is_spike AND day = as_of AND segment_type IN ('region', 'overall') ORDER BY segment_type, segment"
        ).fetchall()
    currency = settings.company.currency
    console.print(f"customers  {known:,} known, {visitors:,} anonymous visitors")
    console.print(f"net LTV    {net or 0:,.0f} {currency} (historic, refunds taken off)")
    if nps:
        console.print(f"NPS        {nps[1]:.1f} in {nps[0]:%Y-%m} from {nps[2]:,} answers")
    console.print(f"churn      {risk[0]:,} customers at high risk, {risk[1] or 0:,.0f} {currency} at risk")
    for segment, share, baseline, at_risk, scored in spikes:
        console.print(
            f"[bold red]spike[/]      {segment}: {share:.1%} at high risk ({at_risk:,} of {scored:,}), "
            f"usually {baseline:.1%}"
        )


def _messages(console: Console, settings: Settings) -> None:
    with open_store(settings).read() as connection:
        states = connection.execute(select(outbox.c.state, func.count()).group_by(outbox.c.state)).all()
    if not states:
        console.print("messages   none")
        return
    console.print("messages   " + ", ".join(f"{count} {state}" for state, count in states))
    index = settings.previews / "index.html"
    if index.exists():
        console.print(f"  preview    {index} (no Slack token is set)", soft_wrap=True)


def rule_in_words(failed: dict[str, Any]) -> str:
    """A rule that was not met, as a verdict has it: its name, rows and reason. No values."""
    if "problem" in failed:
        return f"could not run: {failed['problem']}"
    count = failed["unexpected_count"] if failed["unexpected_count"] is not None else failed["observed"]
    rows = "" if count is None else f" ({count:,} row{'' if count == 1 else 's'})"
    return f"{failed['name']}{rows}: {failed['reason']}"
