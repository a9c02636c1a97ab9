"""Links between records that share no identifier: found, repeatable, explained, and never between people of a house."""

import random
import string
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from analytics.linkage import blocking
from analytics.linkage.clusters import components, join, unscored
from analytics.linkage.comparisons import COMPARISONS
from analytics.linkage.forms import PERSONS
from analytics.linkage.link import PROBABLE, Linkage, probable_links
from analytics.linkage.mixture import learn

Person = dict[str, str]


def _word(draw: random.Random, length: int) -> str:
    return "".join(draw.choice("bcdfglmnprst" if place % 2 == 0 else "aeiou") for place in range(length))


def _people(count: int, seed: int = 5) -> tuple[list[Person], list[str]]:
    """Households of two who share family name, address and postcode; and all given names there are."""
    draw = random.Random(seed)
    given, family = [_word(draw, 6) for _ in range(60)], [_word(draw, 7) for _ in range(60)]
    streets = [_word(draw, 8) + " street" for _ in range(80)]
    people = []
    for _ in range(count // 2):
        house = {
            "family_name": draw.choice(family),
            "house_number": str(draw.randint(1, 99)),
            "street": draw.choice(streets),
            "postal_code": str(draw.randint(1000, 1200)),
        }
        for first in draw.sample(given, 2):
            day = f"{draw.randint(1930, 2005)}{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
            people.append({**house, "given_name": first, "birth_text": day})
    return people, given


def _damaged(person: Person, draw: random.Random) -> Person:
    """One slip, one lost attribute, and now and then names in each other's place."""
    copy = dict(person)
    slip = draw.choice(["given_name", "family_name", "street", "birth_text"])
    place = draw.randrange(1, len(copy[slip]))
    letter = draw.choice(string.digits if slip == "birth_text" else string.ascii_lowercase)
    copy[slip] = copy[slip][:place] + letter + copy[slip][place + 1 :]
    copy.pop(draw.choice([name for name in sorted(copy) if name not in (slip, "given_name")]))
    if draw.random() < 0.1 and "family_name" in copy:
        copy["given_name"], copy["family_name"] = copy["family_name"], copy["given_name"]
    return copy


def _table(rows: list[tuple[str, Person]]) -> pa.Table:
    return pa.Table.from_pylist([{"source": "a.person", "record_key": key, **row} for key, row in rows], PERSONS)


def _link(table: pa.Table) -> Linkage:
    return probable_links(table, match_threshold=0.95, review_threshold=0.5, default_country="GB")


def _ends(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["record_key_a"].to_pylist(), table["record_key_b"].to_pylist(), strict=True))


@pytest.fixture(scope="module")
def company() -> tuple[pa.Table, Linkage]:
    """200 people in 100 households; each known twice, the second time with damage. Keys: `<person>-<copy>`."""
    people, _ = _people(200)
    draw = random.Random(8)
    rows = [(f"{number:04}-0", person) for number, person in enumerate(people)]
    rows += [(f"{number:04}-1", _damaged(person, draw)) for number, person in enumerate(people)]
    table = _table(rows)
    return table, _link(table)


def test_nearly_all_second_records_are_found_and_no_house_is_one_person(company: tuple[pa.Table, Linkage]) -> None:
    ends = _ends(company[1].links)
    right = [pair for pair in ends if pair[0][:4] == pair[1][:4]]
    assert len(right) >= 0.95 * 200
    assert len(ends) - len(right) <= 0.01 * 200


def test_the_same_rows_in_another_order_give_the_same_tables(company: tuple[pa.Table, Linkage]) -> None:
    table, before = company
    order = np.random.default_rng(3).permutation(table.num_rows)
    after = _link(table.take(pa.array(order)))
    assert after.links.equals(before.links)
    assert after.review.equals(before.review)
    assert after.notes == before.notes


def test_a_link_tells_why_without_any_value(company: tuple[pa.Table, Linkage]) -> None:
    table, linkage = company
    assert linkage.links.schema == linkage.review.schema == PROBABLE
    told = linkage.links["explanation"].to_pylist() + linkage.review["explanation"].to_pylist()
    assert all(text.startswith("given name ") for text in told)
    values = {value for name in ("given_name", "street", "birth_text") for value in table[name].to_pylist() if value}
    assert not [text for text in told if any(value in text for value in values)]
    probabilities = np.array(linkage.links["probability"])
    assert ((probabilities >= 0.95) & (probabilities < 1)).all()
    assert (np.array(linkage.review["probability"]) >= 0.5).all()


