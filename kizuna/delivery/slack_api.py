"""One message to Slack through slack-sdk, with every answer sorted into: refused, wait, unreachable, unknown.

Slack has no idempotency key. So nothing here retries a post by itself (slack-sdk's default handler can post twice):
the caller decides, knowing whether the message may have arrived. Scopes: ``chat:write``; ``files:write`` for pictures;
``channels:history`` (``groups:history`` in private channels) to look whether a message arrived.
"""

from __future__ import annotations

import http.client
import logging
import re
import socket
import urllib.error
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

EVENT_TYPE = "kizuna_alert"
SLACK_URL = "https://slack.com/api/"

#: The token or the app is at fault: no message can go until somebody mends it.
WORKSPACE_ERRORS = frozenset(
    {
        "not_authed",
        "invalid_auth",
        "token_revoked",
        "token_expired",
        "account_inactive",
        "missing_scope",
        "no_permission",
        "org_login_required",
        "team_access_not_granted",
        "ekm_access_denied",
        "access_denied",
        "not_allowed_token_type",
    }
)
#: Slack will never take this message, whoever sends it and whenever.
MESSAGE_ERRORS = frozenset({"msg_too_long", "no_text", "invalid_metadata_format", "invalid_metadata_schema"})
BLOCK_ERRORS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
#: Slack's own words: "some aspect of the operation may have succeeded".
_UNKNOWN_ERRORS = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})

_HISTORY_PAGES = 20
_CLOCK_SKEW_SECONDS = 300
_DEFAULT_RETRY_AFTER = 30.0


#: How the words of a limit begin, by which a later process knows one.
_ASKS_TO_WAIT = "Slack asks to wait"


class SlackError(Exception):
    """Base: the message is what a person should read."""


class Refused(SlackError):
    """Slack said no: the message is certainly not in the channel."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"Slack answered {code}{detail}")
        self.code = code


class RateLimited(SlackError):
    """Slack asks to wait; not in the channel."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{_ASKS_TO_WAIT} {seconds:g} s (429)")
        self.seconds = seconds


def is_limit(error: str | None) -> bool:
    """Whether the stored words of an error are those of `RateLimited`."""
    return error is not None and error.startswith(_ASKS_TO_WAIT)


class Unreachable(SlackError):
    """No connection was made; not in the channel."""


class OutcomeUnknown(SlackError):
    """A time-out, a broken connection or a server error: the message may be in the channel."""


class CannotLook(SlackError):
    """The channel's history may not be read (scope or channel id missing)."""


def _call(method: Callable[..., Any], **arguments: Any) -> Any:
    try:
        return method(**arguments)
    except SlackApiError as error:
        raise _sorted_answer(error) from error
    except SlackClientError as error:
        raise Refused("request_error", f": {error}") from error
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError | socket.gaierror):
            raise Unreachable(f"Slack cannot be reached: {reason}") from error
        raise OutcomeUnknown(f"no answer from Slack: {reason or type(reason).__name__}") from error


def _sorted_answer(error: SlackApiError) -> SlackError:
    response: Any = error.response
    status = int(response.status_code)
    data = response.data if isinstance(response.data, dict) else {}
    code = str(data.get("error") or f"http_{status}")
    if status == 429 or code in ("ratelimited", "rate_limited"):
        headers = {str(k).lower(): v for k, v in dict(response.headers).items()}
        return RateLimited(_seconds(headers.get("retry-after")))
    if status >= 500 or code in _UNKNOWN_ERRORS or " " in code:  # slack-sdk puts its sentence about non-JSON there
        return OutcomeUnknown(f"Slack answered HTTP {status}" + (f" ({code})" if " " not in code else ""))
    needed = f" (needs the scope {data['needed']})" if data.get("needed") else ""
    details = data.get("response_metadata")
    messages = details.get("messages") if isinstance(details, dict) else None
    return Refused(code, needed + (f": {'; '.join(map(str, messages))}" if messages else ""))


def _seconds(value: object) -> float:
    text = value[0] if isinstance(value, list) and value else value
    try:
        return max(float(str(text)), 1.0)
    except ValueError:
        return _DEFAULT_RETRY_AFTER


