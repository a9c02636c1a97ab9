"""Pairs in doubt leave the build as a private file whose lines a steward can paste."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest

from kizuna.cli.identity_review import export_review
from kizuna.errors import InputError
from kizuna.stewardship import company_decisions

SIDES = "source_a VARCHAR, record_key_a VARCHAR, source_b VARCHAR, record_key_b VARCHAR"
ATTRIBUTES = (
    "last_name, full_name, kana, birth_on, birth_text, house_number, street, address_line_2, city, region, "
    "postal_code, email, phone"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A company whose published build is in doubt about one pair."""
    monkeypatch.setenv("KIZUNA_PSEUDONYM_KEY", "k" * 64)
    home = tmp_path / "home"
    build, shown = home / "builds" / "b1" / "a1", home / "published" / "v-1"
    build.mkdir(parents=True)
    shown.mkdir(parents=True)
    (home / "kizuna.yaml").write_text("name: Test\nidentity: {probabilistic: true}\n", encoding="utf-8")
    (shown / "manifest.json").write_text(json.dumps({"version": 1, "build_id": "b1", "attempt": 1}), encoding="utf-8")
    (home / "published" / "current").symlink_to("v-1")
    with duckdb.connect(str(build / "build.duckdb")) as db:
        empty = ", ".join(f"NULL::VARCHAR AS {name}" for name in ATTRIBUTES.split(", ")[1:])
        db.execute("CREATE SCHEMA identity")
        db.execute(
            "CREATE TABLE identity.source_records AS SELECT *, 'Example' AS last_name, "
            f"{empty} FROM (VALUES ('a.person', '1', 'Anna'), ('b.person', '2', '=Ana')) AS t(source, record_key, "
            "first_name)"
        )
        db.execute(f"CREATE TABLE identity.probable_review ({SIDES}, probability DOUBLE, explanation VARCHAR)")
        db.execute(
            "INSERT INTO identity.probable_review VALUES ('a.person', '1', 'b.person', '2', 0.7, 'family name equal')"
        )
    return home


def test_a_pair_is_written_with_lines_that_are_decisions(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_review(home)
    file = home / "identity" / "review" / "b1.csv"
    assert str(file) in capsys.readouterr().out
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    [row] = csv.DictReader(file.read_text("utf-8-sig").splitlines())
    assert (row["probability"], row["explanation"]) == ("0.7", "family name equal")
    assert (row["first_name_a"], row["first_name_b"], row["last_name_a"]) == ("Anna", "'=Ana", "Example")
    assert "city_a" not in row

    said = row["two_people"].replace("reason: ,", "reason: sisters,").replace("by: ,", "by: mia,")
    (home / "identity" / "decisions.yaml").write_text(f"- {said}\n", encoding="utf-8")
    [decision] = company_decisions(home)
    assert decision.kind == "forbid"
    assert [(end.kind, end.name, end.value) for end in decision.ends] == [
        ("record", "a.person", "1"),
        ("record", "b.person", "2"),
    ]
    assert row["same_person"].startswith("{force: ")


def test_without_probable_links_the_setting_is_named(home: Path) -> None:
    (home / "kizuna.yaml").write_text("name: Test\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"identity\.probabilistic: false"):
        export_review(home)


def test_a_build_from_before_the_setting_says_so(home: Path) -> None:
    with duckdb.connect(str(home / "builds" / "b1" / "a1" / "build.duckdb")) as db:
        db.execute("DROP TABLE identity.probable_review")
    with pytest.raises(InputError, match="compared no records"):
        export_review(home)


def test_nothing_in_doubt_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect(str(home / "builds" / "b1" / "a1" / "build.duckdb")) as db:
        db.execute("DELETE FROM identity.probable_review")
    export_review(home)
    assert "nothing to review" in capsys.readouterr().out
    assert not (home / "identity" / "review").exists()
