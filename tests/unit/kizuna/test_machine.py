"""What the machine refuses is told as such, whichever library met it; what is a bug stays a traceback."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import duckdb
import pytest

from kizuna import cli
from kizuna.engine import connect
from kizuna.errors import MachineError
from kizuna.machine import advice, refusal
from kizuna.operating_settings import BuildLimits


def test_the_system_s_error_under_an_engine_s_is_found(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "full.db").close()
    with pytest.raises(sqlite3.OperationalError) as read_only:
        sqlite3.connect(f"file:{tmp_path}/full.db?mode=ro", uri=True).execute("CREATE TABLE t (x)")
    with pytest.raises(RuntimeError) as wrapped:
        try:
            raise OSError(28, "No space left on device", "/data/x.parquet")
        except OSError as error:
            raise RuntimeError("step failed") from error
    with pytest.raises(duckdb.Error) as large, duckdb.connect() as db:
        db.execute("SET memory_limit = '8MB'; SET temp_directory = ''")
        db.execute("SELECT count(*) FROM (SELECT range, hash(range) FROM range(9_000_000) ORDER BY 2)")
    limits = BuildLimits(memory_mb=512, spill_mb=1)
    with pytest.raises(duckdb.Error) as spilled, connect(None, limits, spill=tmp_path / "spill") as db:
        db.execute("SET memory_limit = '64MB'; SET threads = 1")
        db.execute("CREATE TABLE t AS SELECT range, repeat(md5(range::VARCHAR), 4) FROM range(900_000)")
    met = (
        (read_only, "Permission is missing"),
        (wrapped, "disk is full"),
        (large, "enough memory"),
        (spilled, "build.spill_mb"),
    )
    for error, words in met:
        found = refusal(error.value)
        assert found is not None and words in str(found)
        assert refusal(found) is found and advice(str(found)) == str(found), "told once, not twice"


def test_a_parser_that_finds_no_room_is_no_broken_file() -> None:
    """What orjson raised when the first model of the line was read with 300 MB (R11 over a whole run)."""
    orjson = pytest.importorskip("orjson")
    error = orjson.JSONDecodeError("Not enough memory to allocate buffer for parsing", "", 0)
    found = refusal(error)
    assert found is not None and "End what else runs here" in str(found)


def test_a_bug_is_none_of_the_machine_s() -> None:
    assert refusal(KeyError("disk")) is None
    assert advice("ParserException: syntax error at or near SELECT") is None


def test_the_command_line_ends_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kizuna", "init", "/sys/kizuna-company"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == MachineError.exit_code
    assert "Permission is missing" in said and "/sys/kizuna-company" in said
