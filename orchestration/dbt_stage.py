"""One dbt folder = one op = one stage: the assets of a folder and the run of its models and tests."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtProject, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version

from kizuna.builds import begin_stage, record_stage, require_passed
from kizuna.engine import engine_settings
from kizuna.errors import BuildError
from kizuna.failpoints import failpoint
from kizuna.opening_hours import as_dbt_vars
from kizuna.operating_settings import BuildLimits
from kizuna.state import definition_of
from kizuna.survivorship import company_survivorship
from kizuna.targets import company_targets
from orchestration import idle_models
from orchestration.dbt_child import LEFT_OUT, DbtChild
from orchestration.idle_tests import idle_tests, relations_with_batches
from orchestration.manifest import DBT_PROJECT, manifest, packed_manifest, published_tables
from orchestration.session import BUILD_POOL, Company, Session, resume
from orchestration.when import FRESH

#: A test runs in the stage that builds the last of its parents: the default pulls tests into earlier stages, where
#: their tables do not exist yet, and `cautious` drops tests over two stages without a word.
INDIRECT_SELECTION = "buildable"

os.environ.setdefault("DBT_INDIRECT_SELECTION", INDIRECT_SELECTION)

SOURCES_MADE_LATER = {("raw", "gate_verdicts"): ("scores", "gate_verdicts")}


class StageTranslator(DagsterDbtTranslator):
    """Asset keys, groups and owners say the stage: models are [stage, model], raw relations [raw, vendor, entity]."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            source, table = dbt_resource_props["source_name"], dbt_resource_props["name"]
            moved = SOURCES_MADE_LATER.get((source, table))
            return dg.AssetKey(moved or [source, *table.split("__", 1)])
        return dg.AssetKey([dbt_resource_props["config"]["schema"], dbt_resource_props["name"]])

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        is_published = spec.key.path[0] == "marts" and spec.key.path[-1] in published_tables()
        return spec.replace_attributes(freshness_policy=FRESH) if is_published else spec

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return str(dbt_resource_props["config"].get("schema") or dbt_resource_props["source_name"])


#: One for all stages: it keeps the specs it has made, and each needs those of all that is upstream of it.
_TRANSLATOR = StageTranslator()


def stage_assets(stage: str, *, completes_stage: bool = True) -> dg.AssetsDefinition:
    """The models of `models/<stage>` as one op. It refuses subsets: a stage is built and judged as a whole.

    `completes_stage=False` where Python goes on writing the same stage.
    """

    @dbt_assets(
        manifest=manifest(),
        name=f"dbt_{stage}",
        select=f"fqn:kizuna.{stage}",
        exclude="resource_type:unit_test",
        dagster_dbt_translator=_TRANSLATOR,
        pool=BUILD_POOL,
    )
    def _stage(context: dg.AssetExecutionContext, company: Company) -> Iterator[Any]:
        if context.is_subset:
            raise BuildError(f"Stage {stage} is built as a whole; select all assets of group {stage}.")
        session = resume(context, company)
        require_passed(session.store, session.build, ("stage", stage))
        begin_stage(session.store, session.build, stage)
        yield from run_stage(context, session, stage)
        if completes_stage:
            complete_stage(session, stage)

    return _stage


def complete_stage(session: Session, stage: str, **detail: Any) -> None:
    """Record that the stage has written all it writes."""
    record_stage(session.store, session.build, stage, detail)
    failpoint(f"stage.{stage}_done")


def build_environment(db: Path, limits: BuildLimits) -> dict[str, str]:
    """What `profiles.yml` and dbt read from the environment of a child."""
    engine = engine_settings(limits)
    return {
        "KIZUNA_BUILD_DB": str(db),
        "KIZUNA_BUILD_MEMORY": engine["memory_limit"],
        "KIZUNA_BUILD_SPILL": engine["max_temp_directory_size"],
        "DBT_INDIRECT_SELECTION": INDIRECT_SELECTION,
    }


