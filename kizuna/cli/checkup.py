"""What `kizuna doctor` looks at. Each check reads only, and returns findings in words that say what to do."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from kizuna.control.store import HEAD, open_store, utcnow
from kizuna.settings import CONFIG_NAME, DEMO_KEY_NAME, Settings

State = Literal["ok", "warn", "fail"]
#: What a run needs beside it: the build, and the version in the making.
_LEAST_FREE = 1 << 30
_TOLD_PACKAGES = ("dagster", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations")


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, what to do if it is not well."""

    name: str
    state: State
    says: str
    do: str = ""


Check = Callable[[Settings], list[Finding]]


def checks(*, ask_slack: bool) -> list[tuple[str, Check]]:
    """In the order in which a person should mend."""
    slack: Check = (lambda settings: _slack(settings) + _slack_answers(settings)) if ask_slack else _slack
    return [
        ("disk", _disk),
        ("permissions", _permissions),
        ("versions", _versions),
        ("store", _store),
        ("config", _config),
        ("key", _key),
        ("lease", _lease),
        ("published", _published),
        ("gates", _gates),
        ("sources", _sources),
        ("daemon", _daemon),
        ("slack", slack),
    ]


def _disk(settings: Settings) -> list[Finding]:
    usage = shutil.disk_usage(settings.home)
    newest = max((_size(path) for path in settings.published.glob("v-*")), default=0)
    builds = [path for path in settings.builds.glob("*/a*") if path.is_dir()]
    build = max((_size(path) for path in builds), default=0)
    need = max(_LEAST_FREE, 2 * (newest + build))
    says = f"{usage.free / 1e9:,.1f} GB free; a run needs about {need / 1e9:,.1f} GB"
    if usage.free < need:
        return [Finding("disk", "fail", says, "Free space, or lower `retention` in kizuna.yaml.")]
    return [Finding("disk", "warn" if usage.free < 3 * need else "ok", says)]


