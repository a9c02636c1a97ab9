{%- set first_day = core_add_days(core_as_of(), 1 - var('kpi_days', 182)) -%}
with

definitions as (

    select * from {{ ref('kpi_definitions') }}

),

dates as (

    select date_on as day
    from {{ ref('dim_dates') }}
    where date_on >= {{ first_day }}

),

customers as (

    select customer_id, region from {{ ref('dim_customers') }}

),

orders as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_orders') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_counted

),

refunds as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_refunds') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_counted

),

sessions as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_sessions') }} as facts
    left join customers on facts.customer_id = customers.customer_id

),

interactions as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_interactions') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.opened_on is not null and facts.continues_interaction_id is null and facts.direction = 'inbound'

),

responses as (

    select facts.*, coalesce(customers.region, 'unknown') as region
    from {{ ref('fct_survey_responses') }} as facts
    left join customers on facts.customer_id = customers.customer_id
    where facts.is_valid

),

order_days as (

    select distinct customer_id, region, ordered_on
    from orders
    where customer_id is not null

),

customer_days as (

    select
        customer_id,
        region,
        ordered_on,
        lead(ordered_on) over (partition by customer_id order by ordered_on) as next_ordered_on,
        row_number() over (partition by customer_id order by ordered_on) as order_day_number
    from order_days

),

-- One NPS answer per customer and day, the day's latest; what it says holds until the customer answers again.
nps_days as (

    select
        survey_kind,
        region,
        submitted_on,
        case when score >= 9 then 1 when score <= 6 then -1 else 0 end as vote,
        lead(submitted_on) over (partition by survey_kind, respondent order by submitted_on) as next_submitted_on
    from (
        select
            responses.*,
            coalesce(customer_id, response_id) as respondent,
            row_number() over (
                partition by survey_kind, coalesce(customer_id, response_id), submitted_on
                order by submitted_at desc, response_id desc
            ) as answer_rank
        from responses
        where kind = 'nps'
    ) as ranked
    where answer_rank = 1

),

-- What happened on a day.
flows as (

    select 'orders' as kpi, region, ordered_on as day, cast(1 as decimal(18, 2)) as numerator, 0 as denominator
    from orders
    union all
    select 'gross_revenue', region, ordered_on, gross_reporting, 0 from orders
    union all
    select 'refunds', region, refunded_on, amount_reporting, 0 from refunds
    union all
    select 'net_revenue', region, ordered_on, gross_reporting, 0 from orders
    union all
    select 'net_revenue', region, refunded_on, -amount_reporting, 0 from refunds
    union all
    select 'new_customers', region, ordered_on, 1, 0 from customer_days where order_day_number = 1
    union all
    select 'sessions', region, started_on, 1, 0 from sessions
    union all
    select 'interactions_opened', region, opened_on, 1, 0 from interactions
    union all
    select 'sla_met_share', region, opened_on, case when is_sla_met then 1 else 0 end, 1
    from interactions
    where is_sla_met is not null
    union all
    select 'abandonment_share', region, opened_on, case when is_abandoned then 1 else 0 end, 1
    from interactions
    where channel = 'phone'
    union all
    select 'csat_avg', region, opened_on, csat_score, 1 from interactions where csat_score is not null
    union all
    select 'csat_avg', region, submitted_on, score, 1 from responses where kind = 'csat'

),

-- What begins and ends to count on a day; the running sum is the state at the end of the day.
changes as (

    select 'active_customers_90d' as kpi, region, ordered_on as day, 1 as numerator, 0 as denominator
    from customer_days
    union all
    select
        'active_customers_90d',
        region,
        case
            when next_ordered_on < {{ core_add_days('ordered_on', 90) }} then next_ordered_on
            else {{ core_add_days('ordered_on', 90) }}
        end,
        -1,
        0
    from customer_days
    union all
    select 'open_interactions', region, opened_on, 1, 0 from interactions
    union all
    select 'open_interactions', region, case when resolved_on > opened_on then resolved_on else opened_on end, -1, 0
    from interactions
    where not is_open
    union all
    select 'nps_' || survey_kind || '_28d', region, submitted_on, vote, 1 from nps_days
    union all
    select
        'nps_' || survey_kind || '_28d',
        region,
        case
            when next_submitted_on < {{ core_add_days('submitted_on', 28) }} then next_submitted_on
            else {{ core_add_days('submitted_on', 28) }}
        end,
        -vote,
        -1
    from nps_days

),

segmented as (

    select 'overall' as segment_type, 'all' as segment, kpi, day, numerator, denominator, 1 as is_flow from flows
    union all
    select 'region', region, kpi, day, numerator, denominator, 1 from flows
    union all
    select 'overall', 'all', kpi, day, numerator, denominator, 0 from changes
    union all
    select 'region', region, kpi, day, numerator, denominator, 0 from changes

),

response_minutes as (

    select 'overall' as segment_type, 'all' as segment, opened_on as day, first_response_minutes
    from interactions
    where first_response_minutes is not null
    union all
    select 'region', region, opened_on, first_response_minutes
    from interactions
    where first_response_minutes is not null

),

