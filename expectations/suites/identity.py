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


def customer_map(ctx: GateContext, _relation: str) -> list[Rule]:
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
        *CRM.volume(ctx, "identity.customer_map"),
    ]


def customer_identifiers(ctx: GateContext, _relation: str) -> list[Rule]:
    """identity.customer_identifiers: one row per customer and identifier."""
    limits = ctx.limits
    known = "".join(
        f" when '{kind}' then {limits.identifier_limit(kind) or 'null'}" for kind in limits.identifiers_per_customer
    )
    return [
        *CRM.not_null("customer_id", "identifier_type", "identifier_hash", reason="it is the key of a published table"),
        CRM.refers_to("customer_id", "identity.customer_map.customer_id", "identifiers of nobody"),
        CRM.no_rows(
            "no_customer_is_above_an_identifier_limit",
            "select customer_id, identifier_type from {batch} group by customer_id, identifier_type"
            " having count(distinct identifier_hash) >"
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
    ]


def identity_links(_ctx: GateContext, _relation: str) -> list[Rule]:
    """identity.identity_links: one row per link between a record and its customer."""
    return [
        *CRM.not_null("customer_id", "rule", reason="every link explains itself"),
        CRM.refers_to("customer_id", "identity.customer_map.customer_id", "a link to nobody"),
        CRM.between("confidence", 0, 1, reason="a confidence is a share"),
    ]


SUITES: tuple[tuple[str, Suite, str], ...] = (
    ("customer_map", customer_map, "every source record is one customer or has a stated reason why not"),
    ("customer_identifiers", customer_identifiers, "no mega-person, no value that belongs to two people"),
    ("identity_links", identity_links, "every link explains itself"),
)
