"""Identity gate: is every source record someone, once, and did nobody swallow others?"""

from __future__ import annotations

from expectations.context import GateContext
from expectations.rules import Rule, Suite, Writer

CRM = Writer(owner="crm")

#: Every record that stands for somebody, staff and records deleted by their vendor included.
SENT = (
    "(select source, record_key from identity.source_records"
    " union all select source, record_key from identity.not_customers)"
)


#: Published ids and what became of each in this build: kept whole, or merged into another, split, or gone.
CHURNED = (
    "with before as (select distinct customer_id from state.customer_identifiers), told as ("
    "select change, customer_id, other_customer_id from identity.identity_changes"
    " except select change, customer_id, other_customer_id from state.identity_changes), churned as ("
    "select customer_id from before where customer_id not in (select customer_id from {batch})"
    " union select other_customer_id from told where change in ('merged', 'split'))"
)

#: Devices and how many of them lead to a known customer.
STITCHED = (
    "(select count(*) as devices, count_if(map.is_known) as known,"
    " count_if(map.is_known) / nullif(count(*), 0)::double as rate"
    " from identity.source_records as sent left join {batch} as map using (source, record_key)"
    " where sent.entity = 'device')"
)


def customer_map(ctx: GateContext, relation: str) -> list[Rule]:
    """identity.customer_map: one row per source record that stands for a person."""
    limits = ctx.limits
    return [
        *CRM.not_null("source", "record_key", "customer_id", "is_known", reason="every fact joins through this row"),
        CRM.unique_together("source", "record_key", reason="a record that is two people doubles every fact it carries"),
        CRM.no_rows(
            "every_source_record_is_mapped_or_unmapped",
            f"select source, record_key from {SENT} except"
            " (select source, record_key from {batch} union all select source, record_key from identity.unmapped)",
            "a record without a customer and without a reason was lost in stitching",
        ),
        CRM.no_rows(
            "no_record_is_both_mapped_and_unmapped",
            "select source, record_key from {batch} intersect select source, record_key from identity.unmapped",
            "one record, one fate",
        ),
        CRM.no_rows(
            "no_record_comes_from_nowhere",
            "(select source, record_key from {batch} union all select source, record_key from identity.unmapped)"
            f" except select source, record_key from {SENT}",
            "a mapped record that no source sent is left over from another build",
        ),
        CRM.no_rows(
            "every_unmapped_record_has_a_reason",
            "select 1 from (select count(*) from {batch}) as mapped cross join identity.unmapped"
            " where coalesce(trim(reason), '') = ''",
            "without a reason nobody can mend it",
        ),
        CRM.no_rows(
            "no_customer_swallowed_others",
            # Orders, cases and answers are a new record each time; the records of the person itself are few.
            "select customer_id from {batch} semi join (select source, record_key from identity.source_records"
            " where entity in ('contact', 'customer', 'user', 'person', 'caller', 'device', 'login')) as persons"
            " using (source, record_key)"
            f" group by customer_id having count(*) > {limits.max_records_per_customer}",
            f"more than {limits.max_records_per_customer} records of one person is a shared value that was not blocked",
        ),
        CRM.no_rows(
            "known_and_anonymous_are_not_mixed",
            "select customer_id from {batch} group by customer_id having count(distinct is_known) > 1",
            "a customer is known or anonymous, whichever record is asked",
        ),
        CRM.no_rows(
            "not_nearly_everybody_is_anonymous",
            "select 1 from (select customer_id, bool_or(is_known) as known from {batch} group by customer_id)"
            f" having count(*) >= {limits.anonymous_min_customers}"
            f" and count_if(not known) > {limits.anonymous_share_warning} * count(*)",
            "log-ins no longer arrive, or CRM files are missing",
            severity="warning",
        ),
        CRM.no_rows(
            "stitch_rate_is_within_its_bounds",
            f"select 1 from {STITCHED} where devices >= {limits.stitch_min_devices}"
            f" and rate not between {limits.stitch_rate_low} and {limits.stitch_rate_high}",
            f"the share of devices that lead to a known customer lies between {limits.stitch_rate_low:.0%} and"
            f" {limits.stitch_rate_high:.0%} (identity.stitch_rate_low, identity.stitch_rate_high)",
        ),
        *_since_last_publication(ctx),
        *CRM.volume(ctx, relation),
    ]


