with

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

first_days as (

    select customer_id, min(ordered_on) as first_on
    from {{ ref('fct_orders') }}
    where is_counted and customer_id is not null
    group by customer_id

),

orders as (

    select
        facts.*,
        coalesce(facts.is_counted and facts.ordered_on = first_days.first_on, false) as is_first
    from {{ ref('fct_orders') }} as facts
    left join first_days on facts.customer_id = first_days.customer_id
    where facts.ordered_on is not null

),

contacts as (

    {{ kpi_contacts() }}

),

records as (

    select
        'order' as record_type,
        order_id as record_id,
        customer_id,
        ordered_on as day,
        is_counted as counts,
        coalesce(gross_reporting, 0) as amount,
        cast(null as varchar) as kind,
        cast(null as varchar) as sub_kind,
        cast(null as date) as until_on,
        cast(null as boolean) as is_open,
        cast(null as boolean) as is_sla_met,
        cast(null as boolean) as is_abandoned,
        cast(null as decimal(18, 2)) as minutes,
        cast(null as timestamp) as moment,
        is_first,
        cast(null as decimal(18, 2)) as resolution_minutes,
        cast(null as boolean) as is_reopened,
        cast(null as boolean) as is_unanswered,
        cast(null as boolean) as is_fcr,
        cast(null as boolean) as is_fcr_proxy,
        cast(null as bigint) as handle_seconds,
        cast(null as bigint) as acw_seconds
    from orders
    union all
    select
        'refund', refund_id, customer_id, refunded_on, is_counted, coalesce(amount_reporting, 0),
        null, null, null, null, null, null, null, null, false,
        null, null, null, null, null, null, null
    from {{ ref('fct_refunds') }}
    where refunded_on is not null
    union all
    select
        'session', session_id, customer_id, started_on, true, 0,
        null, null, null, null, null, null, null, null, false,
        null, null, null, null, null, null, null
    from {{ ref('fct_sessions') }}
    union all
    select
        'interaction', interaction_id, customer_id, opened_on, true, csat_score,
        channel, null, resolved_on, is_open, is_sla_met, is_abandoned, first_response_minutes, null, false,
        resolution_minutes, is_reopened, is_unanswered, is_fcr, is_fcr_proxy, handle_seconds, acw_seconds
    from contacts
    union all
    select
        'response', response_id, customer_id, submitted_on, is_valid, score,
        kind, survey_kind, null, null, null, null, null, submitted_at, false,
        null, null, null, null, null, null, null
    from {{ ref('fct_survey_responses') }}
    where submitted_on is not null

),

final as (

    select
        cast(records.record_type as varchar) as record_type,
        cast(
            case
                -- An answer's own id decides between two of the same second, so it is kept as it is.
                when records.record_type = 'response' then records.record_id
                else {{ content_hash(['records.record_id']) }}
            end as varchar
        ) as record_key,
        cast(records.record_id as varchar) as record_id,
        records.customer_id,
        cast(coalesce(customers.region, 'unknown') as varchar) as region,
        records.day,
        records.counts,
        cast(records.amount as decimal(18, 2)) as amount,
        records.kind,
        records.sub_kind,
        records.until_on,
        records.is_open,
        records.is_sla_met,
        records.is_abandoned,
        cast(records.minutes as decimal(18, 2)) as minutes,
        records.moment,
        records.is_first,
        cast(records.resolution_minutes as decimal(18, 2)) as resolution_minutes,
        records.is_reopened,
        records.is_unanswered,
        records.is_fcr,
        records.is_fcr_proxy,
        cast(records.handle_seconds as bigint) as handle_seconds,
        cast(records.acw_seconds as bigint) as acw_seconds
    from records
    left join customers on records.customer_id = customers.customer_id
    where {{ kpi_record_matters(kpi_first_day(core_as_of())) }}

)

select * from final
