"""Churn scores of the demo company against the probabilities that its generator computes, out of time.

Everything up to 90 days before the last day is scored by the project's own code; then the 90 days happen. Usage:
python bench/churn_truth.py [people] [seed ...], by default 20,000 people and seeds 1 to 5. Identity is taken as given:
a customer is a person, so that only the score is judged.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from analytics.churn import Assessment, ChurnRules, assess, signals_from_facts
from analytics.churn.judge import Verdict, auc, judge
from analytics.sentiment import score_text
from ingestion.demo.clock import epoch_of, local_day
from ingestion.demo.truth_churn import HORIZON_DAYS, Silence, silence
from ingestion.demo.world import World, make_world

END = date(2026, 6, 30)
AS_OF = END - timedelta(days=HORIZON_DAYS)
#: What the issue asks for.
AUC_GAP, SLOPE = 0.02, (0.9, 1.1)
#: Signals through which support and surveys hear that a purchase went wrong.
TROUBLE_SIGNALS = {
    "urgent_open",
    "urgent_lately",
    "open_interaction",
    "stale_interaction",
    "negative_csat",
    "nps_detractor",
    "frequent_contacts",
    "negative_text",
    "negative_tone",
    "speaks_of_leaving",
}


def code(person: int) -> str:
    return f"P{person:06d}"


def scored(world: World, as_of: date = AS_OF, locale: str = "en") -> Assessment:
    """The company's facts until the end of `as_of`, through `assess`."""
    now = epoch_of(as_of + timedelta(days=1))
    orders = [o for o in world.orders if o.created < now and not o.is_test and not o.cancelled]
    tickets = [t for t in world.tickets if t.created < now]
    answers = [a for a in world.answers if a.created < now]
    sessions = [s for s in world.sessions if s.person >= 0 and s.user and s.start < now]
    interactions = pa.table(
        {
            "customer_id": [code(t.person) for t in tickets],
            "opened_on": [local_day(t.created) for t in tickets],
            "resolved_on": pa.array(
                [local_day(t.solved) if 0 < t.solved < now else None for t in tickets], pa.date32()
            ),
            "priority": [t.priority for t in tickets],
            "csat_score": pa.array(
                [{"bad": 1, "good": 5}.get(t.rating) if 0 < t.rated < now else None for t in tickets], pa.int64()
            ),
        }
    )
    surveys = pa.table(
        {
            "customer_id": [code(a.person) for a in answers],
            "kind": [a.kind for a in answers],
            "score": [a.score for a in answers],
            "submitted_on": [local_day(a.created) for a in answers],
        }
    )
    visits = pa.table(
        {"customer_id": [code(s.person) for s in sessions], "visited_on": [local_day(s.start) for s in sessions]}
    )
    bought = pa.table(
        {
            "customer_id": [code(o.person) for o in orders],
            "ordered_on": [local_day(o.created) for o in orders],
            "amount": [Decimal(o.total).quantize(Decimal("0.01")) for o in orders],
        }
    )
    written = [(a.person, a.created, a.comment) for a in answers]
    written += [(t.person, t.created, t.subject) for t in tickets]
    written += [(t.person, t.rated, t.rating_comment) for t in tickets if 0 < t.rated < now]
    sounds = [score_text(text) for _, _, text in written]
    texts = pa.table(
        {
            "customer_id": [code(person) for person, _, _ in written],
            "written_on": [local_day(moment) for _, moment, _ in written],
            "score": pa.array([s.score for s in sounds], pa.float64()),
            "is_leaving": [s.is_leaving for s in sounds],
        }
    )
    people = pa.table({"customer_id": [p.code for p in world.people], "region": [p.region for p in world.people]})
    signals = signals_from_facts(interactions, surveys, visits=visits, texts=texts)
    return assess(people, bought, signals, as_of=as_of, days=[as_of], rules=ChurnRules(), locale=locale)  # type: ignore[arg-type]


def compared(world: World) -> tuple[Silence, Verdict, float, float, dict[str, float]]:
    """Truth, verdict on the scores, AUC of the generator's probabilities, share of troubled people whose drivers say
    so (of those of whom support or a survey had a signal), and shares by band."""
    truth = silence(world, AS_OF)
    found = scored(world)
    rows = {r["customer_id"]: r for r in found.scores.to_pylist()}
    mine = [rows[code(p)] for p in truth.person.tolist()]
    # A few were first seen as active by a cancelled order's clock; both sides judge the same people.
    both = np.array([r["probability"] is not None for r in mine])
    p = np.array([r["probability"] or 0.0 for r in mine])
    silent = truth.silent.astype(bool)
    named = [
        bool(TROUBLE_SIGNALS & {r[f"driver_{k}_code"] for k in (1, 2, 3)})
        for r, hit in zip(mine, truth.troubled.tolist(), strict=True)
        if hit
    ]
    bands = {b: sum(r["band"] == b for r in mine) / len(mine) for b in ("high", "medium", "low", "lapsed")}
    return (
        truth,
        judge(p[both], silent[both]),
        auc(truth.probability[both], silent[both]),
        sum(named) / max(1, len(named)),
        bands,
    )


def main(people: int, seeds: list[int]) -> int:
    missed = 0
    print(f"{people:,} people, judged on {AS_OF} against the {HORIZON_DAYS} days after it")
    for seed in seeds:
        truth, verdict, best, named, bands = compared(make_world(people, seed, 730, END))
        kept = best - verdict.auc <= AUC_GAP and SLOPE[0] <= verdict.slope <= SLOPE[1]
        missed += not kept
        print(
            f"  seed {seed}: {verdict.customers:,} active, {verdict.happened / verdict.customers:.1%} silent; "
            f"AUC {verdict.auc:.4f} against {best:.4f} of the generator; slope {verdict.slope:.3f}; "
            f"Brier {verdict.brier:.4f} (generator {np.mean((truth.probability - truth.silent) ** 2):.4f}); "
            f"error of calibration {verdict.calibration_error:.4f}; lift {verdict.lift:.2f}; "
            f"trouble named for {named:.1%} of {int(truth.troubled.sum())}; "
            + ", ".join(f"{name} {share:.1%}" for name, share in bands.items())
            + ("" if kept else "  MISSED")
        )
    return 1 if missed else 0


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    sys.exit(main(arguments[0] if arguments else 20_000, arguments[1:] or [1, 2, 3, 4, 5]))
