{{ config(meta={
    'description': 'No evidence without a record: every identifier leads to a source record.',
    'dagster': {'ref': {'name': 'identifiers'}}
}) }}
{#-
    Catches: evidence under a source or key that source_records does not know, which the resolver could tie to nobody.
    Does not catch: evidence that was left out (assert_every_address_is_evidence).
-#}
select
    identifiers.source,
    identifiers.record_key,
    identifiers.identifier_type
from {{ ref('identifiers') }} as identifiers
left join {{ ref('source_records') }} as source_records
    on
        identifiers.source = source_records.source
        and identifiers.record_key = source_records.record_key
where source_records.source is null
