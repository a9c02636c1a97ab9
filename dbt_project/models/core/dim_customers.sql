with

source_records as (

    select * from {{ ref('source_records') }}

),

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

prefecture_names as (

    select * from {{ ref('prefecture_names') }}

),

-- The company's own systems of record come first, traces left in passing last.
source_priorities as (

    select cast(source as varchar) as source, cast(priority as integer) as priority
    from (
        values
        ('salesforce.contact', 1),
        ('shopify.customer', 3),
        ('zendesk.user', 4),
        ('shopify.order', 5),
        ('delighted.person', 6),
        ('amazon_connect.caller', 7),
        ('ga4.user', 8),
        ('ga4.device', 9)
    ) as listed (source, priority)

),

records as (

    select
        map.customer_id,
        map.is_known,
        rec.source,
        rec.record_key,
        -- A mapped source (mapped.<namespace>) is a list of the company's own: second only to the CRM. Of vendors that
        -- are not listed, the lists of people come before traces.
        coalesce(
            prio.priority,
            case
                when rec.source like 'mapped.%' then 2
                when rec.source like '%.contact' then 2
                when rec.source like '%.customer' then 3
                else 8
            end
        ) as priority,
        rec.birth_on,
        nullif(trim(rec.region), '') as region,
        nullif(trim(rec.country), '') as country,
        nullif(trim(rec.postal_code), '') as postal_code,
        nullif(trim(rec.account_key), '') as account_id,
        rec.opted_out,
        coalesce(rec.created_at, rec.seen_at, rec.updated_at) as first_at,
        coalesce(rec.seen_at, rec.updated_at, rec.created_at) as last_at,
        coalesce(rec.updated_at, rec.seen_at, rec.created_at) as recency_at
    from source_records as rec
    inner join customer_map as map
        on rec.source = map.source and rec.record_key = map.record_key
    left join source_priorities as prio
        on rec.source = prio.source

),

located as (

    select
        records.*,
        case
            when pref.region is not null and coalesce(lower(records.country), 'jp') in ('jp', 'jpn', 'japan', '日本')
            then pref.region
            when records.country is not null and lower(records.country) not in ('jp', 'jpn', 'japan', '日本')
            then records.country
            when pref.region is not null then pref.region
            when records.country is null then records.region
        end as sales_region
    from records
    left join prefecture_names as pref
        on lower(records.region) = pref.spelling

),

candidates as (

    select customer_id, 'region' as attribute, sales_region as attribute_value, priority, recency_at, source, record_key
    from located
    union all
    select customer_id, 'country', country, priority, recency_at, source, record_key
    from located
    union all
    select customer_id, 'birth_on', cast(birth_on as varchar), priority, recency_at, source, record_key
    from located
    union all
    select
        customer_id,
        'postal_prefix',
        substr(replace(replace(postal_code, '-', ''), '〒', ''), 1, 3),
        priority,
        recency_at,
        source,
        record_key
    from located
    union all
    select customer_id, 'account_id', account_id, priority, recency_at, source, record_key
    from located

),

ranked as (

    select
        customer_id,
        attribute,
        attribute_value,
        row_number() over (
            partition by customer_id, attribute
            order by priority, recency_at desc nulls last, source, record_key
        ) as survivor_rank
    from candidates
    where attribute_value is not null

),

survivors as (

    select
        customer_id,
        max(case when attribute = 'region' then attribute_value end) as region,
        max(case when attribute = 'country' then attribute_value end) as country,
        cast(max(case when attribute = 'birth_on' then attribute_value end) as date) as birth_on,
        max(case when attribute = 'postal_prefix' then attribute_value end) as postal_prefix,
        max(case when attribute = 'account_id' then attribute_value end) as account_id
    from ranked
    where survivor_rank = 1
    group by customer_id

),

statements as (

    select
        map.customer_id,
        not listed.is_granted as opted_out,
        row_number() over (
            partition by map.customer_id, listed.source_name
            order by listed.stated_at desc, listed.is_granted, listed.consent_id
        ) as statement_rank
    from {{ ref('canonical__consent') }} as listed
    inner join customer_map as map
        on listed.person_source = map.source and listed.person_record_key = map.record_key
    where listed.purpose = 'email'

),

consents as (

    select
        customer_id,
        -- One opt-out anywhere is an opt-out: a consent in another system does not undo it.
        max(case when opted_out then 1 when not opted_out then 0 end) as opted_out
    from (
        select customer_id, opted_out from records
        union all
        -- Within one list of statements the latest counts.
        select customer_id, opted_out from statements where statement_rank = 1
    ) as stated
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
        case consents.opted_out when 1 then false when 0 then true end as email_consent,
        survivors.account_id,
        'C-' || substr(md5(histories.customer_id), 1, 8) as display_label,
        histories.records,
        customer_sources.sources
    from histories
    left join survivors on histories.customer_id = survivors.customer_id
    left join consents on histories.customer_id = consents.customer_id
    left join customer_sources on histories.customer_id = customer_sources.customer_id
    left join ages on histories.customer_id = ages.customer_id

)

select * from final
