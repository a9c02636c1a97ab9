{%- set durations = [
    'first_response', 'first_response_business', 'resolution', 'resolution_business'
] -%}
with

facts as (

    select * from {{ ref('fct_interactions') }}

),

-- Work on a transferred call is that of all its legs.
work as (

    select
        coalesce(continues_interaction_id, interaction_id) as interaction_id,
        sum(handle_seconds) as chain_handle_seconds,
        sum(acw_seconds) as chain_acw_seconds
    from facts
    group by coalesce(continues_interaction_id, interaction_id)

),

interactions as (

    select
        facts.*,
        work.chain_handle_seconds,
        work.chain_acw_seconds,
        coalesce(channel, 'unknown') as channel_name,
        coalesce(queue, 'unknown') as queue_name,
        {{ core_week('opened_on') }} as opened_week,
        {{ core_week('resolved_on') }} as resolved_week
    from facts
    left join work on facts.interaction_id = work.interaction_id
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
        sum(case when is_call and is_abandoned then 1 else 0 end) as abandoned_calls,
        count(first_response_minutes) as first_responses,
        sum(first_response_minutes) as first_response_minutes_sum,
        {%- for name in durations %}
        {{ core_median(name ~ '_minutes') }} as {{ name | replace('_business', '') }}_median{{ '_business' if 'business' in name }}_minutes,
        {{ core_quantile(name ~ '_minutes', '0.9') }} as {{ name | replace('_business', '') }}_p90{{ '_business' if 'business' in name }}_minutes,
        {%- endfor %}
        count(resolution_minutes) as resolutions,
        sum(case when reopens > 0 then 1 else 0 end) as reopened,
        sum(case when is_resolved or reopens > 0 then 1 else 0 end) as solved_once,
        sum(case when is_call then 1 else 0 end) as calls,
        sum(case when is_unanswered then 1 else 0 end) as unanswered,
        sum(reopens) as reopens,
        sum(handoffs) as handoffs,
        sum(chain_handle_seconds) as handle_seconds,
        count(chain_handle_seconds) as handled,
        sum(chain_acw_seconds) as acw_seconds,
        count(chain_acw_seconds) as wrapped_up,
        count(csat_score) as csat_answers,
        sum(csat_score) as csat_sum,
        sum(case when is_sla_met then 1 else 0 end) as sla_met,
        count(is_sla_met) as sla_judged,
        sum(case when is_fcr then 1 else 0 end) as fcr,
        count(is_fcr) as fcr_judged,
        sum(case when is_fcr_proxy then 1 else 0 end) as fcr_proxy,
        count(is_fcr_proxy) as fcr_proxy_judged,
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

counted as (

    select
        grid.week_on as week,
        grid.channel_name as channel,
        grid.queue_name as queue,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(coalesce(opened.opened, 0) as bigint) as opened,
        cast(coalesce(closed.resolved, 0) as bigint) as resolved,
        cast(coalesce(closed.closed, 0) as bigint) as closed,
        cast(coalesce(opened.abandoned, 0) as bigint) as abandoned,
        cast(coalesce(opened.unanswered, 0) as bigint) as unanswered,
        cast(
            sum(coalesce(opened.opened, 0) - coalesce(closed.closed, 0)) over (
                partition by grid.channel_name, grid.queue_name
                order by grid.week_on
                rows between unbounded preceding and current row
            ) as bigint
        ) as backlog_end,
        cast(coalesce(opened.first_responses, 0) as bigint) as first_responses,
        {%- for name in durations if name != 'resolution' %}
        {%- set part = '_business_minutes' if 'business' in name else '_minutes' %}
        opened.{{ name | replace('_business', '') }}_median{{ part }},
        opened.{{ name | replace('_business', '') }}_p90{{ part }},
        {%- endfor %}
        opened.resolution_p90_minutes,
        cast(coalesce(opened.resolutions, 0) as bigint) as resolutions,
        {{ core_ratio('opened.first_response_minutes_sum', 'opened.first_responses') }} as first_response_mean_minutes,
        opened.resolution_median_minutes,
        cast(coalesce(opened.reopens, 0) as bigint) as reopens,
        {{ core_ratio('opened.reopened', 'opened.solved_once') }} as reopen_share,
        {{ core_ratio('opened.abandoned_calls', 'opened.calls') }} as abandonment_share,
        cast(coalesce(opened.handoffs, 0) as bigint) as handoffs,
        cast(opened.handle_seconds as bigint) as handle_seconds,
        {{ core_ratio('opened.handle_seconds', 'opened.handled') }} as handle_seconds_mean,
        cast(opened.acw_seconds as bigint) as acw_seconds,
        {{ core_ratio('opened.acw_seconds', 'opened.wrapped_up') }} as acw_seconds_mean,
        cast(coalesce(opened.csat_answers, 0) as bigint) as csat_answers,
        {{ core_ratio('opened.csat_sum', 'opened.csat_answers') }} as csat,
        {{ core_ratio('opened.sla_met', 'opened.sla_judged') }} as sla_met_share,
        {{ core_ratio('opened.fcr', 'opened.fcr_judged') }} as fcr_share,
        {{ core_ratio('opened.fcr_proxy', 'opened.fcr_proxy_judged') }} as fcr_share_proxy,
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

),

final as (

    select
        counted.*,
        backlog_end - opened + closed as backlog_start
    from counted

)

select * from final
