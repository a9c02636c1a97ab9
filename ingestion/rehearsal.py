"""What would become of a file: the real ingest, in a home that is thrown away afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestion import landing
from ingestion.contract import Contract
from ingestion.contract_files import resolve_timezone
from ingestion.drift import Finding, findings
from ingestion.landing import Landed, Matched
from ingestion.one_file import Run, load_file
from ingestion.quarantine import QuarantinedFile, list_quarantined
from kizuna.control.ledger import FileRecord
from kizuna.control.store import open_store_at, utcnow
from kizuna.errors import InputError
from kizuna.files import hash_of, make_private
from kizuna.settings import Company, Settings


@dataclass(frozen=True)
class Rehearsal:
    """Outcome of a file that was read and not loaded."""

    contract: Contract
    record: FileRecord
    problems: tuple[QuarantinedFile, ...]
    findings: tuple[Finding, ...]


def rehearse(path: Path, contracts: Sequence[Contract], company: Company, source: str | None = None) -> Rehearsal:
    """Read `path` by the one contract given, or by the one that fits its name as a file of `source`."""
    if not path.is_file():
        raise InputError(f"{path} is not a file.")
    file = Landed(f"{source or contracts[0].source}/{path.name}", source or contracts[0].source, path, is_link=False)
    contracts = [resolve_timezone(contract, company.timezone) for contract in contracts]
    matched = landing.match(file, contracts)
    if matched is None and len(contracts) == 1:
        matched = Matched(contracts[0], contracts[0].format)
    if matched is None:
        raise InputError(f"{path}: {landing.advice(file, contracts)}")
    with tempfile.TemporaryDirectory(prefix="kizuna-check-") as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'control.db'}"
        settings = Settings(home=home, company=company, pseudonym_key="", control_url=url)
        make_private(*settings.private_folders)
        store = open_store_at(url)
        now = utcnow()
        run = Run(settings, store, contracts, now)
        try:
            content_hash, size = hash_of(path), path.stat().st_size
            file_id = landing.file_id(file.path, content_hash)
            blank = FileRecord(file_id, file.source, file.path, content_hash, size, "unmatched", now)
            record = load_file(run, file, matched, blank)
            problems = tuple(list_quarantined(settings, store))
        finally:
            run.children.close()
            store.close()
    return Rehearsal(matched.contract, record, problems, tuple(findings(record.detail.get("drift") or {})))
