"""Exits: 0 done, 2 settings, 3 build, 4 gate, 5 lease, 6 publish, 7 delivery, 8 input, 9 machine, 10 unwell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="kizuna",
    help="Vendor exports in; one customer 360, gated KPI marts and Slack alerts out.",
    no_args_is_help=True,
    # Plain help: drawing it with rich costs a fifth of a second, and help is to answer in half of one.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="The company's folder is KIZUNA_HOME (default ./var). Exit codes: 0 done, 2 settings, 3 build, 4 gate, "
    "5 another build at work, 6 publishing, 7 delivery, 8 input, 9 the machine (disk, permissions, memory), "
    "10 doctor or watch found something.",
)
quarantine_app = typer.Typer(
    help="Rows that were not accepted: look, mend, load again.", no_args_is_help=True, rich_markup_mode=None
)
slack_app = typer.Typer(
    help="Messages: preview, send what waits, see the state.", no_args_is_help=True, rich_markup_mode=None
)
contract_app = typer.Typer(
    help="Contracts of your own files: draft one, try one.", no_args_is_help=True, rich_markup_mode=None
)
identity_app = typer.Typer(
    help="Who is who: why records are one customer.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(contract_app, name="contract")
app.add_typer(identity_app, name="identity")
app.add_typer(slack_app, name="slack")

Home = Annotated[Path | None, typer.Option("--home", help="Company folder; default KIZUNA_HOME or ./var.")]


@app.command(epilog="Example: kizuna init var --name 'Acme' --timezone Asia/Tokyo --currency JPY --locale ja")
def init(
    folder: Annotated[Path, typer.Argument(help="Where the company shall live.")] = Path("var"),
    name: Annotated[str, typer.Option(help="Name on the scorecard and in messages.")] = "My company",
    locale: Annotated[str, typer.Option(help="ja or en.")] = "en",
    timezone: Annotated[str, typer.Option(help="IANA name; decides where a day ends.")] = "UTC",
    currency: Annotated[str, typer.Option(help="Reporting currency, ISO 4217.")] = "USD",
    country: Annotated[str, typer.Option(help="Country of phone numbers without prefix, ISO 3166.")] = "JP",
) -> None:
    """Make an empty company: kizuna.yaml, landing folders, a place for own contracts."""
    from kizuna.cli.company import make_company

    make_company(folder, name=name, locale=locale, timezone=timezone, currency=currency, country=country)


@app.command(epilog="Example: kizuna demo --people 2000 --home var/demo")
def demo(
    home: Annotated[Path, typer.Option("--home", help="Where the demo company lives.")] = Path("var/demo"),
    people: Annotated[int, typer.Option(min=50, help="Size of the demo company.")] = 2000,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 7,
    vendors: Annotated[str, typer.Option(help="Further vendors: all, or names parted by commas.")] = "",
) -> None:
    """Write the demo company and run it: day 1 is calm, day 2 brings the planted spike."""
    from kizuna.cli.demo import run_demo

    run_demo(home, people=people, seed=seed, vendors=vendors)


@app.command(epilog="Example: kizuna ingest --source shopify")
def ingest(
    home: Home = None,
    source: Annotated[str | None, typer.Option(help="Only this folder of landing.")] = None,
) -> None:
    """Load new landing files into raw and say, file by file, where every row went. Needs no Dagster."""
    from kizuna.cli.ingesting import ingest_landing

    ingest_landing(home, source)


@app.command(epilog="Examples: kizuna backfill /archive/exports · kizuna backfill old_orders --source shopify")
def backfill(
    folder: Annotated[Path, typer.Argument(help="Folder of history: one folder per source, as in landing.")],
    source: Annotated[str | None, typer.Option(help="All files are of this source.")] = None,
    home: Home = None,
) -> None:
    """Load a folder of history. Killed, the same command goes on where it was."""
    from kizuna.cli.ingesting import backfill_folder

    backfill_folder(home, folder, source)


@app.command(epilog="Examples: kizuna run · kizuna run --as-of 2026-06-29 · kizuna run --force")
def run(
    home: Home = None,
    as_of: Annotated[str | None, typer.Option(help="Day to report (YYYY-MM-DD); default the last whole day.")] = None,
    known_as_of: Annotated[
        str | None, typer.Option(help="Only files loaded by then (2026-06-30T12:00, UTC); not published.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build even if nothing is new; publish even a past day.")
    ] = False,
) -> None:
    """The whole line: landing files to published marts, scorecard and messages."""
    from kizuna.cli.running import run_and_tell

    run_and_tell(home, as_of=as_of, known_as_of=known_as_of, force=force)


@app.command(epilog="Example: kizuna dev --port 3000")
def dev(
    home: Home = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000,
) -> None:
    """The Dagster UI on loopback. Without a company in KIZUNA_HOME or ./var it shows the demo company."""
    from kizuna.cli.dev import serve

    serve(home, port)


@app.command(epilog="Examples: kizuna serve code · kizuna serve daemon · kizuna serve web · kizuna serve viewer")
def serve(
    part: Annotated[str, typer.Argument(help="code, daemon, web, or viewer (the UI without any way to change it).")],
    home: Home = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Default: code 4000, web 3000, viewer 3001.")] = None,
    code: Annotated[str, typer.Option(help="Where the code server listens.")] = "127.0.0.1:4000",
) -> None:
    """One part of the platform as a process of its own, for systemd or containers (deploy/)."""
    from kizuna.cli.serve import serve_part

    serve_part(home, part, host=host, port=port, code=code)


@app.command(epilog="Examples: kizuna rollback · kizuna rollback --to 3")
def rollback(
    home: Home = None,
    to: Annotated[int | None, typer.Option(help="Version to show; default the one before.")] = None,
) -> None:
    """Show readers an earlier version again. Ids and histories go back with it."""
    from kizuna.cli.running import roll_back

    roll_back(home, to)


@app.command(epilog="Examples: kizuna backup /backup/monday · kizuna backup --without-landing")
def backup(
    target: Annotated[Path | None, typer.Argument(help="New folder; default beside the home, with the time.")] = None,
    home: Home = None,
    without_landing: Annotated[
        bool, typer.Option("--without-landing", help="Leave the vendor files out (raw has their rows).")
    ] = False,
) -> None:
    """Save what the company needs to live again, each file with its hash. Secrets are not part of it."""
    from kizuna.cli.backup import back_up

    back_up(home, target, with_landing=not without_landing)


@app.command(epilog="Example: kizuna restore /backup/monday --home var")
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder written by `kizuna backup`.")],
    home: Home = None,
) -> None:
    """Make an empty home what it was when the backup was made. Refuses a home or a store that holds anything."""
    from kizuna.cli.backup import bring_back

    bring_back(home, folder)


@app.command(epilog="Examples: kizuna doctor · kizuna doctor --json · kizuna doctor --ask-slack")
def doctor(
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False,
    ask_slack: Annotated[bool, typer.Option("--ask-slack", help="Also ask Slack whether the token is good.")] = False,
) -> None:
    """Check disk, permissions, versions, store, config, key, lease, sources, daemon, Slack; say what to do.

    Exit code 10 when something failed."""
    from kizuna.cli.doctor import examine

    examine(home, as_json=as_json, ask_slack=ask_slack)


@app.command(epilog="Example: kizuna watch   (every two minutes, from a timer outside the daemon)")
def watch(home: Home = None) -> None:
    """The dead-man's switch: tell when publications, files, the daemon or the sender are silent. Exit code 10 then."""
    from kizuna.cli.watch import watch_company

    watch_company(home)


