{#- Words of help desks in one language; each is read by more than one model. -#}

{#- True for a channel, in lower case, that is the telephone. -#}
{% macro is_phone_word(channel) -%}
    {{ channel }} in ('voice', 'phone', 'phone_call', 'call', 'telephone', '電話')
{%- endmacro %}

{#- urgent, high, normal or low, else the source's word in lower case. -#}
{% macro priority_of(word) -%}
    case
        when lower(trim({{ word }})) in ('urgent', 'critical', 'p1', '緊急') then 'urgent'
        when lower(trim({{ word }})) in ('high', 'p2', '高') then 'high'
        when lower(trim({{ word }})) in ('normal', 'medium', 'p3', '中') then 'normal'
        when lower(trim({{ word }})) in ('low', 'p4', '低') then 'low'
        else nullif(lower(trim({{ word }})), '')
    end
{%- endmacro %}

{#- True where a status says that nothing is left to do. -#}
{% macro is_solved_word(status) -%}
    lower(trim(coalesce({{ status }}, ''))) in (
        'solved', 'closed', 'resolved', 'done', 'completed', '完了', '解決', '解決済み', 'クローズ'
    )
{%- endmacro %}

{#- Target of the first reply in minutes by priority, BIGINT. -#}
{% macro sla_minutes_of(priority) -%}
    {%- set sla = var('sla_minutes') -%}
    {%- if sla is string -%}{%- set sla = fromjson(sla) -%}{%- endif -%}
    cast(
        case {{ priority }}
            {%- for word, minutes in sla.items() %}
            when '{{ word }}' then {{ minutes }}
            {%- endfor %}
        end as bigint
    )
{%- endmacro %}

{#- The first of support.topic_tags that a list of tags holds; tags are JSON text. -#}
{% macro tagged_topic(tags) -%}
    {%- set topics = var('topic_tags') -%}
    {%- set topics = fromjson(topics) if topics is string else topics -%}
    {%- if topics -%}
    case
        {%- for topic in topics %}
        {%- set word = topic | replace("'", "''") %}
        when {{ dbt.position("'\"" ~ word ~ "\"'", 'cast(' ~ tags ~ ' as ' ~ dbt.type_string() ~ ')') }} > 0 then '{{ word }}'
        {%- endfor %}
    end
    {%- else -%}
    cast(null as {{ dbt.type_string() }})
    {%- endif -%}
{%- endmacro %}

{#- Who wrote a message: support.bots are programs, whatever role the help desk gives them. -#}
{% macro author_kind_of(kind, author) -%}
    {%- set bots = var('bot_agents') -%}
    {%- set bots = fromjson(bots) if bots is string else bots -%}
    {%- if bots -%}
    case when {{ author }} in (
        {%- for bot in bots %}'{{ bot | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor -%}
    ) then 'bot' else {{ kind }} end
    {%- else -%}
    {{ kind }}
    {%- endif -%}
{%- endmacro %}

{#-
    Whether a contact was resolved at once: `next_at` is when the customer came again. NULL while the 7 days after the
    solution run, and where nobody knows who asked or when it was solved.
-#}
{% macro first_contact_resolution(next_at) -%}
    case
        when not is_arrival or not is_resolved or resolved_at is null or has_time_conflict then null
        when reopens > 0 then false
        when {{ next_at }} < settled_at then false
        when settled_at > {{ as_of_end() }} then null
        else true
    end
{%- endmacro %}

{#- Minutes that count for the SLA, by calendar or by business hours: of the first response, or so far. -#}
{% macro sla_clock(of) -%}
    {%- set business = var('sla_clock') == 'business' -%}
    {%- if of == 'so_far' -%}
    {{ 'business_minutes_so_far' if business else 'minutes_so_far' }}
    {%- else -%}
    {{ 'first_response_business_minutes' if business else 'first_response_minutes' }}
    {%- endif -%}
{%- endmacro %}
