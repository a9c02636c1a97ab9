"""Words and number formats of the scorecard in Japanese and English."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from analytics.segment_names import segment_in

Locale = Literal["ja", "en"]

#: Currencies without a minor unit.
ZERO_DECIMAL = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})
_SIGNS = {"JPY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "KRW": "₩"}

_EN = {
    "title": "Customer experience scorecard",
    "as_of": "as of",
    "version": "version",
    "build": "build",
    "demo": "demo data",
    "gates_ok": "all gates passed",
    "gates_bad": "gate not passed",
    "gates_none": "no gate verdicts",
    "data_ok": "data in order",
    "data_watch": "data needs a look",
    "data_none": "no data yet",
    "customers": "Known customers",
    "revenue": "Net revenue, 28 days",
    "nps": "NPS",
    "retention": "Bought again in month 1",
    "first_response": "First response, median",
    "risk_share": "At high churn risk",
    "value_at_risk": "Value at risk",
    "no_data": "no data yet",
    "vs_previous": "vs the 28 days before",
    "new_last_month": "+{n} in {month}",
    "by_identity_rules": "{low} to {high} by identity rules",
    "interval": "95 % interval {low} to {high}",
    "answers": "{n} answers",
    "usual_range": "usual level",
    "cohort_of": "cohort {month}, {size} customers",
    "last_28": "last 28 days",
    "of_scored": "{n} of {scored} customers",
    "usual": "usual {share}",
    "points": "{n} points",
    "spike_title": "Churn risk spike: {segment}",
    "spike_text": "{share} of customers there are at high risk ({n} people); usual is {baseline}. "
    "Value at risk: {value}.",
    "undelivered_title": "Messages do not arrive in Slack",
    "undelivered_text": "{n} messages are not in their channel, the oldest since {since} UTC. {reason}",
    "withheld_title": "Churn risk is withheld",
    "withheld_below_floor": "On a later period the scores did not rank customers well enough, so none is shown.",
    "withheld_leak_suspected": "A feature seems to know the outcome beforehand, so no score is shown.",
    "withheld_too_little_history": "There are too few customers with purchases yet, so no score is shown.",
    "withheld_fit_failed": "The model could not be fitted, so no score is shown.",
    "calm_title": "No churn-risk spike",
    "calm_text": "On {day} every segment is within its usual range.",
    "young_title": "Churn risk is watched, spikes cannot be told yet",
    "young_text": "About five weeks of scored days are needed before a usual level is known.",
    "chart_revenue": "Net revenue by week",
    "chart_revenue_note": "Paid orders less refunds. The pale bar is a week that has not ended.",
    "chart_nps": "NPS by month",
    "chart_nps_note": "Bars show the 95 % interval; a hollow point is a month that has not ended.",
    "chart_retention": "Customers who bought again",
    "chart_retention_note": "Share of each monthly cohort of first orders that ordered in the n-th month after.",
    "chart_risk": "Customers at high churn risk by region",
    "chart_contract_risk": "Contracts at high risk of being ended",
    "chart_risk_note": "Share of scored customers, last 70 days.",
    "chart_support": "Support by week",
    "chart_support_note": "Contacts opened, and the median wait for a first human reply.",
    "axis_cohort": "first order",
    "axis_period": "months after",
    "axis_contacts": "contacts",
    "axis_minutes": "first response (min)",
    "regions": "Regions",
    "region": "Region",
    "targets": "Targets",
    "kpi": "KPI",
    "period": "Period",
    "owner": "Owner",
    "target": "Target",
    "actual": "So far",
    "forecast": "At the end (95 % interval)",
    "status": "Status",
    "not_started": "not started",
    "on_track": "on track",
    "at_risk": "at risk",
    "missed": "missed",
    "met": "met",
    "net_revenue": "Net revenue, 28 days",
    "share": "High risk",
    "baseline": "Usual",
    "spike": "spike",
    "unknown": "not known",
    "sources": "Data by source",
    "source": "Source",
    "entity": "Entity",
    "files": "Files",
    "rows_in": "Rows in",
    "accepted": "Accepted",
    "quarantined": "Quarantined",
    "last_event": "Newest event",
    "freshness": "Age on as-of day",
    "gates": "Gates",
    "gate": "Gate",
    "outcome": "Verdict",
    "passed": "passed",
    "failed": "failed",
    "could_not_run": "could not run",
    "no verdict": "no verdict",
    "duplicates": "Duplicates",
    "total": "Total",
    "missing_parts": "Not in this version: {parts}.",
    "definitions": "Definitions of every number are in the descriptions of the marts. Times are shown in {timezone}.",
}

_JA = {
    "title": "顧客体験スコアカード",
    "as_of": "基準日",
    "version": "バージョン",
    "build": "ビルド",
    "demo": "デモデータ",
    "gates_ok": "全ゲート合格",
    "gates_bad": "未合格のゲートあり",
    "gates_none": "ゲート判定なし",
    "data_ok": "データ正常",
    "data_watch": "データ要確認",
    "data_none": "データはまだありません",
    "customers": "既知の顧客数",
    "revenue": "純売上(28日間)",
    "nps": "NPS",
    "retention": "翌月の再購入率",
    "first_response": "初回応答(中央値)",
    "risk_share": "離反リスク「高」",
    "value_at_risk": "リスク金額",
    "no_data": "データはまだありません",
    "vs_previous": "前の28日間との比較",
    "new_last_month": "{month}の新規 +{n} 人",
    "by_identity_rules": "本人特定ルールにより {low} 〜 {high} 人",
    "interval": "95%区間 {low} 〜 {high}",
    "answers": "回答 {n} 件",
    "usual_range": "通常の水準",
    "cohort_of": "{month}のコホート {size} 人",
    "last_28": "直近28日間",
    "of_scored": "{scored} 人中 {n} 人",
    "usual": "通常 {share}",
    "points": "{n} ポイント",
    "spike_title": "離反リスクの急増: {segment}",
    "spike_text": "顧客の {share} ({n} 人) が高リスクです。通常は {baseline}。リスク金額は {value}。",
    "undelivered_title": "Slackに通知が届いていません",
    "undelivered_text": "{n}件の通知が届いていません（最も古いものは {since} UTC から）。{reason}",
    "withheld_title": "離反リスクは表示を控えています",
    "withheld_below_floor": "後の期間で検証した結果、スコアの精度が基準に届かないため、表示していません。",
    "withheld_leak_suspected": "結果を先に知る特徴量の疑いがあるため、スコアを表示していません。",
    "withheld_too_little_history": "購入のある顧客がまだ少ないため、スコアを表示していません。",
    "withheld_fit_failed": "モデルを推定できなかったため、スコアを表示していません。",
    "calm_title": "離反リスクの急増はありません",
    "calm_text": "{day} 時点で、すべてのセグメントが通常の範囲内です。",
    "young_title": "離反リスクは集計中で、急増はまだ判定できません",
    "young_text": "通常の水準を知るには、約5週間分のスコアが必要です。",
    "chart_revenue": "週別の純売上",
    "chart_revenue_note": "有効な注文から返金を引いた額。淡い棒はまだ終わっていない週です。",
    "chart_nps": "月別 NPS",
    "chart_nps_note": "縦線は95%区間。白抜きの点はまだ終わっていない月です。",
    "chart_retention": "再購入した顧客の割合",
    "chart_retention_note": "初回購入月ごとの顧客のうち、n か月後に再び購入した割合。",
    "chart_risk": "地域別の離反リスク「高」の割合",
    "chart_contract_risk": "契約の解約リスク「高」の割合",
    "chart_risk_note": "スコア対象の顧客に占める割合、直近70日間。",
    "chart_support": "週別のサポート",
    "chart_support_note": "新規の問い合わせ件数と、人による初回応答までの時間(中央値)。",
    "axis_cohort": "初回購入月",
    "axis_period": "経過月数",
    "axis_contacts": "問い合わせ件数",
    "axis_minutes": "初回応答(分)",
    "regions": "地域",
    "region": "地域",
    "targets": "目標",
    "kpi": "指標",
    "period": "期間",
    "owner": "担当",
    "target": "目標値",
    "actual": "実績",
    "forecast": "期末見込み(95%区間)",
    "status": "状況",
    "not_started": "開始前",
    "on_track": "順調",
    "at_risk": "要注意",
    "missed": "未達",
    "met": "達成",
    "net_revenue": "純売上(28日間)",
    "share": "高リスク",
    "baseline": "通常",
    "spike": "急増",
    "unknown": "不明",
    "sources": "データの状態",
    "source": "ソース",
    "entity": "種類",
    "files": "ファイル",
    "rows_in": "入力行",
    "accepted": "受入",
    "quarantined": "隔離",
    "last_event": "最新イベント",
    "freshness": "基準日までの経過",
    "gates": "ゲート",
    "gate": "ゲート",
    "outcome": "判定",
    "passed": "合格",
    "failed": "不合格",
    "could_not_run": "実行不可",
    "no verdict": "判定なし",
    "duplicates": "重複",
    "total": "合計",
    "missing_parts": "このバージョンにない項目: {parts}",
    "definitions": "各数値の定義はマートの説明にあります。時刻は {timezone} で表示しています。",
}

WORDS = {"en": _EN, "ja": _JA}


def _round(value: Decimal | float, places: int) -> Decimal:
    """Half up, as people round; via text, so that 0.125 is not a binary neighbour of itself."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _minus(text: str) -> str:
    return text.replace("-", "−")


