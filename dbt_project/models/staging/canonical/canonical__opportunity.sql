{{ canonical_union('opportunity') }}
