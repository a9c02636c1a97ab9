"""core and scores -> marts: one table per question, the public interface."""

from orchestration.dbt_stage import stage_assets

marts = stage_assets("marts")
