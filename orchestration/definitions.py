"""The code location: everything under `defs/`, found by Dagster's own loader."""

import gc
from pathlib import Path

import dagster as dg

from orchestration.session import Company, quiet_environment

quiet_environment()
defs = dg.Definitions.merge(
    dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
    dg.Definitions(resources={"company": Company()}, executor=dg.in_process_executor),
)
# What is imported stays for good; the collector need not look through it again and again.
gc.freeze()
gc.set_threshold(50_000, 20, 100)
