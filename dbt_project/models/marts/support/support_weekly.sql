with

interactions as (

    select
        *,
        coalesce(channel, 'unknown') as channel_name,
        coalesce(queue, 'unknown') as queue_name,
        {{ core_week('opened_on') }} as opened_week,
        {{ core_week('resolved_on') }} as resolved_week
    from {{ ref('fct_interactions') }}
    where opened_on is not null and continues_interaction_id is null and direction = 'inbound'

),

weeks as (

    select distinct week_on
    from {{ ref('dim_dates') }}

),

lines as (

    select channel_name, queue_name, min(opened_week) as first_week
    from interactions
    group by channel_name, queue_name

),

grid as (

    select lines.channel_name, lines.queue_name, weeks.week_on
    from lines
    inner join weeks on lines.first_week <= weeks.week_on

),

opened as (

    select
        opened_week as week_on,
        channel_name,
        queue_name,
        count(*) as opened,
        sum(case when is_abandoned then 1 else 0 end) as abandoned,
        count(first_response_minutes) as first_responses,
        {{ core_median('first_response_minutes') }} as first_response_median_minutes,
        sum(first_response_minutes) as first_response_minutes_sum,
        {{ core_median('resolution_minutes') }} as resolution_median_minutes,
        sum(reopens) as reopens,
        sum(handoffs) as handoffs,
        sum(handle_seconds) as handle_seconds,
        count(handle_seconds) as handled,
        sum(acw_seconds) as acw_seconds,
        count(csat_score) as csat_answers,
        sum(csat_score) as csat_sum,
        sum(case when is_sla_met then 1 else 0 end) as sla_met,
        count(is_sla_met) as sla_judged,
        sum(case when is_fcr then 1 else 0 end) as fcr,
        count(is_fcr) as fcr_judged,
        sum(case when has_time_conflict then 1 else 0 end) as time_conflicts
    from interactions
    group by opened_week, channel_name, queue_name

),

-- An interaction leaves the backlog when it is resolved, or at once when it was abandoned or carries no end.
closed as (

    select
        case when resolved_week > opened_week then resolved_week else opened_week end as week_on,
        channel_name,
        queue_name,
        count(*) as closed,
        sum(case when is_resolved then 1 else 0 end) as resolved
    from interactions
    where not is_open
    group by case when resolved_week > opened_week then resolved_week else opened_week end, channel_name, queue_name

),

final as (

    select
        grid.week_on as week,
        grid.channel_name as channel,
        grid.queue_name as queue,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(coalesce(opened.opened, 0) as bigint) as opened,
        cast(coalesce(closed.resolved, 0) as bigint) as resolved,
        cast(coalesce(opened.abandoned, 0) as bigint) as abandoned,
        cast(
            sum(coalesce(opened.opened, 0) - coalesce(closed.closed, 0)) over (
                partition by grid.channel_name, grid.queue_name
                order by grid.week_on
                rows between unbounded preceding and current row
            ) as bigint
        ) as backlog_end,
        cast(coalesce(opened.first_responses, 0) as bigint) as first_responses,
        opened.first_response_median_minutes,
        {{ core_ratio('opened.first_response_minutes_sum', 'opened.first_responses') }} as first_response_mean_minutes,
        opened.resolution_median_minutes,
        cast(coalesce(opened.reopens, 0) as bigint) as reopens,
        cast(coalesce(opened.handoffs, 0) as bigint) as handoffs,
        cast(opened.handle_seconds as bigint) as handle_seconds,
        {{ core_ratio('opened.handle_seconds', 'opened.handled') }} as handle_seconds_mean,
        cast(opened.acw_seconds as bigint) as acw_seconds,
        cast(coalesce(opened.csat_answers, 0) as bigint) as csat_answers,
        {{ core_ratio('opened.csat_sum', 'opened.csat_answers') }} as csat,
        {{ core_ratio('opened.sla_met', 'opened.sla_judged') }} as sla_met_share,
        {{ core_ratio('opened.fcr', 'opened.fcr_judged') }} as fcr_share,
        cast(coalesce(opened.time_conflicts, 0) as bigint) as time_conflicts,
        {{ core_add_days('grid.week_on', 6) }} <= {{ core_as_of() }} as is_complete
    from grid
    left join opened
        on grid.week_on = opened.week_on
        and grid.channel_name = opened.channel_name
        and grid.queue_name = opened.queue_name
    left join closed
        on grid.week_on = closed.week_on
        and grid.channel_name = closed.channel_name
        and grid.queue_name = closed.queue_name

)

select * from final
