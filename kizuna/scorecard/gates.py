"""The gate report: what every gate said of one build, as one page for the data team, beside the scorecard.

Written anew after each gate into the attempt's folder, so that it is there when a gate stopped the build; a published
version carries its own, without samples. Samples are masked where they are taken (`expectations/samples.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kizuna.builds import Build, gate_events, latest_verdicts
from kizuna.control.store import Store
from kizuna.files import write_atomically
from kizuna.flow import GATES
from kizuna.settings import Settings

NAME = "gate-report.html"

#: What each gate is about, for who opens the page for the first time.
ABOUT = {
    "raw": "what came in: files, rows, units, clocks",
    "identity": "who is who",
    "core": "facts, dimensions and money",
    "marts": "what people will read",
}


def write_gate_report(store: Store, settings: Settings, build: Build) -> Path:
    """Write the page of this attempt into its folder and return its path."""
    path = build.folder / NAME
    write_atomically(path, render_gate_report(store, settings, build).encode(), mode=0o600)
    return path


def render_gate_report(store: Store, settings: Settings, build: Build, *, samples: bool = True) -> str:
    """The page as HTML: per gate its outcome, then each expectation that does not hold with reason, owner, rows."""
    from kizuna.scorecard.page import templates

    return (
        templates()
        .get_template("gate-report.html.j2")
        .render(company=settings.company, build=build, gates=_gates(store, build), samples=samples)
    )


def _gates(store: Store, build: Build) -> list[dict[str, Any]]:
    events = {event["name"]: event for event in gate_events(store, build.build_id, build.attempt)}
    verdicts = latest_verdicts(store, build)
    return [_gate(name, events.get(name), [v for v in verdicts if v["gate"] == name]) for name in GATES]


def _gate(name: str, event: dict[str, Any] | None, verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    detail = (event or {}).get("detail") or {}
    return {
        "name": name,
        "about": ABOUT[name],
        "outcome": event["outcome"] if event else "not judged",
        "at": event["at"] if event else None,
        "relations": len(verdicts),
        "passed": sum(verdict["outcome"] == "passed" for verdict in verdicts),
        "expectations": sum(verdict["evaluated"] for verdict in verdicts),
        "rows": sum(detail.get("rows", {}).values()),
        "findings": [_finding(v, found) for kind in ("failed", "warnings") for v in verdicts for found in v[kind]],
        "unjudged": detail.get("unjudged", []),
        "laxer": detail.get("laxer", []),
    }


def _finding(verdict: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if "problem" in found:
        return {
            "relation": verdict["relation"], "name": "could not run", "severity": "error", "rows": None,
            "reason": found["problem"], "owner": "data-platform", "sample": (),
        }  # fmt: skip
    count = found["unexpected_count"] if found["unexpected_count"] is not None else found["observed"]
    return {"relation": verdict["relation"], "rows": count, "sample": found.get("sample", ())} | {
        key: found[key] for key in ("name", "severity", "reason", "owner")
    }
