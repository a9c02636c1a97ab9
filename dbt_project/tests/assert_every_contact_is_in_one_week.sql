{{ config(meta={'dagster': {'ref': {'name': 'support_weekly'}}}) }}
-- Catches contacts that the weekly mart loses or counts twice, and a backlog that is not what is open. Calls of the
-- company and later legs of a transfer are left out on purpose.
with contacts as (
    select count(*) as opened, coalesce(sum(case when is_open then 1 else 0 end), 0) as still_open
    from {{ ref('fct_interactions') }}
    where opened_on is not null and continues_interaction_id is null and direction = 'inbound'
),

weeks as (
    select
        coalesce(sum(opened), 0) as opened,
        coalesce(sum(case when not is_complete or last_week = week then backlog_end else 0 end), 0) as still_open
    from (
        select
            week,
            opened,
            backlog_end,
            is_complete,
            max(week) over () as last_week
        from {{ ref('support_weekly') }}
    ) as placed
)

select
    contacts.opened as contacts_opened,
    weeks.opened as weeks_opened,
    contacts.still_open as contacts_open,
    weeks.still_open as weeks_open
from contacts
cross join weeks
where contacts.opened <> weeks.opened or contacts.still_open <> weeks.still_open