class Slack:
    """Calls of the Web API used here, over one client without retries."""

    def __init__(self, token: str, base_url: str | None, *, timeout: int = 15) -> None:
        base = (base_url or SLACK_URL).rstrip("/") + "/"
        quiet = logging.getLogger("kizuna.slack")
        quiet.setLevel(logging.CRITICAL)  # slack-sdk logs what is raised anyway, and whole requests at DEBUG
        self._client = WebClient(token=token, base_url=base, timeout=timeout, retry_handlers=[], logger=quiet)
        self._channel_ids: dict[str, str] = {}

    def remember_channel(self, channel: str, channel_id: str) -> None:
        """Slack's history wants the id; every answer to a post names it."""
        self._channel_ids[channel] = channel_id

    def post(
        self, channel: str, key: str, text: str, blocks: list[dict[str, Any]] | None, thread_ts: str | None
    ) -> tuple[str, str]:
        """Post one message, its key in the metadata. Returns (channel id, ts)."""
        answer = _call(
            self._client.chat_postMessage,
            channel=channel,
            text=text,
            blocks=blocks,
            thread_ts=thread_ts,
            metadata={"event_type": EVENT_TYPE, "event_payload": {"key": key}},
            unfurl_links=False,
            unfurl_media=False,
        )
        channel_id, ts = str(answer["channel"]), str(answer["ts"])
        self.remember_channel(channel, channel_id)
        return channel_id, ts

    def upload(self, image: Path, alt: str) -> str:
        """Upload a picture that belongs to no channel yet; its id goes into an image block."""
        try:
            content = image.read_bytes()
        except OSError as error:
            raise Refused("file_unreadable", f": {error.strerror} {image.name}") from error
        if not content:
            raise Refused("file_empty", f": {image.name}")
        answer = _call(
            self._client.files_upload_v2, content=content, filename=image.name, title=image.stem, alt_txt=alt[:1000]
        )
        return str(answer["files"][0]["id"])

    def find(self, channel: str, key: str, *, since: float, thread_ts: str | None) -> tuple[str, str] | None:
        """(channel id, ts) of the message with ``key`` in its metadata, written after epoch second ``since``.

        Raises ``CannotLook`` without the scope or the channel's id.
        """
        channel_id = self._channel_id(channel)
        arguments: dict[str, Any] = {
            "channel": channel_id,
            "oldest": f"{since - _CLOCK_SKEW_SECONDS:.6f}",
            "limit": 200,
            "include_all_metadata": True,
        }
        method: Callable[..., Any] = self._client.conversations_history
        if thread_ts is not None:
            method, arguments["ts"] = self._client.conversations_replies, thread_ts
        for _ in range(_HISTORY_PAGES):
            page = self._look(method, **arguments)
            for message in page.get("messages") or ():
                if _key_of(message) == key:
                    return channel_id, str(message["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
            arguments["cursor"] = cursor
        raise CannotLook(f"more than {_HISTORY_PAGES * 200} messages in {channel} since then")

    def _look(self, method: Callable[..., Any], **arguments: Any) -> Any:
        try:
            return _call(method, **arguments)
        except Refused as error:
            if error.code in WORKSPACE_ERRORS - {"missing_scope", "no_permission", "not_allowed_token_type"}:
                raise
            raise CannotLook(str(error)) from error

    def _channel_id(self, channel: str) -> str:
        if re.fullmatch(r"[CGD][A-Z0-9]{8,}", channel):
            return channel
        if channel not in self._channel_ids:
            arguments: dict[str, Any] = {"limit": 1000, "exclude_archived": True}
            for _ in range(_HISTORY_PAGES):
                page = self._look(self._client.conversations_list, **arguments)
                for found in page.get("channels") or ():
                    self._channel_ids.setdefault(f"#{found['name']}", str(found["id"]))
                cursor = (page.get("response_metadata") or {}).get("next_cursor")
                if not cursor or channel in self._channel_ids:
                    break
                arguments["cursor"] = cursor
        if channel not in self._channel_ids:
            raise CannotLook(f"the id of {channel} is not known")
        return self._channel_ids[channel]


def _key_of(message: Mapping[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return None
    key = (metadata.get("event_payload") or {}).get("key")
    return str(key) if key is not None else None
