"""identity -> core: dimensions, facts and features on `customer_id`."""

from orchestration.dbt_stage import stage_assets

core = stage_assets("core")
