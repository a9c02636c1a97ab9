"""One control store in the environment and the home of another company: neither takes the other's files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingestion.load import IngestReport, ingest
from kizuna.control import ledger
from kizuna.control.store import Store, open_store
from kizuna.errors import InputError
from kizuna.settings import Settings, load_settings

HEADER = "Response ID,Survey Type,Score,Created At\n"


def company(home: Path, store: Path, response: str) -> tuple[Settings, Store]:
    """A home with one file, over a store that lies elsewhere, as one on a server does."""
    landing = home / "landing" / "delighted"
    landing.mkdir(parents=True)
    (home / "kizuna.yaml").write_text(f"name: {home.name}\n")
    (landing / f"{response}.csv").write_text(f"{HEADER}{response},nps,9,2026-06-30T00:00:00Z\n")
    url = {"KIZUNA_PSEUDONYM_KEY": "k" * 40, "KIZUNA_CONTROL_URL": f"sqlite:///{store}"}
    settings = load_settings(home, url)
    return settings, open_store(settings)


def accepted(report: IngestReport) -> list[str]:
    return [file.path for file in report.files if file.status == "accepted"]


def test_files_of_one_company_do_not_go_into_the_ledger_of_another(tmp_path: Path) -> None:
    one, store = company(tmp_path / "one", tmp_path / "store.db", "r1")
    other, _ = company(tmp_path / "other", tmp_path / "store.db", "r2")
    assert accepted(ingest(one, store)) == ["delighted/r1.csv"]
    with pytest.raises(InputError, match="another company's"):
        ingest(other, store)
    with store.read() as connection:
        assert [file.path for file in ledger.list_files(connection)] == ["delighted/r1.csv"]
    assert not list(other.raw.rglob("*.parquet"))


@pytest.mark.parametrize("gone", ["raw", "landing"])
def test_a_company_that_lost_one_of_both_goes_on(tmp_path: Path, gone: str) -> None:
    settings, store = company(tmp_path / "one", tmp_path / "store.db", "r1")
    ingest(settings, store)
    shutil.rmtree(settings.home / gone)
    settings.landing.mkdir(exist_ok=True)
    ingest(settings, store)
    with store.read() as connection:
        (batch,) = [batch for batch, _ in ledger.list_batches(connection)]
    assert (settings.home / batch.path).is_file()
