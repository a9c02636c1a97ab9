with

before as (

    select * from {{ source('state', 'published_build') }}

),

files as (

    select
        coalesce(max(case when shown.batch_id is null then 1 end), 0) = 1
        or (select count(*) from {{ source('state', 'published_batches') }})
        <> (select count(*) from {{ source('raw', 'batches') }}) as has_other_files
    from {{ source('raw', 'batches') }} as batches
    left join {{ source('state', 'published_batches') }} as shown on batches.batch_id = shown.batch_id

),

-- The two builds are compared over the days that both show.
ground as (

    select
        case when before.as_of < {{ core_as_of() }} then before.as_of else {{ core_as_of() }} end as until_day,
        case
            when before.as_of > {{ core_as_of() }} then {{ kpi_first_day('before.as_of') }}
            else {{ kpi_first_day(core_as_of()) }}
        end as from_day,
        before.as_of <> {{ core_as_of() }} as is_other_day,
        before.definition <> '{{ var("definition", "") }}' as is_other_definition,
        files.has_other_files
    from before
    cross join files

),

old_records as (

    select records.*
    from {{ source('state', 'kpi_records') }} as records
    cross join ground
    where records.day <= ground.until_day and {{ kpi_record_matters('ground.from_day') }}

),

new_records as (

    select records.*
    from {{ ref('int_kpi_records') }} as records
    cross join ground
    where records.day <= ground.until_day and {{ kpi_record_matters('ground.from_day') }}

),

paired as (

    select
        coalesce(n.record_type, o.record_type) as record_type,
        coalesce(n.record_key, o.record_key) as record_key,
        n.record_id,
        o.record_key is not null as in_old,
        n.record_key is not null as in_new,
        o.customer_id as old_customer_id,
        n.customer_id as new_customer_id,
        o.region as old_region,
        n.region as new_region,
        {%- for column in kpi_record_content() %}
        o.{{ column }} as old_{{ column }},
        n.{{ column }} as new_{{ column }},
        {%- endfor %}
        o.record_key is not null
        and n.record_key is not null
        and (
            {%- for column in kpi_record_content() if column not in kpi_record_judgements() %}
            {{ 'or ' if not loop.first }}o.{{ column }} is distinct from n.{{ column }}
            {%- endfor %}
        ) as says_other,
        o.record_key is not null
        and n.record_key is not null
        and o.is_sla_met is distinct from n.is_sla_met as sla_differs,
        o.record_key is not null
        and n.record_key is not null
        and (
            o.is_fcr is distinct from n.is_fcr or o.is_fcr_proxy is distinct from n.is_fcr_proxy
        ) as fcr_differs
    from old_records as o
    full outer join new_records as n on o.record_type = n.record_type and o.record_key = n.record_key

),

-- Which file a record that says something else now comes from. Known for orders, answers and tickets.
told_by as (

    select 'order' as record_type, 'shopify:' || order_name as record_id, _batch as batch_id
    from {{ ref('stg_shopify__orders') }}
    union all
    select 'order', order_id, _batch from {{ ref('canonical__order') }}
    union all
    select 'response', 'delighted:' || response_id, _batch from {{ ref('stg_delighted__responses') }}
    union all
    select 'response', response_id, _batch from {{ ref('canonical__survey_response') }}
    union all
    select 'interaction', 'zendesk:' || ticket_id, _batch from {{ ref('stg_zendesk__tickets') }}
    union all
    select 'interaction', interaction_id, _batch from {{ ref('canonical__interaction') }}

),

sources as (

    select
        paired.record_type,
        paired.record_key,
        max(case when shown.batch_id is null then 1 else 0 end) = 1 as is_new_file
    from paired
    inner join told_by on paired.record_type = told_by.record_type and paired.record_id = told_by.record_id
    left join {{ source('state', 'published_batches') }} as shown on told_by.batch_id = shown.batch_id
    where paired.says_other or paired.sla_differs
    group by paired.record_type, paired.record_key

),

-- Where the records of a person went, for records that only stand for "had bought before".
moved as (

    select old_customer_id, min(new_customer_id) as new_customer_id
    from paired
    where in_old and in_new and old_customer_id is not null and new_customer_id is not null
    group by old_customer_id

),

first_orders as (

    select customer_id, min(day) as first_on
    from new_records
    where record_type = 'order' and counts and customer_id is not null
    group by customer_id

),