@app.command(epilog="Example: kizuna status")
def status(home: Home = None) -> None:
    """What is published, what came in, what waits."""
    from kizuna.cli.running import show_status

    show_status(home)


@app.command(epilog='Example: duckdb -readonly "$(kizuna path)/cx.duckdb"')
def path(
    table: Annotated[str | None, typer.Argument(help="A mart: prints its Parquet file.")] = None,
    home: Home = None,
) -> None:
    """Print the folder of the version readers see now (the link resolved once), or one mart's Parquet file."""
    from kizuna.cli.running import print_path

    print_path(home, table)


@quarantine_app.command("list", epilog="Examples: kizuna quarantine list · kizuna quarantine list --code type.decimal")
def quarantine_list(
    home: Home = None,
    source: Annotated[str | None, typer.Option(help="Only this folder of landing.")] = None,
    code: Annotated[str | None, typer.Option(help="Only files with this problem.")] = None,
) -> None:
    """The work list: files held, refused or with rejected rows, by code, each with its next step."""
    from kizuna.cli.ingesting import list_quarantine

    list_quarantine(home, source, code)


@quarantine_app.command("show", epilog="Example: kizuna quarantine show 3f2a --limit 20")
def quarantine_show(
    batch: Annotated[str, typer.Argument(help="File id or its first characters, from `quarantine list`.")],
    home: Home = None,
    limit: Annotated[int, typer.Option(help="Rows to show.")] = 20,
) -> None:
    """Rejected rows of one file: line, column, code, reason, raw text (personal data: for the data team only)."""
    from kizuna.cli.ingesting import show_quarantine

    show_quarantine(home, batch, limit)


