"""Raw gate: is what ingestion took in complete, and is it what its contract says?

Rows outside the contract are already in quarantine, one by one. This gate asks about the whole: does the accounting
add up, does the contract fit the export, did units or time zones change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from expectations.context import GateContext
from expectations.rules import Rule, Suite, Writer
from expectations.suites import history, movement

PLATFORM = Writer(owner="data-platform")


@dataclass(frozen=True)
class RawRelation:
    """What can be said of a vendor's relation in general.

    `key`: columns without which a row means nothing. `event_times`: when it happened, by the vendor's clock.
    `amounts`: money and counts that cannot be negative; returns come as refunds, never as negative orders.
    `money`: those of them whose unit is held to the published rows, within each `per` (a currency) where there is one.
    """

    name: str
    key: Sequence[str]
    event_times: Sequence[str] = ()
    amounts: Sequence[str] = ()
    money: tuple[str, ...] = ()
    per: str | None = None


RELATIONS: tuple[RawRelation, ...] = (
    RawRelation("salesforce__contact", ["id"], ["created_date", "system_modstamp"]),
    RawRelation("salesforce__account", ["id"], ["created_date"]),
    RawRelation("salesforce__opportunity", ["id"], ["created_date"], ["amount"], ("amount",)),
    RawRelation("salesforce__case", ["id"], ["created_date", "closed_date"]),
    RawRelation("salesforce__lead", ["id"], ["created_date"]),
    RawRelation("salesforce__case_comment", ["id"], ["created_date"]),
    RawRelation("salesforce__case_history", ["id", "case_id"], ["created_date"]),
    RawRelation("salesforce__task", ["id"], ["created_date"], ["call_duration_seconds"]),
    RawRelation("salesforce__campaign_member", ["id", "campaign_id"], ["created_date"]),
    RawRelation("hubspot__contacts", ["id"], ["created_at", "modified_at"]),
    RawRelation("hubspot__companies", ["id"], ["created_at"]),
    RawRelation("hubspot__deals", ["id"], ["created_at"], ["amount"], ("amount",)),
    RawRelation("hubspot__tickets", ["id"], ["created_at", "closed_at"]),
    RawRelation("hubspot__email_events", ["id", "type", "created_at"], ["created_at"]),
    RawRelation("snowplow__events", ["event_id", "event", "collector_tstamp"], ["collector_tstamp"]),
    RawRelation("matomo__visits", ["id_site", "id_visit"], ["first_action_at", "last_action_at"]),
    # Aggregates: nobody can be told apart in them.
    RawRelation("plausible__visitors", ["day", "visitors"], ["day"], ["visitors", "visits", "pageviews"]),
    RawRelation("plausible__pages", ["day", "page"], ["day"], ["visitors", "visits", "pageviews"]),
    RawRelation("plausible__sources", ["day"], ["day"], ["visitors", "visits", "pageviews"]),
    RawRelation(
        "shopify__orders",
        ["name"],
        ["created_at", "paid_at", "cancelled_at"],
        ["subtotal", "shipping", "taxes", "total", "refunded_amount", "lineitem_price", "lineitem_quantity"],
        ("total", "lineitem_price"),
        "currency",
    ),
    RawRelation("shopify__customers", ["customer_id"], [], ["total_spent", "total_orders"]),
    # user_pseudo_id is absent where consent was refused; the event still counts.
    RawRelation("ga4__events", ["event_timestamp", "event_name"], ["event_timestamp"], ["purchase_revenue"]),
    RawRelation(
        "zendesk__tickets",
        ["id"],
        ["created_at", "solved_at"],
        ["reply_time_calendar_minutes", "full_resolution_calendar_minutes", "reopens", "replies"],
    ),
    RawRelation("zendesk__users", ["id"], ["created_at"]),
    RawRelation(
        "amazon_connect__contact_records",
        ["contact_id"],
        ["initiation_timestamp", "disconnect_timestamp"],
        ["queue_duration_seconds", "agent_interaction_seconds", "after_contact_work_seconds"],
    ),
    RawRelation("zendesk__comments", ["id", "ticket_id"], ["created_at"]),
    RawRelation("zendesk__ticket_events", ["id", "ticket_id"], ["created_at"]),
    RawRelation(
        "zendesk__ticket_metrics",
        ["ticket_id"],
        ["created_at", "solved_at"],
        ["reply_time_calendar_minutes", "full_resolution_calendar_minutes"],
    ),
    RawRelation("zendesk__organizations", ["id"], ["created_at"]),
    RawRelation("zendesk__satisfaction_ratings", ["id", "ticket_id", "score"], ["created_at"]),
    RawRelation("intercom__conversations", ["id"], ["created_at", "first_admin_reply_at"], ["reopens"]),
    RawRelation("freshdesk__tickets", ["ticket_id"], ["created_at", "resolved_at"]),
    RawRelation(
        "stripe__payments",
        ["id", "amount", "currency", "status"],
        ["created_at"],
        ["amount", "amount_refunded"],
        ("amount",),
        "currency",
    ),
    RawRelation("stripe__customers", ["id"], ["created_at"]),
    RawRelation("qualtrics__responses", ["response_id"], ["recorded_at"], ["nps_score", "csat_score"]),
    RawRelation("typeform__responses", ["response_id"], ["submitted_at"], ["nps_score", "csat_score"]),
    # A request that was never sent has no time; the row still says that somebody was to be asked.
    RawRelation("medallia__feedback", ["request_id"], ["request_sent_at", "response_received_at"], ["star_rating"]),
    RawRelation("delighted__responses", ["response_id"], ["created_at", "sent_at"], ["score"]),
    RawRelation("reference__exchange_rates", ["rate_on", "currency", "rate"], [], ["rate"]),
    RawRelation("reference__product_margins", ["sku", "valid_from", "margin_rate"], []),
    RawRelation("mapped__contact", ["contact_key"], ["created_at"]),
    RawRelation(
        "mapped__order",
        ["order_key", "customer_key", "ordered_at", "currency", "gross_amount"],
        ["ordered_at", "cancelled_at"],
        ["gross_amount", "discount_amount", "quantity"],
        ("gross_amount",),
        "currency",
    ),
    RawRelation(
        "mapped__refund",
        ["refund_key", "order_key", "refunded_at", "amount", "currency"],
        ["refunded_at"],
        ["amount"],
        ("amount",),
        "currency",
    ),
    # Some help desks export no opening time; the core gate warns of a contact that is in no period.
    RawRelation(
        "mapped__interaction",
        ["interaction_key"],
        ["opened_at", "first_response_at", "resolved_at"],
        ["reopens", "talk_seconds", "hold_seconds", "acw_seconds"],
    ),
    RawRelation(
        "mapped__survey_response", ["response_key", "kind", "score", "submitted_at"], ["submitted_at"], ["score"]
    ),
    RawRelation("mapped__web_event", ["device_id", "event_name", "occurred_at"], ["occurred_at"]),
    RawRelation(
        "mapped__subscription",
        ["subscription_key", "currency", "amount", "started_at"],
        ["started_at", "cancelled_at"],
        ["amount", "quantity", "interval_count"],
        ("amount",),
        "currency",
    ),
    RawRelation(
        "mapped__call",
        ["call_key", "started_at"],
        ["started_at", "ended_at"],
        ["queue_seconds", "talk_seconds", "hold_seconds", "acw_seconds"],
    ),
    RawRelation("mapped__message", ["message_key", "direction", "sent_at"], ["sent_at"]),
    RawRelation("mapped__order_line", ["order_key", "unit_price"], (), ["quantity", "unit_price", "discount_amount"]),
    RawRelation("mapped__order_step", ["order_key", "step", "stepped_at"], ["stepped_at"]),
    RawRelation("mapped__campaign_touch", ["touch_kind", "touched_at"], ["touched_at"]),
    RawRelation("mapped__experiment_exposure", ["experiment", "variant", "exposed_at"], ["exposed_at"]),
    RawRelation("mapped__consent", ["purpose", "granted", "stated_at"], ["stated_at"]),
)


def batches(ctx: GateContext, _relation: str) -> list[Rule]:
    """raw.batches: one row per landing file in this build."""
    limits = ctx.limits
    return [
        *PLATFORM.not_null("batch_id", "relation", reason="rows of a nameless batch cannot be traced or replayed"),
        PLATFORM.unique("batch_id", "a batch listed twice is loaded twice"),
        PLATFORM.never(
            "rows_in_are_all_accounted_for",
            "(rows_in is distinct from accepted + quarantined + duplicates)",
            "a reader that loses rows silently is the worst fault of an import: every row has one fate",
        ),
        PLATFORM.never(
            "row_counts_are_not_negative",
            "least(rows_in, accepted, quarantined, duplicates) < 0",
            "a negative count would let the accounting add up by accident",
        ),
        PLATFORM.never(
            "first_event_is_not_after_last_event",
            "first_event_at > last_event_at",
            "a period that ends before it starts was computed from a mistaken time column",
        ),
        _quarantine_rate("contracts_fit_their_files", limits.quarantine_share_error, limits.quarantine_min_rows),
        _quarantine_rate(
            "few_rows_are_quarantined", limits.quarantine_share_warning, limits.quarantine_min_rows, warning=True
        ),
        *history.deliveries(PLATFORM, ctx),
    ]


def _quarantine_rate(name: str, share: float, min_rows: int, *, warning: bool = False) -> Rule:
    return PLATFORM.no_rows(
        name,
        "select relation from {batch} group by relation"
        f" having sum(rows_in) >= {min_rows} and sum(quarantined) > {share} * sum(rows_in)",
        f"more than {share:.0%} of a source's rows rejected "
        + ("is worth a look" if warning else "means that the contract does not fit the export"),
        severity="warning" if warning else "error",
    )


def vendor(spec: RawRelation) -> Suite:
    """The suite of one raw relation. An empty relation passes where no file was accepted for it, and fails else."""

    def suite(ctx: GateContext, relation: str) -> list[Rule]:
        rules = [
            _conservation(relation),
            PLATFORM.refers_to("_batch", "raw.batches.batch_id", "rows of a batch that is not part of this build"),
            *PLATFORM.not_null(*spec.key, reason="the contract promises it; without it the row cannot be used"),
        ]
        for column in spec.event_times:
            rules += _plausible_time(ctx, column)
        rules += [
            PLATFORM.between(column, 0, None, reason="a negative amount would lower revenue or time without a trace")
            for column in spec.amounts
        ]
        rules += history.same_unit(PLATFORM, ctx, relation, spec.money, spec.per)
        for column in spec.event_times[:1]:
            rules += history.same_clock(PLATFORM, ctx, relation, column)
        rules += movement.filled_as_before(PLATFORM, ctx, relation)
        if spec.name == "reference__exchange_rates":
            rules.append(history.rates_move_by_little(PLATFORM, ctx))
        return [*rules, *PLATFORM.volume(ctx, relation)]

    return suite


def rows_to_judge(spec: RawRelation) -> str:
    """Counts the relation's rows and the batches that name it: with neither, no file came and nothing is amiss."""
    return (
        f"select (select count(*) from raw.{spec.name})"
        f" + (select count(*) from raw.batches where relation in ('raw.{spec.name}', '{spec.name}'))"
    )


