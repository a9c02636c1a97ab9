"""raw -> staging: every vendor's rows in their newest version, cut at `as_of`."""

from orchestration.dbt_stage import stage_assets

staging = stage_assets("staging")
