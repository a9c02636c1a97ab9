{%- set withheld = "('first_name', 'last_name', 'email', 'phone')" -%}
with

golden as (

    select * from {{ ref('golden_attributes') }}

),

customers as (

    select customer_id, age_band from {{ ref('dim_customers') }}

),

-- Every record under its pseudonym; the text it was made from stays behind.
record_names as (

    select source, normalized_value as record_name, min(identifier_hash) as record_key_hash
    from {{ source('identity', 'customer_identifiers') }}
    where identifier_type = 'record'
    group by source, normalized_value

),

final as (

    select
        golden.customer_id,
        cast(case when golden.attribute = 'birth_on' then 'age_band' else golden.attribute end as varchar) as attribute,
        golden.attribute_group,
        cast(
            case
                -- Names, addresses and numbers are nobody's business outside; of a birth date the band is told.
                when golden.attribute in {{ withheld }} then null
                when golden.attribute = 'birth_on' then customers.age_band
                else golden.value
            end as varchar
        ) as value,
        golden.attribute in {{ withheld }} as is_withheld,
        golden.source,
        cast(record_names.record_key_hash as varchar) as record_key_hash,
        golden.recency_at as stated_at,
        golden.decided_by,
        golden.candidates,
        golden.distinct_values,
        golden.distinct_values > 1 as has_conflict,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone
    from golden
    inner join customers on golden.customer_id = customers.customer_id
    left join record_names
        on golden.source = record_names.source
        and golden.source || '|' || golden.record_key = record_names.record_name

)

select * from final
