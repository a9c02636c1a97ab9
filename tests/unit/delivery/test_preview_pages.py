"""Without a token messages become local pages that look like Slack, ask for nothing and run nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kizuna.control.store import Store, open_store
from kizuna.delivery import outbox
from kizuna.delivery.blocks import with_image
from kizuna.delivery.mrkdwn import mrkdwn_html, safe_link
from kizuna.delivery.preview import write_previews
from kizuna.delivery.slack import send_pending
from kizuna.settings import Company, Settings

NOW = datetime(2026, 7, 1, 1, 2)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
BLOCKS: list[dict[str, Any]] = [
    {"type": "header", "text": {"type": "plain_text", "text": "離反リスクの急増", "emoji": True}},
    {"type": "section", "text": {"type": "mrkdwn", "text": "*19.1%* <https://x.example/s|スコアカード>"}},
    {"type": "section", "fields": [{"type": "mrkdwn", "text": "*顧客*\n44"}, {"type": "mrkdwn", "text": "*金額*\n¥1"}]},
    {"type": "divider"},
    {
        "type": "actions",
        "elements": [
            {"type": "button", "text": {"type": "plain_text", "text": "開く"}, "url": "https://x.example/"},
            {"type": "button", "text": {"type": "plain_text", "text": "悪い"}, "url": "javascript:alert(1)"},
        ],
    },
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "build b1"}]},
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        company=Company(name="絆<b>商店", locale="ja", timezone="Asia/Tokyo", currency="JPY"),
        pseudonym_key="k" * 64,
        control_url=f"sqlite:///{tmp_path / 'control.db'}",
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_messages_become_pages(store: Store, settings: Settings) -> None:
    image = settings.home / "chart.png"
    image.write_bytes(PNG)
    payload = {"text": "離反リスクの急増", "blocks": BLOCKS}
    with store.begin() as conn:
        outbox.enqueue(conn, key="spike:region/関西", channel="#cx-alerts", payload=payload, now=NOW, image=image)
        outbox.enqueue(conn, key="plain", channel="#cx-data", payload={"text": "only text"}, now=NOW)
    report = send_pending(store, settings)
    assert (report.previewed, report.sent, report.pending, report.errors) == (2, 0, 0, ())
    names = sorted(path.name for path in settings.previews.iterdir())
    assert names == ["0001-plain.html", "0001-spike-region-.html", "index.html"]
    page = (settings.previews / names[1]).read_text()
    for text in ("離反リスクの急増", "<strong>19.1%</strong>", "2026-07-01 10:02", "build b1", "cx-alerts"):
        assert text in page
    assert "data:image/png;base64," in page
    assert page.index("¥1") < page.index("data:image/png") < page.index("build b1")
    assert "data:font/woff;base64," in page, "Japanese needs no installed font"
    index = (settings.previews / "index.html").read_text()
    assert all(f'href="{name}"' in index for name in names[:2])
    assert "絆&lt;b&gt;商店" in index
    with store.read() as conn:
        assert outbox.counts(conn)["preview"] == 2
    assert send_pending(store, settings).previewed == 0


def test_looking_at_a_message_does_not_keep_it_from_being_sent(store: Store, settings: Settings) -> None:
    with store.begin() as conn:
        outbox.enqueue(conn, key="k", channel="#a", payload={"text": "t"}, now=NOW)
    assert write_previews(store, settings.model_copy(update={"slack_token": "xoxb-1"})) == 1
    assert "waits in the outbox" in (settings.previews / "0001-k.html").read_text()
    with store.read() as conn:
        assert outbox.counts(conn)["pending"] == 1
    assert write_previews(store, settings) == 1
    with store.read() as conn:
        assert outbox.counts(conn)["preview"] == 1


def test_pages_ask_for_nothing_and_run_nothing(store: Store, settings: Settings) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    blocks = [
        *BLOCKS,
        {"type": "header", "text": {"type": "plain_text", "text": evil}},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"{evil} `{evil}` *{evil}* <https://a.example|{evil}>"}},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": '<https://a.example/"onmouseover="x|y> <javascript:x|z>'},
        },
        {"type": "image", "image_url": "https://tracker.example/p.png", "alt_text": evil},
        {"type": evil},
    ]
    with store.begin() as conn:
        outbox.enqueue(conn, key=f"../../{evil}", channel=evil, payload={"text": evil, "blocks": blocks}, now=NOW)
    send_pending(store, settings)
    (path,) = (p for p in settings.previews.iterdir() if p.name != "index.html")
    for html in (path.read_text(), (settings.previews / "index.html").read_text()):
        page = _Page(html)
        assert not set(page.tags) & {"script", "img", "iframe", "link", "object"}
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        links = [value or "" for name, value in page.attributes if name == "href"]
        assert all(re.match(r"https://|[\w.-]+\.html$", link) for link in links), links
        assert "tracker.example" not in html
    assert path.parent == settings.previews


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~no~ `a*b*c`", "<strong>bold</strong> <em>it</em> <s>no</s> <code>a*b*c</code>"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("a &lt;b&gt; &amp;amp;", "a &lt;b&gt; &amp;amp;"),
        ("line\nnext", "line<br>next"),
        ("> said\nafter", "&gt; said<br>after"),
        ("<!channel>", '<span class="mention">@channel</span>'),
        ("&lt;!channel&gt;", "&lt;!channel&gt;"),
        ("<mailto:a@b.example|mail>", '<a href="mailto:a@b.example" rel="noreferrer">mail</a>'),
        ("<javascript:alert(1)|click>", "click"),
        (":no_such_emoji:", ":no_such_emoji:"),
        ("```x < *y*```", "<pre>x &lt; *y*</pre>"),
    ],
)
def test_mrkdwn(text: str, html: str) -> None:
    expected = "<blockquote>said</blockquote>after" if text.startswith("> ") else html
    assert mrkdwn_html(text) == expected


def test_known_emoji_are_drawn_without_a_font() -> None:
    assert 'aria-label="warning"' in mrkdwn_html(":warning: late")


@pytest.mark.parametrize(
    "url", ["java\nscript:alert(1)", "data:text/html,x", "//host/x", "relative.html", "http://[bad"]
)
def test_unsafe_links(url: str) -> None:
    assert safe_link(url) is None


def test_a_placeholder_says_where_the_picture_goes() -> None:
    blocks = [{"type": "divider"}, {"type": "image", "alt_text": "chart"}, {"type": "section", "fields": [{}]}]
    placed = with_image(blocks, {"image_url": "u"}, "chart")
    assert placed[1] == {"type": "image", "alt_text": "chart", "image_url": "u"}
    assert len(placed) == 3
    assert with_image([{"type": "divider"}] * 50, {"image_url": "u"}, "x") == [{"type": "divider"}] * 50
