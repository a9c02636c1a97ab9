{#- Asked about the whole relation, or about one moment; the two are never mixed. -#}
{% macro survey_kind_of(touchpoint) -%}
    case
        when {{ touchpoint }} is null then 'relational'
        when lower({{ touchpoint }}) in ('relational', 'relationship', 'general', 'brand', 'quarterly')
        then 'relational'
        else 'transactional'
    end
{%- endmacro %}

{#-
    Columns that set a period against the one before, of a relation with period, is_complete, respondents, estimate
    and variance (of one answer) whose window `before` leads to the preceding row of the same series.

    Two independent samples: difference d = estimate - previous, standard error sqrt(v / n + v0 / n0), z = d / error,
    interval d -+ 1.959964 errors, significant at 5 % when it leaves zero out. Nothing is said of a period that has
    not ended, after a month without answers, or with fewer than survey_trend_min answers on either side, where the
    normal distribution is no guide. Where all answers of both periods are equal there is no error and no z.
    `scale`: 100 for a share shown in percent.
-#}
{% macro survey_trend(scale) -%}
        case when is_comparable then round({{ scale }} * previous_estimate, 6) end as previous_value,
        case when is_comparable then previous_respondents end as previous_respondents,
        case when is_comparable then round({{ scale }} * (estimate - previous_estimate), 6) end as change,
        case
            when is_comparable then round({{ scale }} * (estimate - previous_estimate - 1.959964 * change_error), 6)
        end as change_low,
        case
            when is_comparable then round({{ scale }} * (estimate - previous_estimate + 1.959964 * change_error), 6)
        end as change_high,
        case
            when is_comparable and change_error > 0 then round((estimate - previous_estimate) / change_error, 6)
        end as change_z,
        case
            when is_comparable and change_error > 0
            then abs(estimate - previous_estimate) > 1.959964 * change_error
        end as is_change_significant
{%- endmacro %}

{#- CTE bodies `before` and `compared` of the two marts; `measured` has estimate, variance and is_complete. -#}
{% macro survey_compared(measured) -%}
    select
        series.*,
        sqrt(variance / respondents + previous_variance / previous_respondents) as change_error,
        coalesce(
            is_complete
            and {{ core_months_between('previous_period', 'period') }} = 1
            and respondents >= {{ var('survey_trend_min', 10) }}
            and previous_respondents >= {{ var('survey_trend_min', 10) }},
            false
        ) as is_comparable
    from (
        select
            measured.*,
            lag(period) over (
                partition by period_type, segment_type, segment, kind, survey_kind order by period
            ) as previous_period,
            lag(estimate) over (
                partition by period_type, segment_type, segment, kind, survey_kind order by period
            ) as previous_estimate,
            lag(variance) over (
                partition by period_type, segment_type, segment, kind, survey_kind order by period
            ) as previous_variance,
            lag(respondents) over (
                partition by period_type, segment_type, segment, kind, survey_kind order by period
            ) as previous_respondents
        from {{ measured }} as measured
        where respondents > 0
    ) as series
{%- endmacro %}
