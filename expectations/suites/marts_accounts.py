"""Marts gate, companies as customers: is every account here, with all its money and its people?"""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Suite
from expectations.suites.marts import _COUNTED, _SAME_NET, CRM, FINANCE, _common


def account_360(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.account_360: one row per account."""
    return [
        *CRM.not_null("account_id", "health", "contract_state", reason="the key of everything, and what is read first"),
        CRM.unique("account_id", "an account listed twice is counted twice by every reader"),
        CRM.equal(
            "every_account_is_here",
            "select count(*) from {batch}",
            "select count(*) from core.dim_accounts",
            "a join that drops or doubles accounts changes every number",
        ),
        FINANCE.equal(
            "net_revenue_equals_core",
            "select coalesce(sum(net_revenue), 0) from {batch}",
            f"select coalesce(sum(net_reporting), 0) from {_COUNTED} and account_id is not null",
            _SAME_NET,
        ),
        FINANCE.equal(
            "recurring_revenue_is_that_of_the_contracts",
            "select coalesce(sum(mrr), 0) from {batch}",
            "select coalesce(sum(mrr), 0) from marts.ltv_by_contract where payer_type = 'account'",
            "an account without its contract looks like a prospect",
        ),
        CRM.between("nps", -100, 100, reason="the scale of NPS"),
        CRM.never("current_people_are_people", "people_now > people", "a part of them"),
        *_common(CRM, ctx, relation),
    ]


def account_people(ctx: GateContext, relation: str) -> list[Rule]:
    """marts.account_people: one row per account, person and role."""
    return [
        CRM.unique_together("account_id", "customer_id", "role", reason="a role is held once"),
        CRM.refers_to("account_id", "core.dim_accounts.account_id", "people of no account"),
        CRM.refers_to("customer_id", "core.dim_customers.customer_id", "a person that the core does not know"),
        CRM.never("a_role_ends_after_it_began", "last_on < first_on", "days in order"),
        *_common(CRM, ctx, relation),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("account_360", account_360, "every account once, with all its money"),
    ("account_people", account_people, "people of accounts exist"),
)
