"""An explanation starts with the oldest record, and every further line names what ties it to a line above."""

from __future__ import annotations

import random
from datetime import datetime

from analytics.identity.explain import Evidence, Sighting, explain

RECORDS = [
    Sighting("salesforce.contact", "003A", datetime(2024, 5, 1)),
    Sighting("shopify.customer", "77", datetime(2024, 6, 2)),
    *(Sighting("shopify.order", f"#{number}", datetime(2024, 7, number)) for number in range(1, 7)),
    Sighting("ga4.device", "ab12", datetime(2024, 8, 1)),
    Sighting("delighted.person", "9", None),
]
EVIDENCE = [
    Evidence("salesforce.contact", "003A", "email", "taro@example.jp", "exact", 0.98),
    Evidence("salesforce.contact", "003A", "salesforce_contact_id", "003A", "own_id", 1.0),
    Evidence("shopify.customer", "77", "email", "taro@example.jp", "exact", 0.98),
    Evidence("shopify.customer", "77", "user_id", "77", "exact", 0.99),
    Evidence("shopify.customer", "77", "phone", "+819000001111", "exact", 0.92),
    *(Evidence("shopify.order", f"#{number}", "email", "taro@example.jp", "exact", 0.98) for number in range(1, 7)),
    Evidence("ga4.device", "ab12", "user_id", "77", "device_login", 0.85),
    Evidence("delighted.person", "9", "phone", "+819000001111", "exact", 0.92),
]


def test_each_line_names_what_ties_it_to_a_line_above() -> None:
    told = str(explain("c_1", RECORDS, EVIDENCE)).splitlines()
    assert told == [
        "c_1: 10 records of 5 sources are one customer.",
        "  1. salesforce.contact 003A (2024-05-01): the oldest record",
        "  2. shopify.customer 77 (2024-06-02): email taro@example.jp, as on 1 (confidence 0.98)",
        "  3. shopify.order #1, #2, #3 and 3 more (2024-07-01 to 2024-07-06): "
        "email taro@example.jp, as on 1 (confidence 0.98)",
        "  4. delighted.person 9: phone +819000001111, as on 2 (confidence 0.92)",
        "  5. ga4.device ab12 (2024-08-01): the only login ever seen on it is 77, as on 2 (confidence 0.85)",
        "The weakest tie is that of line 5 (confidence 0.85).",
    ]


def test_the_order_of_the_rows_does_not_matter() -> None:
    dice = random.Random(7)
    expected = str(explain("c_1", RECORDS, EVIDENCE))
    for _ in range(20):
        records, evidence = dice.sample(RECORDS, len(RECORDS)), dice.sample(EVIDENCE, len(EVIDENCE))
        assert str(explain("c_1", records, evidence)) == expected


def test_decisions_and_probable_links_say_their_reason() -> None:
    records = [Sighting("a.contact", str(number), datetime(2024, 1, number)) for number in (1, 2, 3)]
    evidence = [
        Evidence("a.contact", "1", "probable_match", "m1", "probable_match", 0.97, "birth date equal, town equal"),
        Evidence("a.contact", "2", "probable_match", "m1", "probable_match", 0.97, "birth date equal, town equal"),
        Evidence("a.contact", "1", "steward", "d1", "steward", 1.0, "told by telephone"),
        Evidence("a.contact", "3", "steward", "d1", "steward", 1.0, "told by telephone"),
    ]
    assert str(explain("c_1", records, evidence)).splitlines()[1:4] == [
        "  1. a.contact 1 (2024-01-01): the oldest record",
        "  2. a.contact 3 (2024-01-03): joined with 1 by decision: told by telephone",
        "  3. a.contact 2 (2024-01-02): probably 1: birth date equal, town equal (probability 0.970)",
    ]


def test_a_record_alone_and_a_customer_without_records() -> None:
    alone = explain("c_1", RECORDS[:1], EVIDENCE)
    assert str(alone).splitlines() == [
        "c_1: 1 record of 1 source.",
        "  1. salesforce.contact 003A (2024-05-01): the oldest record",
    ]
    assert explain("c_unknown", [], []).lines == ()


def test_what_ties_nothing_above_says_so() -> None:
    apart = [Sighting("a.contact", "1", None), Sighting("b.contact", "2", None)]
    assert str(explain("c_1", apart, [])).splitlines()[2] == "  2. b.contact 2: tied to nothing above"
