"""Who is probably one person: records without a shared identifier, compared attribute by attribute (Splink)."""
