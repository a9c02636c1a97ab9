{#-
    The rule table of the golden record: which of several records that describe one customer is believed.

    Attributes of one group come from ONE record, so that no address is put together from two homes. `by` is the order
    of the criteria: `completeness` (which of `weighed` the record fills, the first one counting most), `opt_out` (a
    refusal before a consent), `source` (place in the list of sources, ties share a place), `recency` (the latest
    change). What is still undecided goes to the smaller source and key, so that two builds agree. The country is not
    weighed: lists of one country leave it out and are no worse for it.

    A company's own file (identity/survivorship.yaml) arrives in the variable `survivorship` and replaces `by` or puts
    sources in front; `kizuna/survivorship.py` checks it against the same names.
-#}
{% macro survivorship_groups() -%}
    {%- set shipped = [
        {'group': 'address', 'attributes': ['region', 'postal_prefix', 'country'],
            'weighed': ['region', 'postal_prefix'], 'by': ['completeness', 'source', 'recency']},
        {'group': 'name', 'attributes': ['last_name', 'first_name'], 'by': ['completeness', 'source', 'recency']},
        {'group': 'email', 'attributes': ['email'], 'by': ['source', 'recency']},
        {'group': 'phone', 'attributes': ['phone'], 'by': ['source', 'recency']},
        {'group': 'birth', 'attributes': ['birth_on'], 'by': ['source', 'recency']},
        {'group': 'account', 'attributes': ['account_id'], 'by': ['source', 'recency']},
        {'group': 'consent', 'attributes': ['email_consent'], 'by': ['opt_out', 'source', 'recency']},
    ] -%}
    {%- set own = var('survivorship', {}) -%}
    {%- set groups = [] -%}
    {%- for row in shipped -%}
        {%- set said = own.get('groups', {}).get(row.group, {}) -%}
        {%- set first = said.get('sources', []) + own.get('sources', []) -%}
        {%- do groups.append({
            'group': row.group,
            'attributes': row.attributes,
            'weighed': row.get('weighed', row.attributes),
            'by': said.get('by', row.by),
            'sources': first + survivorship_sources(),
            'company_sources': first | length,
        }) -%}
    {%- endfor -%}
    {{ return(groups) }}
{%- endmacro %}

{#- Places in the order of trust; `*` stands for anything. The first place that fits a source is its own. -#}
{% macro survivorship_sources() -%}
    {{ return([
        ['salesforce.contact'],
        ['mapped.*', '*.contact'],
        ['*.customer'],
        ['zendesk.user'],
        ['shopify.order'],
        ['delighted.person'],
        ['amazon_connect.caller'],
        ['*'],
    ]) }}
{%- endmacro %}
