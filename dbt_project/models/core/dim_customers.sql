with

source_records as (

    select * from {{ ref('source_records') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

golden as (

    select * from {{ ref('golden_attributes') }}

),

records as (

    select
        map.customer_id,
        map.is_known,
        rec.source,
        rec.record_key,
        coalesce(rec.created_at, rec.seen_at, rec.updated_at) as first_at,
        coalesce(rec.seen_at, rec.updated_at, rec.created_at) as last_at
    from source_records as rec
    inner join customer_map as map
        on rec.source = map.source and rec.record_key = map.record_key

),

survivors as (

    select
        customer_id,
        max(case when attribute = 'region' then value end) as region,
        max(case when attribute = 'country' then value end) as country,
        cast(max(case when attribute = 'birth_on' then value end) as date) as birth_on,
        max(case when attribute = 'postal_prefix' then value end) as postal_prefix,
        max(case when attribute = 'account_id' then value end) as account_id,
        max(case when attribute = 'email_consent' then value end) as email_consent
    from golden
    group by customer_id

),

histories as (

    select
        customer_id,
        max(case when is_known then 1 else 0 end) = 1 as is_known,
        min(first_at) as first_seen_at,
        max(last_at) as last_seen_at,
        count(*) as records
    from records
    group by customer_id

),

customer_sources as (

    select
        customer_id,
        {{ dbt.listagg('source', "', '", 'order by source') }} as sources
    from (select distinct customer_id, source from records) as distinct_sources
    group by customer_id

),

ages as (

    select
        customer_id,
        cast(extract(year from {{ core_as_of() }}) - extract(year from birth_on) as integer)
        - case
            when extract(month from birth_on) * 100 + extract(day from birth_on)
                > extract(month from {{ core_as_of() }}) * 100 + extract(day from {{ core_as_of() }})
            then 1
            else 0
        end as age
    from survivors
    where birth_on is not null

),

final as (

    select
        histories.customer_id,
        histories.is_known,
        histories.first_seen_at,
        histories.last_seen_at,
        coalesce(survivors.region, 'unknown') as region,
        case
            when ages.age is null or ages.age < 0 or ages.age > 119 then 'unknown'
            when ages.age < 20 then 'under 20'
            when ages.age < 30 then '20-29'
            when ages.age < 40 then '30-39'
            when ages.age < 50 then '40-49'
            when ages.age < 60 then '50-59'
            when ages.age < 70 then '60-69'
            else '70 and over'
        end as age_band,
        cast(extract(year from survivors.birth_on) as integer) as birth_year,
        survivors.country,
        survivors.postal_prefix,
        case survivors.email_consent when 'true' then true when 'false' then false end as email_consent,
        survivors.account_id,
        'C-' || substr(md5(histories.customer_id), 1, 8) as display_label,
        histories.records,
        customer_sources.sources
    from histories
    left join survivors on histories.customer_id = survivors.customer_id
    left join customer_sources on histories.customer_id = customer_sources.customer_id
    left join ages on histories.customer_id = ages.customer_id

)

select * from final
