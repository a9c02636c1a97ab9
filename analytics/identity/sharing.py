"""Which evidence must not join people although it looks sound: shared values, store accounts, shared devices.

Lists never end, so sharing is mostly found by degree: what meets too many others belongs to nobody. Everything
here is judged on the whole graph at once, so the order in which rows arrive cannot matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from analytics.identity.evidence import DEVICE, USER, Bools, Evidence, Ints, join_on


class Refusal(IntEnum):
    """Why evidence is not used; the name in lower case is what `identity_drops` says."""

    NONE = 0
    INVALID = 1
    BLOCKED_VALUE = 2
    SHARED_DEVICE = 3
    OVER_LIMIT = 4
    STEWARD_FORBID = 5
    EXPIRED = 6


@dataclass(frozen=True, slots=True)
class Judged:
    """`edge` holds a Refusal per edge; `why` a few words per refused value."""

    edge: Ints
    why: dict[tuple[int, int], str]


def judge(evidence: Evidence, *, logins_per_device: int = 1) -> Judged:
    """Refuse invalid and listed values, values of too high a degree, records that carry a crowd, shared devices.

    A device is shared when more than `logins_per_device` different people logged in on it.
    """
    edges, values = evidence.edges, evidence.values
    edge = np.zeros(len(edges), dtype=np.int64)
    edge[values.invalid[edges.value]] = Refusal.INVALID
    edge[values.blocked[edges.value]] = Refusal.BLOCKED_VALUE
    why: dict[tuple[int, int], str] = {}
    for value, text in values.refused_why.items():
        why[value, int(Refusal.INVALID if values.invalid[value] else Refusal.BLOCKED_VALUE)] = text

    users = _logins_per_device(evidence, edge)
    shared = users > logins_per_device
    on_shared = _records_with(evidence, shared) & evidence.records.endpoint
    # Crowds go first: a till's guest account meets everybody, which must not make everybody's address a shared one.
    edge[_crowds(evidence, edge, why)] = Refusal.OVER_LIMIT
    by_degree = _shared_by_degree(evidence, edge, why)
    edge[by_degree[edges.value] & (edge == Refusal.NONE)] = Refusal.BLOCKED_VALUE
    # A login on a shared device says who sat there, not whose device it is.
    switch = shared[edges.value] | (edges.login & on_shared[edges.record])
    edge[switch & (edge == Refusal.NONE)] = Refusal.SHARED_DEVICE
    for value in np.flatnonzero(shared).tolist():
        why[value, int(Refusal.SHARED_DEVICE)] = f"{users[value]} logins on one device"
    return Judged(edge, why)


def _logins_per_device(evidence: Evidence, edge: Ints) -> Ints:
    """Number of distinct usable logins met on each device value."""
    edges, kinds = evidence.edges, evidence.values.type_code
    device, user = evidence.type_index(DEVICE), evidence.type_index(USER)
    size = len(evidence.values)
    if device < 0 or user < 0:
        return np.zeros(size, np.int64)
    sound = edge == Refusal.NONE
    of_device = np.flatnonzero(sound & (kinds[edges.value] == device))
    of_user = np.flatnonzero(sound & (kinds[edges.value] == user))
    left, right = join_on(edges.record[of_device], edges.record[of_user])
    logged_device, logged_user = evidence.logins
    usable = ~(evidence.values.invalid | evidence.values.blocked)
    known = usable[logged_device] & usable[logged_user]
    devices = np.concatenate([edges.value[of_device][left], logged_device[known]])
    users = np.concatenate([edges.value[of_user][right], logged_user[known]])
    pairs = np.unique(devices * max(size, 1) + users)
    return np.bincount(pairs // max(size, 1), minlength=size).astype(np.int64)


def _records_with(evidence: Evidence, value: Bools) -> Bools:
    found = np.zeros(len(evidence.records), np.bool_)
    found[evidence.edges.record[value[evidence.edges.value]]] = True
    return found


def _shared_by_degree(evidence: Evidence, edge: Ints, why: dict[tuple[int, int], str]) -> Bools:
    """Values on too many records, or whose records carry too many different values of another type."""
    edges, kinds, types = evidence.edges, evidence.values.type_code, evidence.types
    size = len(evidence.values)
    sound = (edge == Refusal.NONE) & ~edges.login
    none = np.iinfo(np.int64).max
    record_limit = np.array([none if r.value_limit is None else r.value_limit for r in types], np.int64)
    partner_limit = np.array([none if r.partner_limit is None else r.partner_limit for r in types], np.int64)

    degree = np.bincount(edges.value[sound], minlength=size)
    shared = degree > record_limit[kinds] if size else np.zeros(0, np.bool_)
    for value in np.flatnonzero(shared).tolist():
        why[value, int(Refusal.BLOCKED_VALUE)] = f"on {degree[value]} records"

    # Devices come and go, so they say nothing about how many people stand behind a value.
    partner = sound & (kinds[edges.value] != evidence.type_index(DEVICE))
    carried = np.bincount(edges.record[partner], minlength=len(evidence.records))
    most = np.bincount(edges.value[sound], weights=carried[edges.record[sound]], minlength=size)
    candidate = (most > partner_limit[kinds]) if size else np.zeros(0, np.bool_)
    mine = np.flatnonzero(sound & candidate[edges.value])
    beside = np.zeros(len(evidence.records), np.bool_)
    beside[edges.record[mine]] = True
    near = np.flatnonzero(partner & beside[edges.record])
    left, right = join_on(edges.record[mine], edges.record[near])
    met_by, met_with = edges.value[mine][left], edges.value[near][right]
    differs = kinds[met_by] != kinds[met_with]
    pairs = np.unique(met_by[differs] * max(size, 1) + met_with[differs])
    met_by, met_with = pairs // max(size, 1), pairs % max(size, 1)
    groups, count = np.unique(met_by * max(len(types), 1) + kinds[met_with], return_counts=True)
    for group, met in zip(groups.tolist(), count.tolist(), strict=True):
        holder, kind = divmod(group, max(len(types), 1))
        if met > partner_limit[kinds[holder]]:
            shared[holder] = True
            why[holder, int(Refusal.BLOCKED_VALUE)] = (
                f"met with {met} different values of {types[kind].identifier_type}"
            )
    return shared


def _crowds(evidence: Evidence, edge: Ints, why: dict[tuple[int, int], str]) -> Bools:
    """Edges of records that carry more values of one type than a person can (a till's guest account).

    Nothing such a record carries says who it is, but for the ids that a system issued for it.
    """
    edges, kinds, types = evidence.edges, evidence.values.type_code, evidence.types
    sound = (edge == Refusal.NONE) & ~edges.login
    kind = kinds[edges.value]
    refused = np.zeros(len(edges), np.bool_)
    crowd = np.zeros(len(evidence.records), np.bool_)
    for code, rule in enumerate(types):
        if rule.partner_limit is None:
            continue
        rows = np.flatnonzero(sound & (kind == code))
        over = np.bincount(edges.record[rows], minlength=len(crowd)) > rule.partner_limit
        refused[rows] = over[edges.record[rows]]
        crowd |= over
    if not crowd.any():
        return refused
    issued = np.array([rule.value_limit is None for rule in types], np.bool_)
    refused |= sound & crowd[edges.record] & ~issued[kind]
    for value in np.unique(edges.value[refused]).tolist():
        why[value, int(Refusal.OVER_LIMIT)] = "on a record that carries a crowd"
    return refused
