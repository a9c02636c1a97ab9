"""`kizuna slack …`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kizuna.control.store import open_store, utcnow
from kizuna.delivery import outbox
from kizuna.errors import DeliveryError
from kizuna.settings import load_settings


def preview(home: Path | None) -> None:
    """Render what waits, without sending or changing its state in the outbox's eyes of a sender."""
    from kizuna.delivery.preview import write_previews

    settings = load_settings(home)
    count = write_previews(open_store(settings), settings)
    Console(highlight=False).print(f"{count} messages rendered: {settings.previews / 'index.html'}", soft_wrap=True)


def send(home: Path | None) -> None:
    """Send what waits; raises `DeliveryError` when something could not go."""
    from kizuna.delivery.slack import send_pending

    settings = load_settings(home)
    report = send_pending(open_store(settings), settings)
    console = Console(highlight=False)
    console.print(f"{report.sent} sent, {report.previewed} rendered as previews, {report.pending} waiting")
    for warning in report.warnings:
        console.print(f"  {escape(warning)}", style="yellow", soft_wrap=True)
    report.raise_for_errors()


def show(home: Path | None) -> None:
    """Every message with its state, newest last. Raises `DeliveryError` when messages do not arrive."""
    settings = load_settings(home)
    with open_store(settings).read() as connection:
        counts = outbox.counts(connection)
        messages = outbox.listing(connection, *counts)
    table = Table("channel", "message", "state", "attempts", "created (UTC)", "last error")
    for message in messages:
        table.add_row(
            message.channel,
            escape(message.key),
            message.state,
            str(message.attempts),
            f"{message.created_at:%Y-%m-%d %H:%M}",
            escape(message.last_error or ""),
        )
    console = Console(highlight=False)
    console.print(table if messages else "No messages yet.")
    with open_store(settings).read() as connection:
        trouble = outbox.trouble(connection, utcnow())
    token = "set" if settings.slack_token else "not set: messages become previews"
    console.print(f"KIZUNA_SLACK_TOKEN is {token}")
    raise_for_trouble(trouble)


def raise_for_trouble(trouble: outbox.Trouble | None) -> None:
    """`DeliveryError` (exit code 7) where somebody must look, so that whatever runs the command notices."""
    if trouble is not None:
        raise DeliveryError(
            f"Messages do not arrive: {trouble.waiting} waiting and {trouble.refused} refused for good, the oldest "
            f"since {trouble.since:%Y-%m-%d %H:%M} UTC. {trouble.reason}\n"
            "What to do: docs/runbooks/slack-not-delivered.md"
        )
