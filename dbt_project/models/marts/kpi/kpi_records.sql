with

records as (

    select * from {{ ref('int_kpi_records') }}

),

final as (

    select
        record_type,
        record_key,
        {{ core_as_of() }} as as_of,
        cast('{{ var("timezone") }}' as varchar) as timezone,
        cast(case when record_type in ('order', 'refund') then '{{ var("currency") }}' end as varchar) as currency,
        customer_id,
        region,
        day,
        counts,
        amount,
        kind,
        sub_kind,
        until_on,
        is_open,
        is_sla_met,
        is_abandoned,
        minutes,
        moment,
        is_first,
        resolution_minutes,
        is_reopened,
        is_unanswered,
        is_fcr,
        is_fcr_proxy,
        handle_seconds,
        acw_seconds
    from records

)

select * from final
