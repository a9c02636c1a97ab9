"""The line every row travels, named once: the words of the folders, schemas, asset groups and gates.

landing -> raw [gate] -> staging -> identity [gate] -> core [gate] -> scores -> marts [gate] -> publish -> alerts
"""

from __future__ import annotations

from typing import Final, Literal

Gate = Literal["raw", "identity", "core", "marts"]

#: Stages that write into a build, in order.
STAGES: Final = ("raw", "staging", "identity", "core", "scores", "marts")

#: Stages whose result is judged before the next one starts.
GATES: Final[tuple[Gate, ...]] = ("raw", "identity", "core", "marts")

#: What must stand in the control store, in this order, before a build may be published.
STEPS: Final[tuple[tuple[str, str], ...]] = tuple(
    step
    for stage in STAGES
    for step in ((("stage", stage), ("gate", stage)) if stage in GATES else (("stage", stage),))
)
