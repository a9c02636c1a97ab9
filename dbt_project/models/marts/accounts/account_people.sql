with

people as (

    select * from {{ ref('int_account_people') }}

),

final as (

    select
        account_id,
        customer_id,
        role,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        first_on,
        last_on,
        times,
        is_current
    from people

)

select * from final
