{{ config(severity='warn', meta={
    'description': 'Two files give one day and currency two rates.',
    'dagster': {'ref': {'name': 'stg_reference__exchange_rates'}}
}) }}
{#-
    Catches: a rate that was restated, which the export cannot date; the higher one is in use.
    Does not catch: a missing rate (the facts refuse that) or a wrong one.
-#}
-- Asks the source, but belongs to the stage of its model; without this no stage would run it.
-- depends_on: {{ ref('stg_reference__exchange_rates') }}
select
    rate_on,
    upper(currency) as currency,
    count(distinct rate) as rates
from {{ source('raw', 'reference__exchange_rates') }}
group by rate_on, upper(currency)
having count(distinct rate) > 1
