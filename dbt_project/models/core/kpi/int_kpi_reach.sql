{#- Files of which every day needs its own: what a family of KPIs counts. Users, tags and lists are none of them. -#}
{%- set feeds = {
    'orders': ['shopify__orders', 'stripe__payments', 'mapped__order'],
    'web': ['ga4__events', 'snowplow__events', 'matomo__visits', 'mapped__web_event'],
    'support': [
        'zendesk__tickets', 'salesforce__case', 'amazon_connect__contact_records', 'intercom__conversations',
        'freshdesk__tickets', 'hubspot__tickets', 'mapped__interaction', 'mapped__call',
    ],
    'survey': [
        'delighted__responses', 'qualtrics__responses', 'typeform__responses', 'medallia__feedback',
        'mapped__survey_response',
    ],
} -%}
with

-- How far each source reaches. One that has been silent for two weeks is a matter of data_state, not of every KPI.
reached as (

    select
        family,
        source,
        {{ local_date('max(last_event_at)') }} as last_event_on
    from (
        select
            source,
            last_event_at,
            case
                {%- for family, relations in feeds.items() %}
                when relation in ('raw.{{ relations | join("', 'raw.") }}') then '{{ family }}'
                {%- endfor %}
            end as family
        from {{ source('raw', 'batches') }}
    ) as fed
    where family is not null
    group by family, source

),

final as (

    select cast(family as varchar) as family, min(last_event_on) as complete_until
    from reached
    where {{ days_between('last_event_on', core_as_of()) }} <= 14
    group by family

)

select * from final
