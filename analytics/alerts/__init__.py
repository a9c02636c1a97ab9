"""Alerts: when a share of customers at risk is a spike, which incident it belongs to, and what the message says."""

from analytics.alerts.compose import spike_alert, spike_resolved, spike_update
from analytics.alerts.data_team import GateCause, GateFailure, Recovered, RunFailure, ScoresWithheld, SourcesLate
from analytics.alerts.digest import DigestKpi, DigestTarget, KpiDigest
from analytics.alerts.incidents import Incident, IncidentChange, incident_changes, told_apart
from analytics.alerts.messages import (
    AlertsWithheld,
    ContractsBeside,
    CustomerLine,
    Message,
    SpikeAlert,
    SpikeResolved,
    SpikeUpdate,
    render_block_kit,
)
from analytics.alerts.parts import SourceState
from analytics.alerts.rules import EVALUATED_SCHEMA, SpikeRules, evaluate
from analytics.alerts.silence import Silence, silence_in_words

__all__ = [
    "EVALUATED_SCHEMA",
    "AlertsWithheld",
    "ContractsBeside",
    "CustomerLine",
    "DigestKpi",
    "DigestTarget",
    "GateCause",
    "GateFailure",
    "Incident",
    "IncidentChange",
    "KpiDigest",
    "Message",
    "Recovered",
    "RunFailure",
    "ScoresWithheld",
    "Silence",
    "SourceState",
    "SourcesLate",
    "SpikeAlert",
    "SpikeResolved",
    "SpikeRules",
    "SpikeUpdate",
    "evaluate",
    "incident_changes",
    "render_block_kit",
    "silence_in_words",
    "spike_alert",
    "spike_resolved",
    "spike_update",
    "told_apart",
]