def test_people_of_one_house_do_not_crowd_the_review(company: tuple[pa.Table, Linkage]) -> None:
    told = company[1].review["explanation"].to_pylist()
    assert not [text for text in told if "given name differs" in text and "birth date differs" in text]


def test_pairs_for_review_are_not_linked_already(company: tuple[pa.Table, Linkage]) -> None:
    assert not set(_ends(company[1].links)) & set(_ends(company[1].review))


def test_too_little_to_compare_gives_nothing() -> None:
    people, _ = _people(10)
    names_only = [(str(number), {"given_name": person["given_name"]}) for number, person in enumerate(people)]
    for rows in ([], names_only, [("1", people[0])]):
        linkage = _link(_table(rows))
        assert linkage.links.num_rows == linkage.review.num_rows == 0


def test_two_records_alone_can_be_one_person() -> None:
    """Nothing can be learnt from two rows: what the model assumes beforehand decides."""
    people, _ = _people(4)
    rows = [("1", people[0]), ("2", people[0]), ("3", people[2])]
    assert _ends(_link(_table(rows)).links) == [("1", "2")]


@pytest.mark.parametrize(("match", "review"), [(0.5, 0.9), (1.0, 0.5), (0.9, 0.0)])
def test_thresholds_that_contradict_each_other_are_refused(match: float, review: float) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        probable_links(_table([]), match_threshold=match, review_threshold=review, default_country="JP")


def test_large_blocks_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "LARGEST_BLOCK", 5)
    empty = pa.nulls(9, pa.string())
    columns = {
        item: empty
        for item in ("given", "family", "full", "reading", "birth", "email", "mailbox", "phone", "house", "street",
                     "locality", "city", "postcode", "region")
    }  # fmt: skip
    columns["phone"] = pa.array(["1", "1", *["2"] * 6, None])
    formed = blocking.candidates(pa.table(columns))
    assert list(zip(formed.left.tolist(), formed.right.tolist(), strict=True)) == [(0, 1)]
    assert (formed.blocks, formed.skipped, formed.smallest_skipped) == (1, 1, 6)


def test_one_strong_pair_does_not_chain_groups_that_contradict_each_other() -> None:
    """Two persons of three records each; one pair across looks strong, the eight others speak against it."""
    pairs = [(one, other) for one in range(6) for other in range(one + 1, 6)]
    odds = [8.0 if (one < 3) == (other < 3) else -9.0 for one, other in pairs]
    odds[pairs.index((2, 3))] = 5.0
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    strength = np.array(odds)
    likely = [place for place in np.argsort(-strength, kind="stable").tolist() if strength[place] > 0]
    joined, refused = join(left, right, strength, likely)
    label = components(6, left[joined], right[joined])
    assert label.tolist() == [0, 0, 0, 1, 1, 1]
    assert [pairs[place] for place in refused] == [(2, 3)]


def test_pairs_inside_a_component_that_nobody_formed_are_found() -> None:
    chain = [(one, other) for one, other in pairwise(range(4))]
    left, right = (np.array(side) for side in zip(*chain, strict=True))
    missing = unscored(components(5, left, right), left, right)
    assert list(zip(*(side.tolist() for side in missing), strict=True)) == [(0, 2), (0, 3), (1, 3)]


def test_shares_are_learnt_from_a_mixture_without_labels() -> None:
    """1,000 true pairs that agree on each attribute with .7 among 30,000 strangers who do with .02."""
    draw = np.random.default_rng(1)
    items = [item for item in COMPARISONS if item.name in ("birth", "house", "postcode", "city", "region")]

    def grades(rows: int, agree: float) -> np.ndarray:
        best = np.array([len(item.levels) for item in items])
        return np.where(draw.random((rows, len(items))) < agree, best, 0).astype(np.int8)

    candidates = np.concatenate([grades(1_000, 0.7), grades(30_000, 0.02)])
    learnt = learn(items, candidates, grades(50_000, 0.02), all_pairs=31_000)
    assert learnt.prior * 31_000 == pytest.approx(1_000, rel=0.1)
    for m, u in zip(learnt.m, learnt.u, strict=True):
        assert m[-1] == pytest.approx(0.7, abs=0.06)
        assert u[-1] == pytest.approx(0.02, abs=0.005)
