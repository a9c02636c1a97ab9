{{ config(meta={
    'description': 'Each e-mail and phone of a source record is also evidence for who it is.',
    'dagster': {'ref': {'name': 'identifiers'}}
}) }}
{#-
    Catches: a kind of record whose address describes the person but was forgotten as evidence, so that the person
    stays split in two. Does not catch: a second address that neither table holds.
-#}
with addresses as (
    select
        source,
        record_key,
        'email' as identifier_type,
        email as raw_value
    from {{ ref('source_records') }}
    union all
    select
        source,
        record_key,
        'phone' as identifier_type,
        phone as raw_value
    from {{ ref('source_records') }}
)

select
    addresses.source,
    addresses.record_key,
    addresses.identifier_type
from addresses
left join {{ ref('identifiers') }} as identifiers
    on
        addresses.source = identifiers.source
        and addresses.record_key = identifiers.record_key
        and addresses.identifier_type = identifiers.identifier_type
        and addresses.raw_value = identifiers.raw_value
where
    addresses.raw_value is not null
    and trim(addresses.raw_value) <> ''
    and identifiers.source is null
