"""Gates: what must hold before a stage of the build may go on, checked by Great Expectations inside DuckDB.

`registry.GATES` is the one table to read; `runner.run_gate` runs one gate over one build's file.
"""