def _conservation(relation: str) -> Rule:
    short = relation.split(".", 1)[1]
    return PLATFORM.equal(
        "rows_equal_the_accepted_rows_of_its_batches",
        "select count(*) from {batch}",
        f"select coalesce(sum(accepted), 0) from raw.batches where relation in ('{relation}', '{short}')",
        "rows that the ledger calls accepted must be in the relation, no more and no fewer; none where no file came",
    )


def _plausible_time(ctx: GateContext, column: str) -> list[Rule]:
    """Late bound: the later of `as_of` and loading, since a past day may be rebuilt from files that came after it."""
    limits = ctx.limits
    last = ctx.as_of_end_utc + timedelta(days=limits.future_days)
    implausible = (
        f"({column} < date '{limits.earliest_on.isoformat()}' or {column} > greatest("
        f"timestamp '{last.isoformat(sep=' ')}', _loaded_at + to_days({limits.future_days})))"
    )
    return [
        PLATFORM.no_rows(
            f"{column}_is_in_a_plausible_period",
            f"select 1 from {{batch}} having count_if({implausible}) > {limits.implausible_time_share} * count(*)",
            f"more than {limits.implausible_time_share:.0%} out of the period is a wrong unit or time zone",
            column=column,
        ),
        PLATFORM.never(
            f"{column}_has_no_outlier",
            implausible,
            "single rows out of the period are cut in staging; the vendor's clock deserves a look",
            severity="warning",
            column=column,
        ),
    ]
