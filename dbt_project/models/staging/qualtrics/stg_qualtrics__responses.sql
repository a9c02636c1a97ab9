{% set content = [
    'started_at', 'ended_at', 'status', 'finished', 'progress', 'duration_seconds', 'distribution_channel',
    'language', 'email', 'last_name', 'first_name', 'external_reference', 'phone', 'customer_key',
    'customer_namespace', 'survey', 'touchpoint', 'nps_score', 'csat_score', 'ces_score', 'comment'
] %}

with source as (
    select * from {{ source('raw', 'qualtrics__responses') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['response_id'], newest='recorded_at', content=content, then_newest='progress') }} as version_rank
    from source
    where {{ happened_by_as_of('recorded_at') }}
),

-- Status is a word or the number that stands for it, as the export was asked to write choices.
renamed as (
    select
        -- keys
        'qualtrics' as source_name,
        coalesce(case when customer_key is not null then customer_namespace end, 'qualtrics_response') as identity_namespace,
        response_id as response_key,

        -- who answered
{{ named_person("concat('mapped.', customer_namespace)", "'qualtrics.response'", 'response_id') }},
        customer_key,
        email,
        phone,
        first_name,
        last_name,
        external_reference,
        distribution_channel,
        language,

        -- answer; the scores are those that the company's contract names
        survey,
        touchpoint,
        nps_score,
        csat_score,
        ces_score,
        comment,

        -- why the response is not counted, NULL where it is
        case
            when lower(status) in (
                '1', '2', '9', '17', 'survey preview', 'survey test', 'survey preview spam', 'offline survey preview',
                'preview', 'test'
            ) then 'preview'
            when lower(status) in ('8', '12', 'spam', 'possible spam', 'imported spam') then 'spam'
            when not finished then 'partial'
            when coalesce(nps_score, csat_score, ces_score) is null then 'no_score'
        end as exclusion_reason,

        -- times
        started_at,
        ended_at,
        cast(null as timestamp) as sent_at,
        recorded_at as responded_at,
        {{ local_date('recorded_at') }} as responded_on,
        {{ as_of_note('recorded_at', 'recorded_at') }} as as_of_note,

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
