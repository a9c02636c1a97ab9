with

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

-- Every day on which somebody stood for an account, and as what.
seen as (

    select
        trim(records.account_key) as account_id,
        map.customer_id,
        'contact' as role,
        {{ local_date('records.seen_at') }} as seen_on
    from {{ ref('source_records') }} as records
    inner join customer_map as map on records.source = map.source and records.record_key = map.record_key
    where trim(records.account_key) <> ''
    union all
    select account_id, customer_id, 'buyer', ordered_on from {{ ref('fct_orders') }} where is_counted
    union all
    select account_id, customer_id, 'subscriber', started_on from {{ ref('fct_subscriptions') }}
    union all
    select account_id, customer_id, 'requester', opened_on from {{ ref('fct_interactions') }}
    where direction = 'inbound'
    union all
    select account_id, customer_id, 'respondent', submitted_on from {{ ref('fct_survey_responses') }} where is_valid

),

final as (

    select
        seen.account_id,
        seen.customer_id,
        seen.role,
        min(seen.seen_on) as first_on,
        max(seen.seen_on) as last_on,
        count(*) as times,
        -- Where the golden record puts this person now; the account of an old card stays in the list.
        coalesce(max(customers.account_id) = seen.account_id, false) as is_current
    from seen
    inner join {{ ref('dim_customers') }} as customers on seen.customer_id = customers.customer_id
    where seen.account_id is not null
    group by seen.account_id, seen.customer_id, seen.role

)

select * from final
