"""Messages as local pages that look like Slack, for a company without a token (and for pictures in documentation).

Each page is one file without any request: picture and Japanese font are inside it. Block Kit subset: header, section
(text, fields, accessory), fields, context, divider, image, actions with link buttons. Unknown blocks are shown by type.
"""

from __future__ import annotations

import base64
import functools
import html
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.delivery.blocks import alt_text, with_image, without_image
from kizuna.delivery.mrkdwn import mrkdwn_html, plain_html, safe_link
from kizuna.errors import DeliveryError
from kizuna.files import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment

    from kizuna.settings import Settings

_IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_NO_TOKEN = "Local preview: no Slack token is set, nothing was sent."
_WAITING = "Local preview: the message waits in the outbox."
_TAGS = re.compile(r"<[^>]*>")


def write_previews(store: Store, settings: Settings, *, now: Callable[[], datetime] = utcnow) -> int:
    """Render every unsent message into ``settings.previews`` and renew ``index.html``; returns how many.

    Without a token they are thereby done and become ``preview``. With one they keep their state: looking at a message
    must never keep it from being sent. A killed run leaves whole files only and renders the rest next time.
    """
    final = settings.slack_token is None
    note = _NO_TOKEN if final else _WAITING
    with store.read() as conn:
        waiting = outbox.listing(conn, *outbox.UNSENT)
    try:
        settings.previews.mkdir(parents=True, exist_ok=True)
        for message in waiting:
            page = render_message(
                message, timezone=settings.company.timezone, locale=settings.company.locale, note=note
            )
            _write(settings.previews / preview_name(message), page)
            if final:
                with store.begin() as conn:
                    outbox.mark_preview(conn, message.message_id, now=now())
        with store.read() as conn:
            shown = outbox.listing(conn, "preview", *outbox.UNSENT)
        index = render_index(shown, company=settings.company.name, timezone=settings.company.timezone)
        _write(settings.previews / "index.html", index)
    except OSError as error:
        raise DeliveryError(f"previews cannot be written to {settings.previews}: {error.strerror}") from error
    return len(waiting)


def preview_name(message: outbox.Message) -> str:
    """``<seq>-<key>.html`` with only harmless characters of the key."""
    return f"{message.seq:04d}-{re.sub(r'[^A-Za-z0-9._-]+', '-', message.key)[:120]}.html"


def render_message(message: outbox.Message, *, timezone: str, locale: str = "en", note: str = "") -> str:
    """One message as a self-contained page; ``note`` stands below it."""
    blocks = list(message.payload.get("blocks") or [])
    picture = _data_uri(message.image) if message.image else None
    if picture is not None:
        blocks = with_image(blocks, {"image_url": picture}, alt_text(message.payload))
    blocks = without_image(blocks)
    body = [_block(block) for block in blocks] or [Markup("<p>{}</p>").format(_text(message.payload["text"]))]
    return _page(
        "message.html.j2",
        lang=locale,
        title=str(message.payload["text"]),
        channel=message.channel.removeprefix("#"),
        at=_local(message.created_at, timezone),
        body=Markup("\n").join(body),
        note=note,
    )


def render_index(messages: list[outbox.Message], *, company: str, timezone: str) -> str:
    """The list of previews, newest first."""
    rows = [
        {
            "href": preview_name(message),
            "channel": message.channel,
            "at": _local(message.created_at, timezone),
            "text": _text(message.payload["text"]),
        }
        for message in reversed(messages)
    ]
    return _page("index.html.j2", lang="en", title=f"{company}: messages", rows=rows, company=company)


def _page(template: str, **values: Any) -> str:
    from kizuna.fonts import font_face_css

    draft = _templates().get_template(template).render(font_css="", **values)
    characters = html.unescape(_TAGS.sub(" ", draft))
    return _templates().get_template(template).render(font_css=Markup(font_face_css(characters)), **values)


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _write(path: Path, text: str) -> None:
    """A file that already says so stays as it is: a look every minute must not look like news."""
    content = text.encode()
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)


def _local(at: datetime, timezone: str) -> str:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")


def _data_uri(image: Path) -> str | None:
    kind = _IMAGE_TYPES.get(image.suffix.lower())
    if kind is None or not image.is_file():
        return None
    return f"data:{kind};base64,{base64.b64encode(image.read_bytes()).decode('ascii')}"


def _text(value: object) -> Markup:
    """A text object of Block Kit, or a bare string (mrkdwn)."""
    if isinstance(value, Mapping):
        content = str(value.get("text", ""))
        if value.get("type") == "plain_text":
            return plain_html(content, drawn=value.get("emoji", True) is not False)
        return mrkdwn_html(content)
    return mrkdwn_html(str(value))


def _block(block: Mapping[str, Any]) -> Markup:
    kind = str(block.get("type"))
    renderer = _RENDERERS.get(kind)
    if renderer is None:
        return Markup('<p class="unknown">[{}]</p>').format(kind)
    return renderer(block)


def _header(block: Mapping[str, Any]) -> Markup:
    return Markup('<h1 class="header">{}</h1>').format(_text(block["text"]))


def _section(block: Mapping[str, Any]) -> Markup:
    parts = []
    if block.get("text"):
        parts.append(Markup('<div class="text">{}</div>').format(_text(block["text"])))
    if block.get("fields"):
        cells = Markup("").join(Markup("<div>{}</div>").format(_text(field)) for field in block["fields"])
        parts.append(Markup('<div class="fields">{}</div>').format(cells))
    inner = Markup("").join(parts)
    if block.get("accessory"):
        inner = Markup('<div class="grow">{}</div><div class="accessory">{}</div>').format(
            inner, _element(block["accessory"])
        )
    return Markup('<div class="section">{}</div>').format(inner)


def _context(block: Mapping[str, Any]) -> Markup:
    inner = Markup("").join(Markup("<span>{}</span>").format(_element(e)) for e in block.get("elements", ()))
    return Markup('<div class="context">{}</div>').format(inner)


def _divider(_: Mapping[str, Any]) -> Markup:
    return Markup("<hr>")


def _image(block: Mapping[str, Any]) -> Markup:
    source = str(block.get("image_url", ""))
    alt = str(block.get("alt_text", ""))
    title = Markup("")
    if block.get("title"):
        title = Markup('<figcaption class="title">{}</figcaption>').format(_text(block["title"]))
    if not source.startswith("data:image/"):  # the page makes no request, not even for a picture
        return Markup('<figure>{}<p class="unknown">[image: {}]</p></figure>').format(title, alt)
    return Markup('<figure>{}<img src="{}" alt="{}"></figure>').format(title, source, alt)


def _actions(block: Mapping[str, Any]) -> Markup:
    inner = Markup("").join(_element(element) for element in block.get("elements", ()))
    return Markup('<div class="actions">{}</div>').format(inner)


def _element(element: Mapping[str, Any]) -> Markup:
    kind = element.get("type")
    if kind in ("mrkdwn", "plain_text"):
        return _text(element)
    if kind == "image":
        return _image(element)
    if kind == "button":
        label, style = _text(element.get("text", "")), str(element.get("style", "default"))
        url = safe_link(str(element["url"])) if element.get("url") else None
        if url is None:
            return Markup('<span class="button {}">{}</span>').format(style, label)
        return Markup('<a class="button {}" href="{}" rel="noreferrer">{}</a>').format(style, url, label)
    return escape(f"[{kind}]")


_RENDERERS: Mapping[str, Callable[[Mapping[str, Any]], Markup]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "divider": _divider,
    "image": _image,
    "actions": _actions,
}
