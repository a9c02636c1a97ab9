"""The rules a number is computed under beside the usual ones, so that a reader sees how much of it is stitching.

strict: only what systems issue and people type to be recognised (ids, merge trails, log-ins, e-mail). loose: what most
tools do out of the box: higher limits, people who share a device are one, likely pairs that nobody has reviewed count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analytics.identity.evidence import DEVICE, Bools, Evidence
from analytics.identity.rules import PROBABLE, Rule, RuleTable


@dataclass(frozen=True, slots=True)
class Ruleset:
    """How one set of rules differs from the table.

    without: types that tie a record to no other one; its own phone or device still says that it is somebody.
    device_logins: does the one login ever seen on a device say whose it is?
    logins_per_device: more different logins than this make a device a shared one.
    factor: multiplies every limit of the table; above 1 a second login is no second person by itself.
    possible: do links of the model count that are likely enough for a review, but not to be believed unseen?
    """

    name: str
    without: frozenset[str] = frozenset()
    device_logins: bool = True
    logins_per_device: int = 1
    factor: int = 1
    possible: bool = False

    def table(self, rules: RuleTable) -> RuleTable:
        """The rule table with its limits multiplied."""
        if self.factor == 1:
            return rules
        return replace(
            rules,
            rules=tuple(self._wider(rule) for rule in rules.rules),
            fallback=self._wider(rules.fallback),
            vendor_id=None if rules.vendor_id is None else self._wider(rules.vendor_id),
            sharer_limit=rules.sharer_limit * self.factor,
        )

    def _wider(self, rule: Rule) -> Rule:
        return replace(
            rule,
            unique=False,
            limit_per_customer=rule.limit_per_customer * self.factor,
            value_limit=None if rule.value_limit is None else rule.value_limit * self.factor,
            partner_limit=None if rule.partner_limit is None else rule.partner_limit * self.factor,
        )

    def withheld(self, evidence: Evidence, own: Bools) -> Bools:
        """Edges that these rules do not look at. `own` marks the edges that say a record's own key."""
        edges = evidence.edges
        left_out = np.array([rule.identifier_type in self.without for rule in evidence.types], np.bool_)
        found = (left_out[evidence.values.type_code[edges.value]] & ~own) if len(left_out) else np.zeros(0, np.bool_)
        return found if self.device_logins else found | edges.login


USUAL = Ruleset("default")
STRICT = Ruleset("strict", without=frozenset({"phone", DEVICE, PROBABLE}), device_logins=False)
LOOSE = Ruleset("loose", logins_per_device=3, factor=3, possible=True)
