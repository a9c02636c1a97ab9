"""staging -> identity: dbt collects the evidence, `analytics.identity` decides who is who."""

from collections.abc import Iterator

import dagster as dg

from kizuna.builds import begin_stage, require_passed
from kizuna.identity_rules import company_rules
from kizuna.redact import engine_errors_without_values
from kizuna.stewardship import company_decisions
from orchestration.dbt_stage import complete_stage, stage_assets
from orchestration.linkage import link_probable
from orchestration.session import BUILD_POOL, Company, build_database, resume

evidence = stage_assets("identity", completes_stage=False)

#: What is resolved: of a record nothing but its name and time, of the published ids nothing but whose they are.
READ = (
    "SELECT source, record_key, seen_at FROM identity.source_records",
    "SELECT source, record_key, identifier_type, raw_value, seen_at, last_seen_at FROM identity.identifiers",
    "SELECT device_id, user_id, login_at FROM identity.device_logins",
    "SELECT customer_id, identifier_hash, first_seen_at FROM state.customer_identifiers",
)
FORMER_IDS = """
SELECT DISTINCT if(change = 'merged', other_customer_id, customer_id) FROM state.identity_changes
WHERE change IN ('merged', 'retired')
"""
EVIDENCE = ("source_records", "identifiers", "device_logins", "not_customers")
RESULTS = {
    "customer_map": "source record -> customer; one row per record that maps",
    "unmapped": "source records that are nobody's, with the reason",
    "customer_identifiers": "customer x identifier; the normalised value never leaves the build",
    "identity_links": "why a record belongs to its customer: rule, evidence, confidence",
    "identity_drops": "evidence not used: blocked, shared or over a limit",
    "identity_changes": "customers created, merged, split and retired, over all builds",
    "customer_map_by_ruleset": "the map under stricter and looser rules, for the bands of identity_bands",
    "identity_bridges": "values without which a customer would fall into two big parts",
    "decision_conflicts": "steward decisions that could not be followed, with what to do",
}


@dg.multi_asset(
    name="resolve_identity",
    pool=BUILD_POOL,
    specs=[
        dg.AssetSpec(
            key=["identity", name],
            deps=[dg.AssetKey(["identity", table]) for table in EVIDENCE]
            + [dg.AssetKey(["state", "customer_identifiers"]), dg.AssetKey(["state", "identity_changes"])],
            group_name="identity",
            description=description,
            kinds={"python", "duckdb"},
            owners=["team:customer-data"],
        )
        for name, description in RESULTS.items()
    ],
    can_subset=False,
)
def resolve_identity(context: dg.AssetExecutionContext, company: Company) -> Iterator[dg.MaterializeResult[None]]:
    """Read the evidence, resolve it, write the map."""
    from analytics.identity.resolve import resolve
    from analytics.identity.rulesets import LOOSE, STRICT

    session = resume(context, company)
    require_passed(session.store, session.build, ("stage", "identity"))
    begin_stage(session.store, session.build, "identity")
    settings = session.settings
    # What is held at once is what a machine must have: only the columns that are read, no engine beside the
    # resolution, and each result let go once it is written.
    with engine_errors_without_values(), build_database(session) as db:
        rules = company_rules(settings.home, settings.company)
        linkage = link_probable(db, settings.company, rules)
        records, identifiers, logins, registry = (db.execute(query).to_arrow_table() for query in READ)
        former_ids = db.execute(FORMER_IDS).to_arrow_table()[0].to_pylist()
    resolution = resolve(
        records,
        identifiers,
        logins,
        rules,
        registry,
        key=settings.pseudonym_key,
        default_country=settings.company.country,
        as_of=session.build.as_of,
        decisions=company_decisions(settings.home),
        probable=linkage.links if linkage else None,
        possible=linkage.review if linkage else None,
        rulesets=(STRICT, LOOSE),
        former_ids=former_ids,
    )
    del records, identifiers, logins, registry, linkage
    frames = {name: getattr(resolution, name) for name in RESULTS}
    del resolution
    counts = {}
    with engine_errors_without_values(), build_database(session) as db:
        for name in RESULTS:
            frame = frames.pop(name)
            db.register("frame", frame)
            db.execute(f"CREATE OR REPLACE TABLE identity.{name} AS SELECT * FROM frame")
            db.unregister("frame")
            counts[name] = frame.num_rows
            del frame
        # Staff, and records a vendor deleted or merged away, were told apart as evidence was collected.
        db.execute(
            "INSERT INTO identity.unmapped BY NAME SELECT source, record_key, reason FROM identity.not_customers"
        )
        db.execute(
            "INSERT INTO identity.identity_changes BY NAME "
            "SELECT * FROM state.identity_changes EXCEPT SELECT * FROM identity.identity_changes"
        )
    complete_stage(session, "identity", **counts)
    for name, rows in counts.items():
        yield dg.MaterializeResult(asset_key=["identity", name], metadata={"dagster/row_count": rows})
