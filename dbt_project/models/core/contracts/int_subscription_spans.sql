with

subscriptions as (

    select * from {{ ref('fct_subscriptions') }}

),

terms as (

    select * from {{ ref('canonical__subscription_term') }}

),

-- Whatever a subscription cost before its first stated terms, it cost those; one without any has its present ones.
stated as (

    select
        subscriptions.subscription_id,
        terms.valid_from,
        coalesce(terms.currency, subscriptions.currency) as currency,
        case
            when terms.subscription_id is null then subscriptions.monthly_amount
            else cast(
                round(
                    cast(terms.amount * terms.quantity as decimal(18, 2))
                    / ({{ months_per_unit('terms.billing_interval') }} * terms.interval_count), 2
                ) as decimal(18, 2)
            )
        end as monthly_amount,
        row_number() over (
            partition by subscriptions.subscription_id order by terms.valid_from
        ) as term
    from subscriptions
    left join terms on subscriptions.subscription_id = terms.subscription_id

),

begun as (

    select
        stated.subscription_id,
        stated.currency,
        stated.monthly_amount,
        -- A trial costs nothing, whatever its terms say.
        greatest(
            case when stated.term = 1 then subscriptions.started_at else stated.valid_from end,
            subscriptions.started_at,
            coalesce(subscriptions.trial_ends_at, subscriptions.started_at)
        ) as from_at,
        stated.term,
        subscriptions.account_id,
        subscriptions.customer_id,
        subscriptions.ended_at
    from stated
    inner join subscriptions on stated.subscription_id = subscriptions.subscription_id

),

spans as (

    select
        begun.*,
        {{ local_date('from_at') }} as from_on,
        coalesce(
            {{ local_date('lead(from_at) over (partition by subscription_id order by term)') }},
            {{ local_date('ended_at') }}
        ) as next_on,
        {{ local_date('ended_at') }} as ended_on
    from begun

),

final as (

    select
        subscription_id,
        account_id,
        customer_id,
        currency,
        monthly_amount,
        from_on,
        case when ended_on < next_on then ended_on else next_on end as until_on
    from spans
    where (next_on is null or next_on > from_on) and (ended_on is null or ended_on > from_on)

)

select * from final
