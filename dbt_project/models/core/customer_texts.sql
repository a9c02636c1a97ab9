with

responses as (

    select * from {{ ref('fct_survey_responses') }}

),

messages as (

    select fct.*, written.subject, written.body
    from {{ ref('fct_messages') }} as fct
    inner join {{ ref('canonical__message') }} as written
        on fct.message_id = written.message_id
    where fct.direction = 'inbound' and coalesce(fct.author_kind, 'customer') = 'customer'

),

interactions as (

    select interaction_id, customer_id, source, opened_at, opened_on from {{ ref('fct_interactions') }}

),

zendesk_tickets as (

    select * from {{ ref('stg_zendesk__tickets') }}

),

-- A rating that was written anew after as_of may have had another comment before, which nobody knows any more.
ratings as (

    select
        rating_id,
        'zendesk:' || ticket_id as interaction_id,
        comment,
        updated_at,
        {{ local_date('updated_at') }} as updated_on
    from {{ ref('stg_zendesk__satisfaction_ratings') }}
    where updated_at < {{ as_of_end() }} and nullif(trim(comment), '') is not null

),

-- The ticket's own copy of a comment has no time; it was known when this state of the ticket was written.
rating_copies as (

    select
        'zendesk:' || ticket_id as interaction_id,
        satisfaction_comment as comment,
        updated_at,
        {{ local_date('updated_at') }} as updated_on
    from zendesk_tickets
    where updated_at < {{ as_of_end() }}

),

subjects as (

    select 'zendesk:' || ticket_id as interaction_id, subject from zendesk_tickets
    union all
    select 'salesforce:' || case_id as interaction_id, subject from {{ ref('stg_salesforce__case') }}

),

unified as (

    select
        'survey_comment' as kind,
        'survey:' || response_id as text_id,
        customer_id,
        cast(null as {{ dbt.type_string() }}) as interaction_id,
        source,
        submitted_at as written_at,
        submitted_on as written_on,
        comment as content
    from responses
    union all
    select
        'message',
        'message:' || message_id,
        customer_id,
        interaction_id,
        source,
        sent_at,
        sent_on,
        concat_ws(chr(10), nullif(trim(subject), ''), nullif(trim(body), ''))
    from messages
    union all
    select
        'rating_comment',
        'rating:zendesk:' || ratings.rating_id,
        interactions.customer_id,
        ratings.interaction_id,
        interactions.source,
        ratings.updated_at,
        ratings.updated_on,
        ratings.comment
    from ratings
    inner join interactions on ratings.interaction_id = interactions.interaction_id
    union all
    select
        'rating_comment',
        'rating:' || rating_copies.interaction_id,
        interactions.customer_id,
        rating_copies.interaction_id,
        interactions.source,
        rating_copies.updated_at,
        rating_copies.updated_on,
        rating_copies.comment
    from rating_copies
    inner join interactions on rating_copies.interaction_id = interactions.interaction_id
    where rating_copies.interaction_id not in (select interaction_id from ratings)
    union all
    -- What a ticket is called says no more than its messages, where these are exported.
    select
        'subject',
        'subject:' || subjects.interaction_id,
        interactions.customer_id,
        subjects.interaction_id,
        interactions.source,
        interactions.opened_at,
        interactions.opened_on,
        subjects.subject
    from subjects
    inner join interactions on subjects.interaction_id = interactions.interaction_id
    where subjects.interaction_id not in (select interaction_id from messages where interaction_id is not null)

),

final as (

    select text_id, kind, customer_id, interaction_id, source, written_at, written_on, content
    from unified
    where nullif(trim(content), '') is not null and written_on is not null

)

select * from final
