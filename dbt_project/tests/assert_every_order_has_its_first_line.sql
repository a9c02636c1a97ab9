{{ config(severity='warn', meta={
    'description': 'Names the orders of which only later lines arrived: they have no amount and are not staged.',
    'dagster': {'ref': {'name': 'stg_shopify__orders'}}
}) }}
{#-
    Catches: orders whose first line, the one with the amounts, is in no file (most often it sits in quarantine).
    Does not catch: an order of which no line arrived at all.
-#}
-- Asks the source, but belongs to the stage of its model; without this no stage would run it.
-- depends_on: {{ ref('stg_shopify__orders') }}
select
    name,
    count(*) as lines_without_an_order
from {{ source('raw', 'shopify__orders') }}
group by name
having
    max(total) is null
    or max(currency) is null
