"""`kizuna contract draft|check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from kizuna.cli.text import shown
from kizuna.errors import InputError
from kizuna.settings import CONFIG_NAME, Company, home_from_environment, load_company

if TYPE_CHECKING:
    from ingestion.contract import Contract


def draft_contract(home: Path | None, file: Path, source: str | None, entity: str | None, out: Path | None) -> None:
    """Write a draft below `contracts/drafts/` (or to `out`) and say what to do with it."""
    from ingestion.draft import FOLDER, draft
    from ingestion.kept import TABLE

    root, company = _company(home)
    made = draft(file, source=source, entity=entity, currency=company.currency)
    target = out or root / "contracts" / FOLDER / f"{made.source}_{made.name}.yml"
    if target.exists():
        raise InputError(f"{target} exists already; it may hold somebody's corrections. Remove it, or give --out.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(made.text, encoding="utf-8")
    console = Console(highlight=False)
    if made.entity == TABLE:
        why = f"No entity of customer data fits: {made.why}. " if made.why else ""
        console.print(shown(f"{why}Its rows would be kept as the table {made.name}."), soft_wrap=True)
    what = f"that keeps the table {made.name}" if made.entity == TABLE else f"for {made.entity}"
    for line in (
        f"Draft of a contract {what}: {target}",
        f"  1. read the {made.checks} lines that say CHECK and correct them",
        f"  2. kizuna contract check '{file}' '{target}'",
        f"  3. move it to {root / 'contracts'}/ and put the file into {root / 'landing' / made.source}/",
    ):
        console.print(shown(line), soft_wrap=True)


def check_file(home: Path | None, file: Path, contract: Path | None, source: str | None) -> None:
    """Read a file as an ingest would and say what would become of it. Raises `InputError` when it would not load."""
    from ingestion.contract_files import load_contracts, load_own
    from ingestion.draft import UNKNOWN
    from ingestion.rehearsal import rehearse

    root, company = _company(home)
    if contract is not None:
        chosen = load_own(contract)
        open_fields = [column.name for column in chosen.columns if UNKNOWN in (*column.sources, column.value)]
        if open_fields:
            raise InputError(f"{contract}: {', '.join(open_fields)} still say {UNKNOWN}: name their columns first.")
        contracts: tuple[Contract, ...] = (chosen,)
    else:
        contracts = load_contracts(root / "contracts", timezone=company.timezone)
        parts = file.resolve().parts
        source = source or (parts[-2] if len(parts) > 1 else None)
    found = rehearse(file, contracts, company, source)
    record, console = found.record, Console(highlight=False)
    console.print(
        f"{shown(file)} by {found.contract.name}: would be {record.status}; {record.rows_in:,} rows in = "
        f"{record.accepted:,} accepted + {record.quarantined:,} quarantined + {record.duplicates:,} duplicates",
        soft_wrap=True,
    )
    for finding in found.findings:
        console.print(f"  {shown(finding.what)}. {shown(finding.to_do)}", soft_wrap=True)
    for problem in (problem for listed in found.problems for problem in listed.problems):
        where = f"line {problem.line}" + (f", column {problem.column}" if problem.column else "")
        more = f" (and {problem.rows - 1:,} more)" if problem.rows > 1 else ""
        line = f"{where}{more}: {problem.reason}"
        console.print(f"  [yellow]{problem.code}[/] {shown(line)}", soft_wrap=True)
    console.print("Nothing was loaded.")
    if record.status != "accepted":
        raise InputError("The file would not be loaded as it is. See above what to do.")


def _company(home: Path | None) -> tuple[Path, Company]:
    """The company's folder and who it is; without a kizuna.yaml, a company of the defaults."""
    root = (home or home_from_environment()).expanduser().resolve()
    path = root / CONFIG_NAME
    return root, load_company(path) if path.exists() else Company(name="-")
