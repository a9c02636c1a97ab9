{{ canonical_union('interaction_event') }}
