"""README and docs name only what exists: links, files, make targets, commands, variables, settings, marts, columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MARTS = ROOT / "dbt_project" / "models" / "marts"

#: First parts of a path that can only be meant as one of the repository's.
_TOP = (
    ".ci",
    "analytics",
    "bench",
    "dbt_project",
    "deploy",
    "docs",
    "expectations",
    "ingestion",
    "kizuna",
    "orchestration",
    "tests",
)
_ROOT_FILES = {"Makefile", "README.md", "pyproject.toml", "workspace.yaml", "requirements.lock", ".env.example"}
#: Made when the project runs, so absent from a fresh copy.
_MADE = ("dbt_project/target", "dbt_project/logs")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_PRIVATE = re.compile(r"/(?:work|tmp|root|home)/|\bissues? #?\d+\b", re.IGNORECASE)


def of_pages(find: Any) -> list[tuple[str, str]]:
    """(page, thing) for everything that `find` finds on any page, each once."""
    return sorted(
        {(page.relative_to(ROOT).as_posix(), thing) for page in PAGES for thing in find(page.read_text("utf-8"))}
    )


def code(text: str) -> Iterator[str]:
    """Whatever is set as code: lines of fenced blocks and inline spans."""
    for block in _FENCE.findall(text):
        yield from block.splitlines()[1:-1]
    yield from _CODE.findall(_FENCE.sub("", text))


def links(text: str) -> Iterator[str]:
    for found in _LINK.finditer(_FENCE.sub("", text)):
        yield found.group(1) or found.group(2)


def paths(text: str) -> Iterator[str]:
    for span in code(text):
        for word in re.split(r"[\s\"'=(),:]+", span):
            top, slash, _ = word.partition("/")
            if ((slash and top in _TOP) or word in _ROOT_FILES) and not re.search(r"[<>*…{}$]", word):
                yield word


def commands(text: str) -> Iterator[str]:
    """`kizuna …` as far as it names commands and options: `quarantine list`, `run --as-of`."""
    for span in code(text):
        for found in re.finditer(r"(?:^|[\s(\"/])kizuna((?: [a-z][a-z-]*| --?[a-z][a-z-]*(?:[= ]\S+)?)+)", span):
            yield found.group(1).strip()


def anchor(heading: str) -> str:
    """The fragment that a heading gets when the page is rendered."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@cache
def anchors(page: Path) -> set[str]:
    text = _FENCE.sub("", page.read_text("utf-8"))
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize(("page", "target"), of_pages(links))
def test_a_link_leads_to_a_file_and_a_heading(page: str, target: str) -> None:
    if re.match(r"https?://|mailto:", target):
        return
    name, _, fragment = target.partition("#")
    found = ((ROOT / page).parent / name).resolve() if name else ROOT / page
    assert found.exists(), f"{page} links to {target}"
    if fragment:
        assert fragment in anchors(found), f"{page}: {found.name} has no heading #{fragment}"


@cache
def run_tags() -> set[str]:
    """Tags of Dagster runs look like paths: `kizuna/build_id`."""
    text = (ROOT / "orchestration" / "session.py").read_text("utf-8")
    return set(re.findall(r'^[A-Z_]+_TAG = "([^"]+)"$', text, re.MULTILINE))


@pytest.mark.parametrize(("page", "path"), of_pages(paths))
def test_a_path_of_the_repository_exists(page: str, path: str) -> None:
    if path.startswith(_MADE) or path in run_tags():
        return
    assert (ROOT / path).exists(), f"{page} names {path}"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {(page, word) for page, span in of_pages(code) for word in re.findall(r"(?:^|[\s;&(])make ([a-z]+)", span)}
    assert named, "the pages name no target at all"
    assert not {(page, word) for page, word in named if word not in targets}


@cache
def command_tree() -> Any:
    import typer.main

    from kizuna.cli.app import app

    return typer.main.get_command(app)


@pytest.mark.parametrize(("page", "line"), of_pages(commands))
def test_a_command_and_its_options_exist(page: str, line: str) -> None:
    command = command_tree()
    words = line.split()
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        assert words[0] in command.commands, f"{page}: kizuna {line}"
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, f"{page}: kizuna {line}: no option {word}"


