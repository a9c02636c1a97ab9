"""Telephone numbers to E.164 by the `phonenumbers` library, with a short cut through its own metadata.

The library takes about 25 to 50 microseconds a number, most of it in finding out how a free text is meant. Two
shapes carry nearly all numbers of a company's files and leave nothing to find out: digits with the trunk prefix
of the home country (`090-1234-5678`) and `+`, country code, digits. For those the library's number patterns are
applied directly (about 3 microseconds). Everything else, and every number the short cut does not accept, is
parsed by the library, so the answer is always the library's (a test compares both over all regions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc, PhoneNumberFormat, PhoneNumberType

INVALID_PHONE = "not a telephone number of any country"
COMPANY_LINE = "line of a company, not of a person"

# A toll-free, premium or shared-cost number rings at a company; nobody has one at home.
_COMPANY_TYPES = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)
# Kinds of number in the order in which the library tries them, and whether a company answers there.
_KINDS = (
    ("premium_rate", True),
    ("toll_free", True),
    ("shared_cost", True),
    ("voip", False),
    ("personal_number", False),
    ("pager", False),
    ("uan", True),
    ("voicemail", True),
    ("fixed_line", False),
    ("mobile", False),
)
# Hyphens as Japanese input methods write them, and the usual punctuation.
_SEPARATORS = str.maketrans("", "", " \t-‐‑‒–—―−ー‐().・/'\u3000\u00a0\u200b")


@dataclass(frozen=True, slots=True)
class Phone:
    """`e164` is None when the text is no valid number; `reason` says why it must not join people."""

    e164: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Region:
    leading_digits: re.Pattern[str] | None
    general: re.Pattern[str]
    kinds: tuple[tuple[frozenset[int], re.Pattern[str], bool], ...]
    ambiguous_start: re.Pattern[str] | None

    def is_company(self, national: str) -> bool | None:
        """True for a company's line, False for a person's, None when the number is of no known kind."""
        if not self.general.fullmatch(national):
            return None
        length = len(national)
        for lengths, pattern, company in self.kinds:
            if length in lengths and pattern.fullmatch(national):
                return company
        return None


class PhoneNormalizer:
    """Normalises numbers as written in `default_country` (ISO 3166 alpha-2, e.g. `JP`)."""

    def __init__(self, default_country: str) -> None:
        home = PhoneMetadata.metadata_for_region(default_country)
        if home is None or home.country_code is None:
            raise ValueError(f"default_country: {default_country!r} is no ISO 3166 country with telephone numbers")
        self.default_country = default_country
        self._regions: dict[int, tuple[_Region, ...]] = {}
        self._home_code: int = home.country_code
        self._home_trunk: str | None = home.national_prefix
        prefix = home.national_prefix_for_parsing
        self._home_prefix = re.compile(prefix) if prefix else None
        self._home_international = re.compile(home.international_prefix) if home.international_prefix else None

    def __call__(self, raw: str) -> Phone:
        """`raw` in NFKC. Never raises: what is no number comes back with a reason."""
        digits = raw.translate(_SEPARATORS)
        split = self._split(digits)
        if split is not None:
            code, national = split
            for region in self._regions_of(code):
                if region.ambiguous_start is not None and region.ambiguous_start.match(national):
                    break
                company = region.is_company(national)
                if region.leading_digits is not None:
                    if not region.leading_digits.match(national):
                        continue
                    if company is None:
                        break
                if company is not None:
                    return Phone(f"+{code}{national}", COMPANY_LINE if company else None)
        return self._parse(raw)

    def _split(self, digits: str) -> tuple[int, str] | None:
        """Country code and national number, when the text says both without doubt."""
        if not digits.isascii():
            return None
        if digits.startswith("+"):
            if not digits[1:].isdigit():
                return None
            for width in (1, 2, 3):
                if digits[1 : 1 + width].isdigit() and int(digits[1 : 1 + width]) in COUNTRY_CODE_TO_REGION_CODE:
                    return int(digits[1 : 1 + width]), digits[1 + width :]
            return None
        trunk, prefix = self._home_trunk, self._home_prefix
        if not digits.isdigit() or trunk is None or prefix is None:
            return None
        start = prefix.match(digits)
        if start is None or start.group(0) != trunk:
            return None
        if self._home_international is not None and self._home_international.match(digits):
            return None
        return self._home_code, digits[len(trunk) :]

    def _regions_of(self, code: int) -> tuple[_Region, ...]:
        known = self._regions.get(code)
        if known is None:
            known = tuple(
                _compiled(metadata)
                for name in COUNTRY_CODE_TO_REGION_CODE[code]
                if (metadata := PhoneMetadata.metadata_for_region(name)) is not None
            )
            self._regions[code] = known
        return known

    def _parse(self, raw: str) -> Phone:
        try:
            number = phonenumbers.parse(raw, self.default_country)
        except phonenumbers.NumberParseException:
            return Phone(None, INVALID_PHONE)
        if not phonenumbers.is_valid_number(number):
            return Phone(None, INVALID_PHONE)
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        return Phone(e164, COMPANY_LINE if phonenumbers.number_type(number) in _COMPANY_TYPES else None)


def _compiled(metadata: PhoneMetadata) -> _Region:
    kinds = []
    general = metadata.general_desc or PhoneNumberDesc()
    for name, company in _KINDS:
        desc = getattr(metadata, name)
        if desc is not None and desc.national_number_pattern:
            # A kind without lengths of its own has those of the whole region.
            lengths = desc.possible_length or general.possible_length
            kinds.append((frozenset(lengths), re.compile(desc.national_number_pattern), company))
    start = metadata.national_prefix_for_parsing
    return _Region(
        leading_digits=re.compile(metadata.leading_digits) if metadata.leading_digits else None,
        general=re.compile(general.national_number_pattern or ""),
        kinds=tuple(kinds),
        ambiguous_start=re.compile(start) if start else None,
    )
