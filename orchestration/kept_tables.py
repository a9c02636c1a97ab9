"""Tables that a company keeps as they are, as assets in the catalog of the UI.

Which there are stands in the company's contracts, and the definitions are the same for every company. So they are
reported where they are: as materialisations of the step that opens a build's raw relations.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

#: Relations of kept tables (`ingestion/contract.py`).
PREFIX = "raw.kept__"


def kept_tables(
    rows: Mapping[str, int], fates: Mapping[str, Mapping[str, int]], problems: Mapping[str, Mapping[str, Any]]
) -> Iterator[dg.AssetMaterialization]:
    """One materialisation, `raw/kept/<source>__<table>`, per kept table that has files: rows, fates and what is odd.

    `rows`, `fates` and `problems` are by relation, as for every other raw relation.
    """
    for relation in sorted(rows):
        if not relation.startswith(PREFIX) or (relation not in fates and relation not in problems):
            continue
        name = relation.removeprefix(PREFIX)
        yield dg.AssetMaterialization(
            asset_key=["raw", "kept", name],
            description="Kept as it is by a contract of the company; no model of Kizuna reads it.",
            metadata={"dagster/row_count": rows[relation], **fates.get(relation, {}), **problems.get(relation, {})},
        )