def test_every_command_is_told_in_operating_or_readme() -> None:
    told = (ROOT / "README.md").read_text("utf-8") + (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [
        name for name in command_tree().commands if f"kizuna {name}" not in told and f"make {name}" not in told
    ] == []


def test_every_variable_is_read_somewhere() -> None:
    from kizuna.settings import ENVIRONMENT

    known = set(ENVIRONMENT)
    for source in ("kizuna/failpoints.py", "tests/conftest.py"):
        known |= set(re.findall(r"\bKIZUNA_[A-Z_]+", (ROOT / source).read_text("utf-8")))
    named = of_pages(lambda text: re.findall(r"\bKIZUNA_[A-Z_]+", text))
    assert [(page, name) for page, name in named if name not in known] == []
    operating = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [name for name in ENVIRONMENT if f"`{name}`" not in operating] == []


def test_every_setting_named_exists_and_operating_names_them_all() -> None:
    from kizuna.settings import Company

    sections = {
        name: set(getattr(field.annotation, "model_fields", ())) for name, field in Company.model_fields.items()
    }
    sections = {name: keys for name, keys in sections.items() if keys}
    # `build.duckdb` is a file.
    dotted = re.compile(rf"`({'|'.join(sections)})\.(?!duckdb`)([a-z_]+)`")
    named = of_pages(lambda text: [f"{section}.{key}" for section, key in dotted.findall(text)])
    assert [(page, key) for page, key in named if key.split(".")[1] not in sections[key.split(".")[0]]] == []
    operating = (ROOT / "docs" / "operating.md").read_text("utf-8")
    assert [f"{s}.{k}" for s, keys in sections.items() for k in sorted(keys) if f"`{s}.{k}`" not in operating] == []


def test_every_failpoint_named_exists() -> None:
    from kizuna.failpoints import POINTS

    # `alerts.…` are settings too, `build.duckdb` is a file.
    named = of_pages(lambda text: re.findall(r"`((?:ingest|stage|publish)\.(?!py`)[a-z_]+)`", text))
    assert named and [(page, name) for page, name in named if name not in POINTS] == []


@cache
def published() -> dict[str, Any]:
    """Every mart that states its unique key, by name."""
    models = [model for path in MARTS.rglob("*.yml") for model in yaml.safe_load(path.read_text("utf-8"))["models"]]
    return {model["name"]: model for model in models if model["config"]["meta"].get("kizuna", {}).get("key")}


@cache
def sections_of_marts() -> dict[str, str]:
    parts = re.split(r"^### `([a-z0-9_]+)`$", (ROOT / "docs" / "marts.md").read_text("utf-8"), flags=re.MULTILINE)
    return {
        name: re.split(r"^## ", text, flags=re.MULTILINE)[0]
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_published_mart_is_described_and_no_other() -> None:
    assert sorted(sections_of_marts()) == sorted(published())


@pytest.mark.parametrize("mart", sorted(published()))
def test_a_mart_has_its_key_and_its_columns(mart: str) -> None:
    text, model = sections_of_marts().get(mart, ""), published()[mart]
    key = re.search(r"^- Key: (.+)$", text, re.MULTILINE)
    assert key is not None
    assert _CODE.findall(key.group(1)) == model["config"]["meta"]["kizuna"]["key"]
    read_first = text.partition("Read first: ")[2]
    columns = {column["name"] for column in model["columns"]}
    named = _CODE.findall(re.sub(r"\([^)]*\)", "", read_first))
    assert named and set(named) <= columns, set(named) - columns
    assert "one row per" in text.lower(), "a mart says what a row is"


def test_every_mart_named_with_its_schema_exists() -> None:
    named = of_pages(
        lambda text: re.findall(
            r"\bmarts\.([a-z][a-z0-9_]+)", re.sub(r"`suites/marts\.py`|marts\.(?:md|py|yml)", "", text)
        )
    )
    assert named and [(page, name) for page, name in named if name not in published()] == []


def test_pages_speak_of_the_project_alone() -> None:
    assert of_pages(lambda text: [found.group(0) for found in _PRIVATE.finditer(text)]) == []
