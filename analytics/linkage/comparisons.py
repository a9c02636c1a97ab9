"""How two person records are compared: columns, levels of agreement from best to worst, and what is assumed of each.

Conditions are SQL of the linkage engine over prepared columns (`forms.py`) of a left and a right record. The last level
of each comparison is "differs"; a column that either side lacks says nothing at all. `m` is the share of true pairs
expected on the level, worth `PRIOR_PAIRS` pairs of evidence: with thousands of pairs the data overrule it, with none it
is what the model uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

#: Weight of the assumed shares, in pairs. Low, so that a hundred pairs seen already outweigh them.
PRIOR_PAIRS = 25.0


@dataclass(frozen=True, slots=True)
class Level:
    """One grade of agreement; `words` name it in an explanation."""

    words: str
    condition: str
    m: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One attribute, `name` its column. `frequency` is the column whose common values count for less when equal.

    `silent` is a condition under which it says nothing although both sides have it.
    """

    name: str
    words: str
    levels: tuple[Level, ...]
    differs_m: float
    frequency: str | None = None
    silent: str | None = None


def _near(left: str, right: str) -> str:
    """One slip of the keyboard in a word of four letters or more, or nearly the same by Jaro and Winkler."""
    return (
        f"(abs(length({left}) - length({right})) <= 3 and (jaro_winkler_similarity({left}, {right}) >= 0.92 "
        f"or least(length({left}), length({right})) >= 4 and damerau_levenshtein({left}, {right}) <= 1))"
    )


def _name(name: str, other: str, words: str, taken: str) -> Comparison:
    left, right, cross_left, cross_right = f"{name}_l", f"{name}_r", f"{other}_l", f"{other}_r"
    crossed, back = _near(left, cross_right), _near(cross_left, right)
    exchanged = f"(coalesce({crossed}, false) and coalesce({back}, false))"
    levels = [Level("equal", f"{left} = {right}", 0.78), Level("nearly equal", _near(left, right), 0.12)]
    if name == "given":
        levels.append(Level("and family name exchanged", exchanged, 0.02))
    levels.append(
        Level(
            taken,
            f"({cross_left} is null or {cross_right} is null) and "
            f"(coalesce({crossed}, false) or coalesce({back}, false))",
            0.01,
        )
    )
    levels.append(
        Level(
            "similar or shortened",
            f"starts_with({left}, {right}) or starts_with({right}, {left}) "
            f"or {left}[1] = {right}[1] and jaro_winkler_similarity({left}, {right}) >= 0.8",
            0.03,
        )
    )
    # Exchanged names are one fact, told by the given name; told twice they would count double.
    silent = f"({exchanged} and {left} <> {right})" if name == "family" else None
    return Comparison(name, words, tuple(levels), 0.04, frequency=name, silent=silent)


def _unseparated() -> Comparison:
    """Names in kanji that one side does not take apart; where both do, the parts have told it all."""
    whole = _text("full", "name", True, (0.85, 0.08, 0.07))
    return replace(whole, silent="given_l IS NOT NULL AND given_r IS NOT NULL")


def _text(
    name: str, words: str, frequency: bool, m: tuple[float, float, float], crossed: str | None = None
) -> Comparison:
    left, right = f"{name}_l", f"{name}_r"
    levels = [Level("equal", f"{left} = {right}", m[0]), Level("nearly equal", _slip(left, right), m[1])]
    if crossed is not None:
        one, two = f"{crossed}_r", f"{crossed}_l"
        levels.append(
            Level(
                "in the other address line",
                f"coalesce({_slip(left, one)}, false) or coalesce({_slip(two, right)}, false)",
                0.05,
            )
        )
    return Comparison(name, words, tuple(levels), m[2], frequency=name if frequency else None)


