"""core -> scores: the chance that each payer's contract ends, from its spans and the signals of its people."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from orchestration.session import Session

if TYPE_CHECKING:
    from analytics.churn import ContractAssessment

#: A failed payment is felt for so many days.
PAYMENT_DAYS = 30

# Whose signals are a payer's: the people of the account, and whom a contract names.
_PEOPLE = """
    SELECT DISTINCT payer_type || ':' || payer_id AS payer, customer_id
    FROM core.int_contract_spans WHERE customer_id IS NOT NULL
    UNION
    SELECT DISTINCT 'account:' || s.payer_id, c.customer_id
    FROM core.int_contract_spans s JOIN core.dim_customers c ON s.payer_id = c.account_id
    WHERE s.payer_type = 'account'
"""
# A failed payment says nothing of a customer without contract: it is no signal of buyers.
_SIGNALS = f"""
    WITH people AS ({_PEOPLE})
    SELECT payer, signal, start_on, end_on FROM signals_now JOIN people USING (customer_id)
    UNION ALL
    SELECT payer, 'payment_failed', ordered_on, ordered_on + {PAYMENT_DAYS}
    FROM core.fct_orders JOIN people USING (customer_id) WHERE exclusion_reason = 'voided'
"""
# One row of a customer in the mart: of several payers who name them, the one most likely to leave.
_RESULT = """
    WITH bearers AS (
        SELECT payer_type || ':' || payer_id AS payer, payer_type, payer_id,
            arg_max(customer_id, (from_on, contract_id)) AS customer_id
        FROM core.int_contract_spans GROUP BY ALL
    )
    SELECT
        payer_type, payer_id, customer_id, scores_now.* EXCLUDE (payer),
        row_number() OVER (
            PARTITION BY customer_id ORDER BY probability DESC NULLS LAST, payer_type, payer_id
        ) = 1 AS is_of_customer
    FROM scores_now JOIN bearers USING (payer) ORDER BY payer_type, payer_id
"""


def contract_assessment(
    session: Session, db: duckdb.DuckDBPyConnection, signals: pa.Table, days: Sequence[date], earlier: Sequence[date]
) -> "tuple[ContractAssessment, pa.Table]":
    """What `assess_contracts` finds, with those at risk on `days`; its scores by payer with who bears the contract."""
    from analytics.churn import ContractRules, assess_contracts

    company = session.settings.company
    kpi = company.kpi
    rules = ContractRules(
        high=kpi.contract_high,
        medium=kpi.contract_medium,
        horizon_days=kpi.contract_horizon_days,
        floor=kpi.churn_floor_auc,
        min_ended=kpi.contract_min_ended,
    ).with_weights(kpi.signal_weights)
    spans = db.execute(
        "SELECT payer_type || ':' || payer_id AS payer, contract_id, plan, from_on, until_on, cancelled_on, ended_on, "
        "term_months, monthly_reporting AS monthly FROM core.int_contract_spans"
    ).to_arrow_table()
    db.register("signals_now", signals)
    felt = db.execute(_SIGNALS).to_arrow_table()
    db.unregister("signals_now")
    found = assess_contracts(
        spans, felt, as_of=session.build.as_of, rules=rules, locale=company.locale, days=days, earlier=earlier
    )
    db.register("scores_now", found.scores)
    table = db.execute(_RESULT).to_arrow_table()
    db.unregister("scores_now")
    return found, table
