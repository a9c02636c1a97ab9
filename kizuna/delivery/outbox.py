"""The outbox: every message is stored with its state before anything is sent, and leaves in order per channel.

Functions over one SQLAlchemy connection; whoever calls them owns the transaction, so that a message is written in the
same transaction as the incident it tells about. Instants are naive UTC.

States: ``pending`` (not sent), ``sending`` (an attempt began and its outcome is unknown: a time-out, a server error
or a killed sender), ``sent``, ``preview`` (rendered to HTML, no token), ``failed`` (Slack says that the message itself
is bad).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from kizuna.control.schema import outbox

STATES = ("pending", "sending", "sent", "preview", "failed")
UNSENT = ("pending", "sending")
#: A message that waits longer than this is in trouble whatever the reason: the sensor looks once a minute.
OVERDUE = timedelta(hours=2)
#: How long a message that Slack refused for good is still told of.
REFUSED_FOR = timedelta(days=7)
_ERROR_LENGTH = 500


@dataclass(frozen=True)
class Message:
    """One row of the outbox. ``payload`` is ``{"text": …, "blocks": […]}`` as Slack takes it."""

    message_id: int
    key: str
    channel_type: str
    channel: str
    seq: int
    payload: dict[str, Any]
    image: Path | None
    state: str
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    external_ts: str | None
    last_error: str | None
    thread_key: str | None
    created_at: datetime


def _message(row: Row[Any]) -> Message:
    fields = dict(row._mapping)
    image = fields.pop("image_path")
    return Message(image=Path(image) if image else None, **fields)


def enqueue(
    conn: Connection,
    *,
    key: str,
    channel: str,
    payload: Mapping[str, Any],
    now: datetime,
    image: Path | None = None,
    thread_key: str | None = None,
    channel_type: str = "slack",
) -> bool:
    """Put a message at the end of its channel's queue; False when ``key`` is already there (whatever its state).

    ``key`` says what the message is about (incident and step, build and gate), so a repeated run adds nothing.
    ``thread_key`` ties messages of one incident: the first one sent is the root, the others answer in its thread.
    """
    if not payload.get("text"):
        raise ValueError(f"message {key!r} has no 'text': notifications and screen readers need the fallback")
    if conn.dialect.name == "postgresql":
        # Two writers would read the same highest seq. SQLite transactions already hold the write lock.
        conn.exec_driver_sql("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE")
    if conn.execute(select(outbox.c.message_id).where(outbox.c.key == key)).first() is not None:
        return False
    in_channel = (outbox.c.channel_type == channel_type) & (outbox.c.channel == channel)
    last = conn.execute(select(func.max(outbox.c.seq)).where(in_channel)).scalar()
    conn.execute(
        insert(outbox).values(
            key=key,
            channel_type=channel_type,
            channel=channel,
            seq=(last or 0) + 1,
            payload=dict(payload),
            image_path=str(image) if image else None,
            state="pending",
            attempts=0,
            thread_key=thread_key,
            created_at=now,
        )
    )
    return True


def get(conn: Connection, key: str) -> Message | None:
    """The message with this key."""
    row = conn.execute(select(outbox).where(outbox.c.key == key)).first()
    return _message(row) if row is not None else None


def heads(conn: Connection, channel_type: str = "slack") -> list[Message]:
    """First unsent message of every channel, oldest first: only these may go, which keeps the order."""
    unsent = (outbox.c.channel_type == channel_type) & outbox.c.state.in_(UNSENT)
    first = select(outbox.c.channel, func.min(outbox.c.seq).label("seq")).where(unsent).group_by(outbox.c.channel)
    heads_ = first.subquery()
    query = (
        select(outbox)
        .join(heads_, (outbox.c.channel == heads_.c.channel) & (outbox.c.seq == heads_.c.seq))
        .where(unsent)
        .order_by(outbox.c.message_id)
    )
    return [_message(row) for row in conn.execute(query)]


def due(conn: Connection, now: datetime, channel_type: str = "slack") -> list[Message]:
    """The heads whose time has come."""
    return [m for m in heads(conn, channel_type) if m.next_attempt_at is None or m.next_attempt_at <= now]


def listing(conn: Connection, *states: str, channel_type: str = "slack") -> list[Message]:
    """Messages in these states (all of them when none is named), in the order they were written."""
    query: Select[Any] = select(outbox).where(outbox.c.channel_type == channel_type).order_by(outbox.c.message_id)
    if states:
        query = query.where(outbox.c.state.in_(states))
    return [_message(row) for row in conn.execute(query)]


def claim(conn: Connection, message: Message, *, not_before: datetime) -> bool:
    """Mark an attempt as begun; False when somebody else changed the row since it was read.

    ``not_before`` is when a next attempt may start if this one dies without a word.
    """
    result = conn.execute(
        update(outbox)
        .where(
            outbox.c.message_id == message.message_id,
            outbox.c.state == message.state,
            outbox.c.attempts == message.attempts,
        )
        .values(state="sending", attempts=message.attempts + 1, next_attempt_at=not_before)
    )
    return result.rowcount == 1


def mark_sent(conn: Connection, message_id: int, *, external_ts: str, now: datetime, note: str | None = None) -> None:
    """The channel has it. ``note`` keeps what went wrong on the way (sent without its image, possible repeat)."""
    _set(conn, message_id, state="sent", external_ts=external_ts, sent_at=now, next_attempt_at=None, last_error=note)


def mark_preview(conn: Connection, message_id: int, *, now: datetime) -> None:
    """Rendered to a local page because there is no token."""
    _set(conn, message_id, state="preview", sent_at=now, next_attempt_at=None, last_error=None)


def mark_failed(
    conn: Connection,
    message_id: int,
    *,
    error: str,
    next_attempt_at: datetime | None,
    outcome_unknown: bool = False,
) -> None:
    """An attempt did not succeed.

    With ``next_attempt_at`` the message stays in the queue: as ``pending``, or as ``sending`` when ``outcome_unknown``
    (it may have arrived, so the next attempt looks before it sends). Without, it is ``failed`` for good and the
    channel goes on without it.
    """
    state = "failed" if next_attempt_at is None else "sending" if outcome_unknown else "pending"
    _set(conn, message_id, state=state, last_error=error[:_ERROR_LENGTH], next_attempt_at=next_attempt_at)


def _set(conn: Connection, message_id: int, **values: object) -> None:
    conn.execute(update(outbox).where(outbox.c.message_id == message_id).values(**values))


def last_sent(conn: Connection, channel_type: str = "slack") -> dict[str, datetime]:
    """When each channel got its latest message, for the pace over restarts."""
    query = (
        select(outbox.c.channel, func.max(outbox.c.sent_at))
        .where(outbox.c.channel_type == channel_type, outbox.c.state == "sent")
        .group_by(outbox.c.channel)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def thread_root(conn: Connection, message: Message) -> str | None:
    """``external_ts`` of the message that opened this message's thread, if it was sent."""
    if message.thread_key is None:
        return None
    query = (
        select(outbox.c.external_ts)
        .where(
            outbox.c.channel_type == message.channel_type,
            outbox.c.channel == message.channel,
            outbox.c.thread_key == message.thread_key,
            outbox.c.seq < message.seq,
            outbox.c.state == "sent",
        )
        .order_by(outbox.c.seq)
        .limit(1)
    )
    return conn.execute(query).scalar()


