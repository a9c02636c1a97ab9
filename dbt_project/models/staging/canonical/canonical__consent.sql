{{ canonical_union('consent') }}