@dataclass(frozen=True)
class Labels:
    """Words and formats for one locale and currency."""

    locale: Locale
    currency: str

    def __getitem__(self, key: str) -> str:
        return WORDS[self.locale][key]

    def has(self, key: str) -> bool:
        return key in WORDS[self.locale]

    def segment(self, name: str) -> str:
        """A segment of the marts in the reader's words."""
        return segment_in(self.locale, name or "unknown")

    def integer(self, value: int) -> str:
        return _minus(f"{value:,}")

    def decimal(self, value: float, places: int = 1) -> str:
        return _minus(f"{_round(value, places):,}")

    def percent(self, value: float, places: int = 1) -> str:
        number = _minus(f"{_round(Decimal(str(value)) * 100, places)}")
        return f"{number}%" if self.locale == "ja" else f"{number} %"

    def in_unit(self, value: Decimal | float, unit: str) -> str:
        """A value of a KPI by the unit that `kpi_definitions` gives it."""
        if unit == "money":
            return self.money(Decimal(str(value)))
        if unit == "share":
            return self.percent(float(value))
        return self.integer(round(value)) if unit == "count" else self.decimal(float(value))

    def money(self, value: Decimal) -> str:
        """Exact to the currency's minor unit."""
        places = 0 if self.currency in ZERO_DECIMAL else 2
        return self._signed(value, f"{_round(abs(value), places):,}")

    def short_money(self, value: Decimal) -> str:
        """Three significant digits or so, in the reader's own steps: 万 and 億, or K and M."""
        steps = [(10**8, "億"), (10**4, "万")] if self.locale == "ja" else [(10**9, "B"), (10**6, "M"), (10**3, "K")]
        for size, name in steps:
            if abs(value) >= size:
                scaled = abs(value) / size
                places = 0 if scaled >= 100 else 1 if scaled >= 10 else 2
                return self._signed(value, f"{_round(scaled, places):,}{name}")
        return self.money(value)

    def _signed(self, value: Decimal, digits: str) -> str:
        sign = _SIGNS.get(self.currency, f"{self.currency} ")
        return f"{'−' if value < 0 else ''}{sign}{digits}"

    def minutes(self, value: float) -> str:
        """Minutes below two hours, hours and days above."""
        if value < 120:
            return f"{self.decimal(value, 0)}{'分' if self.locale == 'ja' else ' min'}"
        if value < 48 * 60:
            return f"{self.decimal(value / 60)}{'時間' if self.locale == 'ja' else ' h'}"
        return f"{self.decimal(value / 1440)}{'日' if self.locale == 'ja' else ' days'}"

    def day(self, value: date) -> str:
        return f"{value.year}年{value.month}月{value.day}日" if self.locale == "ja" else f"{value.day} {value:%B %Y}"

    def month(self, value: date) -> str:
        return f"{value.year}年{value.month}月" if self.locale == "ja" else f"{value:%b %Y}"

    def age(self, days: int) -> str:
        if days == 0:
            return "当日" if self.locale == "ja" else "same day"
        return f"{days:,}日前" if self.locale == "ja" else f"{days:,} day{'s' if days > 1 else ''}"

    def instant(self, value: datetime) -> str:
        return f"{value:%Y-%m-%d %H:%M}"
