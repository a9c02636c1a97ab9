{{ canonical_union('call') }}
