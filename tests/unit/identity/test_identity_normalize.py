"""Every way in which the same address, number or id is written ends in one form; what is none says so."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics.identity.normalize import NOT_AN_EMAIL, Form, normalize
from analytics.identity.phones import COMPANY_LINE, INVALID_PHONE
from analytics.identity.rules import default_rules


def one(form: str, text: str, country: str = "JP") -> tuple[str | None, str | None]:
    found = normalize(form, pa.array([text]), country)  # type: ignore[arg-type]
    return found.values[0].as_py(), found.reasons[0].as_py()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Taro.Yamada@Example.JP", "taro.yamada@example.jp"),
        ("  taro@example.jp\u3000", "taro@example.jp"),
        ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ", "taro@example.jp"),
        ("'taro@example.jp", "taro@example.jp"),
        ("山田太郎 <Taro@example.jp>", "taro@example.jp"),
        ("mailto:taro@example.jp", "taro@example.jp"),
        ("taro@example.jp,", "taro@example.jp"),
        ("taro+shop@example.jp", "taro+shop@example.jp"),
        ("t.a.r.o@gmail.com", "t.a.r.o@gmail.com"),
        ("ta..ro.@docomo.ne.jp", "ta..ro.@docomo.ne.jp"),
    ],
)
def test_emails_are_one_form(text: str, normal: str) -> None:
    assert one("email", text) == (normal, None)


@pytest.mark.parametrize(
    "text", ["null", "taro", "taro@", "@example.jp", "taro@example", "a@b@example.jp", "a b@c.jp", "a@b.jp;c@d.jp"]
)
def test_what_is_no_email_is_told(text: str) -> None:
    assert one("email", text) == (None, NOT_AN_EMAIL)


@pytest.mark.parametrize(
    "text",
    [
        "09012345679",
        "090-1234-5679",
        "０９０－１２３４－５６７９",
        "０９０ー１２３４ー５６７９",
        "(090) 1234 5679",
        "'09012345679",
        "+81 90-1234-5679",
        "+81(0)90-1234-5679",
        "+８１９０１２３４５６７９",
        "81-90-1234-5679",
        "010-81-90-1234-5679",
        "9012345679",
        "tel:+81-90-1234-5679",
    ],
)
def test_phones_are_e164(text: str) -> None:
    assert one("phone", text) == ("+819012345679", None)


@pytest.mark.parametrize(
    "text", ["0", "null", "000-0000-0000", "1001", "anonymous", "03-1234", "+999123456789", "ｎｕｌｌ"]
)
def test_what_is_no_phone_is_told(text: str) -> None:
    assert one("phone", text) == (None, INVALID_PHONE)


def test_a_number_without_country_code_is_meant_as_in_the_company_s_country() -> None:
    assert one("phone", "(415) 555-2671", "US") == ("+14155552671", None)
    assert one("phone", "(415) 555-2671", "JP") == (None, INVALID_PHONE)
    assert one("phone", "+1 415 555 2671", "JP") == ("+14155552671", None)


@pytest.mark.parametrize("text", ["0120-444-444", "+81 120 444 444", "0570-012-345"])
def test_lines_of_companies_are_numbers_that_join_nobody(text: str) -> None:
    value, reason = one("phone", text)
    assert value is not None
    assert reason == COMPANY_LINE


def test_an_extension_is_left_off() -> None:
    assert one("phone", "03-3580-3311 内線12") == ("+81335803311", None)


@pytest.mark.parametrize(
    ("form", "text", "normal"),
    [
        ("id", " ４２ ", "42"),
        ("id", "'0042", "0042"),
        ("id", "aBc", "aBc"),
        ("salesforce_id", "0035g000000001d", "0035g000000001dAAA"),
        ("salesforce_id", "0035g000000001dAAA", "0035g000000001dAAA"),
        ("salesforce_id", "003B0000005Wqt2", "003B0000005Wqt2IAC"),
        ("shopify_id", "gid://shopify/Customer/7100000000741", "7100000000741"),
        ("device", "6D92078A-8246-4BA4-AE5B-76104861E7DC", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
        ("device", "1234567890.1700000000", "1234567890.1700000000"),
    ],
)
def test_ids_are_trimmed_and_composed(form: str, text: str, normal: str) -> None:
    assert one(form, text) == (normal, None)


def test_every_type_of_the_warehouse_has_a_rule_with_a_reason() -> None:
    rules = default_rules()
    types = [
        "email",
        "phone",
        "salesforce_contact_id",
        "shopify_customer_id",
        "zendesk_user_id",
        "delighted_person_id",
        "user_id",
        "device_id",
        "customer_key",
    ]
    assert {rule.identifier_type for rule in rules.rules} == {*types, "steward", "probable_match"}
    assert all(len(rule.note) > 20 for rule in rules.rules)
    assert rules.rule("user_id").limit_per_customer == 1
    assert {rules.rule(name).limit_per_customer for name in types if name not in ("user_id", "device_id")} == {5}
    assert default_rules(3).rule("email").limit_per_customer == 3
    assert rules.rule("loyalty_card").identifier_type == "loyalty_card"


@pytest.mark.parametrize("form", ["email", "phone", "id", "salesforce_id", "shopify_id", "device"])
def test_each_text_of_a_column_is_normalised_as_if_it_were_alone(form: Form) -> None:
    texts = [
        "plain@example.com",
        "'0900000000",
        "",
        "Ｔａｎａｋａ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "Mailto:Big@Example.com",
        "mailto:a@example.com",
        " <b@example.com>; ",
        "no address",
        "''",
        "\u200bc@example.jp.",
        "ÄÖ@example.com",
        "gid://shopify/Customer/12",
        "003000000000abC",
        "0D8A3C40-1111-2222-3333-ABCDEFABCDEF",
        "tail\x7f",
        "a\tb",
    ]
    whole = normalize(form, pa.array(["x", *texts, "y"]).slice(1, len(texts)), "JP")
    alone = [normalize(form, pa.array([text]), "JP") for text in texts]
    assert whole.values.to_pylist() == [one.values[0].as_py() for one in alone]
    assert whole.reasons.to_pylist() == [one.reasons[0].as_py() for one in alone]
    # White space around a text changes nothing, and takes the way of texts that are not plain.
    dressed = normalize(form, pa.array([f" {text}\u3000" for text in texts]), "JP")
    assert dressed.values.to_pylist() == whole.values.to_pylist()
