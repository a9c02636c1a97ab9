{{ canonical_union('account') }}
