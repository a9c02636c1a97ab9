{{ canonical_union('order_step') }}
