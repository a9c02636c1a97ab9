"""One written form per identifier, so that equal things compare equal; the original stays with the source record.

Work is done once per distinct text: a million rows hold far fewer addresses and numbers than rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.identity.matching import text_bytes
from analytics.identity.phones import INVALID_PHONE, PhoneNormalizer

Form = Literal["email", "phone", "id", "salesforce_id", "shopify_id", "device"]

NOT_AN_EMAIL = "not an e-mail address"
_DRESSING = " \t\r\n\u200b\ufeff"
# Consecutive and trailing dots before the @ are against RFC 5322, yet Japanese mobile carriers gave such
# addresses to millions of people: they are real.
_EMAIL = r"^[^@\s,;<>]+@[^@\s,;<>.]+(?:\.[^@\s,;<>.]+)+$"
_MAILTO = "mailto:"
_EMAIL_DRESSING = r"^(?:mailto:|[^<>@]*<)\s*|\s*>$|[.,;]+$"
_SHOPIFY_GID = "gid://shopify/Customer/"
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
            long = pc.starts_with(clean, _SHOPIFY_GID)
            return _ids(_where(long, clean, lambda texts: pc.utf8_slice_codeunits(texts, len(_SHOPIFY_GID))))
        case "device":
            return _ids(pc.if_else(pc.match_substring_regex(clean, _UUID), pc.utf8_lower(clean), clean))
        case "id":
            return _ids(clean)


def tidy(texts: pa.StringArray) -> pa.StringArray:
    """NFKC (full-width forms, half-width kana), outer white space and a spreadsheet's leading apostrophe removed."""
    return _where(pa.array(_beyond_plain(texts)), texts, _tidied)


def _tidied(texts: pa.StringArray) -> pa.StringArray:
    composed = pc.utf8_normalize(pc.utf8_trim(texts, characters=_DRESSING), form="NFKC")
    return pc.utf8_trim_whitespace(pc.utf8_ltrim(pc.utf8_trim_whitespace(composed), characters="'"))


def _beyond_plain(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Texts with anything but visible ASCII in them, or with an apostrophe in front: nearly none of a company's.

    Looks at the bytes as they lie in Arrow's buffer, which takes a few nanoseconds a text.
    """
    offsets, data = text_bytes(texts)
    found = np.zeros(len(texts), np.bool_)
    # One comparison for both ends: what is below the first visible character wraps around to the top.
    strange = np.flatnonzero((data - np.uint8(0x21)) > 0x7E - 0x21)
    found[np.searchsorted(offsets, strange, side="right") - 1] = True
    written = np.flatnonzero(offsets[1:] > offsets[:-1])
    found[written[data[offsets[:-1][written]] == ord("'")]] = True
    return found


def _where(
    mask: pa.BooleanArray, texts: pa.StringArray, change: Callable[[pa.StringArray], pa.StringArray]
) -> pa.StringArray:
    """`texts`, those of `mask` changed; the very same array where there are none."""
    if not mask.true_count:
        return texts
    return pc.replace_with_mask(texts, mask, change(texts.filter(mask)))


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
    _, data = text_bytes(clean)
    # As in `_beyond_plain`: capitals, and then what is beyond ASCII and may have a small form too.
    capital = ((data - np.uint8(ord("A"))) < 26).any() or (data > 0x7F).any()
    lowered = pc.utf8_lower(clean) if capital else clean
    valid = pc.match_substring_regex(lowered, _EMAIL)
    # An address has none of the dressing inside it, but for this one.
    dressed = pc.or_(pc.invert(valid), pc.starts_with(lowered, _MAILTO))
    if dressed.true_count:
        bare = pc.replace_substring_regex(lowered.filter(dressed), _EMAIL_DRESSING, "")
        lowered = pc.replace_with_mask(lowered, dressed, bare)
        valid = pc.replace_with_mask(valid, dressed, pc.match_substring_regex(bare, _EMAIL))
    if valid.true_count == len(valid):
        return _ids(lowered)
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
    return _where(short, clean, lambda texts: pa.array(map(salesforce_18, texts.to_pylist()), pa.string()))


def _ids(values: pa.StringArray) -> Normalized:
    return Normalized(values, pa.nulls(len(values), pa.string()))
