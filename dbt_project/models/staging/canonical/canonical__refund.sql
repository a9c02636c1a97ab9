{{ canonical_union('refund') }}
