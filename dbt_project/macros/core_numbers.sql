{#-
    Numbers as they may be published: exact DECIMAL sums, and DOUBLE only as a rounded quotient of two of them, so that
    two builds of the same files give the same bytes.
-#}

{#- Quotient of two exact numbers as a DOUBLE with 6 decimals; NULL where the denominator is zero or unknown. -#}
{% macro core_ratio(numerator, denominator) -%}
    case
        when {{ denominator }} <> 0
        then round(cast({{ numerator }} as double) / cast({{ denominator }} as double), 6)
    end
{%- endmacro %}

{#- Money in the reporting currency, without decimals where that currency has no minor unit. -#}
{% macro core_reporting_money(expression) -%}
    {%- set decimals = 0 if var('currency') in ('JPY', 'KRW') else 2 -%}
    cast(round({{ expression }}, {{ decimals }}) as decimal(18, 2))
{%- endmacro %}

{#-
    Two DECIMALs of up to 18 digits, multiplied. The engine does it in 64 bits: an amount by a rate of eight decimals ends
    at 92,233,720 and the square of a day's revenue at 30 million, and one large order would stop the build.
-#}
{% macro core_product(one, other) -%}
    cast({{ one }} as decimal(20, 2)) * {{ other }}
{%- endmacro %}

{#- An amount at a rate as money in the reporting currency; most amounts are in it already, and need no wide numbers. -#}
{% macro core_converted(amount, rate) -%}
    case
        when {{ rate }} = 1 then {{ core_reporting_money(amount) }}
        else {{ core_reporting_money(core_product(amount, rate)) }}
    end
{%- endmacro %}

{#- Exact middle of DECIMAL values, without floats: the mean of the two middle ones where their number is even. -#}
{% macro core_median(expression) -%}
    {{ return(adapter.dispatch('core_median', 'kizuna')(expression)) }}
{%- endmacro %}

{% macro default__core_median(expression) -%}
    cast(quantile_cont({{ expression }}, 0.5) as decimal(18, 2))
{%- endmacro %}

{% macro spark__core_median(expression) -%}
    cast(round(percentile({{ expression }}, 0.5), 2) as decimal(18, 2))
{%- endmacro %}

{#- Exact quantile of DECIMAL values, between two of them in proportion; `share` as text, such as '0.9'. -#}
{% macro core_quantile(expression, share) -%}
    {{ return(adapter.dispatch('core_quantile', 'kizuna')(expression, share)) }}
{%- endmacro %}

{% macro default__core_quantile(expression, share) -%}
    cast(quantile_cont({{ expression }}, {{ share }}) as decimal(18, 2))
{%- endmacro %}

{% macro spark__core_quantile(expression, share) -%}
    cast(round(percentile({{ expression }}, {{ share }}), 2) as decimal(18, 2))
{%- endmacro %}

{#- The build's as_of as a DATE. -#}
{% macro core_as_of() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{#- First day of the month of a date. -#}
{% macro core_month(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{#- Monday of the week of a date (ISO week on both engines). -#}
{% macro core_week(day) -%}
    cast(date_trunc('week', {{ day }}) as date)
{%- endmacro %}

{#- A date moved by whole days. -#}
{% macro core_add_days(day, days) -%}
    cast({{ dbt.dateadd('day', days, day) }} as date)
{%- endmacro %}

{#- Months from the month of one date to the month of another, BIGINT. -#}
{% macro core_months_between(from_day, to_day) -%}
    cast(
        (extract(year from {{ to_day }}) - extract(year from {{ from_day }})) * 12
        + extract(month from {{ to_day }}) - extract(month from {{ from_day }}) as bigint
    )
{%- endmacro %}

{#-
    Rates (currency, valid_from, valid_until, rate) as one row per currency and day up to `last_day`, to be joined by
    equality: a range is compared with every rate of its currency, for each of ten million orders.
-#}
{% macro core_rates_of_days(rates, last_day) -%}
    select currency, rate, {{ core_add_days('valid_from', 'day_number') }} as day
    from (
        select
            currency,
            rate,
            valid_from,
            {{ numbers_to(days_between('valid_from', 'coalesce(valid_until, ' ~ core_add_days(last_day, 1) ~ ')')) }}
                as day_number
        from {{ rates }}
    ) as spread
{%- endmacro %}
