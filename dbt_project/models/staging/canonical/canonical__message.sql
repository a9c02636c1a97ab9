{{ canonical_union('message') }}
