"""The one sender: empties the outbox to Slack, in order per channel, at most one message a second and channel.

Nothing is lost: a message leaves the queue only when Slack has it, or says that the message itself is bad. Nothing is
sent twice: an attempt whose outcome is unknown (time-out, server error, killed sender) is looked up in the channel by
the key in its metadata before it is sent again; where the app may not read the channel, the repeat says so.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kizuna.control.store import Store, utcnow
from kizuna.delivery import outbox
from kizuna.delivery.blocks import MAX_BLOCKS, alt_text, with_image, without_image
from kizuna.errors import DeliveryError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from kizuna.delivery.slack_api import Slack, SlackError
    from kizuna.settings import Settings

PACE = timedelta(seconds=1)
#: Time for a request that timed out here to show up in the channel's history.
SETTLE = timedelta(seconds=5)
_LONGEST_BACKOFF = timedelta(minutes=5)
_LOCK_WAIT_SECONDS = 30
_IMAGE_TRIES = 2
_IMAGE_PAUSE_SECONDS = 2.0
#: A message waits no longer than this for Slack to take its picture.
_IMAGE_LONGEST_WAIT = 10.0
_REPEAT = {"ja": "(再送の可能性があります)", "en": "(possible repeat)"}


@dataclass(frozen=True)
class DeliveryReport:
    """What one call did. ``pending`` is what still waits; ``errors`` say why; ``warnings`` came with sent messages."""

    sent: int = 0
    pending: int = 0
    failed: int = 0
    previewed: int = 0
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def raise_for_errors(self) -> None:
        """`DeliveryError` (exit code 7) when a message waits or was refused for good."""
        if self.errors:
            left = f"{self.pending} waiting in the outbox, {self.failed} refused for good"
            raise DeliveryError("; ".join(self.errors) + f" ({left}; `kizuna slack status` lists them)")


def send_pending(
    store: Store,
    settings: Settings,
    *,
    now: Callable[[], datetime] = utcnow,
    sleep: Callable[[float], None] = time.sleep,
    patience: float = 30.0,
    timeout: int = 15,
) -> DeliveryReport:
    """Send every message whose time has come; without a token, render previews instead.

    ``now`` gives naive UTC. ``patience`` is how many seconds this call may spend waiting for retries (the pace of one
    message a second does not count); what cannot go within it waits in the outbox for the next call. Never raises for
    what Slack does: read the report, or call its ``raise_for_errors()``.
    """
    with _only_sender(settings.home, sleep) as alone:
        if not alone:
            with store.read() as conn:
                waiting = _unsent(conn)
            return DeliveryReport(pending=waiting, errors=("another sender is at work",) if waiting else ())
        if settings.slack_token is None:
            from kizuna.delivery.preview import write_previews

            return DeliveryReport(previewed=write_previews(store, settings, now=now))
        from kizuna.delivery.slack_api import Slack

        slack = Slack(settings.slack_token, settings.slack_base_url, timeout=timeout)
        return _Sender(store, slack, settings.company.locale, now, sleep, patience).run()


def _unsent(conn: Connection) -> int:
    found = outbox.counts(conn, "slack")
    return sum(found[state] for state in outbox.UNSENT)


@contextmanager
def _only_sender(home: Path, sleep: Callable[[float], None]) -> Iterator[bool]:
    """Hold the sender's lock file; the kernel frees it with the process, so a killed sender blocks nobody.

    Because of it, a message found in state ``sending`` belongs to no living sender.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "sender.lock").open("a") as handle:
        for _ in range(_LOCK_WAIT_SECONDS * 2):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                sleep(0.5)
                continue
            yield True
            return
        yield False


