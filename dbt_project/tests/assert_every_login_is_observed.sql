{{ config(meta={
    'description': 'Each pair of device and user seen on the web has a login with the time it was first seen.',
    'dagster': {'ref': {'name': 'device_logins'}}
}) }}
{#-
    Catches: thinning of the observations that loses a user of a device or the first moment of the pair, which would
    give the sessions of one person to another. Does not catch: a lost switch back to a user seen before.
-#}
with seen as (
    select
        device_id,
        user_id,
        min(occurred_at) as first_at
    from {{ ref('int_web_events') }}
    where
        device_id is not null
        and user_id is not null
        and occurred_at is not null
    group by device_id, user_id
),

observed as (
    select
        device_id,
        user_id,
        min(login_at) as first_at
    from {{ ref('device_logins') }}
    group by device_id, user_id
)

select
    seen.device_id,
    seen.user_id
from seen
left join observed
    on
        seen.device_id = observed.device_id
        and seen.user_id = observed.user_id
where
    observed.first_at is null
    or observed.first_at <> seen.first_at