medians as (

    select
        segment_type,
        segment,
        day,
        {{ core_median('first_response_minutes') }} as median_minutes,
        count(*) as contacts
    from response_minutes
    group by segment_type, segment, day

),

-- A KPI appears on the first day that any of its data is of: before it there is nothing to be zero.
series as (

    select kpi, segment_type, segment, max(is_flow) as is_flow
    from segmented
    group by kpi, segment_type, segment

),

first_days as (

    select kpi, min(day) as first_on
    from segmented
    group by kpi

),

grid as (

    select series.kpi, series.segment_type, series.segment, series.is_flow, dates.day
    from series
    inner join first_days on series.kpi = first_days.kpi
    inner join dates on first_days.first_on <= dates.day

),

-- Changes before the window stand on its first day, so that the running sum starts where history left it.
sums as (

    select
        kpi,
        segment_type,
        segment,
        case when is_flow = 0 and day < {{ first_day }} then {{ first_day }} else day end as day,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from segmented
    group by
        kpi, segment_type, segment, case when is_flow = 0 and day < {{ first_day }} then {{ first_day }} else day end

),

filled as (

    select
        grid.kpi,
        grid.segment_type,
        grid.segment,
        grid.day,
        case
            when grid.is_flow = 1 then coalesce(sums.numerator, 0)
            else
                sum(coalesce(sums.numerator, 0)) over (
                    partition by grid.kpi, grid.segment_type, grid.segment
                    order by grid.day
                    rows between unbounded preceding and current row
                )
        end as numerator,
        case
            when grid.is_flow = 1 then coalesce(sums.denominator, 0)
            else
                sum(coalesce(sums.denominator, 0)) over (
                    partition by grid.kpi, grid.segment_type, grid.segment
                    order by grid.day
                    rows between unbounded preceding and current row
                )
        end as denominator
    from grid
    left join sums
        on grid.kpi = sums.kpi
        and grid.segment_type = sums.segment_type
        and grid.segment = sums.segment
        and grid.day = sums.day

),

churn_days as (

    select * from {{ ref('churn_risk_daily') }}
    where day >= {{ first_day }}

),

measured as (

    select
        kpi,
        segment_type,
        segment,
        day,
        cast(numerator as decimal(20, 2)) as numerator,
        cast(denominator as decimal(20, 2)) as denominator,
        cast(null as decimal(20, 2)) as median_minutes
    from filled
    union all
    select 'first_response_median_minutes', segment_type, segment, day, null, contacts, median_minutes
    from medians
    where day >= {{ first_day }}
    union all
    select 'high_risk_share', segment_type, segment, day, at_risk, scored, null from churn_days
    union all
    select 'value_at_risk', segment_type, segment, day, value_at_risk, 0, null from churn_days

),

-- How far each source reaches. One that has been silent for two weeks is a matter of data_state, not of every KPI.
feeds as (

    select
        family,
        source,
        {{ local_date('max(last_event_at)') }} as last_event_on
    from (
        select
            batches.source,
            batches.last_event_at,
            families.family
        from {{ source('raw', 'batches') }} as batches
        inner join (
            select distinct
                source,
                case
                    when relation like '%shopify__orders' or relation like '%mapped__order' then 'orders'
                    when relation like '%ga4__events' or relation like '%mapped__web_event' then 'web'
                    when relation like '%zendesk__tickets'
                        or relation like '%salesforce__case'
                        or relation like '%amazon_connect__contact_records'
                        or relation like '%mapped__interaction' then 'support'
                    when relation like '%delighted__responses' or relation like '%mapped__survey_response' then 'survey'
                end as family
            from {{ source('raw', 'batches') }}
        ) as families on batches.source = families.source
        where families.family is not null
    ) as fed
    group by family, source

),

reaches as (

    select family, min(last_event_on) as complete_until
    from feeds
    where {{ days_between('last_event_on', core_as_of()) }} <= 14
    group by family

),

final as (

    select
        definitions.kpi,
        cast(measured.segment_type as varchar) as segment_type,
        cast(measured.segment as varchar) as segment,
        measured.day,
        case definitions.aggregation
            when 'sum' then cast(measured.numerator as double)
            when 'ratio' then {{ core_ratio('measured.numerator', 'measured.denominator') }}
            when 'nps' then {{ core_ratio('100 * measured.numerator', 'measured.denominator') }}
            when 'median' then cast(measured.median_minutes as double)
        end as value,
        cast(measured.numerator as decimal(20, 2)) as numerator,
        cast(case when definitions.aggregation <> 'sum' then measured.denominator end as decimal(20, 2)) as denominator,
        definitions.unit,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(case when definitions.unit = 'money' then '{{ var("currency") }}' end as varchar) as currency,
        -- A day is whole when every source of the family has files that reach to it, give or take one quiet day.
        measured.day <= {{ core_add_days('coalesce(reaches.complete_until, ' ~ core_as_of() ~ ')', 1) }} as is_complete
    from measured
    inner join definitions on measured.kpi = definitions.kpi
    left join reaches on definitions.family = reaches.family

)

select * from final
