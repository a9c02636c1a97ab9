with

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

final as (

    select cast(family as varchar) as family, min(last_event_on) as complete_until
    from feeds
    where {{ days_between('last_event_on', core_as_of()) }} <= 14
    group by family

)

select * from final
