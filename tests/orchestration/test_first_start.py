"""Code server, daemon and webserver start at the same moment over a new home; what they share is written by one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from orchestration.launch import keep_file
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    keep_file(Path(sys.argv[1]), (str(number % 2) * 100_000).encode())
    text = Path(sys.argv[1]).read_text()
    assert len(text) == 100_000 and len(set(text)) == 1, text[:10]
"""


def test_a_file_that_several_processes_write_at_once_is_always_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path / "dagster.yaml")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    children = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    errors = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], errors
    assert sorted(path.name for path in tmp_path.iterdir()) == [".start.lock", "dagster.yaml"]
