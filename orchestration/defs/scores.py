"""core -> scores: churn risk per customer and day, and what the gates have said so far."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import duckdb
import pyarrow as pa

from kizuna.builds import begin_stage, latest_verdicts, require_passed
from kizuna.pseudonym import pseudonym
from kizuna.redact import engine_errors_without_values
from orchestration.dbt_stage import complete_stage
from orchestration.forecast_check import backtest_result, forecast_backtest
from orchestration.session import Company, Session, resume

#: The drivers of those at risk are counted this long before `as_of` too, so that a message can say what changed.
DRIVERS_BEFORE = timedelta(days=7)

FACTS = (
    "dim_customers",
    "fct_orders",
    "fct_interactions",
    "fct_interaction_agents",
    "fct_survey_responses",
    "fct_refunds",
)
RESULTS = {
    "churn_scores": "customer: churn probability, band, drivers in words, value at risk",
    "churn_daily": "segment x day: share at high risk against its baseline; earlier days as they were published",
    "churn_drivers_daily": "segment x day x driver: customers at high risk who carry it",
    "ltv_backtest": "group of customers: what the forecast would have said of the last weeks, and what happened",
    "agent_labels": "agent: keyed pseudonym; agents are people too",
    "gate_verdicts": "gate x relation: what was judged before the marts",
}


@dg.multi_asset(
    name="score",
    specs=[
        dg.AssetSpec(
            key=["scores", name],
            deps=[dg.AssetKey(["core", fact]) for fact in FACTS] + [dg.AssetKey(["state", "churn_risk_daily"])],
            group_name="scores",
            description=description,
            kinds={"python", "duckdb"},
            owners=["team:customer-data"],
        )
        for name, description in RESULTS.items()
    ],
    check_specs=[
        dg.AssetCheckSpec(
            name="forecast_meets_the_weeks_held_out",
            asset=dg.AssetKey(["scores", "ltv_backtest"]),
            description="The purchases predicted for the last weeks, from what was known before them, are near enough.",
        )
    ],
    can_subset=False,
)
def score(
    context: dg.AssetExecutionContext, company: Company
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Score everybody as of the build's day; judge the new days against their baselines."""
    session = resume(context, company)
    require_passed(session.store, session.build, ("stage", "scores"))
    begin_stage(session.store, session.build, "scores")
    with engine_errors_without_values(), duckdb.connect(str(session.build.db)) as db:
        db.execute("CREATE SCHEMA IF NOT EXISTS scores")
        judged = forecast_backtest(session, db)
        tables = {
            **churn_tables(session, db),
            "ltv_backtest": judged.table,
            "agent_labels": agent_labels(session, db),
        }
        for name, table in tables.items():
            db.register("frame", table)
            db.execute(f"CREATE OR REPLACE TABLE scores.{name} AS SELECT * FROM frame")
            db.unregister("frame")
        verdicts = latest_verdicts(session.store, session.build)
        columns = 'gate VARCHAR, relation VARCHAR, suite VARCHAR, outcome VARCHAR, evaluated INTEGER, "at" TIMESTAMP'
        db.execute(f"CREATE OR REPLACE TABLE raw.gate_verdicts ({columns})")
        if verdicts:
            names = ("gate", "relation", "suite", "outcome", "evaluated", "at")
            db.executemany(
                "INSERT INTO raw.gate_verdicts VALUES (?, ?, ?, ?, ?, ?)", [[v[n] for n in names] for v in verdicts]
            )
    counts = {name: table.num_rows for name, table in tables.items()} | {"gate_verdicts": len(verdicts)}
    complete_stage(session, "scores", **counts)
    for name, rows in counts.items():
        yield dg.MaterializeResult(asset_key=["scores", name], metadata={"dagster/row_count": rows})
    yield backtest_result(judged)


def agent_labels(session: Session, db: duckdb.DuckDBPyConnection) -> pa.Table:
    """(source, agent_id, agent_label) of every agent; a plain hash of a login could be guessed."""
    rows = db.execute(
        "SELECT DISTINCT source, agent_id FROM core.fct_interaction_agents WHERE agent_id IS NOT NULL ORDER BY ALL"
    ).fetchall()
    key = session.settings.pseudonym_key
    labels = [f"A-{pseudonym(key, 'agent', f'{source}:{agent}')[:10]}" for source, agent in rows]
    return pa.table(
        {
            "source": pa.array([source for source, _ in rows], pa.string()),
            "agent_id": pa.array([agent for _, agent in rows], pa.string()),
            "agent_label": pa.array(labels, pa.string()),
        }
    )


def churn_tables(session: Session, db: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Scores, the whole daily history (published days untouched, new days judged) and the drivers of the last days."""
    from analytics.alerts.rules import SpikeRules, evaluate
    from analytics.churn import ChurnRules, assess, days_to_assess, signals_from_facts

    company, as_of = session.settings.company, session.build.as_of
    kpi, alerts = company.kpi, company.alerts

    def read(query: str) -> pa.Table:
        return db.execute(query).to_arrow_table()

    refunds = read(
        "SELECT customer_id, refunded_on, amount_reporting AS amount, refund_date_known FROM core.fct_refunds"
    )
    signals = signals_from_facts(
        read("SELECT * FROM core.fct_interactions WHERE customer_id IS NOT NULL"),
        read("SELECT customer_id, kind, score, submitted_on, is_valid FROM core.fct_survey_responses"),
        refunds,
    )
    rules = ChurnRules(
        high=kpi.churn_high,
        medium=kpi.churn_medium,
        min_customers=kpi.churn_min_customers,
        discount_rate=kpi.discount_rate,
    ).with_weights(kpi.signal_weights)
    last = db.execute("SELECT max(day) FROM state.churn_risk_daily").fetchall()[0][0]
    new_days = days_to_assess(as_of, last)
    found = assess(
        read(f"SELECT customer_id, {', '.join(alerts.segments)} FROM core.dim_customers WHERE is_known"),
        read("SELECT customer_id, ordered_on, gross_reporting AS amount FROM core.fct_orders WHERE is_counted"),
        signals,
        refunds,
        as_of=as_of,
        days=sorted({as_of - DRIVERS_BEFORE, *new_days}),
        rules=rules,
        segments=alerts.segments,
        locale=company.locale,
    )
    db.register("daily_now", found.daily)
    # A published day is never computed again: detection must not judge a past that changed behind its back.
    history = read(
        "SELECT * FROM state.churn_risk_daily UNION ALL BY NAME "
        "SELECT d.* FROM daily_now d WHERE d.day NOT IN (SELECT day FROM state.churn_risk_daily) "
        f"AND d.day >= DATE '{new_days[0]}' ORDER BY segment_type, segment, day"
    )
    db.unregister("daily_now")
    spikes = SpikeRules(
        z_alert=alerts.z_alert,
        z_warn=alerts.z_warn,
        min_effect=alerts.min_effect,
        min_count=alerts.min_count,
        min_history_days=alerts.min_history_days,
        level_shift_days=alerts.level_shift_days,
        false_discovery_rate=alerts.false_discovery_rate,
    )
    daily = evaluate(history, spikes)
    return {"churn_scores": found.scores, "churn_daily": daily, "churn_drivers_daily": found.driver_daily}
