{%- set as_of = core_as_of() -%}
with

features as (

    select * from {{ ref('customer_features') }}

),

buyers as (

    select
        customer_id,
        percent_rank() over (order by days_since_order desc) as recency_rank,
        percent_rank() over (order by orders) as frequency_rank,
        percent_rank() over (order by net_reporting) as money_rank,
        percent_rank() over (order by net_reporting desc) as rank_from_top
    from features
    where orders > 0

),

-- Fifths of all buyers, 5 the best; equal values get an equal score.
scored as (

    select
        customer_id,
        rank_from_top,
        cast(least(floor(recency_rank * 5), 4) as integer) + 1 as recency,
        cast(least(floor(frequency_rank * 5), 4) as integer) + 1 as frequency,
        cast(least(floor(money_rank * 5), 4) as integer) + 1 as money
    from buyers

),

contacts as (

    select customer_id, channel, count(*) as contacts
    from {{ ref('fct_interactions') }}
    where customer_id is not null
        and channel is not null
        and continues_interaction_id is null
        and direction = 'inbound'
        and opened_on > {{ core_add_days(as_of, -365) }}
    group by customer_id, channel

),

contact_channels as (

    select
        customer_id,
        channel,
        contacts,
        sum(contacts) over (partition by customer_id) as all_contacts,
        row_number() over (partition by customer_id order by contacts desc, channel) as place
    from contacts

),

device_sessions as (

    select
        customer_id,
        sum(case when lower(device_category) in ('mobile', 'tablet', 'smartphone', 'phablet') then 1 else 0 end) as mobile,
        count(*) as sessions
    from {{ ref('fct_sessions') }}
    where customer_id is not null and device_category is not null and started_on > {{ core_add_days(as_of, -180) }}
    group by customer_id

),

final as (

    select
        features.customer_id,
        cast(
            case
                when features.orders = 0 and not features.is_known then 'anonymous visitor'
                when features.orders = 0 then 'not yet a buyer'
                when features.days_since_order >= 2 * {{ var('churn_horizon_days') }} then 'lapsed'
                when features.days_since_order >= {{ var('churn_horizon_days') }} then 'cooling'
                when features.tenure_days < 30 then 'new buyer'
                else 'active buyer'
            end as varchar
        ) as lifecycle_segment,
        cast(
            case
                when scored.customer_id is null then 'no purchase'
                when scored.rank_from_top < 0.2 then 'top 20 %'
                when scored.rank_from_top < 0.5 then 'next 30 %'
                else 'lower half'
            end as varchar
        ) as value_tier,
        scored.recency as rfm_recency,
        scored.frequency as rfm_frequency,
        scored.money as rfm_money,
        cast(
            case
                when scored.customer_id is null then 'no purchase'
                when scored.recency >= 4 and scored.frequency >= 4 then 'champion'
                when scored.recency >= 3 and scored.frequency >= 3 then 'loyal'
                when scored.recency >= 4 then 'recent'
                when scored.recency = 3 then 'promising'
                when scored.frequency >= 4 then 'regular gone quiet'
                when scored.recency = 2 then 'fading'
                else 'gone'
            end as varchar
        ) as rfm_segment,
        cast(
            case
                when contact_channels.customer_id is null then 'no contact'
                when 10 * contact_channels.contacts >= 6 * contact_channels.all_contacts then contact_channels.channel
                else 'mixed'
            end as varchar
        ) as channel_preference,
        cast(
            case
                when device_sessions.customer_id is null then 'no visit'
                when 10 * device_sessions.mobile >= 7 * device_sessions.sessions then 'mostly mobile'
                when 10 * device_sessions.mobile <= 3 * device_sessions.sessions then 'mostly desktop'
                else 'both'
            end as varchar
        ) as device_mix
    from features
    left join scored on features.customer_id = scored.customer_id
    left join contact_channels on features.customer_id = contact_channels.customer_id and contact_channels.place = 1
    left join device_sessions on features.customer_id = device_sessions.customer_id

)

select * from final