@quarantine_app.command("replay", epilog="Example: kizuna quarantine replay 3f2a   (after mending the contract)")
def quarantine_replay(
    batch: Annotated[str, typer.Argument(help="File id or its first characters.")],
    force: Annotated[
        bool, typer.Option("--force", help="Use its good rows although the contract's thresholds or drift hold it.")
    ] = False,
    home: Home = None,
) -> None:
    """Read the landing file again under the contract as it is now. Exit code 8 if it still cannot be used."""
    from kizuna.cli.ingesting import replay_quarantine

    replay_quarantine(home, batch, force=force)


@quarantine_app.command("discard", epilog="Example: kizuna quarantine discard 3f2a --reason 'test rows'")
def quarantine_discard(
    batch: Annotated[str, typer.Argument(help="File id or its first characters.")],
    reason: Annotated[str, typer.Option(help="Kept in the ledger.")],
    whole_file: Annotated[
        bool, typer.Option("--whole-file", help="Take the accepted rows out of the next build too.")
    ] = False,
    home: Home = None,
) -> None:
    """Decide that the rejected rows of a file are not needed; the decision is kept, and `replay` undoes it."""
    from kizuna.cli.ingesting import discard_quarantine

    discard_quarantine(home, batch, reason, whole_file=whole_file)


@contract_app.command("draft", epilog="Example: kizuna contract draft ~/orders.xlsx --source till")
def contract_draft(
    file: Annotated[Path, typer.Argument(help="A CSV, NDJSON, JSON, Parquet or XLSX file.")],
    source: Annotated[str | None, typer.Option(help="Folder under landing where such files will lie.")] = None,
    entity: Annotated[str | None, typer.Option(help="Canonical entity or `table`; default what fits best.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; default contracts/drafts/.")] = None,
    home: Home = None,
) -> None:
    """Draft a contract from a file, for you to correct. A draft does nothing until you move it."""
    from kizuna.cli.contracts import draft_contract

    draft_contract(home, file, source, entity, out)


@contract_app.command("check", epilog="Example: kizuna contract check orders.xlsx var/contracts/drafts/till_order.yml")
def contract_check(
    file: Annotated[Path, typer.Argument(help="The file to try.")],
    contract: Annotated[Path | None, typer.Argument(help="A mapping contract; default the one that fits.")] = None,
    source: Annotated[str | None, typer.Option(help="Folder under landing it would lie in.")] = None,
    home: Home = None,
) -> None:
    """Say what would become of a file, without loading it. Exit code 8 if it would not be loaded."""
    from kizuna.cli.contracts import check_file

    check_file(home, file, contract, source)


@identity_app.command(
    "explain",
    epilog="Examples: kizuna identity explain c_0a1b2c… · kizuna identity explain taro@example.jp · "
    "kizuna identity explain 'salesforce.contact 003…'",
)
def identity_explain(
    who: Annotated[str, typer.Argument(help="Customer id, an identifier as written, or a record: 'source key'.")],
    home: Home = None,
) -> None:
    """Say in words why records are one customer, and what was not used (personal data: for the data team only)."""
    from kizuna.cli.identity import explain_identity

    explain_identity(home, who)


@identity_app.command("rules", epilog="Example: kizuna identity rules")
def identity_rules(home: Home = None) -> None:
    """Print the rule table as it holds for this company: what may make two records one customer, and its limits."""
    from kizuna.cli.identity_table import print_rules

    print_rules(home)


@identity_app.command("decisions", epilog="Example: kizuna identity decisions")
def identity_decisions(home: Home = None) -> None:
    """Check the stewards' decisions, and say which of them the published build could not follow, and what to do."""
    from kizuna.cli.identity_table import print_decisions

    print_decisions(home)


@identity_app.command("review", epilog="Example: kizuna identity review")
def identity_review(home: Home = None) -> None:
    """Write pairs of records that are alike but not linked, to decide about (personal data: for the data team only)."""
    from kizuna.cli.identity_review import export_review

    export_review(home)


@slack_app.command("preview", epilog="Example: kizuna slack preview")
def slack_preview(home: Home = None) -> None:
    """Render what waits in the outbox to HTML that looks like Slack."""
    from kizuna.cli.messages import preview

    preview(home)


@slack_app.command("send-pending", epilog="Example: kizuna slack send-pending")
def slack_send(home: Home = None) -> None:
    """Send what waits. Exit code 7 if something could not be sent; it stays in the outbox."""
    from kizuna.cli.messages import send

    send(home)


@slack_app.command("status", epilog="Example: kizuna slack status")
def slack_status(home: Home = None) -> None:
    """Messages by state, and the last error. Exit code 7 if some do not arrive."""
    from kizuna.cli.messages import show

    show(home)
