"""Contract scores of the demo's club against the probabilities that its generator computes, out of time.

Everything up to 90 days before the last day is scored by the project's own code; then the 90 days happen. Usage:
python bench/contract_truth.py [people] [seed ...], by default 20,000 people and seeds 1 to 5. Identity is
taken as given.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from analytics.churn import ContractAssessment, ContractRules, assess_contracts, signals_from_facts
from analytics.churn.judge import Verdict, auc, judge
from analytics.sentiment import score_text
from ingestion.demo.clock import epoch_of, local_day
from ingestion.demo.club import PLANS, RAISED, Club, Leaving, leaving, make_club
from ingestion.demo.world import World, make_world

END = date(2026, 6, 30)
HORIZON_DAYS = 90
AS_OF = END - timedelta(days=HORIZON_DAYS)
#: As for buyers; but the slope beside that of the generator's own probabilities over the same days: of some 400 who
#: leave, chance alone moves both by .1 or so. By itself it stays within wider bounds.
AUC_GAP, SLOPE, SLOPE_ITSELF = 0.02, (0.9, 1.1), (0.8, 1.25)
SPANS = pa.schema([
    ("payer", pa.string()), ("contract_id", pa.string()), ("plan", pa.string()), ("from_on", pa.date32()),
    ("until_on", pa.date32()), ("cancelled_on", pa.date32()), ("ended_on", pa.date32()),
    ("term_months", pa.float64()), ("monthly", pa.decimal128(18, 2)),
])  # fmt: skip


def spans_of(world: World, club: Club, as_of: date = AS_OF) -> pa.Table:
    """The club's contracts as they were known at the end of a day."""
    first = world.calendar.start
    now = (as_of - first).days
    rows: list[dict[str, Any]] = []
    for k, member in enumerate(club.person.tolist()):
        if club.start[k] > now:
            continue
        name, price, months, _, _ = PLANS[club.plan[k]]

        def known(day: int) -> date | None:
            return first + timedelta(days=day) if 0 <= day <= now else None

        start, raised, stop, end = (int(c[k]) for c in (club.start, club.raised, club.stop, club.end))
        monthly = round(Decimal(price) / months, 2)
        given = {
            "payer": world.people[member].code, "contract_id": f"c{k}", "plan": name, "cancelled_on": known(stop),
            "ended_on": known(end), "term_months": float(months),
        }  # fmt: skip
        steps = [(start, monthly)]
        if known(raised) is not None:
            steps.append((raised, round(monthly * Decimal(RAISED), 2)))
        for number, (day, paid) in enumerate(steps):
            until = known(steps[number + 1][0]) if number + 1 < len(steps) else known(end)
            rows.append(given | {"from_on": known(day), "until_on": until, "monthly": paid})
    return pa.Table.from_pylist(rows, schema=SPANS)


def signals_of(world: World, as_of: date = AS_OF) -> pa.Table:
    """What support and surveys had heard by the end of a day, and how it sounded, per payer."""
    now = epoch_of(as_of + timedelta(days=1))
    tickets = [t for t in world.tickets if t.created < now]
    answers = [a for a in world.answers if a.created < now]
    written = [(a.person, a.created, a.comment) for a in answers] + [(t.person, t.created, t.subject) for t in tickets]
    written += [(t.person, t.rated, t.rating_comment) for t in tickets if 0 < t.rated < now]
    sounds = [score_text(text) for _, _, text in written]
    solved = [local_day(t.solved) if 0 < t.solved < now else None for t in tickets]
    facts = pa.table(
        {
            "customer_id": [world.people[t.person].code for t in tickets],
            "opened_on": [local_day(t.created) for t in tickets],
            "resolved_on": pa.array(solved, pa.date32()),
            "priority": [t.priority for t in tickets],
        }
    )
    surveys = pa.table(
        {
            "customer_id": [world.people[a.person].code for a in answers],
            "kind": [a.kind for a in answers],
            "score": [a.score for a in answers],
            "submitted_on": [local_day(a.created) for a in answers],
        }
    )
    texts = pa.table(
        {
            "customer_id": [world.people[person].code for person, _, _ in written],
            "written_on": [local_day(moment) for _, moment, _ in written],
            "score": pa.array([s.score for s in sounds], pa.float64()),
            "is_leaving": [s.is_leaving for s in sounds],
        }
    )
    return signals_from_facts(facts, surveys, texts=texts).rename_columns(["payer", "signal", "start_on", "end_on"])


def compared(world: World) -> tuple[Leaving, Club, ContractAssessment, Verdict, float]:
    """Truth, the club, what was found, verdict on it, AUC of the generator's probabilities."""
    club = make_club(world)
    truth = leaving(world, club, AS_OF, HORIZON_DAYS)
    found = assess_contracts(spans_of(world, club), signals_of(world), as_of=AS_OF, rules=ContractRules(), locale="en")
    shown = dict(zip(found.scores["payer"].to_pylist(), found.scores["probability"].to_pylist(), strict=True))
    mine = np.array([shown[world.people[p].code] or np.nan for p in truth.person.tolist()])
    left = truth.left.astype(bool)
    return truth, club, found, judge(mine, left), auc(truth.probability, left)


def main(people: int, seeds: list[int]) -> int:
    missed = 0
    print(f"{people:,} people, judged on {AS_OF} against the {HORIZON_DAYS} days after it")
    for seed in seeds:
        truth, _, found, verdict, best = compared(make_world(people, seed, 730, END))
        assert found.evaluation is not None
        slope = judge(truth.probability, truth.left.astype(bool)).slope
        kept = (
            best - verdict.auc <= AUC_GAP
            and SLOPE[0] <= verdict.slope / slope <= SLOPE[1]
            and SLOPE_ITSELF[0] <= verdict.slope <= SLOPE_ITSELF[1]
        )
        missed += not kept
        print(
            f"  seed {seed}: {verdict.customers:,} under contract, {verdict.happened / verdict.customers:.1%} left; "
            f"AUC {verdict.auc:.4f} against {best:.4f} of the generator; "
            f"slope {verdict.slope:.3f} (generator {slope:.3f}); "
            f"Brier {verdict.brier:.4f} (generator {np.mean((truth.probability - truth.left) ** 2):.4f}); "
            f"error of calibration {verdict.calibration_error:.4f}; lift {verdict.lift:.2f}; "
            f"the build's own judgement: AUC {found.evaluation.verdict.auc:.4f}, "
            f"slope {found.evaluation.verdict.slope:.3f}" + ("" if kept else "  MISSED")
        )
    return 1 if missed else 0


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    sys.exit(main(arguments[0] if arguments else 20_000, arguments[1:] or [1, 2, 3, 4, 5]))
