"""Both kinds of pages in a real browser without any network: what a reader sees is what was written.

The browser runs with every host name unresolvable; the page's own policy forbids requests as well.
"""

from __future__ import annotations

import html
import importlib.util
import io
import json
import re
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


# Text whose colour is too near to what lies under it (ratio of luminances by WCAG 2.2, at least 3), and boxes whose
# content is wider than they are.
_LOOK = """<script>
const light = c => { const v = c.match(/[0-9.]+/g).slice(0, 3).map(x => x / 255).map(
    x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
const under = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/^rgba.*, 0\\)$/.test(c)) return c; } return "rgb(255, 255, 255)"; };
const found = [];
for (const e of document.querySelectorAll("main *:not(svg):not(svg *)")) {
    const own = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join("");
    if (own) {
        const pair = [light(getComputedStyle(e).color), light(under(e))].sort((a, b) => b - a);
        if ((pair[0] + 0.05) / (pair[1] + 0.05) < 3) found.push("hard to read: " + own);
    }
    if (e.clientWidth && e.scrollWidth > e.clientWidth + 1) found.push("too wide: " + e.className + " " + e.id);
}
const told = document.createElement("pre"); told.id = "found"; told.textContent = JSON.stringify(found);
document.body.append(told);
</script>"""


def faults_of(page: Path, profile: Path, width: int) -> list[str]:
    """What a reader of this page cannot read in a window of this width."""
    assert BROWSER
    text = re.sub(r"<meta http-equiv=.Content-Security-Policy[^>]*>", "", page.read_text(encoding="utf-8"))
    looked = page.with_name("looked.html")
    looked.write_text(text.replace("</body>", _LOOK + "</body>"), encoding="utf-8")
    command = [BROWSER, *FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
    command += [f"--window-size={width},2400", "--dump-dom", looked.as_uri()]
    dom = subprocess.run(command, check=True, capture_output=True, timeout=60, text=True).stdout
    (found,) = re.findall(r'<pre id="found">(.*?)</pre>', dom)
    return list(json.loads(html.unescape(found)))


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
        connection.execute(shop.TARGETS)
    page = tmp_path / "scorecard.html"
    page.write_text(render_scorecard(db, shop.MANIFEST, company), encoding="utf-8")
    assert faults_of(page, tmp_path / "profile", 900) == []
    assert faults_of(page, tmp_path / "profile", 1200) == []
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
        {"type": "header", "text": {"type": "plain_text", "text": "離反リスクの急増: 関西"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*高リスク*\n44 人"}]},
    ]
    message = outbox.Message(
        message_id=1, key="spike", channel_type="slack", channel="#cx-alerts", seq=1,
        payload={"text": "離反リスクの急増", "blocks": blocks}, image=chart, state="pending", attempts=0,
        next_attempt_at=None, sent_at=None, external_ts=None, last_error=None, thread_key=None,
        created_at=datetime(2026, 7, 1),
    )  # fmt: skip
    preview = tmp_path / "message.html"
    preview.write_text(render_message(message, timezone="Asia/Tokyo", locale="ja"), encoding="utf-8")
    shown = screenshot(preview, tmp_path / "profile", 900, 760)
    assert has_colour(shown, (194, 24, 60)) > 200, "the chart's red line inside the message"
