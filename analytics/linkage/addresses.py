"""Addresses in parts that compare: numbers apart from names, Japanese ones taken out of their one line.

A Japanese address runs from the large to the small (prefecture, city, town, then chome-ban-go) and is written in many
ways: `東京都千代田区丸の内一丁目9番1号`, `千代田区丸の内1-9-1`, full-width digits, with a building behind it. The 47
prefectures are closed facts; a city ends in 市, 区, 町 or 村. No table of all towns is needed to compare two addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from analytics.linkage.text import compact, nfkc

PREFECTURES = (
    "北海道", "青森県", "岩手県", "宮城県", "秋田県", "山形県", "福島県", "茨城県", "栃木県", "群馬県", "埼玉県",
    "千葉県", "東京都", "神奈川県", "新潟県", "富山県", "石川県", "福井県", "山梨県", "長野県", "岐阜県", "静岡県",
    "愛知県", "三重県", "滋賀県", "京都府", "大阪府", "兵庫県", "奈良県", "和歌山県", "鳥取県", "島根県", "岡山県",
    "広島県", "山口県", "徳島県", "香川県", "愛媛県", "高知県", "福岡県", "佐賀県", "長崎県", "熊本県", "大分県",
    "宮崎県", "鹿児島県", "沖縄県",
)  # fmt: skip
_PREFECTURE = re.compile("|".join(PREFECTURES))
# 市川市, 町田市, 村山市: the first letter of a name may be one that ends others. A ward follows its city.
_CITY = re.compile(r"((?:.{1,6}?郡)?.{1,7}?[市区町村](?:(?<=市).{1,4}?区)?)")
_CITIES_WITH_INNER_MARK = re.compile(
    r"(?:四日市|廿日市|野々市|八日市場|市川|市原|町田|村山|村上|東村山|武蔵村山|羽村|大村|田村|余市|十日町|大町|下市|大村)[市町]"
)
_KANJI_DIGITS = {"〇": 0, "零": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_KANJI_NUMBER = re.compile(r"[〇零一二三四五六七八九十百]+(?=丁目|丁|番地|番(?!町)|号|条)")
_DASHES = re.compile(r"(?<=\d)\s*[-‐‑‒–—―−ーｰ~〜の]\s*(?=\d)")
_COUNTERS = re.compile(r"(?<=\d)(?:丁目|番地の|番地|番(?!町)|号室|号|丁)")
_NUMBERS = re.compile(r"\d+(?:-\d+)*")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_HOUSE = r"(\d+(?:\s*[/-]\s*\d+)?[a-z]?)"
_HOUSE_FIRST = re.compile(rf"^\s*(?:(?:unit|apt|flat|no)\.?\s*)?{_HOUSE}[\s,]+(?=\D)", re.IGNORECASE)
_HOUSE_LAST = re.compile(rf"(?<=\D)[\s,]+{_HOUSE}\s*$", re.IGNORECASE)
_STREET_WORDS = {
    "st": "street", "str": "street", "rd": "road", "ave": "avenue", "av": "avenue", "blvd": "boulevard",
    "dr": "drive", "ln": "lane", "ct": "court", "crt": "court", "cres": "crescent", "cr": "crescent", "pl": "place",
    "sq": "square", "ter": "terrace", "tce": "terrace", "pde": "parade", "cl": "close", "cct": "circuit",
    "hwy": "highway", "pkwy": "parkway", "n": "north", "s": "south", "e": "east", "w": "west", "apt": "apartment",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """Comparable parts of one address, each without spaces or punctuation; None where nothing is known."""

    house: str | None = None
    street: str | None = None
    locality: str | None = None
    city: str | None = None
    region: str | None = None


def address(
    house: str | None, street: str | None, locality: str | None, city: str | None, region: str | None
) -> Address:
    """Parts as a source gives them, in any of them what other sources write in another."""
    if any(part and _JAPANESE.search(part) for part in (street, locality, city, region)):
        return _japanese(house, street, locality, city, region)
    line = nfkc(street)
    if line and not house:
        for pattern in (_HOUSE_FIRST, _HOUSE_LAST):
            if found := pattern.search(line):
                house = found.group(1)
                line = (line[: found.start()] + " " + line[found.end() :]).strip()
                break
    return Address(compact(house), _street(line), _street(nfkc(locality)), compact(city), compact(region))


def postcode(text: str | None) -> str | None:
    """Letters and digits only, without the mark 〒; a US ZIP+4 is cut to the five digits all systems have."""
    if (clean := compact(text)) is None:
        return None
    if text is not None and re.fullmatch(r"\d{5}-\d{4}", nfkc(text).strip()):
        return clean[:5]
    return clean.removeprefix("〒")


def japanese_numbers(text: str) -> str:
    """`一丁目9番1号` as `1-9-1`: kanji numbers before a counter, counters and every kind of dash."""
    plain = _KANJI_NUMBER.sub(lambda found: str(_kanji_number(found.group())), text)
    plain = re.sub(r"(?<=\d)(?:丁目|番地の|番地|番(?!町)|丁)\s*(?=\d)", "-", plain)
    return _DASHES.sub("-", _COUNTERS.sub("", plain))


def _japanese(
    house: str | None, street: str | None, locality: str | None, city: str | None, region: str | None
) -> Address:
    line = "".join(nfkc(part) for part in (region, city, street))
    line = re.sub(r"\s+", " ", line)
    prefecture = None
    if found := _PREFECTURE.match(line):
        prefecture, line = found.group(), line[found.end() :]
        # A street line often repeats the prefecture and the city that stand in columns of their own.
        line = line.replace(prefecture, "", 1)
    town = None
    if found := _CITIES_WITH_INNER_MARK.match(line) or _CITY.match(line):
        town, line = found.group(), line[found.end() :]
        line = line.removeprefix(town)
    line = japanese_numbers(line)
    number, behind = None, ""
    if found := _NUMBERS.search(line):
        number, line, behind = found.group(), line[: found.start()], line[found.end() :]
    given = japanese_numbers(nfkc(house)) if house else None
    return Address(
        compact(given) or (number.replace("-", "x") if number else None),
        compact(line),
        compact(nfkc(locality) + behind),
        compact(town) or compact(city),
        compact(prefecture) or compact(region),
    )


def _kanji_number(text: str) -> int:
    """Value below a thousand: 二十三 is 23, 一〇 is 10."""
    if "十" not in text and "百" not in text:
        return int("".join(str(_KANJI_DIGITS[letter]) for letter in text))
    total, digit = 0, 0
    for letter in text:
        if letter in "十百":
            total += (digit or 1) * (10 if letter == "十" else 100)
            digit = 0
        else:
            digit = _KANJI_DIGITS[letter]
    return total + digit


def _street(line: str) -> str | None:
    words = [_STREET_WORDS.get(word, word) for word in re.split(r"[\s,.]+", line.casefold())]
    return compact("".join(words))
