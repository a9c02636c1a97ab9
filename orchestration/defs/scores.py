"""core -> scores: churn risk per customer and day, and what the gates have said so far."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import duckdb
import pyarrow as pa

from kizuna.builds import begin_stage, latest_verdicts, require_passed
from kizuna.pseudonym import pseudonym
from kizuna.redact import engine_errors_without_values
from orchestration.churn_check import CHECKS, CONTRACT_CHECKS, churn_results, contract_results
from orchestration.contract_scoring import contract_assessment
from orchestration.dbt_stage import complete_stage
from orchestration.forecast_check import backtest_result, forecast_backtest
from orchestration.session import BUILD_POOL, Company, Session, build_database, resume
from orchestration.text_scoring import build_before, reader_of, text_sentiment

if TYPE_CHECKING:
    from analytics.churn import Assessment, ContractAssessment

#: The drivers of those at risk are counted this long before `as_of` too, so that a message can say what changed.
DRIVERS_BEFORE = timedelta(days=7)
#: Days before `as_of`, beside two horizons, that the oldest example and a visit's month reach back.
VISITS_KEPT_DAYS = 70 + 7 + 7 * 25 + 30

FACTS = (
    "dim_customers",
    "customer_segments",
    "fct_orders",
    "fct_interactions",
    "fct_interaction_agents",
    "fct_survey_responses",
    "fct_refunds",
    "fct_sessions",
    "fct_fulfilment",
    "fct_consents",
    "customer_texts",
    "int_contract_spans",
)
RESULTS = {
    "churn_scores": "customer: churn probability, band, drivers in words, value at risk",
    "contract_scores": "payer under contract: probability that the contract ends, band, drivers, value at risk",
    "churn_daily": "segment x day: share at high risk against its baseline; earlier days as they were published",
    "churn_drivers_daily": "segment x day x driver: customers at high risk who carry it",
    "ltv_backtest": "group of customers: what the forecast would have said of the last weeks, and what happened",
    "text_sentiment": "text of a customer: how it sounds, -1 to 1, and the words it rests on; never the text",
    "agent_labels": "agent: keyed pseudonym; agents are people too",
    "gate_verdicts": "gate x relation: what was judged before the marts",
}


@dg.multi_asset(
    name="score",
    pool=BUILD_POOL,
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
        ),
        *CHECKS,
        *CONTRACT_CHECKS,
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
    with engine_errors_without_values(), build_database(session) as db:
        db.execute("CREATE SCHEMA IF NOT EXISTS scores")
        judged = forecast_backtest(session, db)
        texts, texts_read = text_sentiment(db, reader_of(session.build.code_version), build_before(session))
        signals = customer_signals(session, db, texts)
        found = assessment(session, db, signals)
        contracts, contract_scores = contract_assessment(
            session, db, signals, _new_days(session, db, contracts=True), [session.build.as_of - DRIVERS_BEFORE]
        )
        tables = {
            "churn_scores": found.scores,
            "contract_scores": contract_scores,
            "churn_daily": churn_daily(session, db, found, contracts),
            "churn_drivers_daily": pa.concat_tables([found.driver_daily, contracts.driver_daily]),
            "ltv_backtest": judged.table,
            "text_sentiment": texts,
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
        own = {"texts_read": texts_read} if name == "text_sentiment" else {}
        yield dg.MaterializeResult(asset_key=["scores", name], metadata={"dagster/row_count": rows, **own})
    yield backtest_result(judged)
    floor = session.settings.company.kpi.churn_floor_auc
    yield from churn_results(found, floor)
    yield from contract_results(contracts, floor)


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


def _new_days(session: Session, db: duckdb.DuckDBPyConnection, *, contracts: bool) -> list[date]:
    """Days that are not published yet, of contracts or of buyers: either may have begun later than the other."""
    from analytics.churn import days_to_assess

    mine = "=" if contracts else "<>"
    query = f"SELECT max(day) FROM state.churn_risk_daily WHERE segment_type {mine} 'contracts'"
    last = db.execute(query).fetchall()[0][0]
    return days_to_assess(session.build.as_of, last)


def _refunds(db: duckdb.DuckDBPyConnection) -> pa.Table:
    return db.execute(
        "SELECT customer_id, refunded_on, amount_reporting AS amount, refund_date_known FROM core.fct_refunds"
    ).to_arrow_table()


def customer_signals(session: Session, db: duckdb.DuckDBPyConnection, texts: pa.Table) -> pa.Table:
    """What support, surveys, texts, deliveries, consents and visits say of each customer, as intervals of days."""
    from analytics.churn import signals_from_facts

    kpi, as_of = session.settings.company.kpi, session.build.as_of

    def read(query: str) -> pa.Table:
        return db.execute(query).to_arrow_table()

    return signals_from_facts(
        read("SELECT * FROM core.fct_interactions WHERE customer_id IS NOT NULL"),
        read("SELECT customer_id, kind, score, submitted_on, is_valid FROM core.fct_survey_responses"),
        _refunds(db),
        # Visits are felt for weeks, and the oldest day of examples lies a year and a half back at most.
        visits=read(
            "SELECT DISTINCT s.customer_id, s.started_on AS visited_on FROM core.fct_sessions s "
            "JOIN core.dim_customers c ON s.customer_id = c.customer_id AND c.is_known "
            f"WHERE s.started_on > DATE '{as_of}' - {VISITS_KEPT_DAYS + 2 * kpi.churn_horizon_days}"
        ),
        deliveries=read(
            f"SELECT customer_id, placed_on + {kpi.ship_days + 1} AS late_on FROM core.fct_fulfilment "
            f"WHERE customer_id IS NOT NULL AND shipped_on > placed_on + {kpi.ship_days}"
        ),
        consents=read(
            "SELECT customer_id, stated_on, is_granted FROM core.fct_consents "
            "WHERE customer_id IS NOT NULL AND purpose LIKE '%mail%'"
        ),
        texts=texts,
    )


def assessment(session: Session, db: duckdb.DuckDBPyConnection, signals: pa.Table) -> "Assessment":
    """Scores of everybody, and the shares and drivers of the days that are new."""
    from analytics.churn import CONTRACT_SIGNALS, DEFAULT_SIGNALS, ChurnRules, assess

    company, as_of = session.settings.company, session.build.as_of
    kpi, alerts = company.kpi, company.alerts

    def read(query: str) -> pa.Table:
        return db.execute(query).to_arrow_table()

    contracts_only = {s.code for s in CONTRACT_SIGNALS} - {s.code for s in DEFAULT_SIGNALS}
    weights = {code: weight for code, weight in kpi.signal_weights.items() if code not in contracts_only}
    rules = ChurnRules(
        high=kpi.churn_high,
        medium=kpi.churn_medium,
        horizon_days=kpi.churn_horizon_days,
        floor=kpi.churn_floor_auc,
        min_customers=kpi.churn_min_customers,
        discount_rate=kpi.discount_rate,
    ).with_weights(weights)
    return assess(
        read(
            f"SELECT {', '.join(['customer_id', *alerts.segments])} FROM core.dim_customers "
            "LEFT JOIN core.customer_segments USING (customer_id) WHERE is_known"
        ),
        read("SELECT customer_id, ordered_on, gross_reporting AS amount FROM core.fct_orders WHERE is_counted"),
        signals,
        _refunds(db),
        as_of=as_of,
        days=_new_days(session, db, contracts=False),
        earlier=[as_of - DRIVERS_BEFORE],
        rules=rules,
        segments=alerts.segments,
        locale=company.locale,
    )


def churn_daily(
    session: Session, db: duckdb.DuckDBPyConnection, found: "Assessment", contracts: "ContractAssessment"
) -> pa.Table:
    """The whole daily history: published days untouched, new days judged against those of the same model."""
    import pyarrow.compute as pc

    from analytics.alerts.rules import SpikeRules, evaluate
    from analytics.churn.rules import MODEL_CONTRACT

    alerts = session.settings.company.alerts
    models = [found.model_of(day) for day in found.daily["day"].to_pylist()]
    buyers = found.daily.append_column("model", pa.array(models, pa.string()))
    payers = contracts.daily.append_column("model", pa.array([MODEL_CONTRACT] * contracts.daily.num_rows, pa.string()))
    db.register("daily_now", pa.concat_tables([buyers, payers]))
    # A published day is never computed again: detection must not judge a past that changed behind its back.
    history = db.execute(
        "SELECT * FROM state.churn_risk_daily UNION ALL BY NAME "
        "SELECT d.* FROM daily_now d WHERE (d.day, d.segment_type = 'contracts') NOT IN "
        "(SELECT (day, segment_type = 'contracts') FROM state.churn_risk_daily) ORDER BY segment_type, segment, day"
    ).to_arrow_table()
    db.unregister("daily_now")
    spikes = SpikeRules(
        z_alert=alerts.z_alert,
        z_warn=alerts.z_warn,
        min_effect=alerts.min_effect,
        min_rise=alerts.min_rise,
        min_count=alerts.min_count,
        min_history_days=alerts.min_history_days,
        level_shift_days=alerts.level_shift_days,
        false_discovery_rate=alerts.false_discovery_rate,
    )
    # Another model counts other people at risk: a step between the two is none of the customers'.
    names = history["model"].fill_null("")
    parts = []
    for name in sorted(set(names.to_pylist())) or [""]:
        own = evaluate(history.filter(pc.equal(names, name)).drop_columns("model"), spikes)
        parts.append(own.append_column("model", pa.array([name or None] * own.num_rows, pa.string())))
    return pa.concat_tables(parts).sort_by([(key, "ascending") for key in ("segment_type", "segment", "day")])
