"""The message of the dead-man's switch: something that should have shown a sign of life has not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from analytics.alerts.blockkit import context, data, fields, header, link, payload, section
from analytics.alerts.words import Locale

Quiet = Literal["publication", "files", "source", "daemon", "sender", "store", "settings"]


@dataclass(frozen=True)
class Silence:
    """What is quiet since when. `subject` is a source or a channel, else empty; instants are local, hours expected."""

    reason: Quiet
    subject: str
    since: datetime
    expected_hours: float
    detail: str
    runbook: str


_WORDS: dict[Locale, dict[str, str]] = {
    "ja": {
        "publication": "新しい版が公開されていません",
        "files": "ファイルが一つも届いていません",
        "source": "{subject} のファイルが届いていません",
        "daemon": "dagster-daemon が動いていません",
        "sender": "メッセージが送られていません",
        "store": "管理データベースを開けません",
        "settings": "設定を読み込めません",
        "since": "最後の動き",
        "expected": "想定の間隔",
        "hours": "{n}時間",
        "minutes": "{n}分",
        "runbook": "対応手順",
        "note": "監視: `kizuna watch`。詳しくは `kizuna doctor`。",
    },
    "en": {
        "publication": "Nothing new was published",
        "files": "No file has arrived",
        "source": "No file of {subject} has arrived",
        "daemon": "dagster-daemon is not running",
        "sender": "Messages are not being sent",
        "store": "The control store cannot be opened",
        "settings": "The settings cannot be read",
        "since": "Last sign of life",
        "expected": "Expected every",
        "hours": "{n} hours",
        "minutes": "{n} minutes",
        "runbook": "Runbook",
        "note": "Seen by `kizuna watch`; `kizuna doctor` says more.",
    },
}


def silence_in_words(m: Silence, locale: Locale) -> str:
    """One plain line, for a terminal or another way than Slack."""
    return f"{_title(m, locale)}: {_WORDS[locale]['since']} {m.since:%Y-%m-%d %H:%M}. {m.detail}".strip()


def render_silence(m: Silence, locale: Locale) -> dict[str, Any]:
    """`{"text": …, "blocks": […]}`."""
    w = _WORDS[locale]
    title = _title(m, locale)
    short = m.expected_hours < 2
    number = f"{m.expected_hours * 60:.0f}" if short else f"{m.expected_hours:.0f}"
    blocks = [
        header(title),
        fields(
            [
                (w["since"], f"{m.since:%Y-%m-%d %H:%M}"),
                (w["expected"], w["minutes" if short else "hours"].format(n=number)),
            ]
        ),
        section([*([data(m.detail, 500)] if m.detail else []), link(m.runbook, w["runbook"])]),
        context(w["note"]),
    ]
    return payload(f"{data(title)}: {w['since']} {m.since:%Y-%m-%d %H:%M}", blocks)


def _title(m: Silence, locale: Locale) -> str:
    return _WORDS[locale][m.reason].format(subject=m.subject)
