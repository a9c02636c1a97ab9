"""The invented people: who they are, where they live and under which identifiers each system knows them."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from ingestion.demo.clock import DAY, Calendar
from ingestion.demo.words import (
    BUSY,
    COMPANY_FORMS,
    COMPANY_WORDS,
    GIVEN_NAMES,
    PREFECTURES,
    REGION_WEIGHTS,
    SURNAMES,
    Prefecture,
)

_DOMAINS = ("example.com", "example.jp", "example.net")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(slots=True)
class Person:
    """One human being and what each system holds of them; an empty string means that the system does not know."""

    index: int
    last: str
    first: str
    last_kana: str
    first_kana: str
    prefecture: Prefecture
    street: str
    postal: str
    birth: date
    entry: int
    buyer: bool
    tier: float
    company: int
    phone: str
    email: str
    shop_id: str
    shop_phone: bool
    crm_email: str
    crm_phone: bool
    in_crm: bool
    care_email: str
    care_phone: bool
    zendesk_id: int
    delighted_id: int
    devices: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Name of the person in the truth files."""
        return f"P{self.index:06d}"

    @property
    def region(self) -> str:
        """One of the eight regions."""
        return self.prefecture.region

    @property
    def e164(self) -> str:
        """Phone as +81…, empty when the person has none."""
        return "+81" + self.phone[1:] if self.phone else ""


@dataclass(frozen=True, slots=True)
class Company:
    """An employer of some contacts; an Account in Salesforce."""

    index: int
    name: str
    industry: int
    prefecture: Prefecture

    @property
    def account_id(self) -> str:
        """18-character id of the Account."""
        return salesforce_id("001", self.index + 1)


def salesforce_id(prefix: str, number: int) -> str:
    """18-character Salesforce id: 15 case-sensitive characters and the 3 that make it case-safe."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    short = prefix + "5g00000" + digits.rjust(5, "0")
    suffix = ""
    for part in (short[0:5], short[5:10], short[10:15]):
        bits = sum(1 << place for place, letter in enumerate(part) if "A" <= letter <= "Z")
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
    return short + suffix


def phone_number(index: int) -> str:
    """A mobile number of the right shape that is unique per index: 0[789]0 and eight digits, the first not 0."""
    scattered = (index * 7_368_787 + 1_234_567) % 89_999_999
    return f"{('090', '080', '070')[index % 3]}{scattered + 10_000_000}"


def _prefectures(rng: np.random.Generator, count: int) -> list[Prefecture]:
    weights = []
    for place in PREFECTURES:
        peers = sum(BUSY.get(peer.name, 1.0) for peer in PREFECTURES if peer.region == place.region)
        weights.append(REGION_WEIGHTS[place.region] * BUSY.get(place.name, 1.0) / peers)
    share = np.array(weights)
    return [PREFECTURES[i] for i in rng.choice(len(PREFECTURES), size=count, p=share / share.sum())]


def make_companies(rng: np.random.Generator, people: int) -> list[Company]:
    """Employers, about one per 25 people. Names repeat in form, never as a whole."""
    count = max(3, people // 25)
    places = _prefectures(rng, count)
    found = []
    for index in range(count):
        word = COMPANY_WORDS[index % len(COMPANY_WORDS)]
        form = COMPANY_FORMS[(index // len(COMPANY_WORDS)) % len(COMPANY_FORMS)]
        serial = index // (len(COMPANY_WORDS) * len(COMPANY_FORMS))
        name = form.format(word) + (f" 第{serial}営業所" if serial else "")
        found.append(Company(index, name, index % 5, places[index]))
    return found


def make_people(rng: np.random.Generator, calendar: Calendar, count: int, companies: int) -> list[Person]:
    """Draw everybody. About 88 in 100 buy, 70 are in the CRM, and a part uses another address in some system."""
    places = _prefectures(rng, count)
    surname = rng.integers(len(SURNAMES), size=count)
    given = rng.integers(len(GIVEN_NAMES), size=count)
    age = np.clip(rng.normal(44, 14, size=count), 18, 88)
    dice = rng.random((count, 12))
    tier = rng.gamma(6.0, 1.0 / 6.0, size=count)
    entry = calendar.moments(rng.random(count) * calendar.horizon)
    street = rng.integers(1, 30, size=(count, 3))
    postal = rng.integers(0, 9999, size=count)
    people = []
    for i in range(count):
        last, last_kana, last_latin = SURNAMES[surname[i]]
        first, first_kana, first_latin = GIVEN_NAMES[given[i]]
        roll = dice[i]
        email = f"{first_latin}.{last_latin}{i}@{_DOMAINS[i % 3]}"
        other = f"{last_latin}-{first_latin[0]}{i}@{_DOMAINS[(i + 1) % 3]}"
        buyer = bool(roll[0] < 0.88)
        account = bool(roll[1] < (0.90 if buyer else 0.25))
        in_crm = bool(roll[2] < (0.68 if buyer else 0.80))
        people.append(
            Person(
                index=i,
                last=last,
                first=first,
                last_kana=last_kana,
                first_kana=first_kana,
                prefecture=places[i],
                street="-".join(str(part) for part in street[i]),
                postal=f"{places[i].postal}-{postal[i]:04d}",
                birth=calendar.end - timedelta(days=int(age[i] * 365.25)),
                entry=int(entry[i]),
                buyer=buyer,
                tier=float(tier[i]),
                company=int(roll[3] * companies / 0.15) if roll[3] < 0.15 else -1,
                phone=phone_number(i) if roll[4] < 0.93 else "",
                email=email,
                shop_id=str(7_100_000_000_000 + i * 32_768 + 741) if account else "",
                shop_phone=bool(roll[5] < 0.80),
                crm_email=other if roll[6] < 0.15 else email,
                crm_phone=bool(roll[7] < 0.80),
                in_crm=in_crm,
                care_email=(other if roll[8] < 0.5 else f"{first_latin}{i}.private@example.net")
                if roll[9] < 0.14
                else email,
                care_phone=bool(roll[10] < 0.35),
                zendesk_id=360_000_000_000 + i * 97 + 11,
                delighted_id=210_000_000 + i * 13 + 5,
                devices=_devices(i, int(entry[i]) - DAY, int(roll[11] * 1000), account),
            )
        )
    return people


def _devices(index: int, first_touch: int, roll: int, account: bool) -> list[str]:
    """GA4 client ids: one to three devices; about a quarter of those without an account never come to the site."""
    if not account and roll < 250:
        return []
    count = 1 + (roll % 100 < 45) + (roll % 100 < 8)
    return [f"{(index * 3 + k) * 611_953 % 1_900_000_000 + 100_000_000}.{first_touch + k * 977}" for k in range(count)]
