-- Catches an order in a currency for which no rate of its day or an earlier one is in the files. Such revenue would be
-- missing from every total in the reporting currency. Does not judge whether a rate is old.
select order_id, currency, ordered_on
from {{ ref('fct_orders') }}
where is_counted and (exchange_rate is null or gross_reporting is null or net_reporting is null)