def _slip(left: str, right: str) -> str:
    """Up to two edits in long texts, one in short ones, none in texts of three letters; or a common long beginning."""
    shorter = f"least(length({left}), length({right}))"
    return (
        f"(abs(length({left}) - length({right})) <= greatest(2, {shorter} // 4) and "
        f"(jaro_winkler_similarity({left}, {right}) >= 0.93 "
        f"or damerau_levenshtein({left}, {right}) <= least(2, {shorter} // 4)))"
    )


def _birth() -> Comparison:
    year_l, month_l, day_l = "birth_l[1:4]", "birth_l[5:6]", "birth_l[7:8]"
    year_r, month_r, day_r = "birth_r[1:4]", "birth_r[5:6]", "birth_r[7:8]"
    same = f"(({year_l} = {year_r})::int + ({month_l} = {month_r})::int + ({day_l} = {day_r})::int)"
    return Comparison(
        "birth",
        "birth date",
        (
            Level("equal", "birth_l = birth_r", 0.80),
            Level("day and month exchanged", f"birth_l = {year_r} || {day_r} || {month_r}", 0.01),
            Level("one digit or two neighbours apart", "damerau_levenshtein(birth_l, birth_r) <= 1", 0.08),
            Level("two of year, month and day equal", f"{same} = 2", 0.05),
            Level(
                "a few digits apart",
                f"damerau_levenshtein(birth_l, birth_r) <= 2 and abs({year_l}::int - {year_r}::int) <= 1",
                0.03,
            ),
        ),
        0.03,
    )


def _email() -> Comparison:
    return Comparison(
        "email",
        "e-mail",
        (
            Level("equal", "email_l = email_r", 0.70),
            Level("one or two letters apart", "damerau_levenshtein(email_l, email_r) <= 2", 0.14),
            Level("same name at another domain", "length(mailbox_l) >= 4 and mailbox_l = mailbox_r", 0.04),
            Level("similar", "jaro_winkler_similarity(email_l, email_r) >= 0.9", 0.04),
        ),
        0.08,
    )


#: All comparisons; those whose columns are nearly empty in a company's data are left out by `usable`.
COMPARISONS: tuple[Comparison, ...] = (
    _name("given", "family", "given name", "written as family name"),
    _name("family", "given", "family name", "written as given name"),
    _unseparated(),
    _text("reading", "kana reading", True, (0.85, 0.08, 0.07)),
    _birth(),
    _email(),
    Comparison(
        "phone",
        "phone",
        (
            Level("equal", "phone_l = phone_r", 0.70),
            Level("one digit apart", "damerau_levenshtein(phone_l, phone_r) <= 1", 0.05),
        ),
        0.25,
    ),
    Comparison(
        "house",
        "house number",
        (
            Level("equal", "house_l = house_r", 0.80),
            Level("one digit apart", "damerau_levenshtein(house_l, house_r) <= 1", 0.08),
        ),
        0.12,
    ),
    _text("street", "street", True, (0.65, 0.15, 0.15), crossed="locality"),
    _text("locality", "second address line", True, (0.65, 0.15, 0.15), crossed="street"),
    _text("city", "city", True, (0.75, 0.13, 0.12)),
    Comparison(
        "postcode",
        "postcode",
        (
            Level("equal", "postcode_l = postcode_r", 0.80),
            Level("one digit or two neighbours apart", "damerau_levenshtein(postcode_l, postcode_r) <= 1", 0.08),
        ),
        0.12,
        frequency="postcode",
    ),
    Comparison("region", "region", (Level("equal", "region_l = region_r", 0.85),), 0.15, frequency="region"),
)

#: Share of records that must have a column for it to be compared: below, nothing can be learnt about it.
LEAST_FILLED = 0.02


def usable(filled: Mapping[str, float]) -> tuple[Comparison, ...]:
    """The comparisons that a table supports, by the share of rows in which each column is filled."""
    return tuple(item for item in COMPARISONS if filled.get(item.name, 0.0) >= LEAST_FILLED)
