"""The one table that says which evidence may make two records one person. Read it top down: strongest first.

Every number has its reason beside it. A company tightens or loosens the table, never the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from analytics.identity.normalize import Form

# What systems write where they know nothing. Case does not matter; ids of zeros only are the same statement.
_NOTHING_KNOWN = (
    r"null|none|nil|nan|n/?a|undefined|unknown|unspecified|not[-_ ]?specified|\(not[-_ ]?set\)|not[-_ ]?set|"
    r"anonymous|anon|guest|dummy|test|unavailable|restricted|private|blocked|false|true|未設定|不明|なし|匿名|"
    r"[-_.*?#x]+|[0.\-]+"
)
_PLACEHOLDER = ("placeholder", rf"(?i)^(?:{_NOTHING_KNOWN})$")
# The namespace of a company's own source stands before the key.
_PLACEHOLDER_KEY = ("placeholder", rf"(?i)^(?:[^:]*:)?\s*(?:{_NOTHING_KNOWN})?$")
_EMAIL_PATTERNS = (
    ("placeholder", rf"(?i)^(?:{_NOTHING_KNOWN}|example|sample|foo|bar|hoge|fuga|aaa+|asdf)@"),
    ("placeholder domain", r"@(?:test\.[a-z.]+|invalid|[^@]*\.invalid|localhost|[^@]*\.localdomain|aaa+\.[a-z.]+)$"),
    (
        "role address",
        r"^(?:info|information|support|help|helpdesk|contact|sales|admin|administrator|webmaster|postmaster|root|"
        r"hostmaster|abuse|office|mail|service|customerservice|customer-service|shop|store|order|orders|billing|"
        r"no-?reply|do-?not-?reply|noreply[-_.a-z0-9]*|mailer-daemon|bounce[-+_.a-z0-9]*|marketing|newsletter|"
        r"inquiry|toiawase|otoiawase)@",
    ),
)
_PHONE_PATTERNS = (
    ("one digit repeated", r"^\+\d{1,3}?(?:0{6,}|1{6,}|2{6,}|3{6,}|4{6,}|5{6,}|6{6,}|7{6,}|8{6,}|9{6,})$"),
    ("one digit repeated", r"^\+81[5-9]0(?:0{8}|1{8}|2{8}|3{8}|4{8}|5{8}|6{8}|7{8}|8{8}|9{8})$"),
    ("keyboard row", r"^\+81(?:[5-9]012345678|312345678|612345678|123456789)$"),
    ("fiction", r"^\+1\d{3}55501\d{2}$"),
)
# Caller numbers that telephony providers send for "withheld" (the letters of ANONYMOUS, RESTRICTED, ... as keys).
_WITHHELD_CALLERS = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"})

# Links that no file holds are values of these types: what a steward forces, what the probabilistic model finds.
STEWARD, PROBABLE = "steward", "probable_match"
_NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    priority: 1 is the strongest; over a limit the highest number goes first.
    limit_per_customer: distinct values of this type that one person may hold.
    value_limit: distinct records one value may join; None where the issuing system guarantees one holder.
    partner_limit: distinct values of any one other type met on this value's records before it counts as shared.
    unique: two different values say two different people (the limit is 1).
    merge_trail: a record that carries its own id and another one says that the vendor merged it into that one;
        ids retired so do not count against the limit, or a long trail would cut what the vendor has decided.
    time_to_live_days: a value that nobody showed for longer than this has a new holder afterwards; None: never.
    confidence: share of links by this evidence alone that hold, as stated in `identity_links` (an assumption).
    """

    identifier_type: str
    priority: int
    limit_per_customer: int
    value_limit: int | None
    partner_limit: int | None
    note: str
    form: Form = "id"
    confidence: float = 0.99
    unique: bool = False
    merge_trail: bool = False
    time_to_live_days: int | None = None
    blocked_values: frozenset[str] = frozenset()
    blocked_patterns: tuple[tuple[str, str], ...] = (_PLACEHOLDER,)


