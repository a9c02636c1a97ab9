with

earlier as (

    select * from {{ source('state', 'identity_changes') }}

),

latest as (

    select * from {{ source('identity', 'identity_changes') }}

),

-- A rebuild of the same day finds its own changes among the earlier ones: each change is told once.
final as (

    select
        cast(change as varchar) as change,
        cast(customer_id as varchar) as customer_id,
        cast(other_customer_id as varchar) as other_customer_id,
        cast(cause as varchar) as cause,
        cast(as_of as date) as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone
    from earlier
    union
    select
        cast(change as varchar),
        cast(customer_id as varchar),
        cast(other_customer_id as varchar),
        cast(cause as varchar),
        cast(as_of as date),
        cast('{{ var("timezone") }}' as varchar)
    from latest

)

select * from final
