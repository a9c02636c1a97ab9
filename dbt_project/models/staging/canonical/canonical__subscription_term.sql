{{ canonical_union('subscription_term') }}
