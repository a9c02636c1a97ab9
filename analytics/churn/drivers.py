"""Why a customer has this score, and what changed in a segment: codes first, words in ja or en last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from analytics.churn.frames import Ints
from analytics.churn.rules import ChurnRules

Locale = Literal["ja", "en"]
Floats = npt.NDArray[np.float64]

# Buying behaviour against the typical customer; every other driver is a signal of `ChurnRules.signals`.
PURCHASES = "purchases"
# Log-odds: below it a driver moves a probability by about a point, which is not worth a sentence.
WORTH_SAYING = 0.05
DRIVERS_PER_CUSTOMER = 3

# {days}: days since the last purchase or since the signal began; {ago}, {lasting}: the same as people say it.
# {usual}: the customer's own usual gap in days.
_WORDS: dict[Locale, dict[str, str]] = {
    "ja": {
        "purchases_overdue": "最後の購入から{days}日（ふだんは約{usual}日ごと）",
        "purchases_once": "購入は1回のみ（{ago}）",
        "purchases_active": "最近も購入あり（{ago}、ふだんは約{usual}日ごと）",
        "purchases_new": "最近の初回購入（{ago}）",
        "urgent_open": "優先度の高い問い合わせが未解決（{lasting}）",
        "urgent_lately": "優先度の高い問い合わせあり（{ago}）",
        "open_interaction": "問い合わせが未解決（{lasting}）",
        "stale_interaction": "7日を超えて未解決の問い合わせあり",
        "negative_csat": "低い満足度評価（{ago}）",
        "nps_detractor": "NPSで批判者の回答（{ago}）",
        "nps_promoter": "NPSで推奨者の回答（{ago}）",
        "frequent_contacts": "30日間に3回以上の問い合わせ",
        "abandoned_contact": "応答できなかった問い合わせ（{ago}）",
        "refund": "返金あり（{ago}）",
        "late_delivery": "発送の遅れ（{ago}）",
        "negative_text": "不満の声（{ago}）",
        "negative_tone": "最近90日の文面が全体に否定的",
        "positive_tone": "最近90日の文面が全体に好意的",
        "speaks_of_leaving": "解約・離脱をほのめかす文面（{ago}）",
        "opted_out": "メール配信を停止（{ago}）",
        "recent_visit": "最近サイトを訪問（{ago}）",
        "payment_failed": "支払いに失敗（{ago}）",
        "contract_tenure_up": "契約期間が短い（{months}か月）",
        "contract_tenure_down": "長く契約を継続（{months}か月）",
        "contract_renewal_up": "契約更新まで{days}日",
        "contract_renewal_down": "契約更新は{days}日先",
        "contract_raised": "90日以内に月額が増加",
        "contract_lowered": "90日以内に月額が減少",
        "contract_plan_up": "解約の多いプランと金額",
        "contract_plan_down": "解約の少ないプランと金額",
    },
    "en": {
        "purchases_overdue": "No purchase {lasting} (usual gap about {usual})",
        "purchases_once": "Bought once, {ago}",
        "purchases_active": "Buying as usual (last {ago}, usual gap about {usual})",
        "purchases_new": "First purchase {ago}",
        "urgent_open": "Urgent request unresolved {lasting}",
        "urgent_lately": "Urgent request {ago}",
        "open_interaction": "Request unresolved {lasting}",
        "stale_interaction": "A request open for more than 7 days",
        "negative_csat": "Low satisfaction rating {ago}",
        "nps_detractor": "NPS detractor, answered {ago}",
        "nps_promoter": "NPS promoter, answered {ago}",
        "frequent_contacts": "Three or more contacts within 30 days",
        "abandoned_contact": "A contact nobody answered, {ago}",
        "refund": "Refund {ago}",
        "late_delivery": "Sent late, {ago}",
        "negative_text": "Wrote a complaint {ago}",
        "negative_tone": "Sounds negative in the last 90 days",
        "positive_tone": "Sounds positive in the last 90 days",
        "speaks_of_leaving": "Wrote of leaving {ago}",
        "opted_out": "Opted out of mail {ago}",
        "recent_visit": "Visited the site or app {ago}",
        "payment_failed": "A payment failed {ago}",
        "contract_tenure_up": "Under contract for only {months}",
        "contract_tenure_down": "Under contract for {months}",
        "contract_renewal_up": "Renewal in {length}",
        "contract_renewal_down": "Renewal only in {length}",
        "contract_raised": "Monthly price went up within 90 days",
        "contract_lowered": "Monthly price went down within 90 days",
        "contract_plan_up": "On a plan and price that is ended more often",
        "contract_plan_down": "On a plan and price that is ended less often",
    },
}

# The same drivers as a property of many customers, for messages about segments.
_MANY: dict[Locale, dict[str, str]] = {
    "ja": {
        PURCHASES: "購入が途絶えている",
        "urgent_open": "優先度の高い問い合わせが未解決",
        "urgent_lately": "優先度の高い問い合わせ（180日以内）",
        "open_interaction": "問い合わせが未解決",
        "stale_interaction": "7日を超えて未解決の問い合わせ",
        "negative_csat": "低い満足度評価（90日以内）",
        "nps_detractor": "NPS批判者",
        "nps_promoter": "NPS推奨者",
        "frequent_contacts": "30日間に3回以上の問い合わせ",
        "abandoned_contact": "応答できなかった問い合わせ（30日以内）",
        "refund": "返金（30日以内）",
        "late_delivery": "発送の遅れ（60日以内）",
        "negative_text": "不満の声（90日以内）",
        "negative_tone": "文面が否定的（90日以内）",
        "positive_tone": "文面が好意的（90日以内）",
        "speaks_of_leaving": "解約・離脱をほのめかす文面（90日以内）",
        "opted_out": "メール配信を停止",
        "recent_visit": "最近サイトを訪問",
        "payment_failed": "支払いに失敗（30日以内）",
        "contract_tenure": "契約期間が短い",
        "contract_renewal": "契約更新が近い",
        "contract_raised": "月額が増加（90日以内）",
        "contract_lowered": "月額が減少（90日以内）",
        "contract_plan": "解約の多いプランと金額",
    },
    "en": {
        PURCHASES: "stopped buying",
        "urgent_open": "urgent request unresolved",
        "urgent_lately": "urgent request (180 days)",
        "open_interaction": "request unresolved",
        "stale_interaction": "request open for more than 7 days",
        "negative_csat": "low satisfaction rating (90 days)",
        "nps_detractor": "NPS detractor",
        "nps_promoter": "NPS promoter",
        "frequent_contacts": "three or more contacts within 30 days",
        "abandoned_contact": "contact nobody answered (30 days)",
        "refund": "refund (30 days)",
        "late_delivery": "sent late (60 days)",
        "negative_text": "wrote a complaint (90 days)",
        "negative_tone": "sounds negative (90 days)",
        "positive_tone": "sounds positive (90 days)",
        "speaks_of_leaving": "wrote of leaving (90 days)",
        "opted_out": "opted out of mail",
        "recent_visit": "visited lately",
        "payment_failed": "payment failed (30 days)",
        "contract_tenure": "under contract for a short time",
        "contract_renewal": "renewal is near",
        "contract_raised": "monthly price went up (90 days)",
        "contract_lowered": "monthly price went down (90 days)",
        "contract_plan": "plan and price that are ended more often",
    },
}


@dataclass(frozen=True)
class Drivers:
    """The strongest drivers per customer, shape (customers, 3), strongest first.

    `code` indexes `codes` (-1: none worth saying), `contribution` is in log-odds (negative: speaks for staying).
    """

    codes: tuple[str, ...]
    code: Ints
    contribution: Floats
    days: Ints
    usual: Ints


@dataclass(frozen=True)
class DriverChange:
    """Customers of a segment at high risk who carry one driver, and how many that usually are."""

    code: str
    customers: int
    usual: int

    @property
    def rise(self) -> int:
        return self.customers - self.usual


def strongest(
    log_odds_buying: Floats,
    shown: npt.NDArray[np.bool_],
    since_last: Ints,
    usual_gap: Ints,
    signals: npt.NDArray[np.bool_],
    signal_ages: Ints,
    rules: ChurnRules,
    weights: tuple[float, ...],
) -> Drivers:
    """Exact contributions to the log-odds of each customer, the three largest by size (ties: order of the table).

    Buying behaviour is counted against the median customer who is `shown` (of the others nothing is said); a signal
    contributes its weight. `usual_gap` is 0 for
    buyers of one order. Signals and ages have shape (signals, customers).
    """
    keep = min(DRIVERS_PER_CUSTOMER, 1 + len(weights))
    rows = np.flatnonzero(shown)
    buying = log_odds_buying[rows]
    buying = np.round(buying - (float(np.median(buying)) if len(rows) else 0.0), 6)
    code = np.full((len(rows), keep), -1, dtype=np.int64)
    size, days = np.zeros(code.shape), np.zeros(code.shape, dtype=np.int64)
    filled = np.zeros(len(rows), dtype=np.int64)
    # A signal weighs the same for all who have it: from the largest weight on each goes to the next free place.
    for k in sorted(range(len(weights)), key=lambda k: (-abs(weights[k]), k)):
        if abs(weights[k]) >= WORTH_SAYING:
            mine = np.flatnonzero(signals[k][rows] & (filled < keep))
            place = filled[mine]
            code[mine, place], size[mine, place], days[mine, place] = k + 1, weights[k], signal_ages[k][rows[mine]]
            filled[mine] += 1
    # Buying behaviour stands before what is not larger, and the rest moves on.
    above = (np.abs(size) > np.abs(buying)[:, None]).sum(axis=1)
    mine = np.flatnonzero((np.abs(buying) >= WORTH_SAYING) & (above < keep))
    place = above[mine]
    for column in range(keep - 1, 0, -1):
        moved = mine[place < column]
        for held in (code, size, days):
            held[moved, column] = held[moved, column - 1]
    code[mine, place], size[mine, place], days[mine, place] = 0, buying[mine], since_last[rows[mine]]
    everybody = (len(shown), keep)
    found = Drivers(
        (PURCHASES, *rules.codes),
        np.full(everybody, -1),
        np.zeros(everybody),
        *np.zeros((2, *everybody), dtype=np.int64),
    )
    found.code[rows], found.contribution[rows], found.days[rows] = code, size, days
    found.usual[rows] = np.where(code == 0, usual_gap[rows][:, None], 0)
    return found


def driver_words(code: str, contribution: float, days: int, usual: int, locale: Locale) -> str:
    """One driver as a sentence; a company's own signal without words shows its code."""
    if code == PURCHASES:
        if contribution > 0:
            code = "purchases_overdue" if usual > 0 else "purchases_once"
        else:
            code = "purchases_active" if usual > 0 else "purchases_new"
    words = _WORDS[locale]
    code = next((c for c in (code, f"{code}_{'up' if contribution > 0 else 'down'}") if c in words), code)
    months = max(0, round(days * 12 / 365))
    if locale == "ja":
        ago, lasting = ("本日", "本日から") if days <= 0 else (f"{days}日前", f"{days}日経過")
        return words.get(code, code).format(days=days, usual=usual, ago=ago, lasting=lasting, months=months)
    length, gap = ("1 day" if d == 1 else f"{d} days" for d in (days, usual))
    ago, lasting = ("today", "since today") if days <= 0 else (f"{length} ago", f"for {length}")
    spelt = "1 month" if months == 1 else f"{months} months"
    return words.get(code, code).format(days=days, usual=gap, ago=ago, lasting=lasting, length=length, months=spelt)


