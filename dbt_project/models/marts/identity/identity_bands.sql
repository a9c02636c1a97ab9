with

-- The published map, and the same records under stricter and looser rules.
maps as (

    select 'default' as ruleset, source, record_key, customer_id, is_known
    from {{ source('identity', 'customer_map') }}
    union all
    select ruleset, source, record_key, customer_id, is_known
    from {{ source('identity', 'customer_map_by_ruleset') }}

),

rulesets as (

    select cast(ruleset as varchar) as ruleset
    from (values ('strict'), ('default'), ('loose')) as listed (ruleset)

),

orders as (

    select maps.ruleset, maps.customer_id, facts.ordered_on, facts.net_reporting
    from {{ ref('fct_orders') }} as facts
    inner join maps on facts.person_source = maps.source and facts.person_record_key = maps.record_key
    where facts.is_counted

),

answers as (

    select
        rulesets.ruleset,
        coalesce(maps.customer_id, facts.response_id) as respondent,
        facts.response_id,
        facts.survey_kind,
        facts.score,
        facts.submitted_at
    from {{ ref('fct_survey_responses') }} as facts
    cross join rulesets
    left join maps
        on rulesets.ruleset = maps.ruleset
        and facts.person_source = maps.source
        and facts.person_record_key = maps.record_key
    where
        facts.is_valid
        and facts.kind = 'nps'
        and facts.submitted_on > {{ core_add_days(core_as_of(), -28) }}

),

sessions as (

    select rulesets.ruleset, coalesce(maps.is_known, false) as is_known
    from {{ ref('fct_sessions') }} as facts
    cross join rulesets
    left join maps
        on rulesets.ruleset = maps.ruleset
        and facts.person_source = maps.source
        and facts.person_record_key = maps.record_key

),

buyers as (

    select
        ruleset,
        customer_id,
        count(*) as orders,
        sum(net_reporting) as net,
        max(ordered_on) as last_ordered_on,
        min({{ core_month('ordered_on') }}) as cohort_month
    from orders
    group by ruleset, customer_id

),

-- Whoever of a month's first buyers bought again in the month after it, where that month is over.
second_months as (

    select
        buyers.ruleset,
        buyers.customer_id,
        max(case when {{ core_months_between('buyers.cohort_month', 'orders.ordered_on') }} = 1 then 1 else 0 end)
            as returned
    from buyers
    inner join orders on buyers.ruleset = orders.ruleset and buyers.customer_id = orders.customer_id
    where
        cast({{ dbt.last_day(dbt.dateadd('month', 1, 'buyers.cohort_month'), 'month') }} as date) <= {{ core_as_of() }}
    group by buyers.ruleset, buyers.customer_id

),

latest_answers as (

    select ruleset, survey_kind, case when score >= 9 then 1 when score <= 6 then -1 else 0 end as vote
    from (
        select
            answers.*,
            row_number() over (
                partition by ruleset, survey_kind, respondent
                order by submitted_at desc, response_id desc
            ) as answer_rank
        from answers
    ) as ranked
    where answer_rank = 1

),

-- Every KPI as the quotient, or the count, that its own mart publishes for the usual rules.
counted as (

    select
        'known_customers' as kpi,
        'count' as unit,
        ruleset,
        count(distinct customer_id) as numerator,
        cast(null as decimal(20, 2)) as denominator
    from maps
    where is_known
    group by ruleset
    union all
    select 'customers_with_orders', 'count', ruleset, count(*), null from buyers group by ruleset
    union all
    select 'active_customers_90d', 'count', ruleset, count(*), null
    from buyers
    where last_ordered_on > {{ core_add_days(core_as_of(), -90) }}
    group by ruleset
    union all
    select 'orders_per_customer', 'ratio', ruleset, sum(orders), count(*) from buyers group by ruleset
    union all
    select 'repeat_purchase_share', 'share', ruleset, sum(case when orders > 1 then 1 else 0 end), count(*)
    from buyers
    group by ruleset
    union all
    select 'net_revenue_per_customer', 'money', ruleset, sum(net), count(*) from buyers group by ruleset
    union all
    select 'month_1_retention', 'share', ruleset, sum(returned), count(*) from second_months group by ruleset
    union all
    select 'nps_' || survey_kind || '_28d', 'nps', ruleset, 100 * sum(vote), count(*)
    from latest_answers
    group by survey_kind, ruleset
    union all
    select 'session_stitch_rate', 'share', ruleset, sum(case when is_known then 1 else 0 end), count(*)
    from sessions
    group by ruleset

),

valued as (

    select
        counted.*,
        case
            when unit = 'count' then cast(numerator as double)
            else {{ core_ratio('numerator', 'denominator') }}
        end as value
    from counted

),

final as (

    select
        cast(kpi as varchar) as kpi,
        cast(ruleset as varchar) as ruleset,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(unit as varchar) as unit,
        cast(case when unit = 'money' then '{{ var("currency") }}' end as varchar) as currency,
        value,
        cast(numerator as decimal(20, 2)) as numerator,
        cast(denominator as decimal(20, 2)) as denominator,
        min(value) over (partition by kpi) as low,
        max(value) over (partition by kpi) as high
    from valued

)

select * from final