def _since_last_publication(ctx: GateContext) -> list[Rule]:
    """What may have changed since the last version; nothing is asked of a day before it, which knew less."""
    limits = ctx.limits
    if ctx.goes_back:
        return []
    return [
        CRM.no_rows(
            "published_ids_stay",
            f"{CHURNED} select 1 from (select count(*) as changed, (select count(*) from before) as published"
            " from churned semi join before using (customer_id))"
            f" where changed > {limits.min_id_churn} and changed > {limits.max_id_churn} * published",
            f"more than {limits.max_id_churn:.0%} of the published ids were merged, split or lost in one build: whoever"
            " joins on them loses them; identity.max_id_churn lets a change that is meant through",
        ),
        CRM.no_rows(
            "stitch_rate_holds_against_last_publication",
            f"select 1 from {STITCHED} as now cross join (select value from state.identity_audit"
            " where metric = 'device_stitch_rate' and detail = 'all') as before"
            f" where devices >= {limits.stitch_min_devices} and abs(rate - value) > {limits.max_stitch_change}",
            f"a step of more than {limits.max_stitch_change:.0%} of all devices is a log-in that is no longer sent, or"
            " one value that ties devices to somebody (identity.max_stitch_change)",
        ),
    ]


def customer_identifiers(ctx: GateContext, relation: str) -> list[Rule]:
    """identity.customer_identifiers: one row per customer and identifier."""
    limits = ctx.limits
    kinds = {**limits.identifiers_per_customer, **limits.identifiers_per_customer_stated}
    known = "".join(f" when '{kind}' then {limits.identifier_limit(kind) or 'null'}" for kind in kinds)
    return [
        *CRM.not_null("customer_id", "identifier_type", "identifier_hash", reason="it is the key of a published table"),
        CRM.refers_to("customer_id", "identity.customer_map.customer_id", "identifiers of nobody"),
        CRM.no_rows(
            "no_customer_is_above_an_identifier_limit",
            "select customer_id, identifier_type from {batch}"
            # Whom a steward joined by decision brings his own limits along.
            " anti join (select customer_id from identity.identity_links where rule = 'steward') as joined"
            " using (customer_id)"
            " group by customer_id, identifier_type having count(distinct identifier_hash) >"
            f" (case identifier_type when '' then null{known} else"
            # Ids of vendors: those that the vendor itself merged do not count.
            f" case when not ends_with(identifier_type, '_id') then {limits.identifiers_per_customer_default} end"
            " end)",
            "over the limit the weakest evidence is dropped and logged; nothing collapses into a mega-person",
        ),
        CRM.no_rows(
            "an_identifier_belongs_to_one_customer",
            "select identifier_type, identifier_hash from {batch} as used"
            " anti join identity.identity_drops using (identifier_type, identifier_hash)"
            # A device may pass from one login to the next: a switch, not a merge.
            " where identifier_type <> 'device_id'"
            " group by identifier_type, identifier_hash having count(distinct customer_id) > 1",
            "two customers that share a value are one person, or the value is dropped and logged",
            severity="warning",
        ),
        CRM.never(
            "first_seen_is_not_after_last_seen",
            "first_seen_at > last_seen_at",
            "a period that ends before it starts",
        ),
        *CRM.volume(ctx, relation),
    ]


def identity_links(ctx: GateContext, relation: str) -> list[Rule]:
    """identity.identity_links: one row per link between a record and its customer."""
    return [
        *CRM.not_null("customer_id", "rule", reason="every link explains itself"),
        CRM.refers_to("customer_id", "identity.customer_map.customer_id", "a link to nobody"),
        CRM.between("confidence", 0, 1, reason="a confidence is a share"),
        *CRM.volume(ctx, relation),
    ]


def decision_conflicts(_ctx: GateContext, _relation: str) -> list[Rule]:
    """identity.decision_conflicts: one row per steward decision, or end of one, that could not be followed."""
    return [
        *CRM.not_null("line", "problem", "what_to_do", reason="a steward must find the line and know what to do"),
        CRM.no_rows(
            "every_decision_is_followed",
            "select line from {batch}",
            "a decision that changes nothing is misspelt or outdated: `kizuna identity decisions` says what to do",
            severity="warning",
        ),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("customer_map", customer_map, "every source record is one customer or has a stated reason why not"),
    ("customer_identifiers", customer_identifiers, "no mega-person, no value that belongs to two people"),
    ("identity_links", identity_links, "every link explains itself"),
    ("decision_conflicts", decision_conflicts, "what stewards decided is followed"),
)
