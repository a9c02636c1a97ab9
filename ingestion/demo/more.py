"""Vendors beyond the demo's own stack, written only when asked for (`kizuna demo --vendors`): the default stays fast.

Each is a module of `ingestion/demo/vendors` with `write(world, book)`, which writes exports for people of the demo and
returns what must come out of them. The sum of it is `truth/vendors.json`, which a test compares with a build.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from ingestion.demo.delivery import Deliveries
from ingestion.demo.world import World
from kizuna.errors import InputError

#: Names that `--vendors` takes, each a module of `ingestion/demo/vendors`.
MORE = (
    "billing", "freshdesk", "hubspot", "intercom", "matomo", "medallia", "plausible", "qualtrics", "salesforce_more",
    "snowplow", "stripe", "typeform", "zendesk_comments",
)  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """What a query on a build of day 2 must give: `measure` over the rows of `relation` that fit `where`."""

    relation: str
    where: str
    value: int
    measure: str = "count(*)"


def chosen(names: str) -> tuple[str, ...]:
    """The vendors of a comma-separated list, or all. Raises `InputError` for a name that is none."""
    if names == "all":
        return MORE
    wanted = tuple(name.strip() for name in names.split(",") if name.strip())
    unknown = [name for name in wanted if name not in MORE]
    if unknown:
        raise InputError(f"--vendors {unknown[0]}: not a vendor of the demo; choose all, or of {', '.join(MORE)}")
    return wanted


def write_more(names: Sequence[str], world: World, book: Deliveries, out: Path) -> None:
    """Write the exports of the vendors named, and `truth/vendors.json`: vendor, relation, where, measure, value."""
    told = []
    for name in names:
        module = import_module(f"ingestion.demo.vendors.{name}")
        told += [{"vendor": name, **asdict(fact), "value": int(fact.value)} for fact in module.write(world, book)]
    (out / "truth").mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (out / "truth" / "vendors.json").write_text(text + "\n", encoding="utf-8")


def write_csv(
    book: Deliveries,
    day: int,
    path: str,
    header: Sequence[str],
    rows: Sequence[dict[str, object]],
    more_header: Sequence[Sequence[object]] = (),
) -> None:
    """One CSV export, or none where nothing happened: a vendor's export of nothing is not delivered."""
    if not rows:
        return
    file = book.csv(day, path, header)
    for cells in more_header:
        file.write(file.text(cells))
    for row in rows:
        file.row(row)
    file.close()


def write_lines(book: Deliveries, day: int, path: str, records: Sequence[object]) -> None:
    """One JSON document per line, or no file where there is none."""
    if not records:
        return
    file = book.lines(day, path)
    for record in records:
        file.record(json.dumps(record, ensure_ascii=False) + "\n")
    file.close()


def write_page(book: Deliveries, day: int, path: str, page: dict[str, object], rows: int) -> None:
    """One JSON page that holds `rows` records."""
    file = book.lines(day, path)
    file.write(json.dumps(page, ensure_ascii=False))
    file.truth.rows = rows
    file.close()


def company_contract(book: Deliveries, name: str, text: str) -> None:
    """Put a contract of the company's own beside its landing folder, for vendors whose questions only it knows."""
    folder = book.out / "contracts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
