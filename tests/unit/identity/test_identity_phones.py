"""The short cut to E.164 gives the library's answer: compared on mutated numbers of every region and kind."""

from __future__ import annotations

import random

import phonenumbers
import pytest

from analytics.identity.phones import PhoneNormalizer

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize("part", range(4))
def test_the_short_cut_agrees_with_the_library(part: int) -> None:
    dice = random.Random(part)
    compared = 0
    for region in REGIONS[part::4]:
        normalizer = PhoneNormalizer(region)
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            digits = list(phonenumbers.national_significant_number(example))
            for _ in range(dice.choice([0, 1, 1])):
                digits[dice.randrange(len(digits))] = dice.choice("0123456789")
            national = "".join(digits)
            code, trunk = example.country_code, normalizer._home_trunk or "0"
            for text in (
                f"+{code}{national}",
                f"+{code}({trunk}){national}",
                f"{trunk}{national}",
                f"00{national}",
                national,
            ):
                assert normalizer(text) == normalizer._parse(text), (region, text)
                compared += 1
    assert compared > 1000


def test_the_short_cut_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    normalizer = PhoneNormalizer("JP")

    def refuse(*_: object) -> None:
        raise AssertionError("parsed by the library")

    monkeypatch.setattr(phonenumbers, "parse", refuse)
    assert normalizer("090-1234-5679").e164 == "+819012345679"
    assert normalizer("+81 3 3580 3311").e164 == "+81335803311"


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(ValueError, match="default_country: 'XX'"):
        PhoneNormalizer("XX")