@dataclass(frozen=True, slots=True)
class RuleTable:
    """All rules, and what holds across types.

    vendor_id: the rule for a type `<vendor>_<kind>_id` that the table does not name: the vendor's number of a person,
        as every vendor of the canonical layer has one.
    fallback: the rule for any other type that the table does not name (a company's own kind of card or number).
    sharer_limit: separately identified customers a value may lie between before its other records stop trusting it.
    endpoint_kinds: last part of the source name (`ga4.device`) of records that stand for a device or a line. Where
        nothing of theirs is usable no person is left, so they stay unmapped; a buyer or a contact without usable
        evidence is still a person.
    device_login_confidence: of "the one login ever seen on this device".
    """

    rules: tuple[Rule, ...]
    fallback: Rule
    vendor_id: Rule | None = None
    sharer_limit: int = 5
    endpoint_kinds: frozenset[str] = frozenset({"device", "caller"})
    device_login_confidence: float = 0.85
    by_type: Mapping[str, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        table = {rule.identifier_type: rule for rule in self.rules}
        if len(table) != len(self.rules):
            raise ValueError("rules: an identifier type stands in the table twice")
        for rule in self.rules:
            if rule.limit_per_customer < 1 or (rule.unique and rule.limit_per_customer != 1):
                raise ValueError(f"rules: {rule.identifier_type}: limit_per_customer {rule.limit_per_customer}")
        object.__setattr__(self, "by_type", table)

    def rule(self, identifier_type: str) -> Rule:
        """The row for a type; else the rule for vendors' ids or the fallback, under that type's name."""
        found = self.by_type.get(identifier_type)
        if found is not None:
            return found
        general = self.vendor_id if self.vendor_id and identifier_type.endswith("_id") else self.fallback
        return replace(general, identifier_type=identifier_type)

    def with_blocked(self, blocked: Mapping[str, Iterable[str]]) -> RuleTable:
        """The same table with more blocked values (normalised form), e.g. the company's own lines and store ids."""
        known = [*self.rules, *(self.rule(name) for name in sorted(blocked) if name not in self.by_type)]
        grown = (
            replace(rule, blocked_values=rule.blocked_values | frozenset(blocked.get(rule.identifier_type, ())))
            for rule in known
        )
        return replace(self, rules=tuple(grown))


def default_rules(limit_default: int = 5) -> RuleTable:
    """The table Kizuna ships; `limit_default` is `kpi.identity_limit_default` of kizuna.yaml."""
    issued = Rule(
        "*",
        priority=1,
        limit_per_customer=limit_default,
        value_limit=None,
        partner_limit=20,
        confidence=1.0,
        note="Issued by one system for one person.",
    )
    rules = (
        Rule(
            STEWARD,
            priority=0,
            limit_per_customer=_NO_LIMIT,
            value_limit=None,
            partner_limit=None,
            confidence=1.0,
            blocked_patterns=(),
            note="Somebody looked and decided (identity/decisions.yaml); the limits of those joined add up.",
        ),
        replace(
            issued,
            identifier_type="salesforce_contact_id",
            form="salesforce_id",
            merge_trail=True,
            note="Issued by the CRM for one contact; MasterRecordId is the CRM's own merge trail.",
        ),
        replace(
            issued,
            identifier_type="shopify_customer_id",
            form="shopify_id",
            merge_trail=True,
            note="Issued by the shop for one account.",
        ),
        replace(
            issued,
            identifier_type="zendesk_user_id",
            merge_trail=True,
            note="Issued by the help desk for one requester.",
        ),
        replace(issued, identifier_type="delighted_person_id", note="Issued by the survey tool for one respondent."),
        replace(
            issued,
            identifier_type="customer_key",
            blocked_patterns=(_PLACEHOLDER_KEY,),
            note="The company's own customer number. Tills write one number for all guests: with more than 20 e-mails "
            "or phones on its records it is a store, not a person.",
        ),
        Rule(
            "user_id",
            priority=2,
            limit_per_customer=1,
            value_limit=None,
            partner_limit=20,
            unique=True,
            note="A login. Two logins are two people until the company itself says otherwise.",
        ),
        Rule(
            "email",
            priority=3,
            limit_per_customer=limit_default,
            value_limit=1000,
            partner_limit=20,
            form="email",
            confidence=0.98,
            blocked_patterns=_EMAIL_PATTERNS,
            note="Nearly personal. 1,000 records is more than an order a day for two years; one person has a handful "
            "of phones and ids, so 20 different ones mark a shared mailbox.",
        ),
        Rule(
            "phone",
            priority=4,
            limit_per_customer=limit_default,
            value_limit=1000,
            partner_limit=20,
            form="phone",
            confidence=0.92,
            time_to_live_days=730,
            blocked_values=_WITHHELD_CALLERS,
            blocked_patterns=_PHONE_PATTERNS,
            note="Families and offices share lines, so it yields to everything above. A number given up has a new "
            "holder after months, so that after two silent years it says nothing about the holder before.",
        ),
        Rule(
            "device_id",
            priority=5,
            limit_per_customer=max(limit_default, 50),
            value_limit=1000,
            partner_limit=None,
            form="device",
            confidence=0.85,
            note="A browser's cookie, not a machine: Safari forgets it after seven days, so two years give dozens per "
            "person; the limit only stops terminals. A second login on a device is a switch, not a merge.",
        ),
        Rule(
            PROBABLE,
            priority=9,
            limit_per_customer=_NO_LIMIT,
            value_limit=None,
            partner_limit=None,
            confidence=0.9,
            blocked_patterns=(),
            note="A likeness of names and addresses: the first to go. The model states the confidence of each link.",
        ),
    )
    fallback = Rule(
        "*",
        priority=2,
        limit_per_customer=limit_default,
        value_limit=1000,
        partner_limit=20,
        confidence=0.97,
        note="A number that some system gave out (loyalty card, payment customer): trusted above e-mail, watched.",
    )
    vendor_id = replace(
        issued,
        merge_trail=True,
        note="Issued by one vendor for one person; merged ids that the vendor names are its own merge trail.",
    )
    return RuleTable(rules=rules, fallback=fallback, vendor_id=vendor_id)
