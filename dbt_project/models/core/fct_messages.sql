with

messages as (

    select * from {{ ref('canonical__message') }}

),

interactions as (

    select interaction_id, customer_id from {{ ref('fct_interactions') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

customers as (

    select customer_id, account_id from {{ ref('dim_customers') }}

),

-- A reply of an agent names no customer; it is about whoever the contact is about.
named as (

    select
        messages.*,
        interactions.interaction_id as known_interaction_id,
        coalesce(map.customer_id, interactions.customer_id) as customer_id
    from messages
    left join customer_map as map
        on messages.person_source = map.source and messages.person_record_key = map.record_key
    left join interactions
        on messages.interaction_id = interactions.interaction_id

),

final as (

    select
        named.message_id,
        named.customer_id,
        customers.account_id,
        named.source_name as source,
        named.known_interaction_id as interaction_id,
        named.direction,
        named.author_kind,
        lower(named.channel) as channel,
        named.sent_at,
        named.sent_on,
        cast(length(named.body) as bigint) as characters
    from named
    left join customers
        on named.customer_id = customers.customer_id

)

select * from final