def _permissions(settings: Settings) -> list[Finding]:
    """Personal data and secrets are their owner's alone; the home can be written."""
    private = [path for path in settings.private_folders if path.exists()]
    names = ("control.db", "control.db-wal", DEMO_KEY_NAME, ".env")
    secret = [path for name in names if (path := settings.home / name).exists()]
    env = Path(".env")
    secret += [env.resolve()] if env.exists() else []
    open_ones = [path for path in private + secret if path.stat().st_mode & 0o077]
    if open_ones:
        words = ", ".join(str(path) for path in open_ones)
        return [Finding("permissions", "fail", f"readable by others: {words}", f"chmod go-rwx {words}")]
    folders = [settings.home, *private, settings.landing, settings.published]
    shut = [path for path in folders if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
    if shut:
        words = ", ".join(map(str, shut))
        return [Finding("permissions", "fail", f"not to be written: {words}", f"chown -R $(id -un) {settings.home}")]
    return [Finding("permissions", "ok", "personal data and secrets are readable by their owner only")]


def _versions(_settings: Settings) -> list[Finding]:
    """What is installed beside what is locked."""
    from importlib.metadata import distributions

    from kizuna.builds import PROJECT_ROOT

    locked = dict(
        re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", (PROJECT_ROOT / "requirements.lock").read_text(), re.M)
    )
    installed = {re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version for d in distributions()}
    other = [f"{n} {installed[n]} (locked {v})" for n, v in sorted(locked.items()) if installed.get(n, v) != v]
    gone = [name for name in _TOLD_PACKAGES if name not in installed]
    python = ".".join(map(str, sys.version_info[:3]))
    if other or gone or sys.version_info[:2] != (3, 11):
        says = "; ".join([*other[:5], *(f"{name} is missing" for name in gone)]) or f"Python {python}"
        return [Finding("versions", "fail", says, "make setup (Python 3.11)")]
    told = ", ".join(f"{name} {installed[name]}" for name in _TOLD_PACKAGES)
    return [Finding("versions", "ok", f"Python {python}, {told}; all {len(locked)} as locked")]


def _store(settings: Settings) -> list[Finding]:
    store = open_store(settings)
    kind = store.engine.dialect.name
    store.close()
    found = [Finding("store", "ok", f"{kind}, schema {HEAD}")]
    if kind == "postgresql" and settings.dagster_url is None:
        says = "the control store is in PostgreSQL, Dagster's storage in SQLite: daemon and webserver share one host"
        found.append(Finding("store", "warn", says, "Set KIZUNA_DAGSTER_URL to a second database."))
    return found


def _config(settings: Settings) -> list[Finding]:
    """Everything the company wrote can be read. A mistake is raised with file, line and key."""
    from ingestion.contract_files import load_contracts
    from kizuna.identity_rules import company_rules
    from kizuna.stewardship import company_decisions
    from kizuna.survivorship import company_survivorship
    from kizuna.targets import company_targets

    own = load_contracts(settings.contracts_dir)
    targets = company_targets(settings.home)
    company_rules(settings.home, settings.company)
    company_decisions(settings.home)
    company_survivorship(settings.home)
    return [Finding("config", "ok", f"{CONFIG_NAME}, {len(own)} contracts, {len(targets)} targets, identity rules")]


def _key(settings: Settings) -> list[Finding]:
    from kizuna.pseudonym import key_fingerprint
    from kizuna.versions import current

    mine = key_fingerprint(settings.pseudonym_key)
    shown = current(settings)
    if shown is not None and shown.manifest["key_fingerprint"] != mine:
        says = f"fingerprint {mine}, v-{shown.version} was published with {shown.manifest['key_fingerprint']}"
        return [Finding("key", "fail", says, "Set KIZUNA_PSEUDONYM_KEY to the company's own key.")]
    return [Finding("key", "ok", f"fingerprint {mine}{' as published' if shown else ''}")]


def _lease(settings: Settings) -> list[Finding]:
    from sqlalchemy import select

    from kizuna.control.lease import at_work, living_holder
    from kizuna.control.schema import builds, lease

    store = open_store(settings)
    alive = living_holder(store, "build")
    with store.read() as connection:
        row = connection.execute(select(lease).where(lease.c.name == "build")).one_or_none()
        running = connection.execute(select(builds).where(builds.c.status == "running")).all()
    store.close()
    if alive is not None:
        since = min((build.started_at for build in running), default=None)
        says = at_work(alive) + (f" since {since:%Y-%m-%d %H:%M} UTC" if since else "")
        long = since is not None and utcnow() - since > timedelta(hours=6)
        return [Finding("lease", "warn" if long else "ok", says, "docs/runbooks/lease-held.md" if long else "")]
    if row is not None and row.holder is not None:
        return [Finding("lease", "warn", f"run {row.holder} is gone and left the lease", "The next run takes it over.")]
    if running:
        says = f"{len(running)} builds stand as running, but nobody builds"
        return [Finding("lease", "warn", says, "The next run closes them.")]
    return [Finding("lease", "ok", "free")]


def _published(settings: Settings) -> list[Finding]:
    from sqlalchemy import select

    from kizuna.builds import shown_version
    from kizuna.control.schema import publications
    from kizuna.versions import current, is_gone, is_whole, names_of, versions_on_disk

    there, number = versions_on_disk(settings), shown_version(settings)
    if is_gone(settings):
        says = f"v-{number}, the version that is shown, is gone from the disk"
        if any(version < (number or 0) for version in there):
            do = "`kizuna watch` or `kizuna run` shows the one before it."
        else:
            do = f"kizuna rollback --to {there[-1]}" if there else "docs/runbooks/restore.md"
        return [Finding("published", "fail", says, do)]
    if number is None and there:
        says = f"the link published/current is gone; {names_of(there)} is there, and no run starts"
        return [Finding("published", "fail", says, f"`kizuna rollback --to {there[-1]}` shows it again.")]
    shown = current(settings)
    if shown is None:
        return [Finding("published", "warn", "nothing yet", "`kizuna run` builds the first version.")]
    store = open_store(settings)
    with store.read() as connection:
        query = select(publications.c.manifest_sha256).where(publications.c.version == shown.version)
        stated = connection.execute(query).scalar()
    store.close()
    if stated is not None and not is_whole(shown.folder, stated):
        says = f"v-{shown.version} is not as it was published: files are gone or changed"
        return [Finding("published", "fail", says, "`kizuna rollback`, then `kizuna run`.")]
    return [Finding("published", "ok", f"v-{shown.version} as of {shown.manifest['as_of']}")]


def _gates(settings: Settings) -> list[Finding]:
    """Limits that were raised for one build, and stayed."""
    laxer = settings.company.laxer_limits()
    if laxer:
        do = "Put them back in kizuna.yaml once the build that needed them is out."
        return [Finding("gates", "warn", f"limits above those shipped: {', '.join(laxer)}", do)]
    return [Finding("gates", "ok", "limits as shipped, or stricter")]


def _sources(settings: Settings) -> list[Finding]:
    """Late or missing by `watch.sources`; files that wait for a decision."""
    from sqlalchemy import select

    from kizuna.control import ledger
    from kizuna.control.schema import incidents
    from kizuna.data_channel import SOURCE
    from kizuna.watching import gather, look

    store = open_store(settings)
    now = utcnow()
    signs = gather(store, settings, None, now)
    silent = {one.subject for one in look(settings, signs, now) if one.subject}
    with store.read() as connection:
        stuck = ledger.list_files(connection, statuses=("held", "refused"))
        # The same that the data channel was told: later than the source's own rhythm, or than freshness.sources.
        told = {row.segment: row.opened_on for row in connection.execute(
            select(incidents).where(incidents.c.kind == SOURCE, incidents.c.state == "open"))}  # fmt: skip
    store.close()
    found = []
    for source in sorted({*signs.by_source, *settings.company.watch.sources, *told}):
        last = signs.by_source.get(source)
        says = f"{source}: {f'last file {last:%Y-%m-%d %H:%M} UTC' if last else 'no file yet'}"
        if source in silent:
            hours = settings.company.watch.sources[source]
            says += f", expected every {hours} h"
            do = f"Get the export into landing/{source}/, or change watch.sources in kizuna.yaml."
            found.append(Finding("sources", "fail", says, do))
        elif source in told:
            says += f", late or missing since {told[source]} by the data's own days"
            found.append(Finding("sources", "warn", says, "docs/runbooks/source-late.md"))
        else:
            found.append(Finding("sources", "ok", says))
    waiting = [file for file in stuck if not file.detail.get("discarded_at")] if stuck else []
    if waiting:
        says = f"{len(waiting)} files held or refused"
        found.append(Finding("sources", "warn", says, "kizuna quarantine list; docs/runbooks/file-held-or-refused.md"))
    return found or [
        Finding("sources", "warn", "no file has come yet", f"Put exports into {settings.landing}/<source>/.")
    ]


def _daemon(settings: Settings) -> list[Finding]:
    from orchestration.heartbeat import daemon_state

    state = daemon_state(settings)
    minutes = settings.company.watch.daemon_minutes
    found = []
    if not minutes:
        found.append(Finding("daemon", "ok", "none expected (watch.daemon_minutes is 0)"))
    elif state.heartbeat is None:
        do = "Start it (`kizuna dev`, `kizuna serve daemon`), or set watch.daemon_minutes: 0 where cron runs the line."
        found.append(Finding("daemon", "warn", "has never run here", do))
    else:
        age = utcnow() - state.heartbeat
        says = f"last sign of life {state.heartbeat:%Y-%m-%d %H:%M:%S} UTC"
        late = age > timedelta(minutes=minutes)
        found.append(Finding("daemon", "fail" if late else "ok", says, "docs/runbooks/silence.md" if late else ""))
    found += [Finding("daemon", "warn", error, "See its log.") for error in state.errors]
    for failing in state.failing:
        do = "Its ticks are under Automation in the UI; the message says what to correct."
        found.append(Finding("schedules", "fail", f"the last look of {failing}", do))
    if state.switched_off:
        says = f"switched off in the UI: {', '.join(state.switched_off)}"
        found.append(Finding("schedules", "warn", says, "Switch it on under Automation, unless that is meant."))
    at = settings.company.schedule.at
    if state.other_start is not None:
        says = (
            f"last start {state.other_start:%Y-%m-%d %H:%M}, not at {at}: what runs has loaded an older {CONFIG_NAME}"
        )
        do = (
            "Restart code server and daemon: `systemctl restart kizuna-code kizuna-daemon`, `docker compose restart "
            "code daemon`, or `kizuna dev` anew. If that was done since, the next start is right."
        )
        found.append(Finding("schedules", "warn", says, do))
    found.append(Finding("schedules", "ok", f"daily at {at} {settings.company.timezone}; {state.waiting_runs} queued"))
    return found


def _slack(settings: Settings) -> list[Finding]:
    """From the outbox alone: no connection."""
    from kizuna.delivery import outbox

    store = open_store(settings)
    with store.read() as connection:
        counts = outbox.counts(connection)
        sent = max((at for at in outbox.last_sent(connection).values() if at is not None), default=None)
        waiting = outbox.listing(connection, *outbox.UNSENT)
        trouble = outbox.trouble(connection, utcnow())
    store.close()
    oldest = min((message.created_at for message in waiting), default=None)
    says = f"last sent {f'{sent:%Y-%m-%d %H:%M} UTC' if sent else 'never'}, {len(waiting)} waiting"
    says += f" since {oldest:%Y-%m-%d %H:%M} UTC" if oldest else ""
    if trouble is not None:
        return [Finding("slack", "fail", f"{says}; {trouble.reason}", "docs/runbooks/slack-not-delivered.md")]
    if settings.slack_token is None:
        says = f"KIZUNA_SLACK_TOKEN is not set: messages become local pages ({counts['preview']} so far)"
        return [Finding("slack", "warn", says, "docs/operating.md, Slack")]
    return [Finding("slack", "ok", f"token set; {says}")]


def _slack_answers(settings: Settings) -> list[Finding]:
    """One question to Slack, only when asked for."""
    if settings.slack_token is None:
        return []
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

    client = WebClient(settings.slack_token, settings.slack_base_url or WebClient.BASE_URL, timeout=15)
    try:
        answer = client.auth_test()
    except SlackApiError as error:
        do = "docs/runbooks/slack-not-delivered.md"
        return [Finding("slack", "fail", f"Slack answered {error.response['error']}", do)]
    except OSError as error:
        return [Finding("slack", "fail", f"Slack cannot be reached ({type(error).__name__})", "Network, proxy, DNS.")]
    return [Finding("slack", "ok", f"Slack knows the bot as {answer['user']} in {answer['team']}")]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