def counts(conn: Connection, channel_type: str | None = None) -> dict[str, int]:
    """Messages per state; every state is there, with 0 when empty."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    if channel_type is not None:
        query = query.where(outbox.c.channel_type == channel_type)
    found: dict[str, int] = {row[0]: row[1] for row in conn.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


@dataclass(frozen=True)
class Trouble:
    """Why people are not told: `waiting` messages since `since` (naive UTC), `refused` for good in the last days."""

    reason: str
    waiting: int
    refused: int
    since: datetime


def trouble(conn: Connection, now: datetime, channel_type: str = "slack") -> Trouble | None:
    """What somebody must look at: a refusal by Slack (token, scope, channel), a message refused for good lately, or
    one that waits for longer than `OVERDUE`, which is how a dead sender shows. None when all is well."""
    unsent = listing(conn, *UNSENT, channel_type=channel_type)
    failed = [m for m in listing(conn, "failed", channel_type=channel_type) if now - m.created_at < REFUSED_FOR]
    refused = [m for m in unsent if _is_refusal(m.last_error)]
    overdue = [m for m in unsent if now - m.created_at > OVERDUE]
    if not (refused or overdue or failed):
        return None
    # The newest refusal is how things are now: a message of another channel may still carry one of before.
    refused.sort(key=lambda m: m.next_attempt_at or m.created_at, reverse=True)
    worst = (refused or overdue or failed)[0]
    told = worst.last_error or "no sender has tried; is `dagster-daemon` running?"
    return Trouble(
        reason=f"{worst.channel}: {told}",
        waiting=len(unsent),
        refused=len(failed),
        since=min(m.created_at for m in (unsent or failed)),
    )


def _is_refusal(error: str | None) -> bool:
    """Slack said no, in contrast to an HTTP error, a limit or no answer at all (see slack_api)."""
    return error is not None and error.startswith("Slack answered ") and not error.startswith("Slack answered HTTP")
