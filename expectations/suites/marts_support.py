"""Marts gate, support: is no contact lost or counted twice, do weeks add up, is every difference named?"""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Suite
from expectations.suites.marts import SUPPORT, _common


def support_interactions(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.support_interactions: one row per interaction and agent."""
    return [
        *SUPPORT.not_null("interaction_id", reason="nobody can look it up"),
        SUPPORT.unique_together("interaction_id", "agent_label", reason="an agent's work on a contact counted twice"),
        SUPPORT.equal(
            "every_interaction_is_here",
            "select count(*) filter (where is_owner) from {batch}",
            "select count(*) from core.fct_interactions",
            "a contact lost between core and mart is work nobody sees",
        ),
        SUPPORT.equal(
            "contacts_are_measured_once",
            "select count(first_response_minutes) from {batch}",
            "select count(first_response_minutes) from core.fct_interactions",
            "a contact of two agents would weigh twice in every mean",
        ),
        SUPPORT.between("first_response_minutes", 0, None, reason="no reply before its question"),
        SUPPORT.between("resolution_minutes", 0, None, reason="no solution before its question"),
        *_common(SUPPORT, ctx, relation),
    ]


def support_weekly(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.support_weekly: one row per week, channel and queue."""
    return [
        *SUPPORT.not_null("week", "opened", reason="a week has a day and a volume"),
        SUPPORT.unique_together("week", "channel", "queue", reason="two values for one week"),
        SUPPORT.equal(
            "weeks_add_up_to_core",
            "select coalesce(sum(opened), 0) from {batch}",
            "select count(*) from core.fct_interactions"
            " where opened_on is not null and continues_interaction_id is null and direction = 'inbound'",
            "every contact is opened in one week, on one channel, in one queue",
        ),
        SUPPORT.between("backlog_end", 0, None, reason="more closed than were ever opened"),
        SUPPORT.never(
            "backlog_closes",
            "backlog_start + opened - closed is distinct from backlog_end",
            "what was there, came and left is what remains",
        ),
        SUPPORT.no_rows(
            "backlog_goes_on_where_it_ended",
            "select 1 from (select backlog_start, lag(backlog_end, 1, 0) over"
            " (partition by channel, queue order by week) as before from {batch}) where backlog_start <> before",
            "a week begins with what the week before left",
        ),
        SUPPORT.between("sla_met_share", 0, 1, reason="a share"),
        SUPPORT.between("fcr_share", 0, 1, reason="a share"),
        *_common(SUPPORT, ctx, relation),
    ]


def support_parity(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.support_parity: one row per contact that its help desk measures and metric."""
    return [
        *SUPPORT.not_null("interaction_id", "metric", "reason", reason="a comparison names what it compares and why"),
        SUPPORT.unique_together("interaction_id", "metric", reason="two answers to one question"),
        SUPPORT.never(
            "equal_is_equal",
            "reason in ('equal', 'taken_from_vendor') and ours is distinct from vendor",
            "a difference that calls itself none",
        ),
        SUPPORT.never(
            "every_difference_has_its_reason",
            "reason = 'unexplained'",
            "two numbers for one ticket that nobody can explain; look it up in both systems",
            severity="warning",
            column="reason",
        ),
        *_common(SUPPORT, ctx, relation),
    ]


def support_history_quality(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.support_history_quality: one row per month, channel and queue."""
    return [
        SUPPORT.unique_together("month", "channel", "queue", reason="two values for one month"),
        SUPPORT.equal(
            "months_add_up_to_core",
            "select coalesce(sum(contacts), 0) from {batch}",
            "select count(*) from core.fct_interactions"
            " where opened_on is not null and continues_interaction_id is null and direction = 'inbound'",
            "every contact is opened in one month, on one channel, in one queue",
        ),
        SUPPORT.never("complete_are_contacts", "complete > contacts or complete < 0", "a share"),
        *_common(SUPPORT, ctx, relation),
    ]


def knowledge_gaps(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.knowledge_gaps: one row per month and topic."""
    return [
        SUPPORT.unique_together("month", "topic", reason="two values for one topic"),
        SUPPORT.never(
            "returned_were_judged",
            "returned > judged or judged > contacts",
            "who came back is one of those whose week is over",
        ),
        *_common(SUPPORT, ctx, relation),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("support_interactions", support_interactions, "no contact lost, no time below zero"),
    ("support_weekly", support_weekly, "one value per week, channel and queue"),
    ("support_parity", support_parity, "our figures against the vendor's, every difference named"),
    ("support_history_quality", support_history_quality, "what the next agent finds"),
    ("knowledge_gaps", knowledge_gaps, "topics that come back and resolve badly"),
)
