{#-
    What each fact adds to which KPI on which day: the one place that says it. Core sums these rows into the daily
    numbers; the restatement audit applies the same rows to the facts as they were, one cause after the other. A row
    with is_flow = 1 counts on its day alone, one with 0 from its day on (a later row takes it back).

    Every macro is a whole SELECT over relations of these shapes and returns
    (kpi, is_flow, region, day, numerator, denominator), after the columns of `by`, in which facts of different
    states of the world are kept apart (none in a build).
-#}

{#-
    order_days, one row per buyer, region and day: buyer (NULL for orders that name nobody), region, ordered_on, orders,
    gross_reporting. refunds: region, refunded_on, amount_reporting.
-#}
{% macro kpi_order_rows(order_days, refunds, by=[]) -%}
    {%- set by_list = by | join(', ') ~ (', ' if by else '') -%}
    with

    -- Few rows go on from here, whatever the number of orders.
    ordered as (

        select {{ by_list }}region, ordered_on, sum(orders) as orders, sum(gross_reporting) as gross
        from {{ order_days }}
        group by {{ by_list }}region, ordered_on

    ),

    refunded as (

        select {{ by_list }}region, refunded_on, sum(amount_reporting) as amount
        from {{ refunds }}
        group by {{ by_list }}region, refunded_on

    ),

    customer_days as (

        select
            {{ by_list }}region, ordered_on,
            lead(ordered_on) over (partition by {{ by_list }}buyer order by ordered_on) as next_ordered_on,
            row_number() over (partition by {{ by_list }}buyer order by ordered_on) as order_day_number
        from {{ order_days }}
        where buyer is not null

    )

    select
        {{ by_list }}'orders' as kpi, 1 as is_flow, region, ordered_on as day,
        cast(orders as decimal(18, 2)) as numerator, 0 as denominator
    from ordered
    union all
    select {{ by_list }}'gross_revenue', 1, region, ordered_on, gross, 0 from ordered
    union all
    select {{ by_list }}'refunds', 1, region, refunded_on, amount, 0 from refunded
    union all
    select {{ by_list }}'net_revenue', 1, region, ordered_on, gross, 0 from ordered
    union all
    select {{ by_list }}'net_revenue', 1, region, refunded_on, -amount, 0 from refunded
    union all
    select {{ by_list }}'new_customers', 1, region, ordered_on, 1, 0 from customer_days where order_day_number = 1
    union all
    select {{ by_list }}'active_customers_90d', 0, region, ordered_on, 1, 0 from customer_days
    union all
    select
        {{ by_list }}'active_customers_90d', 0, region,
        case
            when next_ordered_on < {{ core_add_days('ordered_on', 90) }} then next_ordered_on
            else {{ core_add_days('ordered_on', 90) }}
        end,
        -1, 0
    from customer_days
{%- endmacro %}

{#- sessions: region, started_on, sessions (how many the row stands for). -#}
{% macro kpi_session_rows(sessions, by=[]) -%}
    select
        {{ by | join(', ') ~ (', ' if by else '') }}'sessions' as kpi, 1 as is_flow, region, started_on as day,
        cast(sessions as decimal(18, 2)) as numerator, 0 as denominator
    from {{ sessions }}
{%- endmacro %}

{#-
    Contacts that KPIs count: inbound ones, and of a transferred call the first leg with the work on all of them.
    is_abandoned is NULL for what is no call, is_reopened for what was never solved.
-#}
{% macro kpi_contacts() -%}
    select
        facts.interaction_id,
        facts.customer_id,
        facts.channel,
        facts.opened_on,
        facts.resolved_on,
        facts.is_open,
        facts.is_sla_met,
        case when facts.is_call then facts.is_abandoned end as is_abandoned,
        facts.is_unanswered,
        facts.csat_score,
        facts.first_response_minutes,
        facts.resolution_minutes,
        case when facts.reopens > 0 then true when facts.is_resolved then false end as is_reopened,
        facts.is_fcr,
        facts.is_fcr_proxy,
        case
            when facts.handle_seconds is not null or legs.handle_seconds is not null
            then coalesce(facts.handle_seconds, 0) + coalesce(legs.handle_seconds, 0)
        end as handle_seconds,
        case
            when facts.acw_seconds is not null or legs.acw_seconds is not null
            then coalesce(facts.acw_seconds, 0) + coalesce(legs.acw_seconds, 0)
        end as acw_seconds
    from {{ ref('fct_interactions') }} as facts
    left join (
        select continues_interaction_id, sum(handle_seconds) as handle_seconds, sum(acw_seconds) as acw_seconds
        from {{ ref('fct_interactions') }}
        where continues_interaction_id is not null
        group by continues_interaction_id
    ) as legs on facts.interaction_id = legs.continues_interaction_id
    where facts.opened_on is not null and facts.continues_interaction_id is null and facts.direction = 'inbound'
{%- endmacro %}

{#- interactions: region and what kpi_contacts gives from opened_on on. -#}
{% macro kpi_support_rows(interactions, by=[]) -%}
    {%- set by_list = by | join(', ') ~ (', ' if by else '') -%}
    select
        {{ by_list }}'interactions_opened' as kpi, 1 as is_flow, region, opened_on as day,
        cast(1 as decimal(18, 2)) as numerator, 0 as denominator
    from {{ interactions }}
    union all
    {%- for kpi, column in {
        'sla_met_share': 'is_sla_met',
        'abandonment_share': 'is_abandoned',
        'unanswered_share': 'is_unanswered',
        'reopen_share': 'is_reopened',
        'fcr_share': 'is_fcr',
        'fcr_share_proxy': 'is_fcr_proxy',
    }.items() %}
    select {{ by_list }}'{{ kpi }}', 1, region, opened_on, case when {{ column }} then 1 else 0 end, 1
    from {{ interactions }}
    where {{ column }} is not null
    union all
    {%- endfor %}
    {%- for kpi, column in {
        'csat_avg': 'csat_score',
        'first_response_mean_minutes': 'first_response_minutes',
        'resolution_mean_minutes': 'resolution_minutes',
        'handle_seconds_mean': 'handle_seconds',
        'acw_seconds_mean': 'acw_seconds',
    }.items() %}
    select {{ by_list }}'{{ kpi }}', 1, region, opened_on, {{ column }}, 1
    from {{ interactions }}
    where {{ column }} is not null
    union all
    {%- endfor %}
    select {{ by_list }}'open_interactions', 0, region, opened_on, 1, 0 from {{ interactions }}
    union all
    select
        {{ by_list }}'open_interactions', 0, region,
        case when resolved_on > opened_on then resolved_on else opened_on end, -1, 0
    from {{ interactions }}
    where not is_open
{%- endmacro %}

{#- responses, valid ones: response_id, customer_id, region, kind, survey_kind, score, submitted_at, submitted_on. -#}
{% macro kpi_survey_rows(responses, by=[]) -%}
    {%- set by_list = by | join(', ') ~ (', ' if by else '') -%}
    with

    ranked as (

        select
            responses.*,
            coalesce(customer_id, response_id) as respondent,
            row_number() over (
                partition by {{ by_list }}survey_kind, coalesce(customer_id, response_id), submitted_on
                order by submitted_at desc, response_id desc
            ) as answer_rank
        from {{ responses }} as responses
        where kind = 'nps'

    ),

    -- One NPS answer per customer and day, the day's latest; what it says holds until the customer answers again.
    nps_days as (

        select
            {{ by_list }}survey_kind,
            region,
            submitted_on,
            case when score >= 9 then 1 when score <= 6 then -1 else 0 end as vote,
            lead(submitted_on) over (
                partition by {{ by_list }}survey_kind, respondent order by submitted_on
            ) as next_submitted_on
        from ranked
        where answer_rank = 1

    )

    select
        {{ by_list }}'csat_avg' as kpi, 1 as is_flow, region, submitted_on as day,
        cast(score as decimal(18, 2)) as numerator, 1 as denominator
    from {{ responses }}
    where kind = 'csat'
    union all
    select {{ by_list }}'nps_' || survey_kind || '_28d', 0, region, submitted_on, vote, 1 from nps_days
    union all
    select
        {{ by_list }}'nps_' || survey_kind || '_28d', 0, region,
        case
            when next_submitted_on < {{ core_add_days('submitted_on', 28) }} then next_submitted_on
            else {{ core_add_days('submitted_on', 28) }}
        end,
        -vote, -1
    from nps_days
{%- endmacro %}

{#-
    The end of a model of models/core/kpi: rows of the CTE `rows`, summed per KPI, segment and day. A new kind of
    segment is one more branch here and a column of the rows.
-#}
{% macro kpi_by_segment(rows) -%}
    with

    by_region as (

        select
            kpi,
            is_flow,
            region,
            day,
            sum(numerator) as numerator,
            sum(denominator) as denominator
        from {{ rows }}
        group by kpi, is_flow, region, day

    )

    select
        cast(kpi as varchar) as kpi,
        cast(is_flow as integer) as is_flow,
        cast('overall' as varchar) as segment_type,
        cast('all' as varchar) as segment,
        day,
        cast(sum(numerator) as decimal(20, 2)) as numerator,
        cast(sum(denominator) as decimal(20, 2)) as denominator
    from by_region
    group by kpi, is_flow, day
    union all
    select
        cast(kpi as varchar),
        cast(is_flow as integer),
        cast('region' as varchar),
        cast(region as varchar),
        day,
        cast(numerator as decimal(20, 2)),
        cast(denominator as decimal(20, 2))
    from by_region
{%- endmacro %}
