from __future__ import annotations

from pathlib import Path

import pytest

from kizuna.control.store import Store, open_store
from kizuna.settings import Settings, load_settings

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "kizuna.yaml").write_text("name: Test\ntimezone: Asia/Tokyo\ncurrency: JPY\n", encoding="utf-8")
    return load_settings(tmp_path, {"KIZUNA_PSEUDONYM_KEY": KEY})


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)
