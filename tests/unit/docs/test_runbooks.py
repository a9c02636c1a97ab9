"""Whatever the platform tells somebody, there is a page that says what to do; and what is deployed really exists."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from analytics.alerts import Message
from analytics.alerts.silence import _WORDS, Quiet
from kizuna.operating_settings import WatchParams
from kizuna.runbooks import FOLDER, RUNBOOK_OF
from kizuna.settings import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[3]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
SECTIONS = ["Symptom", "What it means", "What readers see meanwhile", "Look", "Mend", "Verify"]


def test_every_kind_of_message_has_a_runbook() -> None:
    assert {kind.__name__ for kind in get_args(Message)} == set(RUNBOOK_OF)
    assert [name for name in RUNBOOK_OF.values() if not (FOLDER / f"{name}.md").exists()] == []


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_says_how_it_shows_what_to_do_and_how_to_see_that_it_is_well(page: Path) -> None:
    text = page.read_text("utf-8")
    assert [line for line in re.findall(r"^## (.+)$", text, re.M) if line in SECTIONS] == SECTIONS
    others = [path for path in (ROOT / "docs").rglob("*.md") if path != page]
    sources = [*(ROOT / "kizuna").rglob("*.py"), *(ROOT / "orchestration").rglob("*.py")]
    assert any(page.name in path.read_text("utf-8") for path in [*others, *sources]), "a page nobody is sent to"


def test_every_silence_stands_in_its_runbook() -> None:
    text = (FOLDER / "silence.md").read_text("utf-8")
    titles = [_WORDS["en"][kind].format(subject="…") for kind in get_args(Quiet)]
    assert [title for title in titles if title not in text] == []


def test_every_exit_code_is_told_with_where_to_go_on() -> None:
    from kizuna import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [kind.__name__ for kind in kinds if f"\n| {kind.exit_code} | " not in text] == []


def test_pages_that_the_program_names_exist() -> None:
    named = {
        name
        for folder in ("kizuna", "orchestration", "ingestion")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"docs/[a-z/-]+\.md", path.read_text("utf-8"))
    }
    assert "docs/runbooks/silence.md" in named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def commands() -> Any:
    import typer.main

    from kizuna.cli.app import app

    return typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_what_exists_as_nobody_special(unit: Path) -> None:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(unit.read_text("utf-8"))
    if unit.suffix == ".timer":
        assert unit.with_suffix(".service") in UNITS
        return
    service = parsed["Service"]
    assert (service["User"], service["UMask"]) == ("kizuna", "0077")
    found = re.search(r"/opt/kizuna/\.venv/bin/kizuna (\w+)(?: (\w+))?", service["ExecStart"])
    assert found is not None and found.group(1) in commands()
    if found.group(1) == "serve":
        assert found.group(2) in {"code", "daemon", "web", "viewer"} and unit.stem == f"kizuna-{found.group(2)}"
        assert "--host" not in service["ExecStart"], "loopback unless an operator says otherwise"


def test_systemd_itself_finds_nothing_to_say_about_the_units(tmp_path: Path) -> None:
    """Unknown keys, words it does not take, times it cannot read; for what is not installed stand-ins are put."""
    for unit in UNITS:
        text = unit.read_text("utf-8")
        assert "/opt/kizuna" in text or unit.suffix == ".timer"
        here = text.replace("/opt/kizuna/.venv/bin/kizuna", "/bin/true").replace("/opt/kizuna", str(tmp_path))
        (tmp_path / unit.name).write_text(here)
    if shutil.which("systemd-analyze") is None:
        return
    units = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_switch_looks_twice_in_the_shortest_interval_and_needs_no_other_unit() -> None:
    timer = (ROOT / "deploy" / "systemd" / "kizuna-watch.timer").read_text("utf-8")
    every = re.search(r"^OnUnitActiveSec=(\d+)min$", timer, re.M)
    assert every is not None and int(every.group(1)) * 2 <= WatchParams().daemon_minutes
    service = (ROOT / "deploy" / "systemd" / "kizuna-watch.service").read_text("utf-8")
    assert not re.search(r"^(After|Wants|Requires|BindsTo|PartOf)=.*kizuna", service, re.M)


def test_the_compose_file_opens_loopback_only_and_names_what_exists() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    services = compose["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    parts = {service["command"][1] for service in services.values() if "command" in service}
    assert parts == {"code", "daemon", "web", "viewer"}
    variables = {name for service in services.values() for name in service.get("environment", {}) if "KIZUNA" in name}
    assert variables and variables <= set(ENVIRONMENT)
    assert "watch" in commands() and "kizuna watch" in services["watch"]["entrypoint"][2]
    mounted = [v for service in services.values() for v in service.get("volumes", []) if v.startswith("./")]
    assert [v for v in mounted if not (ROOT / "deploy" / v.split(":")[0]).exists()] == []


def test_no_secret_and_no_company_gets_into_the_image() -> None:
    """`COPY . .` takes what `.dockerignore` leaves: what runs, and no `.env`, which compose itself asks for."""
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert lines[0] == "*", "what nobody thought of stays outside"
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert [name for name in sorted(taken) if not (ROOT / name).exists()] == []
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert packages | {"dbt_project", "Makefile", "requirements.lock", "requirements-uv.lock"} <= taken
    assert not taken & {"deploy", "var", ".env", ".git"}
    assert {"**/.env", "**/*.duckdb", "dbt_project/target"} <= set(lines)
    image = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    # A user who may not write there cannot parse the project at the first run.
    assert re.search(r"orchestration\.validate.*chown -R kizuna [^\n]*dbt_project/target", image, re.S)
