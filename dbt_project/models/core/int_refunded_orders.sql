with

orders as (

    {{ priced_orders(
        'exported_refund_amount > 0 or order_key in (select order_key from ' ~ ref('canonical__refund') ~ ')'
    ) }}

),

final as (

    select
        order_id,
        source,
        order_key,
        identity_namespace,
        customer_id,
        account_id,
        ordered_at,
        ordered_on,
        currency,
        exported_refund_amount,
        exchange_rate,
        exclusion_reason
    from orders

)

select * from final
