{{ canonical_union('identifier') }}
