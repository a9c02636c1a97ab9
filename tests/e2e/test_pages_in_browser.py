"""Both kinds of pages in a real browser without any network: what a reader sees is what was written.

The browser runs with every host name unresolvable; the page's own policy forbids requests as well.
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from types import ModuleType

import duckdb
import pytest
from PIL import Image

from kizuna.delivery import outbox
from kizuna.delivery.preview import render_message
from kizuna.scorecard import churn_chart_png, render_scorecard
from kizuna.settings import Company

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium in PATH (Debian package chromium)")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]


def screenshot(page: Path, profile: Path, width: int, height: int) -> Image.Image:
    assert BROWSER
    target = page.with_suffix(".png")
    command = [BROWSER, *FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    command += [f"--window-size={width},{height}", f"--screenshot={target}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return Image.open(io.BytesIO(target.read_bytes())).convert("RGB")


def has_colour(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many pixels are near this colour."""
    counted = picture.getcolors(maxcolors=picture.width * picture.height) or []
    return sum(n for n, c in counted if all(abs(a - b) < 10 for a, b in zip(c, colour, strict=True)))


@pytest.fixture(scope="module")
def shop() -> ModuleType:
    path = Path(__file__).parent.parent / "unit" / "scorecard" / "conftest.py"
    spec = importlib.util.spec_from_file_location("scorecard_shop", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_scorecard_and_message_are_drawn(tmp_path: Path, shop: ModuleType) -> None:
    company = Company(name="絆商店", locale="ja", timezone="Asia/Tokyo", currency="JPY", demo=True)
    db = tmp_path / "cx.duckdb"
    with duckdb.connect(str(db)) as connection:
        connection.execute(shop.TABLES)
        shop.fill(connection)
    page = tmp_path / "scorecard.html"
    page.write_text(render_scorecard(db, shop.MANIFEST, company), encoding="utf-8")
    seen = screenshot(page, tmp_path / "profile", 1200, 2400)
    assert has_colour(seen, (15, 110, 120)) > 20_000, "the bars of revenue and support"
    assert has_colour(seen, (194, 24, 60)) > 400, "the spike in red"
    assert has_colour(seen, (31, 42, 55)) > 5_000, "text"

    # The same page without its font: boxes instead of Japanese, so the picture must differ.
    bare = tmp_path / "bare.html"
    text = page.read_text(encoding="utf-8")
    bare.write_text(text.replace("data:font/woff;base64,", "data:font/woff;base64,AAAA"), encoding="utf-8")
    assert screenshot(bare, tmp_path / "profile", 1200, 2400).tobytes() != seen.tobytes()

    chart = tmp_path / "chart.png"
    chart.write_bytes(churn_chart_png(db, company, segment="関西") or b"")
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "解約リスクの急増: 関西"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*高リスク*\n44 人"}]},
    ]
    message = outbox.Message(
        message_id=1, key="spike", channel_type="slack", channel="#cx-alerts", seq=1,
        payload={"text": "解約リスクの急増", "blocks": blocks}, image=chart, state="pending", attempts=0,
        next_attempt_at=None, sent_at=None, external_ts=None, last_error=None, thread_key=None,
        created_at=datetime(2026, 7, 1),
    )  # fmt: skip
    preview = tmp_path / "message.html"
    preview.write_text(render_message(message, timezone="Asia/Tokyo", locale="ja"), encoding="utf-8")
    shown = screenshot(preview, tmp_path / "profile", 900, 760)
    assert has_colour(shown, (194, 24, 60)) > 200, "the chart's red line inside the message"
