"""S3, ingestion's part: payloads in cells, headers, file names, archives and contracts.

Nothing is executed (a payload would leave its mark), nothing is written outside of the home, and what is stored is what
was sent, to the character. Slack's part is held by the message tests.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from torture import Trial, beside

from ingestion.contract_files import load_mapping
from ingestion.draft import draft
from kizuna.errors import InputError

PROOF_TRIALS = 2
homes = beside("homes")

PAYLOADS = (
    "'); DROP TABLE raw.batches; --",
    "\"; ATTACH '{mark}' AS x; --",
    "' || (SELECT 1) || '",
    "\\'; COPY (SELECT 1) TO '{mark}'",
    "1; INSTALL httpfs",
    "{{ 7 * 191 }}",
    "{% raw %}{% endraw %}",
    "{{ env_var('HOME') }}",
    "{{ config(alias='x') }}",
    "${{7*191}}",
    "$(touch {mark})",
    "`touch {mark}`",
    "; touch {mark}",
    "| touch {mark}",
    "!!python/object/apply:os.system ['x']",
    "!!python/name:os.system",
    "*alias",
    "&anchor",
    "=cmd|' /C calc'!A0",
    "+1+191",
    "@SUM(A1)",
    "-2+3",
    '=HYPERLINK("http://x")',
    "<!channel>",
    "<!here>",
    "<@U0123456>",
    "*bold* _it_ ~no~",
    "<http://evil.example|click>",
    "[link](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "<script>alert(1)</script>",
    "../../{name}",
    "/etc/passwd",
    "..\\..\\x",
    "%2e%2e%2f",
    "file:///etc/passwd",
    "{mark}",
    "\x1b[2J\x1b[31mred",
    "a\u202eb",
    "[bold red]x[/]",
    "%s%n%x",
    "{0.__class__}",
    "__import__('os')",
    "NaN",
    "null",
    "~",
    "<<: *x",
    "a: b",
    "# comment",
    "\ufeffbom",
)

YAML = (
    "source: till\nmaps_to: !!python/object/apply:os.system ['touch {mark}']\n",
    "!!python/object/apply:subprocess.check_output [['touch', '{mark}']]\n",
    "source: till\nmaps_to: order\nfiles: ['../../**']\nformat: csv\nfields: {{}}\n",
    "source: ../../etc\nmaps_to: order\nfiles: ['*.csv']\nformat: csv\nfields: {{}}\n",
    "source: till'; DROP\nmaps_to: order\nfiles: ['*.csv']\nformat: csv\nfields: {{}}\n",
    "a: &a [x]\nb: &b [*a, *a]\nsource: *b\n",
)


def run_trial(seed: int, folder: Path) -> Trial:
    """Every payload in a cell, a header, a file's name and an archive; every contract."""
    dice = random.Random(seed)
    mark = folder / f"mark{dice.getrandbits(32):x}"
    payloads = [text.replace("{mark}", str(mark)).replace("{name}", mark.name) for text in PAYLOADS]
    home = homes.make_home(folder / "home")
    home.contract("till", homes.till("till"))
    _land_cells(home, payloads)
    members = []
    for number, payload in enumerate(payloads):
        row = f"h{number},k,2026-06-30,1,1,Town,{number}"
        header = json.dumps(payload, ensure_ascii=False)[1:-1].replace('\\"', '""').replace("\\\\", "\\")
        home.land(f"till/header{number}.csv", f'Receipt,Card,When,Total,Pieces,Town,"x{header}"\n{row}\n'.encode())
        name = f"f{payload.replace('/', '_')[:80]}"
        home.land(f"till/{name}{number}.csv", _row(f"n{number}", "Town").encode())
        members.append((f"{payload}{number}.csv", _row(f"z{number}", "Town").encode()))
    home.land("till/archive.zip", homes.packed(*members))
    outside = {path for path in folder.rglob("*") if home.settings.home not in path.parents}
    report = home.ingest()
    failures = []
    if report.rows_in != report.accepted + report.quarantined + report.duplicates + report.held:
        failures.append("rows do not add up")
    stored = dict(home.query("SELECT order_key, region FROM raw.mapped__order WHERE order_key LIKE 'c%'"))
    for number, text in enumerate(payloads):
        if stored.get(f"c{number}") != text:
            failures.append(f"cell {text!r} is stored as {stored.get(f'c{number}')!r}")
    keys = {key for (key,) in home.query("SELECT order_key FROM raw.mapped__order")}
    failures += [f"header {text!r}: its row is gone" for n, text in enumerate(payloads) if f"h{n}" not in keys]
    failures += [f"file name {text!r}: its row is gone" for n, text in enumerate(payloads) if f"n{n}" not in keys]
    records = home.records()
    archived = [record for path, record in records.items() if path.startswith("till/archive.zip!/")]
    if len(archived) != len(members):
        failures.append(f"{len(archived)} of {len(members)} members are accounted for")
    failures += _contracts(folder, mark)
    failures += _drafts(folder, payloads)
    now = {path for path in folder.rglob("*") if home.settings.home not in path.parents}
    if any(mark.name in path.name for path in now):
        failures.append("a payload left its mark")
    failures += [f"{path} was written outside of the home" for path in now - outside if "try" not in path.parts]
    home.store.close()
    return Trial(4 * len(payloads) + len(YAML) + 1, tuple(failures))


def _row(key: str, town: str) -> str:
    return f"Receipt,Card,When,Total,Pieces,Town\n{key},k,2026-06-30,1,1,{town}\n"


def _land_cells(home: Any, payloads: list[str]) -> None:
    rows = ['c{},k,2026-06-30,1,1,"{}"'.format(n, text.replace('"', '""')) for n, text in enumerate(payloads)]
    home.land("till/cells.csv", "\n".join(["Receipt,Card,When,Total,Pieces,Town", *rows, ""]).encode())


def _contracts(folder: Path, mark: Path) -> list[str]:
    """Every hostile contract is refused, or does no harm."""
    found = []
    path = folder / "try" / "x.yml"
    path.parent.mkdir(exist_ok=True)
    for text in YAML:
        path.write_text(text.format(mark=mark), encoding="utf-8")
        try:
            load_mapping(path)
        except InputError:
            continue
        found.append(f"a contract was taken: {text!r}")
    return found


def _drafts(folder: Path, payloads: list[str]) -> list[str]:
    """A draft of a file whose header is made of payloads is a contract that loads and says the same names."""
    names = ["order id", *dict.fromkeys(text for text in payloads if text.strip() == text)]
    path = folder / "try" / "draft.csv"
    quoted = ('"{}"'.format(name.replace('"', '""')) for name in names)
    path.write_text(",".join(quoted) + "\n" + ",".join("1" for _ in names) + "\n", encoding="utf-8")
    target = folder / "try" / "drafted.yml"
    target.write_text(draft(path, entity="order", source="till").text, encoding="utf-8")
    return [] if load_mapping(target).source == "till" else ["the draft is another contract"]
