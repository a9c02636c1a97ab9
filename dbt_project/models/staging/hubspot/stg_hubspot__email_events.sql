{% set content = [
    'type', 'recipient', 'campaign_id', 'subject', 'url', 'sent_event_id', 'is_filtered'
] %}

with source as (
    select * from {{ source('raw', 'hubspot__email_events') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['id'], newest='created_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('created_at') }}
),

renamed as (
    select
        -- keys
        'hubspot' as source_name,
        'hubspot_recipient' as identity_namespace,
        id as touch_key,
        campaign_id as campaign_key,
        sent_event_id,

        -- who received it: the address itself, one record per address
        case when recipient is not null then 'hubspot.recipient' end as person_source,
        recipient as person_record_key,
        recipient as email,
        {{ nothing_for(['customer_key', 'phone']) }},

        -- touch
        subject as campaign,
        'email' as channel,
        case upper(type)
            when 'SENT' then 'sent'
            when 'DELIVERED' then 'delivered'
            when 'OPEN' then 'opened'
            when 'CLICK' then 'clicked'
            when 'BOUNCE' then 'bounced'
            when 'STATUSCHANGE' then 'unsubscribed'
            when 'SPAMREPORT' then 'complained'
            else 'other'
        end as touch_kind,
        type as event_type,
        url,

        -- flags: opens and clicks of machines
        coalesce(is_filtered, false) as is_filtered,

        -- times
        created_at as touched_at,
        {{ local_date('created_at') }} as touched_on,
        case when created_at is null then 'no_event_time' end as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    where version_rank = 1
),

final as (
    select * from renamed
)

select * from final