class _Sender:
    def __init__(
        self,
        store: Store,
        slack: Slack,
        locale: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        patience: float,
    ) -> None:
        from kizuna.delivery import slack_api

        self._store, self._slack, self._now, self._sleep = store, slack, now, sleep
        self._repeat_note = _REPEAT.get(locale, _REPEAT["en"])
        self._patience = patience
        self._paused_until = self._no_pictures_until = datetime.min
        self._stopped = False
        self._held: set[str] = set()
        self._sent = self._failed = 0
        self._errors: dict[str, None] = {}
        self._warnings: list[str] = []
        with store.read() as conn:
            self._last = outbox.last_sent(conn)
            for message in outbox.listing(conn, "sent"):
                channel_id, slash, _ = (message.external_ts or "").partition("/")
                if slash:
                    slack.remember_channel(message.channel, channel_id)
            # A limit is the whole workspace's, and outlives the process that was told of it.
            for message in outbox.heads(conn):
                if message.next_attempt_at is not None and slack_api.is_limit(message.last_error):
                    self._paused_until = max(self._paused_until, message.next_attempt_at)

    def run(self) -> DeliveryReport:
        while not self._stopped:
            with self._store.read() as conn:
                waiting = [
                    (self._ready_at(m), m.message_id, m) for m in outbox.heads(conn) if m.channel not in self._held
                ]
            if not waiting:
                break
            at, _, message = min(waiting)
            delay = (at - self._now()).total_seconds()
            if delay <= 0:
                self._deliver(message)
            elif self._may_wait(delay):
                self._sleep(delay)
            else:
                self._errors[f"{message.channel}: {message.last_error or 'waiting'}; next try {at:%H:%M:%S} UTC"] = None
                break
        with self._store.read() as conn:
            pending = _unsent(conn)
        return DeliveryReport(
            sent=self._sent,
            pending=pending,
            failed=self._failed,
            errors=tuple(self._errors),
            warnings=tuple(self._warnings),
        )

    def _ready_at(self, message: outbox.Message) -> datetime:
        last = self._last.get(message.channel)
        pace = last + PACE if last else datetime.min
        return max(message.next_attempt_at or datetime.min, pace, self._paused_until)

    def _may_wait(self, delay: float) -> bool:
        if delay > PACE.total_seconds():
            self._patience -= delay
        return self._patience >= 0

    def _deliver(self, message: outbox.Message) -> None:
        from kizuna.delivery import slack_api

        with self._store.begin() as conn:
            if not outbox.claim(conn, message, not_before=self._now() + SETTLE):
                return
            root = outbox.thread_root(conn, message)
        thread_ts = root.partition("/")[2] if root else None
        unknown, repeat = message.state == "sending", False
        try:
            if unknown:
                try:
                    since = message.created_at.replace(tzinfo=UTC).timestamp()
                    found = self._slack.find(message.channel, message.key, since=since, thread_ts=thread_ts)
                except slack_api.CannotLook as error:
                    repeat = True
                    self._warnings.append(f"{message.key}: sent as a possible repeat ({error})")
                else:
                    unknown = False
                    if found is not None:
                        self._done(message, *found, note="found in the channel after an unknown outcome")
                        return
            channel_id, ts, note = self._post(message, thread_ts, repeat)
            self._done(
                message, channel_id, ts, note="; ".join(filter(None, [note, self._repeat_note if repeat else ""]))
            )
        except slack_api.SlackError as error:
            self._not_done(message, error, unknown or isinstance(error, slack_api.OutcomeUnknown))

    def _done(self, message: outbox.Message, channel_id: str, ts: str, note: str) -> None:
        at = self._now()
        with self._store.begin() as conn:
            outbox.mark_sent(conn, message.message_id, external_ts=f"{channel_id}/{ts}", now=at, note=note or None)
        self._last[message.channel] = at
        self._sent += 1

    def _not_done(self, message: outbox.Message, error: SlackError, unknown: bool) -> None:
        from kizuna.delivery import slack_api

        now = self._now()
        backoff = min(SETTLE * 2 ** min(message.attempts, 10), _LONGEST_BACKOFF)
        next_attempt: datetime | None = now + backoff
        match error:
            case slack_api.RateLimited():
                next_attempt = self._paused_until = now + timedelta(seconds=error.seconds)
            case slack_api.Unreachable():
                self._paused_until = now + backoff
            case slack_api.Refused() if error.code in slack_api.WORKSPACE_ERRORS:
                self._stopped, next_attempt = True, now
                self._errors[f"{error}: check the app's token and scopes"] = None
            case slack_api.Refused() if error.code in slack_api.MESSAGE_ERRORS | slack_api.BLOCK_ERRORS:
                next_attempt = None
                self._failed += 1
                self._errors[f"{message.key}: {error}; it will not be tried again"] = None
            case slack_api.Refused():
                self._held.add(message.channel)
                self._errors[f"{message.channel}: {error}"] = None
        with self._store.begin() as conn:
            outbox.mark_failed(
                conn, message.message_id, error=str(error), next_attempt_at=next_attempt, outcome_unknown=unknown
            )

    def _post(self, message: outbox.Message, thread_ts: str | None, repeat: bool) -> tuple[str, str, str]:
        """Post with the picture, else without, else as text, stepping down only when Slack refused the blocks."""
        from kizuna.delivery import slack_api

        text = str(message.payload["text"])
        blocks = list(message.payload.get("blocks") or [])
        if repeat:
            text = f"{self._repeat_note} {text}"
            if blocks and len(blocks) < MAX_BLOCKS:
                blocks = [_context(self._repeat_note), *blocks]
        notes: list[str] = []
        versions: list[tuple[list[dict[str, Any]] | None, str]] = []
        file_id = self._upload(message, notes)
        if file_id is not None:
            pictured = with_image(blocks, {"slack_file": {"id": file_id}}, alt_text(message.payload))
            versions += [(pictured, "")] * _IMAGE_TRIES
        if blocks:
            versions.append((without_image(blocks), "sent without its picture" if file_id else ""))
        versions.append((None, "sent as text only: Slack refused the blocks" if blocks else ""))
        for number, (version, note) in enumerate(versions):
            try:
                channel_id, ts = self._slack.post(message.channel, message.key, text, version, thread_ts)
            except slack_api.Refused as error:
                if error.code not in slack_api.BLOCK_ERRORS or version is None:
                    raise
                if number + 1 < len(versions) and versions[number + 1][0] == version:
                    self._sleep(_IMAGE_PAUSE_SECONDS)  # an uploaded file needs a moment before a block may name it
                continue
            notes.append(note)
            told = "; ".join(filter(None, notes))
            if told:
                self._warnings.append(f"{message.key}: {told}")
            return channel_id, ts, told
        raise slack_api.Refused("invalid_blocks")

    def _upload(self, message: outbox.Message, notes: list[str]) -> str | None:
        """Id of the uploaded picture, or None: the message then goes without, never later."""
        from kizuna.delivery import slack_api

        if message.image is None:
            return None
        if self._now() < self._no_pictures_until:
            notes.append(f"without its picture: Slack takes none before {self._no_pictures_until:%H:%M:%S} UTC")
            return None
        for attempt in range(_IMAGE_TRIES):
            try:
                return self._slack.upload(message.image, alt_text(message.payload))
            except slack_api.Refused as error:
                notes.append(f"without its picture: {error}")
                return None
            except slack_api.SlackError as error:
                wait = _IMAGE_PAUSE_SECONDS
                if isinstance(error, slack_api.RateLimited):
                    wait = error.seconds
                    self._no_pictures_until = self._now() + timedelta(seconds=wait)
                if attempt + 1 == _IMAGE_TRIES or wait > _IMAGE_LONGEST_WAIT:
                    notes.append(f"without its picture: {error}")
                    return None
                self._sleep(wait)
        return None


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}
