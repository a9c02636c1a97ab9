"""Slack's mrkdwn as HTML, for the preview: bold, italic, strike, code, links, quotes and a few emoji.

Everything is escaped; a link is made only for http, https, mailto and file addresses. Emoji are drawn as small inline
pictures, so that no emoji font is needed. Source: Slack, "Formatting text for app surfaces".
"""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from markupsafe import Markup

_LINK_SCHEMES = frozenset({"http", "https", "mailto", "file"})
_CODE = re.compile(r"```(?:\n)?(.+?)```|`([^`\n]+)`", re.DOTALL)
_ANGLE = re.compile(r"<([^<>\n]+)>")
_STYLES = (
    (re.compile(r"(?<![\w*])\*(?!\s)([^*\n]+?)(?<!\s)\*(?![\w*])"), "strong"),
    (re.compile(r"(?<![\w_])_(?!\s)([^_\n]+?)(?<!\s)_(?![\w_])"), "em"),
    (re.compile(r"(?<![\w~])~(?!\s)([^~\n]+?)(?<!\s)~(?![\w~])"), "s"),
)
_EMOJI = re.compile(r":([a-z0-9_+-]+):")
_HELD = re.compile("\ue000(\\d+)\ue001")


def _disc(colour: str) -> str:
    return f'<circle cx="8" cy="8" r="6.5" fill="{colour}"/>'


def _arrow(colour: str, points: str) -> str:
    return (
        '<rect x="1" y="1" width="14" height="14" rx="2.5" fill="#eef2f6"/>'
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
    )


_DRAWINGS = {
    "rotating_light": '<path d="M3 14V9a5 5 0 0 1 10 0v5z" fill="#e01e5a"/><rect x="1.5" y="13" width="13" '
    'height="2.4" rx="1" fill="#6b7280"/><path d="M8 0v2M2 2.5l1.4 1.4M14 2.5l-1.4 1.4" stroke="#e01e5a" '
    'stroke-width="1.3"/>',
    "warning": '<path d="M8 1 15.5 15H.5z" fill="#ecb22e"/><path d="M8 5.5v5M8 12.2v1.4" stroke="#1d1c1d" '
    'stroke-width="1.6"/>',
    "white_check_mark": '<rect x="1" y="1" width="14" height="14" rx="3" fill="#2eb67d"/><path d="M4 8.4l2.8 2.8L12 '
    '5.4" fill="none" stroke="#fff" stroke-width="2"/>',
    "x": '<path d="M3 3l10 10M13 3 3 13" stroke="#e01e5a" stroke-width="2.6"/>',
    "bell": '<path d="M8 1.5a4.5 4.5 0 0 0-4.5 4.5c0 4-1.5 5-1.5 6h12c0-1-1.5-2-1.5-6A4.5 4.5 0 0 0 8 1.5z" '
    'fill="#ecb22e"/><circle cx="8" cy="13.6" r="1.6" fill="#b7791f"/>',
    "information_source": '<rect x="1" y="1" width="14" height="14" rx="3" fill="#36a6de"/><path d="M8 7v5M8 3.8v1.6" '
    'stroke="#fff" stroke-width="2"/>',
    "chart_with_upwards_trend": _arrow("#e01e5a", "3,12 6.5,8 9,10 13,4"),
    "chart_with_downwards_trend": _arrow("#2f6fde", "3,4 6.5,8 9,6 13,12"),
    "bar_chart": '<path d="M2 15V8h3v7zM6.5 15V3h3v12zM11 15V6h3v9z" fill="#2f6fde"/>',
    "arrow_up": _arrow("#475569", "4,8 8,4 12,8"),
    "arrow_down": _arrow("#475569", "4,8 8,12 12,8"),
    "red_circle": _disc("#e01e5a"),
    "large_yellow_circle": _disc("#ecb22e"),
    "large_green_circle": _disc("#2eb67d"),
    "large_blue_circle": _disc("#36a6de"),
    "white_circle": _disc("#cbd5e1"),
}


def emoji(text: str) -> str:
    """HTML of already escaped ``text`` with the emoji names known here drawn; others stay as they are."""

    def draw(match: re.Match[str]) -> str:
        drawing = _DRAWINGS.get(match[1])
        if drawing is None:
            return match[0]
        return f'<svg class="emoji" viewBox="0 0 16 16" role="img" aria-label="{match[1]}">{drawing}</svg>'

    return _EMOJI.sub(draw, text)


def plain_html(text: str, *, drawn: bool = True) -> Markup:
    """A ``plain_text`` object: no mark-up; emoji names are drawn unless the object says ``"emoji": false``."""
    escaped = html.escape(text)
    return Markup((emoji(escaped) if drawn else escaped).replace("\n", "<br>"))


def safe_link(url: str) -> str | None:
    """``url`` when a reader may follow it, else None (javascript:, data:, relative addresses …)."""
    cleaned = "".join(c for c in html.unescape(url) if c.isprintable()).strip()
    try:
        return cleaned if urlsplit(cleaned).scheme.lower() in _LINK_SCHEMES else None
    except ValueError:
        return None


def mrkdwn_html(text: str) -> Markup:
    """A ``mrkdwn`` text as HTML."""
    held: list[str] = []

    def hold(piece: str) -> str:
        held.append(piece)
        return f"\ue000{len(held) - 1}\ue001"

    def code(match: re.Match[str]) -> str:
        if match[1] is not None:
            return hold(f"<pre>{_escape(match[1])}</pre>")
        return hold(f"<code>{_escape(match[2])}</code>")

    clean = text.replace("\ue000", "").replace("\ue001", "")
    rest = _ANGLE.sub(lambda m: hold(_reference(m[1])), _CODE.sub(code, clean))
    rest = emoji(_escape(rest))
    for pattern, tag in _STYLES:
        rest = pattern.sub(rf"<{tag}>\1</{tag}>", rest)
    lines = [
        f"<blockquote>{line.removeprefix('&gt;').lstrip()}</blockquote>" if line.startswith("&gt; ") else line
        for line in rest.split("\n")
    ]
    joined = "<br>".join(lines).replace("</blockquote><br>", "</blockquote>")
    while _HELD.search(joined):
        joined = _HELD.sub(lambda m: held[int(m[1])], joined)
    return Markup(joined)


def _escape(text: str) -> str:
    """Slack's three entities are read first, so that `&lt;` shows as `<` and not as `&lt;`."""
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return html.escape(text)


def _reference(inner: str) -> str:
    target, _, label = inner.partition("|")
    if target.startswith(("@", "#", "!")):
        shown = label or target.removeprefix("!")
        sign = target[0] if target[0] in "@#" and not shown.startswith(("@", "#")) else ""
        if target in ("!channel", "!here", "!everyone"):
            sign = "@"
        return f'<span class="mention">{_escape(sign + shown)}</span>'
    url = safe_link(target)
    shown = emoji(_escape(label or target))
    if url is None:
        return shown
    return f'<a href="{html.escape(url)}" rel="noreferrer">{shown}</a>'
