"""A seeded demo company in the shapes of its vendors, in two deliveries, with the planted truth written beside them.

`generate` writes the history up to a calm day into `landing/` and stages the files of the last day, on which a
delivery failure hits one region; `deliver_day2` lets those arrive. Everything is invented and a function of the seed.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ingestion.demo.delivery import LANDING, STAGED, Deliveries, deliver_day2
from kizuna.errors import InputError

__all__ = ["DemoPlan", "deliver_day2", "generate", "write_company"]

Progress = Callable[[str, float], None]
COMPANY = """\
name: 絆ストア
locale: ja
timezone: Asia/Tokyo
currency: JPY
as_of: {as_of}
demo: true
support:
  topic_tags: [delivery_failure, delivery, return, product, payment, account, stock]
"""

#: Targets of the demo company; money grows with the number of people.
TARGETS = """\
- {{kpi: net_revenue, period: {month}, target: {month_revenue}, owner: head of shop}}
- {{kpi: net_revenue, region: 関東, period: {month}, target: {region_revenue}, owner: head of shop}}
- {{kpi: net_revenue, period: {year}, target: {year_revenue}, owner: head of shop}}
- {{kpi: new_customers, period: {year}, target: {year_customers}, owner: marketing}}
- {{kpi: sla_met_share, period: {month}, target: 0.95, owner: customer desk}}
- {{kpi: open_interactions, period: {month}, target: {backlog}, owner: customer desk}}
- {{kpi: nps_transactional_28d, period: {year}, target: 40, owner: customer voice}}
- {{kpi: high_risk_share, period: {month}, target: 0.15, owner: customer voice, at_risk_from: 0.8}}
"""


@dataclass(frozen=True)
class DemoPlan:
    """What was written: two days, how many files and rows each brings, and the spike to expect."""

    out: Path
    people: int
    seed: int
    day1: date
    day2: date
    day1_files: int
    day2_files: int
    day1_rows: int
    day2_rows: int
    spike_region: str
    spike_customers: int

    @property
    def truth(self) -> Path:
        """Folder of the planted truth."""
        return self.out / "truth"


def generate(
    out: Path,
    *,
    people: int = 2000,
    seed: int = 7,
    days: int = 730,
    end: date = date(2026, 6, 30),
    vendors: Sequence[str] = (),
    progress: Progress | None = None,
) -> DemoPlan:
    """Write both deliveries and the truth below `out`; the same arguments give the same bytes.

    `vendors` names those of `ingestion.demo.more` that are written too.

    `progress` is told the step and the share done (0 to 1). Raises InputError when the demo would be too small to hold
    what is planted, or when `out` already has files in landing.
    """
    if people < 50 or days < 200:
        raise InputError(f"the demo needs at least 50 people and 200 days, not {people} and {days}")
    for folder in (out / LANDING, out / STAGED):
        if any(path.is_file() for path in folder.rglob("*")):
            raise InputError(f"{folder} already holds files: choose another folder or remove it")
    from ingestion.demo.more import write_more
    from ingestion.demo.truth import write_truth
    from ingestion.demo.vendors import amazon_connect, delighted, ga4, reference, salesforce, shopify, zendesk
    from ingestion.demo.world import make_world

    tell = progress or (lambda _step, _share: None)
    tell("people and their lives", 0.0)
    world = make_world(people, seed, days, end)
    book = Deliveries(out)
    writers = (
        ("Salesforce", salesforce.write),
        ("Shopify", shopify.write),
        ("Zendesk", zendesk.write),
        ("Amazon Connect", amazon_connect.write),
        ("Delighted", delighted.write),
        ("exchange rates", reference.write),
    )
    for number, (name, write) in enumerate(writers):
        tell(name, 0.15 + 0.05 * number)
        write(world, book)
    tell("GA4", 0.45)
    seen = ga4.write(world, book)
    if vendors:
        tell("more vendors", 0.8)
        write_more(vendors, world, book, out)
    tell("truth", 0.85)
    write_truth(world, seen, book, out / "truth")
    tell("done", 1.0)
    counts = {
        day: (sum(1 for f in book.files if f.delivery == day), sum(f.rows for f in book.files if f.delivery == day))
        for day in (1, 2)
    }
    return DemoPlan(
        out=out,
        people=people,
        seed=seed,
        day1=end - timedelta(days=1),
        day2=end,
        day1_files=counts[1][0],
        day2_files=counts[2][0],
        day1_rows=counts[1][1],
        day2_rows=counts[2][1],
        spike_region=world.spike.region,
        spike_customers=len(world.spike.affected),
    )


def write_company(out: Path, *, people: int = 2000, seed: int = 7, end: date = date(2026, 6, 30)) -> Path:
    """Write `kizuna.yaml`, `targets.yaml` and the demo's own pseudonym key (0600, from the seed, so that ids repeat).

    Returns the path of `kizuna.yaml`.
    """
    out.mkdir(parents=True, exist_ok=True)
    config = out / "kizuna.yaml"
    config.write_text(COMPANY.format(as_of=end.isoformat()), encoding="utf-8")
    targets = TARGETS.format(
        month=f"{end:%Y-%m}",
        year=end.year,
        month_revenue=people * 2000,
        region_revenue=people * 800,
        year_revenue=people * 25000,
        year_customers=people // 2,
        backlog=people // 40,
    )
    (out / "targets.yaml").write_text(targets, encoding="utf-8")
    key = out / "demo.key"
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_text(hashlib.sha256(f"kizuna demo {seed}".encode()).hexdigest() + "\n", encoding="utf-8")
    return config
