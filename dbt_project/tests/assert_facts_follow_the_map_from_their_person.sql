{{ config(meta={'dagster': {'ref': {'name': 'fct_sessions'}}}) }}
-- Catches an order, an answer or a session whose customer is not the one that the map gives to the record it names: its
-- figures under other identity rules would then be about somebody else. Does not judge which record is named.
with

customer_map as (

    select * from {{ source('identity', 'customer_map') }}

),

facts as (

    select 'order' as fact, order_id as fact_id, customer_id, person_source, person_record_key
    from {{ ref('fct_orders') }}
    union all
    select 'answer', response_id, customer_id, person_source, person_record_key
    from {{ ref('fct_survey_responses') }}
    union all
    select 'session', session_id, customer_id, person_source, person_record_key
    from {{ ref('fct_sessions') }}

)

select facts.fact, count(*) as rows_found
from facts
left join customer_map as map
    on facts.person_source = map.source and facts.person_record_key = map.record_key
where facts.customer_id is distinct from map.customer_id
group by facts.fact
