"""Who is one customer: typed identifiers in, one stable customer_id per person out."""
