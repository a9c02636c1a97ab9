{% set content = [
    'started_at', 'network_id', 'response_type', 'email', 'phone', 'customer_key', 'customer_namespace', 'survey',
    'touchpoint', 'nps_score', 'csat_score', 'ces_score', 'choices', 'comment'
] %}

with source as (
    select * from {{ source('raw', 'typeform__responses') }}
),

versions as (
    select
        *,
        {{ version_rank(key=['response_id'], newest='submitted_at', content=content) }} as version_rank
    from source
    where {{ happened_by_as_of('submitted_at') }}
),

-- Choices stand in one cell, parted by " / ". Older exports have a column per option that repeats the option's text;
-- those columns are among the ones that no contract names.
options as (
    select
        response_id,
        _file,
        _line,
        _extra,
        {{ json_each_key('_extra') }} as option_text
    from versions
    where
        version_rank = 1
        and _extra is not null
),

chosen as (
    select
        response_id,
        {{ dbt.listagg('option_text', "' / '", 'order by option_text') }} as choices
    from options
    where {{ json_value('_extra', 'option_text') }} = option_text
    group by response_id
),

renamed as (
    select
        -- keys
        'typeform' as source_name,
        coalesce(case when customer_key is not null then customer_namespace end, 'typeform_response') as identity_namespace,
        versions.response_id as response_key,

        -- who answered
{{ named_person("concat('mapped.', customer_namespace)", "'typeform.response'", 'versions.response_id') }},
        customer_key,
        email,
        phone,
        versions.network_id,
        coalesce(nullif(trim(versions.choices, ' /'), ''), chosen.choices) as choices,

        -- answer; the scores are those that the company's contract names
        survey,
        touchpoint,
        nps_score,
        csat_score,
        ces_score,
        comment,

        -- why the response is not counted, NULL where it is
        case
            when lower(response_type) in ('partial', 'started') or submitted_at is null then 'partial'
            when coalesce(nps_score, csat_score, ces_score) is null then 'no_score'
        end as exclusion_reason,

        -- times
        started_at,
        cast(null as timestamp) as sent_at,
        submitted_at as responded_at,
        {{ local_date('submitted_at') }} as responded_on,
        {{ as_of_note('submitted_at', 'submitted_at') }} as as_of_note,

        -- lineage
        _source,
        _file,
        _line,
        _batch
    from versions
    left join chosen
        on versions.response_id = chosen.response_id
    where version_rank = 1
),

final as (
    select * from renamed
)

select * from final