caused as (

    select
        paired.*,
        moved.new_customer_id as moved_to,
        case
            when not paired.in_new
                and paired.record_type = 'order'
                and paired.old_day < {{ core_add_days('ground.from_day', -90) }}
                and first_orders.first_on <= paired.old_day
            then 'kept'
            when paired.in_old <> paired.in_new and paired.record_type = 'refund' then 'refund'
            when paired.in_old <> paired.in_new then 'late_file'
            when not paired.says_other and not paired.sla_differs then null
            when not ground.has_other_files and not ground.is_other_definition and not ground.is_other_day
            then 'unexplained'
            when ground.is_other_definition and not coalesce(sources.is_new_file, false) then 'definition'
            when ground.is_other_day and not paired.says_other then 'time'
            when ground.is_other_day and not coalesce(sources.is_new_file, true) then 'time'
            when paired.record_type = 'refund' then 'refund'
            else 'late_file'
        end as own_cause
    from paired
    cross join ground
    left join sources on paired.record_type = sources.record_type and paired.record_key = sources.record_key
    left join moved on paired.old_customer_id = moved.old_customer_id
    left join first_orders on coalesce(moved.new_customer_id, paired.old_customer_id) = first_orders.customer_id

),

-- Whether a contact was the first and last word depends on the other contacts of its customer.
callers as (

    select
        customer_id,
        max(case when own_cause = 'late_file' then 1 else 0 end) = 1 as has_late_contact,
        max(case when is_moved then 1 else 0 end) = 1 as has_moved_contact
    from (
        select old_customer_id as customer_id, own_cause, old_customer_id is distinct from new_customer_id as is_moved
        from caused
        where record_type = 'interaction' and in_old
        union all
        select new_customer_id, own_cause, old_customer_id is distinct from new_customer_id
        from caused
        where record_type = 'interaction' and in_new
    ) as sides
    where customer_id is not null and (is_moved or own_cause = 'late_file')
    group by customer_id

),

judged as (

    select
        caused.*,
        case
            when own_cause is not null or not fcr_differs then own_cause
            when old_caller.has_late_contact or new_caller.has_late_contact then 'late_file'
            when (old_caller.has_moved_contact or new_caller.has_moved_contact)
                and not (ground.is_other_day and old_is_fcr_proxy is null and new_is_fcr_proxy)
            then 'identity'
            when ground.is_other_day and (old_is_fcr_proxy is null or old_is_fcr is null) then 'time'
            when ground.is_other_definition then 'definition'
            when ground.has_other_files then 'late_file'
            when ground.is_other_day then 'time'
            else 'unexplained'
        end as cause
    from caused
    cross join ground
    left join callers as old_caller on caused.old_customer_id = old_caller.customer_id
    left join callers as new_caller on caused.new_customer_id = new_caller.customer_id

),

-- Everybody of whom one record differs: a window of days is computed over all records of a person.
touched as (

    select old_customer_id as customer_id
    from judged
    where coalesce(cause, '') <> '' or not in_new or not in_old
        or old_customer_id is distinct from new_customer_id or old_region is distinct from new_region
    union
    select new_customer_id
    from judged
    where coalesce(cause, '') <> '' or not in_new or not in_old
        or old_customer_id is distinct from new_customer_id or old_region is distinct from new_region

),

-- A median is computed over all contacts of a day.
contact_days as (

    select distinct old_day as day
    from judged
    where record_type = 'interaction'
        and (cause is not null or old_region is distinct from new_region) and old_day is not null
    union
    select distinct new_day
    from judged
    where record_type = 'interaction'
        and (cause is not null or old_region is distinct from new_region) and new_day is not null

),

final as (

    select judged.*
    from judged
    left join (select distinct customer_id from touched) as t1 on judged.old_customer_id = t1.customer_id
    left join (select distinct customer_id from touched) as t2 on judged.new_customer_id = t2.customer_id
    -- One expression to join by: with "and record_type = …" beside it every record is compared with every day.
    left join contact_days as d1 on case when judged.record_type = 'interaction' then judged.old_day end = d1.day
    left join contact_days as d2 on case when judged.record_type = 'interaction' then judged.new_day end = d2.day
    where judged.cause is not null
        or judged.old_customer_id is distinct from judged.new_customer_id
        or judged.old_region is distinct from judged.new_region
        or (judged.record_type in ('order', 'response') and (t1.customer_id is not null or t2.customer_id is not null))
        or d1.day is not null
        or d2.day is not null

)

select * from final
