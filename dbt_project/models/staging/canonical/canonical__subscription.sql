{{ canonical_union('subscription') }}
