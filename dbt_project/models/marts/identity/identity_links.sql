with

links as (

    select * from {{ source('identity', 'identity_links') }}

),

final as (

    select
        cast(customer_id as varchar) as customer_id,
        cast(source as varchar) as source,
        cast(record_key_hash as varchar) as record_key_hash,
        cast(identifier_type as varchar) as identifier_type,
        cast(identifier_hash as varchar) as identifier_hash,
        cast(rule as varchar) as rule,
        cast(confidence as double) as confidence,
        cast(evidence as varchar) as evidence
    from links

)

select * from final