def driver_label(code: str, locale: Locale) -> str:
    """A driver as a property of many customers."""
    return _MANY[locale].get(code, code)


def drivers_in_words(drivers: Drivers, locale: Locale) -> list[pa.Array]:
    """One string column per rank, NULL where there is nothing to say. Each distinct sentence is built once."""
    columns: list[pa.Array] = []
    for rank in range(drivers.code.shape[1]):
        code, days, usual = drivers.code[:, rank], drivers.days[:, rank], drivers.usual[:, rank]
        up = drivers.contribution[:, rank] > 0
        said = code >= 0
        parts = np.stack([code, up.astype(np.int64), days, usual], axis=1)[said]
        key = ((parts[:, 0] * 2 + parts[:, 1]) << 40) + ((parts[:, 2] + 1) << 20) + parts[:, 3]
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        sentences = [
            driver_words(drivers.codes[c], 1.0 if u else -1.0, int(d), int(g), locale) for c, u, d, g in parts[first]
        ]
        index = np.zeros(len(code), dtype=np.int64)
        index[said] = which
        columns.append(pa.array(sentences, pa.string()).take(pa.array(index, mask=~said)))
    return columns


def driver_codes(drivers: Drivers) -> list[pa.Array]:
    """One column of codes per rank, NULL where there is nothing to say."""
    names = pa.array(drivers.codes, pa.string())
    return [names.take(pa.array(c, mask=c < 0)) for c in drivers.code.T]


def drivers_that_changed(
    driver_daily: pa.Table, segment_type: str, segment: str, day: date, *, most: int = DRIVERS_PER_CUSTOMER
) -> tuple[DriverChange, ...]:
    """What rose in a segment on `day` against the days before it in `Assessment.driver_daily`, largest rise first.

    Usual is the median of the up to 28 days before; a day without the driver counts as 0. A rise of less than a
    tenth of the largest one is noise beside it and stays out.
    """
    own = driver_daily.filter(
        pc.and_(pc.equal(driver_daily["segment_type"], segment_type), pc.equal(driver_daily["segment"], segment))
    ).to_pylist()
    before = sorted({r["day"] for r in driver_daily.select(["day"]).to_pylist() if r["day"] < day})[-28:]
    counted = {(r["driver"], r["day"]): int(r["customers"]) for r in own}
    changes = []
    for code in sorted({r["driver"] for r in own}):
        usual = int(np.median([counted.get((code, d), 0) for d in before])) if before else 0
        changes.append(DriverChange(code, counted.get((code, day), 0), usual))
    changes.sort(key=lambda c: (-c.rise, c.code))
    return tuple(c for c in changes if c.rise > 0 and c.rise >= 0.1 * changes[0].rise)[:most]
