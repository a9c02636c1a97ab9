{{ canonical_union('web_event') }}