def run_stage(context: dg.AssetExecutionContext, session: Session, stage: str) -> Iterator[Any]:
    """Run one folder's models and tests in a dbt child; yield their Dagster events, tables with rows and columns."""
    target = session.build.folder / "dbt" / stage
    target.mkdir(parents=True, exist_ok=True)
    present = relations_with_batches(session.build.db)
    idle, empty = idle_tests(stage, present), idle_models.empty_tables(stage, present)
    idle_models.create(session.build.db, empty.values())
    args = ["build", "--select", f"fqn:kizuna.{stage}"]
    left_out = [*idle, *empty]
    args += ["--exclude", "resource_type:unit_test", *([f"tag:{LEFT_OUT}"] if left_out else [])]
    args += ["--indirect-selection", INDIRECT_SELECTION]
    args += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(target)]
    # Events come through the callback; what dbt would print beside them nobody reads.
    args += ["--log-level", "none", "--log-level-file", "none", "--no-write-json"]
    env = build_environment(session.build.db, session.settings.company.build)
    child = DbtChild(
        args, env=env, cwd=DBT_PROJECT, manifest=packed_manifest(), variables=dbt_vars(session), left_out=left_out
    )
    invocation = DbtCliInvocation(
        process=child,  # type: ignore[arg-type]
        manifest=manifest(),
        dagster_dbt_translator=_TRANSLATOR,
        project_dir=DBT_PROJECT,
        target_path=target,
        raise_on_error=True,
        cli_version=Version("1.11"),
        context=context,
    )
    yield from _made_empty(empty)
    yield from _nothing_to_check(context, idle)
    # Row counts are known when dbt has closed the file, so tables are reported last and checks as they come.
    # dagster-dbt raises after the last event; what was built before a failing test is reported all the same.
    outputs: list[dg.Output[Any]] = []
    failure: DagsterDbtCliRuntimeError | None = None
    try:
        for event in invocation.stream():
            if isinstance(event, dg.Output):
                outputs.append(event)
            else:
                yield event
    except DagsterDbtCliRuntimeError as error:
        failure = error
    for output in outputs:
        yield _with_table(output, child.stdout.relations)
    if failure is not None:
        raise failure
    with suppress(OSError):
        # What it saves is time; where nobody may write beside the code, the next build takes it again.
        idle_models.remember(stage, present, child.stdout.relations)


def _made_empty(empty: Mapping[str, idle_models.EmptyTable]) -> Iterator[dg.MaterializeResult[None]]:
    """Tables of absent vendors, parents first: they exist, without rows, and say why."""
    for table in empty.values():
        columns = [dg.TableColumn(name=name, type=kind) for name, kind in table.columns]
        yield dg.MaterializeResult(
            asset_key=_TRANSLATOR.get_asset_key(manifest()["nodes"][table.unique_id]),
            metadata={
                "dagster/row_count": 0,
                "dagster/column_schema": dg.TableSchema(columns=columns),
                "note": "nothing to read: no batch of what it is made of",
            },
        )


def _nothing_to_check(context: dg.AssetExecutionContext, idle: Mapping[str, str]) -> Iterator[dg.AssetCheckResult]:
    """A result for each test that dbt is not asked to run: every test gives one, and none passes without a reason."""
    for spec in context.assets_def.check_specs:
        reason = idle.get(str((spec.metadata or {}).get("dagster_dbt/unique_id")))
        if reason is not None and spec.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=True,
                description=reason,
                metadata={"note": reason},
            )


def dbt_vars(session: Session) -> dict[str, Any]:
    """What a build tells its models: the day, the company and the KPI parameters."""
    company, build = session.settings.company, session.build
    kpi = company.kpi
    return {
        "as_of": build.as_of.isoformat(),
        "build_id": build.build_id,
        "definition": definition_of(build.config_hash, build.code_version),
        "as_of_end_utc": company.day_end_utc(build.as_of).isoformat(sep=" "),
        "timezone": company.timezone,
        "currency": company.currency,
        "locale": company.locale,
        "margin_rate": str(kpi.margin_rate),
        "churn_horizon_days": kpi.churn_horizon_days,
        "churn_high": str(Decimal(str(kpi.churn_high))),
        "churn_medium": str(Decimal(str(kpi.churn_medium))),
        "sla_minutes": dict(kpi.sla_minutes),
        "device_login_window_days": kpi.device_login_window_days,
        "retention_periods": dict(kpi.retention_periods),
        "retention_windows": sorted(set(kpi.retention_windows)),
        "contract_months": kpi.contract_months,
        "ship_days": kpi.ship_days,
        "user_id_is": kpi.user_id_is,
        "survey_answer": kpi.survey_answer,
        "kpi_segments": sorted(set(kpi.segments)),
        "max_id_churn": str(Decimal(str(company.identity.max_id_churn))),
        "max_stitch_change": str(Decimal(str(company.identity.max_stitch_change))),
        "survivorship": company_survivorship(session.settings.home),
        **as_dbt_vars(company.support, company.country, build.as_of),
        "targets": [target.as_variable() for target in company_targets(session.settings.home)],
    }


def _with_table(output: dg.Output[Any], described: Mapping[str, Any]) -> dg.Output[Any]:
    table = described.get(str(output.metadata["unique_id"].value)) if "unique_id" in output.metadata else None
    if table is None:
        return output
    columns = [dg.TableColumn(name=name, type=kind) for name, kind in table["columns"]]
    return output.with_metadata(
        {
            **output.metadata,
            "dagster/row_count": table["rows"],
            "dagster/column_schema": dg.TableSchema(columns=columns),
        }
    )


__all__ = ["StageTranslator", "complete_stage", "dbt_vars", "run_stage", "stage_assets"]
