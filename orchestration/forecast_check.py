"""The forecast of purchases, judged in every build on the company's own last weeks: table, verdict and picture."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    import duckdb

    from analytics.ltv.backtest import Backtest
    from orchestration.session import Session

CHECK = "forecast_meets_the_weeks_held_out"
ASSET = dg.AssetKey(["scores", "ltv_backtest"])

#: One row per known customer and day with a counted order. Before refunds: those of the weeks held out are to come.
_PURCHASE_DAYS = """
    SELECT
        dense_rank() OVER (ORDER BY orders.customer_id) - 1 AS who,
        CAST(date_diff('day', DATE '1970-01-01', orders.ordered_on) AS BIGINT) AS day,
        CAST(sum(orders.gross_reporting) AS DOUBLE) AS money
    FROM core.fct_orders AS orders
    INNER JOIN core.dim_customers AS customers ON orders.customer_id = customers.customer_id
    WHERE orders.is_counted AND customers.is_known
    GROUP BY orders.customer_id, orders.ordered_on
    ORDER BY who, day
"""


def forecast_backtest(session: Session, db: duckdb.DuckDBPyConnection) -> Backtest:
    """Fit without the last weeks of the build's own orders, predict them, compare."""
    from analytics.ltv.backtest import backtest

    found = db.execute(_PURCHASE_DAYS).to_arrow_table()
    who, day, money = (found[name].to_numpy() for name in ("who", "day", "money"))
    kpi = session.settings.company.kpi
    return backtest(who, day, money, session.build.as_of, min_customers=kpi.churn_min_customers)


def backtest_result(judged: Backtest) -> dg.AssetCheckResult:
    """What the check shows: totals, errors, share inside the interval, and the picture; never stops a build."""
    if judged.reason:
        return dg.AssetCheckResult(
            asset_key=ASSET,
            check_name=CHECK,
            passed=True,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"Not judged: {judged.note}.",
            metadata={"reason": judged.reason},
        )
    total = judged.total
    metadata: dict[str, Any] = {
        "calibration_ends_on": total["calibration_ends_on"].isoformat(),  # type: ignore[attr-defined]
        "holdout_weeks": int(total["holdout_weeks"]),
        "customers": int(total["customers"]),
        "predicted_purchases": float(total["predicted_purchases"]),
        "actual_purchases": int(total["actual_purchases"]),
        "error": round(float(judged.error), 4),
        "error_of_the_naive_rate": round(float(judged.naive_error), 4),
        "predicted_value": float(total["predicted_value"]),
        "actual_value": float(total["actual_value"]),
        "share_inside_interval": round(total["inside_interval"] / total["customers"], 4),
        "picture": _picture(judged),
    }
    return dg.AssetCheckResult(
        asset_key=ASSET,
        check_name=CHECK,
        passed=judged.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{total['predicted_purchases']:,.0f} purchases predicted, {total['actual_purchases']:,} happened in the "
            f"{total['holdout_weeks']} weeks held out: {judged.error:+.1%} (naive rate {judged.naive_error:+.1%})."
        ),
        metadata=metadata,
    )


def _picture(judged: Backtest) -> dg.MarkdownMetadataValue:
    from kizuna.scorecard.backtest import BacktestGroup, backtest_chart
    from kizuna.scorecard.render import chart_png

    groups = [
        BacktestGroup(
            row["repeat_purchases"],
            row["predicted_purchases"] / row["customers"],
            row["actual_purchases"] / row["customers"],
        )
        for row in judged.table.to_pylist()
        if row["repeat_purchases"] != "all"
    ]
    text = base64.b64encode(chart_png(backtest_chart(groups))).decode("ascii")
    return dg.MetadataValue.md(f"![Predicted and actual purchases per customer](data:image/png;base64,{text})")
