{{ canonical_union('interaction') }}
