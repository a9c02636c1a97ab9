"""Dagster wiring only: assets, checks, job, schedule, sensors, and dbt in preloaded children."""
