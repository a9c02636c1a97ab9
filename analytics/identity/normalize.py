"""One written form per identifier, so that equal things compare equal; the original stays with the source record.

Work is done once per distinct text: a million rows hold far fewer addresses and numbers than rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.phones import INVALID_PHONE, PhoneNormalizer

Form = Literal["email", "phone", "id", "salesforce_id", "shopify_id", "device"]

NOT_AN_EMAIL = "not an e-mail address"
_DRESSING = " \t\r\n\u200b\ufeff"
# Consecutive and trailing dots before the @ are against RFC 5322, yet Japanese mobile carriers gave such
# addresses to millions of people: they are real.
_EMAIL = r"^[^@\s,;<>]+@[^@\s,;<>.]+(?:\.[^@\s,;<>.]+)+$"
_EMAIL_DRESSING = r"^(?:mailto:|[^<>@]*<)\s*|\s*>$|[.,;]+$"
_SALESFORCE_15 = re.compile(r"[A-Za-z0-9]{15}")
_SALESFORCE_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_UUID = r"^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
_PHONE_EXTENSION = re.compile(r"\s*(?:内線|ext\.?)\s*\d*\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Normalized:
    """Parallel to the texts given: `values` (null where invalid) and `reasons` (null where nothing is wrong).

    A value can carry a reason and still be valid in form (a toll-free line): it must not join people.
    """

    values: pa.StringArray
    reasons: pa.StringArray


def normalize(form: Form, texts: pa.StringArray, default_country: str) -> Normalized:
    """Normalise distinct, non-null `texts` of one identifier type.

    `default_country` (ISO 3166 alpha-2) says how a phone number without country code is meant.
    """
    clean = tidy(texts)
    match form:
        case "email":
            return _emails(clean)
        case "phone":
            return _phones(clean, default_country)
        case "salesforce_id":
            return _ids(_long_ids(clean))
        case "shopify_id":
            return _ids(pc.replace_substring_regex(clean, r"^gid://shopify/Customer/", ""))
        case "device":
            return _ids(pc.if_else(pc.match_substring_regex(clean, _UUID), pc.utf8_lower(clean), clean))
        case "id":
            return _ids(clean)


def tidy(texts: pa.StringArray) -> pa.StringArray:
    """NFKC (full-width forms, half-width kana), outer white space and a spreadsheet's leading apostrophe removed."""
    composed = pc.utf8_trim(texts, characters=_DRESSING)
    if not pc.all(pc.string_is_ascii(composed), min_count=0).as_py():
        composed = pc.utf8_normalize(composed, form="NFKC")
    bare = pc.utf8_trim_whitespace(pc.utf8_ltrim(pc.utf8_trim_whitespace(composed), characters="'"))
    return bare


def salesforce_18(value: str) -> str:
    """The 18 character form of a Salesforce id; exports and URLs also use the first 15, where case matters.

    The three added characters say which of the 15 are capitals (Salesforce, "15-character and 18-character IDs").
    """
    if not _SALESFORCE_15.fullmatch(value):
        return value
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, char in enumerate(value[start : start + 5]) if "A" <= char <= "Z")
        suffix += _SALESFORCE_CHECK[bits]
    return value + suffix


def _emails(clean: pa.StringArray) -> Normalized:
    # Plus tags and dots stay: only some providers ignore them, and a wrong guess joins two people.
    lowered = pc.replace_substring_regex(pc.utf8_lower(clean), _EMAIL_DRESSING, "")
    valid = pc.match_substring_regex(lowered, _EMAIL)
    nothing = pa.scalar(None, pa.string())
    return Normalized(
        values=pc.if_else(valid, lowered, nothing),
        reasons=pc.if_else(valid, nothing, pa.scalar(NOT_AN_EMAIL)),
    )


def _phones(clean: pa.StringArray, default_country: str) -> Normalized:
    normalizer = PhoneNormalizer(default_country)
    values: list[str | None] = []
    reasons: list[str | None] = []
    for text in clean.to_pylist():
        phone = normalizer(text)
        if phone.reason == INVALID_PHONE and (bare := _PHONE_EXTENSION.sub("", text)) != text:
            phone = normalizer(bare)
        values.append(phone.e164)
        reasons.append(phone.reason)
    return Normalized(pa.array(values, pa.string()), pa.array(reasons, pa.string()))


def _long_ids(clean: pa.StringArray) -> pa.StringArray:
    """Salesforce ids in their long form; few are short, so that only those are looked at one by one."""
    short = pc.equal(pc.utf8_length(clean), 15)
    if not pc.any(short).as_py():
        return clean
    longer = pa.array([salesforce_18(text) for text in clean.filter(short).to_pylist()], pa.string())
    return pc.replace_with_mask(clean, short, longer)


def _ids(values: pa.StringArray) -> Normalized:
    return Normalized(values, pa.nulls(len(values), pa.string()))
