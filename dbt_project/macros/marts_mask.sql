{#-
    Free text without the personal data that has a shape: web and e-mail addresses, runs of digits (phone, card, postal
    and order numbers) and, last, every single digit; full-width forms too. A name has no shape and stays.
-#}
{% macro marts_mask_personal(text) -%}
    {{ return(adapter.dispatch('marts_mask_personal', 'kizuna')(text)) }}
{%- endmacro %}

{% macro default__marts_mask_personal(text) -%}
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    {{ text }},
                    '(?i)\b(https?://|www\.)\S+', '[link]', 'g'
                ),
                '[^\s<>()（）「」、。,;:]+[@＠][^\s<>()（）「」、。,;:]*|[@＠]', '[email]', 'g'
            ),
            '[+＋]?[0-9０-９]([-‐－ー−.()（） 　]{0,2}[0-9０-９]){3,}', '[number]', 'g'
        ),
        '[0-9０-９]', '#', 'g'
    )
{%- endmacro %}

{% macro spark__marts_mask_personal(text) -%}
    regexp_replace(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    {{ text }},
                    '(?i)\\b(https?://|www\\.)\\S+', '[link]'
                ),
                '[^\\s<>()（）「」、。,;:]+[@＠][^\\s<>()（）「」、。,;:]*|[@＠]', '[email]'
            ),
            '[+＋]?[0-9０-９]([-‐－ー−.()（） 　]{0,2}[0-9０-９]){3,}', '[number]'
        ),
        '[0-9０-９]', '#'
    )
{%- endmacro %}

{#- True where the pattern occurs anywhere in the text. -#}
{% macro marts_matches(text, pattern) -%}
    {{ return(adapter.dispatch('marts_matches', 'kizuna')(text, pattern)) }}
{%- endmacro %}

{% macro default__marts_matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__marts_matches(text, pattern) -%}
    {{ text }} rlike '{{ pattern }}'
{%- endmacro %}
