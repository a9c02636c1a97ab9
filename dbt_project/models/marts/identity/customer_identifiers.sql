with

identifiers as (

    select * from {{ source('identity', 'customer_identifiers') }}

),

-- The normalised value stays behind: only its keyed hash is published.
final as (

    select
        cast(customer_id as varchar) as customer_id,
        cast(source as varchar) as source,
        cast(identifier_type as varchar) as identifier_type,
        cast(identifier_hash as varchar) as identifier_hash,
        min(cast(first_seen_at as timestamp)) as first_seen_at,
        max(cast(last_seen_at as timestamp)) as last_seen_at
    from identifiers
    group by customer_id, source, identifier_type, identifier_hash

)

select * from final
