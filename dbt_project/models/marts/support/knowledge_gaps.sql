with

facts as (

    select
        facts.*,
        {{ core_month('opened_on') }} as month_on,
        lower(trim({{ marts_mask_personal('topic') }})) as topic_word,
        -- Came back: the same customer on the same topic within 7 days of the solution, or the contact itself reopened.
        case when is_fcr is null then null when is_fcr then 0 else 1 end as came_back
    from {{ ref('fct_interactions') }} as facts
    where
        opened_on is not null
        and continues_interaction_id is null
        and direction = 'inbound'
        and topic is not null

),

topics as (

    select
        month_on,
        topic_word,
        count(*) as contacts,
        count(distinct customer_id) as customers,
        count(came_back) as judged,
        sum(came_back) as returned,
        sum(case when reopens > 0 then 1 else 0 end) as reopened,
        sum(handoffs) as handoffs,
        sum(case when is_open then 1 else 0 end) as still_open,
        {{ core_median('resolution_business_minutes') }} as resolution_median_business_minutes,
        count(csat_score) as csat_answers,
        sum(csat_score) as csat_sum
    from facts
    group by month_on, topic_word

),

months as (

    select
        month_on,
        count(came_back) as judged,
        sum(came_back) as returned,
        {{ core_median('resolution_business_minutes') }} as resolution_median_business_minutes,
        count(csat_score) as csat_answers,
        sum(csat_score) as csat_sum
    from facts
    group by month_on

),

measured as (

    select
        topics.*,
        {{ core_ratio('topics.returned', 'topics.judged') }} as return_share,
        {{ core_ratio('months.returned', 'months.judged') }} as return_share_of_all,
        {{ core_ratio('topics.csat_sum', 'topics.csat_answers') }} as csat,
        {{ core_ratio('months.csat_sum', 'months.csat_answers') }} as csat_of_all,
        months.resolution_median_business_minutes as resolution_median_business_minutes_of_all
    from topics
    inner join months
        on topics.month_on = months.month_on

),

flagged as (

    select
        measured.*,
        judged >= 10 and returned >= 3 and return_share >= 1.5 * return_share_of_all as comes_back,
        coalesce(csat < csat_of_all, false)
            or coalesce(
                resolution_median_business_minutes > resolution_median_business_minutes_of_all, false
            ) as resolves_badly
    from measured

),

final as (

    select
        month_on as month,
        topic_word as topic,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(contacts as bigint) as contacts,
        cast(customers as bigint) as customers,
        cast(judged as bigint) as judged,
        cast(coalesce(returned, 0) as bigint) as returned,
        return_share,
        return_share_of_all,
        cast(reopened as bigint) as reopened,
        cast(handoffs as bigint) as handoffs,
        cast(still_open as bigint) as still_open,
        resolution_median_business_minutes,
        resolution_median_business_minutes_of_all,
        cast(csat_answers as bigint) as csat_answers,
        csat,
        csat_of_all,
        coalesce(comes_back, false) as comes_back,
        resolves_badly,
        coalesce(comes_back, false) and resolves_badly as is_knowledge_gap,
        {{ core_add_days(dbt.dateadd('month', 1, 'month_on'), 6) }} <= {{ core_as_of() }} as is_complete
    from flagged

)

select * from final
