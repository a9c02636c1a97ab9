{{ canonical_union('order') }}
