"""A company's steward decisions (`identity/decisions.yaml`): who is one person whatever the evidence says, who is not.

The company keeps the file in its own version control. An entry is one line:

    - {forbid: [c_0a1b2c…, c_3d4e5f…], reason: father and son, by: desk, on: 2026-06-30}
"""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path

from analytics.identity.decisions import Decision, End
from kizuna.yaml_lines import Place, read_yaml

FILE_NAME = "identity/decisions.yaml"
_KEYS = ("force", "forbid", "reason", "by", "on")
_CUSTOMER = re.compile(r"c_[0-9a-f]{20}")
_SOURCE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_TYPE = re.compile(r"[a-z][a-z0-9_]*")
# As in the dbt test that looks for addresses and numbers in the marts.
_PERSONAL = re.compile(r"[@＠]|(?<![0-9A-Za-z-])(0\d{1,3}-\d{2,4}-\d{3,4}|[+]\d{10,15}|0\d{9,10})(?![0-9A-Za-z-])")
_ENDS = (
    "a source record (`salesforce.contact 003…`), an identifier (`email taro@example.jp`) or a published "
    "customer_id (`c_` and 20 characters)"
)


def company_decisions(home: Path) -> tuple[Decision, ...]:
    """What the company's stewards decided, in the order of the file; empty without one.

    Raises `InputError` naming file, line, key and what to do.
    """
    whole = read_yaml(home / FILE_NAME)
    return () if whole is None else tuple(_decision(entry) for entry in whole.items("decision"))


def _decision(entry: Place) -> Decision:
    said = entry.table(_KEYS)
    kinds = [kind for kind in ("force", "forbid") if kind in said]
    if len(kinds) != 1:
        raise entry.wrong(
            "a decision says either `force:` (one person) or `forbid:` (different people), with its ends."
        )
    for key in ("reason", "by", "on"):
        if key not in said:
            raise entry.wrong(f"`{key}:` is missing; every decision says why (reason), who (by) and when (on).")
    kind = said[kinds[0]]
    places = kind.items("end")
    if len(places) < 2:
        raise kind.wrong(f"a decision has two ends or more; each is {_ENDS}.")
    ends = tuple(_end(place) for place in places)
    reason = _text(said["reason"])
    if _PERSONAL.search(reason):
        raise said["reason"].wrong("the reason is published with the link; leave out e-mail addresses and numbers.")
    on = said["on"].value
    if not isinstance(on, date) or isinstance(on, datetime):
        raise said["on"].wrong(f"{on!r} is not a date; write it as 2026-06-30.")
    return Decision("force" if kinds == ["force"] else "forbid", ends, reason, _text(said["by"]), on, entry.line)


def _end(place: Place) -> End:
    text = place.value
    # What stands there may be an address, so that the error does not repeat it.
    if not isinstance(text, str):
        raise place.wrong(f"an end is a text: {_ENDS}. Put it in quotes.")
    name, _, value = text.strip().partition(" ")
    value = value.strip()
    if not value and _CUSTOMER.fullmatch(name):
        return End("customer", "", name)
    if value and _SOURCE.fullmatch(name):
        return End("record", name, value)
    if value and _TYPE.fullmatch(name):
        return End("identifier", name, value)
    raise place.wrong(f"this end is not understood; write {_ENDS}.")


def _text(place: Place) -> str:
    if not isinstance(place.value, str) or not place.value.strip():
        raise place.wrong(f"{place.value!r} is not a text; write a few words.")
    return place.value.strip()
