"""A company's own word on the rule table of identity (`identity/rules.yaml`), laid over the table Kizuna ships.

types:
  phone: {limit_per_customer: 3, time_to_live_days: 365}
  loyalty_card: {based_on: fallback, priority: 2, unique: true}
sharer_limit: 5
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.evidence import DEVICE, USER
from analytics.identity.normalize import normalize
from analytics.identity.rules import PROBABLE, STEWARD, Rule, RuleTable, default_rules
from kizuna.settings import Company
from kizuna.yaml_lines import Place, read_yaml

FILE_NAME = "identity/rules.yaml"
MOST = 10**6
#: Records of one source that likeness may join into a person, each of which brings a number of its own.
RECORDS_ALIKE = 50


def company_rules(home: Path, company: Company) -> RuleTable:
    """The effective table. Raises `InputError` naming file, line, key, value and what is allowed."""
    table = _shipped(company)
    whole = read_yaml(home / FILE_NAME)
    if whole is None:
        return table
    said = whole.table(("types", "sharer_limit", "device_login_confidence"))
    changed = {rule.identifier_type: rule for rule in table.rules}
    for name, place in (said["types"].table() if "types" in said else {}).items():
        changed[name] = _rule(name, place, table, company.country)
    sharers = _count(said["sharer_limit"]) if "sharer_limit" in said else table.sharer_limit
    login = table.device_login_confidence
    if "device_login_confidence" in said:
        login = _share(said["device_login_confidence"])
    return replace(table, rules=tuple(changed.values()), sharer_limit=sharers, device_login_confidence=login)


def stated_limits(home: Path, company: Company) -> dict[str, int | None]:
    """Limits per customer of the types that the company's file names; None where its vendor's trail does not count."""
    whole = read_yaml(home / FILE_NAME)
    said = whole.table() if whole is not None else {}
    names = set(said["types"].table()) if "types" in said else set()
    table = company_rules(home, company)
    if company.identity.probabilistic:
        names.add("customer_key")
    return {
        name: None if table.rule(name).merge_trail else table.rule(name).limit_per_customer
        for name in sorted(names)
        if name not in (STEWARD, PROBABLE)
    }


def _shipped(company: Company) -> RuleTable:
    """The table Kizuna ships; with probable links one person may hold a number per duplicate record of a source."""
    table = default_rules(limit_default=company.kpi.identity_limit_default)
    if not company.identity.probabilistic:
        return table

    def wide(rule: Rule) -> Rule:
        return replace(rule, limit_per_customer=max(rule.limit_per_customer, RECORDS_ALIKE))

    issued = tuple(wide(rule) if rule.priority == 1 and not rule.unique else rule for rule in table.rules)
    return replace(table, rules=issued, vendor_id=wide(table.vendor_id) if table.vendor_id else None)


def _rule(name: str, place: Place, table: RuleTable, country: str) -> Rule:
    said = place.table((*_READ, "blocked_values", "blocked_patterns", "based_on"))
    if name == STEWARD:
        raise place.wrong("a steward's decisions have no limits; they are changed in identity/decisions.yaml.")
    base = table.by_type.get(name)
    if "based_on" in said:
        base = _model(said["based_on"], table)
    elif base is None:
        raise place.wrong(
            f"{name!r} is no type of the table ({', '.join(sorted(table.by_type))}). Correct the name, or say whose "
            "rule a type of your own starts from: `based_on: fallback`, `vendor_id`, or one of these types."
        )
    found: dict[str, Any] = {key: _READ[key](said[key]) for key in _READ if key in said}
    if found.get("time_to_live_days") and name in (DEVICE, USER):
        raise said["time_to_live_days"].wrong("devices and logins have time slices instead; remove it.")
    if found.get("unique"):
        found.setdefault("limit_per_customer", 1)
        if found["limit_per_customer"] != 1:
            raise said["limit_per_customer"].wrong("a unique type has one value per customer; remove one of the two.")
    elif base.unique and found.get("limit_per_customer", 1) != 1:
        found["unique"] = False
    rule = replace(base, identifier_type=name, **found)
    if "blocked_values" in said:
        rule = replace(rule, blocked_values=rule.blocked_values | _values(said["blocked_values"], rule, country))
    if "blocked_patterns" in said:
        rule = replace(rule, blocked_patterns=(*rule.blocked_patterns, *_patterns(said["blocked_patterns"])))
    return rule


def _model(place: Place, table: RuleTable) -> Rule:
    general = {"fallback": table.fallback, "vendor_id": table.vendor_id, **table.by_type}
    found = general.get(str(place.value))
    if found is None:
        raise place.wrong(f"{place.value!r} is not allowed: fallback, vendor_id, {', '.join(sorted(table.by_type))}.")
    return found


def _values(place: Place, rule: Rule, country: str) -> frozenset[str]:
    items = place.items("value")
    for item in items:
        if not isinstance(item.value, str):
            raise item.wrong("a blocked value is a text; put it in quotes.")
    normal = normalize(rule.form, pa.array([item.value for item in items], pa.string()), country).values.to_pylist()
    for item, value in zip(items, normal, strict=True):
        if value is None:
            raise item.wrong(f"this is no valid {rule.identifier_type}, so it is refused anyway; remove or correct it.")
    return frozenset(normal)


def _patterns(place: Place) -> tuple[tuple[str, str], ...]:
    found = []
    for item in place.items("pattern"):
        if not isinstance(item.value, str):
            raise item.wrong(f"{item.value!r} is not a pattern; put it in single quotes.")
        try:
            pc.match_substring_regex(pa.array([""]), item.value)
        except pa.ArrowInvalid as error:
            raise item.wrong(f"{item.value!r} is not a regular expression (RE2): {error}.") from None
        found.append(("blocked by the company", item.value))
    return tuple(found)


def _count(place: Place) -> int:
    if not isinstance(place.value, int) or isinstance(place.value, bool) or not 1 <= place.value <= MOST:
        raise place.wrong(f"{place.value!r} is not allowed: a whole number from 1 to {MOST:,}.")
    return place.value


def _count_or_none(place: Place) -> int | None:
    return None if place.value is None else _count(place)


def _priority(place: Place) -> int:
    if not isinstance(place.value, int) or isinstance(place.value, bool) or not 1 <= place.value <= 99:
        raise place.wrong(f"{place.value!r} is not allowed: 1 (strongest) to 99.")
    return place.value


def _flag(place: Place) -> bool:
    if not isinstance(place.value, bool):
        raise place.wrong(f"{place.value!r} is not allowed: true or false.")
    return place.value


def _share(place: Place) -> float:
    if not isinstance(place.value, int | float) or isinstance(place.value, bool) or not 0 <= place.value <= 1:
        raise place.wrong(f"{place.value!r} is not allowed: a share from 0 to 1.")
    return float(place.value)


_READ: Mapping[str, Callable[[Place], Any]] = {
    "priority": _priority,
    "limit_per_customer": _count,
    "value_limit": _count_or_none,
    "partner_limit": _count_or_none,
    "unique": _flag,
    "merge_trail": _flag,
    "time_to_live_days": _count_or_none,
    "confidence": _share,
}
