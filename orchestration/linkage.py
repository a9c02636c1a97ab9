"""Probable links of one build: persons out of its database, links and pairs for review into it.

Only called where the company turned it on; nothing of it is imported otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from analytics.identity.rules import RuleTable
from kizuna.settings import Company

if TYPE_CHECKING:
    from analytics.linkage.link import Linkage

#: What a person is compared by, as `analytics.linkage.forms.PERSONS` names it. Devices and lines have none of it.
_PERSONS = """
SELECT source, record_key, first_name AS given_name, last_name AS family_name, full_name, kana, birth_text,
       house_number, street, address_line_2 AS locality, city, region, postal_code, email, phone, birth_on
FROM identity.source_records
WHERE coalesce(first_name, last_name, full_name, kana) IS NOT NULL OR birth_on IS NOT NULL OR birth_text IS NOT NULL
   OR street IS NOT NULL OR (email IS NOT NULL AND coalesce(city, postal_code, region) IS NOT NULL)
"""


def link_probable(db: duckdb.DuckDBPyConnection, company: Company, rules: RuleTable) -> Linkage | None:
    """Links by likeness and pairs for review, None where the company did not ask for them.

    Writes `identity.probable_links` and `identity.probable_review` (clear of personal data, keys only).
    """
    if not company.identity.probabilistic:
        return None
    import pyarrow as pa

    from analytics.linkage.link import probable_links

    linkage = probable_links(
        db.execute(_PERSONS).to_arrow_table(),
        match_threshold=company.identity.match_threshold,
        review_threshold=company.identity.review_threshold,
        default_country=company.country,
        rules=rules,
    )
    notes = pa.table({"note": list(linkage.notes), "value": [str(value) for value in linkage.notes.values()]})
    for name, table in (
        ("probable_links", linkage.links),
        ("probable_review", linkage.review),
        ("probable_notes", notes),
    ):
        db.register("frame", table)
        db.execute(f"CREATE OR REPLACE TABLE identity.{name} AS SELECT * FROM frame")
        db.unregister("frame")
    return linkage
