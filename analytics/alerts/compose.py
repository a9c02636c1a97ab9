"""From an incident's change and the build's tables to a message: who is concerned and what rose."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from analytics.alerts.incidents import IncidentChange
from analytics.alerts.messages import (
    MAX_CUSTOMERS,
    ContractsBeside,
    CustomerLine,
    SpikeAlert,
    SpikeResolved,
    SpikeUpdate,
)
from analytics.alerts.parts import SourceState
from analytics.alerts.rules import CONTRACTS, OVERALL
from analytics.churn.assess import UNKNOWN
from analytics.churn.drivers import drivers_that_changed

__all__ = ["spike_alert", "spike_resolved", "spike_update", "worst_customers"]


def spike_alert(
    change: IncidentChange,
    scores: pa.Table,
    driver_daily: pa.Table,
    customers: pa.Table,
    *,
    currency: str,
    build_id: str,
    link: str,
    sources: Sequence[SourceState],
    customer_url: str | None = None,
) -> SpikeAlert:
    """The message of a change of kind open.

    scores, driver_daily: of analytics.churn.assess for the same day; of contracts the scores of payers who are
    customers. customers: customer_id, display_label and the segment columns, as given to `assess`.
    customer_url: address of a customer's page with {label} or {customer_id}.
    """
    incident = change.incident
    kind, segment = incident.segment_type, incident.segment
    return SpikeAlert(
        segment_type=kind,
        segment=segment,
        day=change.day,
        since=incident.opened_on,
        scored=change.scored,
        at_risk=change.at_risk,
        share=change.share,
        baseline=change.baseline,
        value_at_risk=change.value_at_risk,
        currency=currency,
        drivers=drivers_that_changed(driver_daily, kind, segment, change.day),
        customers=worst_customers(scores, customers, kind, segment, customer_url),
        children=change.children,
        build_id=build_id,
        link=link,
        sources=tuple(sources),
        measure=incident.measure,
        usual_at_risk=change.usual_at_risk,
        usual_value=_money(change.usual_value),
        beside=None if change.beside is None else _beside(change.beside),
    )


def _beside(contracts: IncidentChange) -> ContractsBeside:
    return ContractsBeside(
        scored=contracts.scored, at_risk=contracts.at_risk, share=contracts.share, baseline=contracts.baseline,
        value_at_risk=contracts.value_at_risk, measure=contracts.incident.measure,
        usual_at_risk=contracts.usual_at_risk, usual_value=_money(contracts.usual_value),
    )  # fmt: skip


def _money(amount: float | None) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))


def spike_update(change: IncidentChange, *, currency: str, build_id: str, link: str) -> SpikeUpdate:
    """The message of an announced change of kind update."""
    incident = change.incident
    return SpikeUpdate(
        segment_type=incident.segment_type, segment=incident.segment, day=change.day, before=change.before,
        at_risk=change.at_risk, scored=change.scored, share=change.share, value_at_risk=change.value_at_risk,
        currency=currency, children=change.children, build_id=build_id, link=link,
    )  # fmt: skip


def spike_resolved(change: IncidentChange, *, build_id: str, link: str) -> SpikeResolved:
    """The message of a change of kind resolve."""
    incident = change.incident
    if incident.reason is None:
        raise ValueError(f"{incident.key} is not resolved")
    return SpikeResolved(
        segment_type=incident.segment_type, segment=incident.segment, day=change.day, opened_on=incident.opened_on,
        reason=incident.reason, at_risk=change.at_risk, share=change.share, peak_at_risk=incident.peak_at_risk,
        build_id=build_id, link=link,
    )  # fmt: skip


def worst_customers(
    scores: pa.Table, customers: pa.Table, kind: str, segment: str, customer_url: str | None = None
) -> tuple[CustomerLine, ...]:
    """The five customers at high risk of a segment with most value at risk, and what raises their risk.

    Without the driver_N_effect columns a driver's direction is unknown, and all of them are named.
    """
    mine = customers
    if kind not in (OVERALL, CONTRACTS):
        column = pc.fill_null(pc.cast(customers[kind], pa.string()), UNKNOWN)
        mine = customers.filter(pc.equal(column, segment))
    high = scores.filter(
        pc.and_(
            pc.equal(scores["band"], "high"),
            pc.is_in(scores["customer_id"], value_set=mine["customer_id"].combine_chunks()),
        )
    )
    top = high.sort_by([("value_at_risk", "descending"), ("customer_id", "ascending")]).slice(0, MAX_CUSTOMERS)
    labels = dict(zip(mine["customer_id"].to_pylist(), mine["display_label"].to_pylist(), strict=True))
    return tuple(
        CustomerLine(
            label=labels[r["customer_id"]],
            probability=r["probability"],
            value_at_risk=r["value_at_risk"],
            drivers=tuple(
                r[f"driver_{n}"] for n in (1, 2, 3) if r[f"driver_{n}"] and r.get(f"driver_{n}_effect", 1.0) > 0
            ),
            url=_page_of(customer_url, labels[r["customer_id"]], r["customer_id"]),
        )
        for r in top.to_pylist()
    )


def _page_of(template: str | None, label: str, customer_id: str) -> str:
    """Both names are pseudonyms; what they stand for is known only to the system behind the address."""
    if template is None:
        return ""
    return template.replace("{label}", quote(label, safe="")).replace("{customer_id}", quote(customer_id, safe=""))
