{{ canonical_union('campaign_touch') }}
