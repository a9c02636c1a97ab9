{{ canonical_union('contact') }}
