"""Texts of the messages in Japanese and English, and how numbers, money and dates are written in each."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from analytics.segment_names import segment_in

Locale = Literal["ja", "en"]

# ISO 4217: currencies without a minor unit.
_NO_MINOR_UNIT = {"JPY", "KRW", "VND", "CLP", "ISK"}
_WEEKDAYS_JA = "月火水木金土日"

WORDS: dict[Locale, dict[str, str]] = {
    "ja": {
        "spike_title": "離反リスクが急上昇: {where}",
        "spike_sentence": "*{where}* で離反リスクの高いお客様が *{share}*（{at_risk}人 / {scored}人）になりました。"
        "ふだんは約{baseline}で、{effect}ポイント上回っています。",
        "spike_text": "離反リスクが急上昇: {where} {share}（ふだん約{baseline}）、{at_risk}人、{value}",
        "spike_title_value": "失うおそれのある売上が急増: {where}",
        "spike_sentence_number": "*{where}* で離反リスクの高いお客様が *{at_risk}人*（{scored}人中、"
        "{share}）になりました。ふだんは約{usual}人です。",
        "spike_sentence_value": "*{where}* で失うおそれのある売上が *{value}* になりました。ふだんは約{usual_value}です"
        "（リスクの高いお客様 {at_risk}人）。",
        "spike_text_number": "離反リスクが急上昇: {where} {at_risk}人（ふだん約{usual}人）、{value}",
        "spike_text_value": "失うおそれのある売上が急増: {where} {value}（ふだん約{usual_value}）、{at_risk}人",
        "also": "同じお客様が多いほかの区分",
        "since": "開始",
        "customers": "対象のお客様",
        "customers_value": "{at_risk}人（ふだんは約{usual}人）",
        "value": "失うおそれのある売上（12か月）",
        "people": "{count}人",
        "drivers": "増えている要因",
        "driver": "• {label}: {customers}人（ふだんは{usual}人）",
        "named": "影響の大きいお客様",
        "named_line": "• {label} 離反確率 {probability}、{value}: {drivers}",
        "children": "特に高いセグメント",
        "todo": "対応",
        "open_page": "スコアカードを開く",
        "data_until": "データ: {sources}",
        "source": "{source} {day}まで",
        "source_late": "{source} {day}まで（遅延）",
        "source_none": "{source} なし",
        "build": "ビルド {build}、{day}時点",
        "update_sentence": "*{where}* はさらに広がり、リスクの高いお客様は {before}人から "
        "*{at_risk}人*（{share}）に増えました。",
        "update_text": "離反リスクがさらに拡大: {where} {before}人 → {at_risk}人",
        "joined_in": "新たに加わったセグメント",
        "withheld_title": "通知を保留: 注文データが{days}日遅れています",
        "withheld_sentence": "注文データがそろっているのは {since} までです。離反リスクが上がったように見える"
        "セグメントが{segments}件ありますが、データがそろうまで通知しません。そろった後も続いていれば通知します。",
        "resolved_title": "離反リスクが平常に戻りました: {where}",
        "new_level_title": "離反リスクの新しい水準が続いています: {where}",
        "resolved_sentence": "*{where}* の離反リスクは {share}（{at_risk}人）で、ふだんの範囲に戻りました。",
        "new_level_sentence": "*{where}* の離反リスクは {share}（{at_risk}人）のまま続いているため、"
        "この水準を新しい基準とします。以後、同じ水準では通知しません。",
        "resolved_since": "{opened} に始まり、最大 {peak}人でした。",
        "gate_title": "データ検査で公開を停止: {gate}",
        "gate_title_broken": "データ検査を実行できず公開を停止: {gate}",
        "gate_sentence": "検査 *{gate}* が不合格のため、ビルドを公開していません。公開済みの数字は前回のままです。",
        "gate_sentence_broken": "検査 *{gate}* を実行できなかったため、ビルドを公開していません。"
        "公開済みの数字は前回のままです。",
        "gate_text": "データ検査で公開を停止: {gate}（原因 {causes}件）",
        "gate_text_broken": "データ検査を実行できず公開を停止: {gate}（原因 {causes}件）",
        "cause": "*{cause}* — {rows}行、検査{checks}件\n{relations}",
        "cause_no_rows": "*{cause}* — 検査{checks}件\n{relations}",
        "more_causes": "ほか {count}件の原因",
        "blocked": "作られなかったもの: {assets}",
        "runbook": "対処手順",
        "run_title": "実行が失敗: {step}",
        "run_sentence": "*{step}* で実行が止まりました。公開済みの数字は前回のままです。",
        "runs_together": "同じ箇所で {count} 件の実行が止まりました。以下は最新のものです。",
        "run_text": "実行が失敗: {step}（{error}）",
        "past_gate_title": "過去日の再作成をデータ検査で中止: {gate}",
        "past_gate_title_broken": "データ検査を実行できず過去日の再作成を中止: {gate}",
        "past_gate_sentence": "依頼された過去日（{days}）の再作成を、検査 *{gate}* の不合格により中止しました。"
        "公開済みの数字と毎日のビルドには影響しません。",
        "past_gate_sentence_broken": "検査 *{gate}* を実行できず、依頼された過去日（{days}）の再作成を中止しました。"
        "公開済みの数字と毎日のビルドには影響しません。",
        "past_gate_text": "過去日（{days}）の再作成をデータ検査で中止: {gate}（原因 {causes}件）",
        "past_gate_text_broken": "データ検査を実行できず過去日（{days}）の再作成を中止: {gate}（原因 {causes}件）",
        "past_run_title": "過去日の再作成が失敗: {step}",
        "past_run_sentence": "依頼された過去日（{days}）の再作成が *{step}* で止まりました。"
        "公開済みの数字と毎日のビルドには影響しません。",
        "past_run_text": "過去日（{days}）の再作成が失敗: {step}（{error}）",
        "error": "エラー",
        "resume": "再実行",
        "digest_daily": "KPIまとめ（日次）: {days}",
        "digest_weekly": "KPIまとめ（週次）: {days}",
        "digest_days": "{first}〜{last}",
        "digest_text": "{title} — {figures}",
        "digest_figure": "• *{name}* {value}",
        "digest_partial": "（データが一部未着）",
        "digest_before_daily": "（前日 {value}）",
        "digest_before_weekly": "（前週 {value}）",
        "digest_points": "{points}ポイント",
        "digest_nothing": "この期間の数字はまだありません。",
        "digest_chart": "KPIの推移（{days}まで）",
        "digest_targets": "目標の進み具合（{day}時点）",
        "digest_target": ":{light}: *{name}*{where} {period}: {actual} / 目標 {target}、"
        "着地見込み {forecast} — {status}",
        "digest_more_targets": "ほか {count}件の目標",
        "target_met": "達成",
        "target_on_track": "順調",
        "target_at_risk": "未達のおそれ",
        "target_missed": "未達",
        "target_not_started": "開始前",
        "target_unknown": "データなし",
        "late_title": "届いていないデータがあります（{count}件）",
        "late_sentence": "次のデータが予定どおりに届いていません。公開済みの数字は届いた分までのものです。",
        "late_line": "• *{source}* {day}まで（{days}日前）",
        "late_never": "• *{source}* まだ一度も届いていません",
        "late_more": "ほか {count}件",
        "late_text": "届いていないデータがあります: {sources}",
        "scores_title": "離反リスクの表示を控えています",
        "scores_below_floor": "後の期間で確かめたところ、スコアでお客様を十分に見分けられませんでした。",
        "scores_leak_suspected": "結果を先に知っている特徴量の疑いがあります。",
        "scores_too_little_history": "購入のあるお客様がまだ少なく、スコアを計算できません。",
        "scores_fit_failed": "モデルの推定ができませんでした。",
        "scores_other": "スコアを表示できません。",
        "scores_sentence": "表示を再開するまで、離反リスクの急上昇は通知できません。",
        "again_source": "データが再び届きました: {names}",
        "again_gate": "データ検査に再び合格し、公開しました: {names}",
        "again_run": "実行が再び成功し、公開しました: {names}",
        "again_scores": "離反リスクの表示を再開しました: {names}",
        "again_since": "{since}から続いていました。",
        "and_more": "、ほか{count}",
        "joined": "、",
    },
    "en": {
        "spike_title": "Churn risk spike: {where}",
        "spike_sentence": "*{share}* of customers in *{where}* are at high risk of leaving ({at_risk} of {scored}). "
        "Usual is about {baseline}: {effect} points more.",
        "spike_text": "Churn risk spike: {where} {share} (usually about {baseline}), {at_risk} customers, {value}",
        "spike_title_value": "Value at risk spike: {where}",
        "spike_sentence_number": "*{at_risk}* customers in *{where}* are at high risk of leaving ({share} of "
        "{scored}). Usual are about {usual}.",
        "spike_sentence_value": "*{value}* of revenue in *{where}* is at risk. Usual is about {usual_value} "
        "({at_risk} customers at high risk).",
        "spike_text_number": "Churn risk spike: {where} {at_risk} customers (usually about {usual}), {value}",
        "spike_text_value": "Value at risk spike: {where} {value} (usually about {usual_value}), {at_risk} customers",
        "also": "The same customers show in",
        "since": "Since",
        "customers": "Customers",
        "customers_value": "{at_risk} (usually about {usual})",
        "value": "Revenue at risk (12 months)",
        "people": "{count}",
        "drivers": "What rose",
        "driver": "• {label}: {customers} customers (usually {usual})",
        "named": "Customers with most at stake",
        "named_line": "• {label} churn probability {probability}, {value}: {drivers}",
        "children": "Highest in",
        "todo": "What to do",
        "open_page": "Open the scorecard",
        "data_until": "Data: {sources}",
        "source": "{source} to {day}",
        "source_late": "{source} to {day} (late)",
        "source_none": "{source} none",
        "build": "Build {build}, as of {day}",
        "update_sentence": "*{where}* has grown: *{at_risk}* customers at high risk ({share}), "
        "{before} when last told.",
        "update_text": "Churn risk spike has grown: {where} from {before} to {at_risk} customers",
        "joined_in": "Joined since",
        "withheld_title": "Alerts withheld: orders are {days} days late",
        "withheld_sentence": "Orders are complete until {since}. {segments} segments look as if churn risk rose; "
        "they are not told until the data is whole, and will be if the rise is still there.",
        "resolved_title": "Churn risk back to normal: {where}",
        "new_level_title": "Churn risk stays at a new level: {where}",
        "resolved_sentence": "Churn risk in *{where}* is {share} ({at_risk} customers), within its usual range again.",
        "new_level_sentence": "Churn risk in *{where}* has stayed at {share} ({at_risk} customers). "
        "This is the baseline from now on; the same level does not alert again.",
        "resolved_since": "Began on {opened}, {peak} customers at its height.",
        "gate_title": "Publishing stopped by a data check: {gate}",
        "gate_title_broken": "Publishing stopped, a data check could not run: {gate}",
        "gate_sentence": "Gate *{gate}* failed, so this build is not published. "
        "Published numbers are the previous ones.",
        "gate_sentence_broken": "Gate *{gate}* could not run, so this build is not published. "
        "Published numbers are the previous ones.",
        "gate_text": "Publishing stopped by a data check: {gate} ({causes} causes)",
        "gate_text_broken": "Publishing stopped, a data check could not run: {gate} ({causes} causes)",
        "cause": "*{cause}* — {rows} rows, {checks} checks\n{relations}",
        "cause_no_rows": "*{cause}* — {checks} checks\n{relations}",
        "more_causes": "and {count} more causes",
        "blocked": "Not built: {assets}",
        "runbook": "Runbook",
        "run_title": "Run failed: {step}",
        "run_sentence": "The run stopped at *{step}*. Published numbers are the previous ones.",
        "runs_together": "{count} runs stopped there; this is the newest.",
        "run_text": "Run failed: {step} ({error})",
        "past_gate_title": "Past day not rebuilt, stopped by a data check: {gate}",
        "past_gate_title_broken": "Past day not rebuilt, a data check could not run: {gate}",
        "past_gate_sentence": "Somebody asked for {days} to be built again, and gate *{gate}* failed. "
        "Readers are not concerned: published numbers and the daily build go on as they were.",
        "past_gate_sentence_broken": "Somebody asked for {days} to be built again, and gate *{gate}* could not run. "
        "Readers are not concerned: published numbers and the daily build go on as they were.",
        "past_gate_text": "Past day {days} not rebuilt, stopped by a data check: {gate} ({causes} causes)",
        "past_gate_text_broken": "Past day {days} not rebuilt, a data check could not run: {gate} ({causes} causes)",
        "past_run_title": "Past day not rebuilt: {step}",
        "past_run_sentence": "Somebody asked for {days} to be built again, and the run stopped at *{step}*. "
        "Readers are not concerned: published numbers and the daily build go on as they were.",
        "past_run_text": "Past day {days} not rebuilt: {step} ({error})",
        "error": "Error",
        "resume": "Run again",
        "digest_daily": "KPI digest: {days}",
        "digest_weekly": "KPI digest, week: {days}",
        "digest_days": "{first} to {last}",
        "digest_text": "{title} — {figures}",
        "digest_figure": "• *{name}* {value}",
        "digest_partial": "(part of the data is still missing)",
        "digest_before_daily": " (the day before {value})",
        "digest_before_weekly": " (the week before {value})",
        "digest_points": "{points} points",
        "digest_nothing": "There are no figures of this period yet.",
        "digest_chart": "Trend of the KPIs up to {days}",
        "digest_targets": "Targets as of {day}",
        "digest_target": ":{light}: *{name}*{where} {period}: {actual} of {target}, heading for {forecast} — {status}",
        "digest_more_targets": "and {count} more targets",
        "target_met": "met",
        "target_on_track": "on track",
        "target_at_risk": "at risk",
        "target_missed": "missed",
        "target_not_started": "not started",
        "target_unknown": "no data",
        "late_title": "Data has not arrived ({count} sources)",
        "late_sentence": "These sources are later than they may be. Published numbers reach as far as their data does.",
        "late_line": "• *{source}* until {day}, {days} days ago",
        "late_never": "• *{source}* has never arrived",
        "late_more": "and {count} more",
        "late_text": "Data has not arrived: {sources}",
        "scores_title": "Churn risk is withheld",
        "scores_below_floor": "On a later period the scores did not rank customers well enough.",
        "scores_leak_suspected": "A feature seems to know the outcome beforehand.",
        "scores_too_little_history": "There are too few customers with purchases to score anybody.",
        "scores_fit_failed": "The model could not be fitted.",
        "scores_other": "The scores cannot be shown.",
        "scores_sentence": "Until they are shown again no spike of churn risk can be told.",
        "again_source": "Data arrives again: {names}",
        "again_gate": "The data check passes again and the build is published: {names}",
        "again_run": "Runs succeed again and the build is published: {names}",
        "again_scores": "Churn risk is shown again: {names}",
        "again_since": "It had lasted since {since}.",
        "and_more": " and {count} more",
        "joined": ", ",
    },
}

# What to do about a driver; a driver without advice of its own gets the general one.
ACTIONS: dict[Locale, dict[str, str]] = {
    "ja": {
        "urgent_open": "優先度の高い未解決の問い合わせから先に回答してください。",
        "urgent_lately": "最近、優先度の高い問い合わせをしたお客様に、その後の様子を伺ってください。",
        "open_interaction": "未解決の問い合わせに担当と期日を決めてください。",
        "stale_interaction": "7日を超えた問い合わせを洗い出し、状況を知らせてください。",
        "negative_csat": "低い評価のお客様に、責任者から連絡してください。",
        "nps_detractor": "批判者のコメントを読み、共通の原因を確かめてください。",
        "frequent_contacts": "何度も連絡しているお客様の用件を一人の担当にまとめてください。",
        "negative_text": "不満の文面を読み、共通の原因を確かめてください。",
        "negative_tone": "不満の続くお客様に、責任者から返事をしてください。",
        "speaks_of_leaving": "離脱をほのめかしたお客様に、責任者から連絡してください。",
        "abandoned_contact": "応答できなかったお客様に折り返してください。",
        "refund": "返金の多い商品を確かめてください。",
        "late_delivery": "発送が遅れた原因を確かめ、お待ちのお客様にお届け予定を伝えてください。",
        "opted_out": "メールの頻度と内容を見直してください。配信を停止したお客様には送らないでください。",
        "purchases": "購入が途絶えたお客様に、次の購入のきっかけを届けてください。",
        "": "対象のお客様の一覧を確かめ、共通の原因を探してください。",
    },
    "en": {
        "urgent_open": "Answer the urgent open requests first.",
        "urgent_lately": "Ask those who had an urgent problem lately whether all is well now.",
        "open_interaction": "Give every open request an owner and a date.",
        "stale_interaction": "Go through requests older than 7 days and tell the customers where they stand.",
        "negative_csat": "Have someone in charge call the customers who rated low.",
        "nps_detractor": "Read the detractors' comments and look for the common cause.",
        "frequent_contacts": "Give customers who keep coming back one person to talk to.",
        "negative_text": "Read what was complained of and look for the common cause.",
        "negative_tone": "Have someone in charge answer those who keep writing of what is wrong.",
        "speaks_of_leaving": "Have someone in charge call the customers who wrote of leaving.",
        "abandoned_contact": "Call back the customers nobody answered.",
        "refund": "Look at the products that are refunded most.",
        "late_delivery": "Find out why orders are sent late, and tell those who wait when theirs will come.",
        "opted_out": "Look at how often mail is sent and what it says; send none to those who opted out.",
        "purchases": "Give customers who stopped buying a reason for the next purchase.",
        "": "Look through the customers concerned for what they have in common.",
    },
}

_SEGMENT_TYPES: dict[Locale, dict[str, str]] = {
    "ja": {"region": "地域", "age_band": "年代", "value_tier": "購入額", "channel_preference": "問い合わせ手段",
           "device_mix": "利用端末"},
    "en": {"region": "region", "age_band": "age band", "value_tier": "value tier", "channel_preference": "channel",
           "device_mix": "devices"},
}  # fmt: skip


def segment_name(kind: str, segment: str, locale: Locale) -> str:
    """A segment for people; unsafe until it has passed blockkit.data."""
    if kind == "overall":
        return "お客様全体" if locale == "ja" else "all customers"
    if kind == "contracts":
        return "契約中のお客様" if locale == "ja" else "contracts"
    name, label = segment_in(locale, segment), _SEGMENT_TYPES[locale].get(kind, kind)
    return f"{name}（{label}）" if locale == "ja" else f"{name} ({label})"


def percent(share: float) -> str:
    """A share with one decimal."""
    return f"{share * 100:.1f}%"


def count(number: int) -> str:
    """A whole number with separators."""
    return f"{number:,}"


def money(value: Decimal, currency: str, locale: Locale) -> str:
    """Money in its own currency; yen as people write it."""
    step = Decimal(1) if currency in _NO_MINOR_UNIT else Decimal("0.01")
    amount = f"{value.quantize(step, ROUND_HALF_UP):,}"
    if currency == "JPY":
        return f"{amount}円" if locale == "ja" else f"¥{amount}"
    return f"{amount} {currency}"


def calendar_day(day: date, locale: Locale) -> str:
    """A date with its weekday."""
    if locale == "ja":
        return f"{day.year}年{day.month}月{day.day}日（{_WEEKDAYS_JA[day.weekday()]}）"
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[day.month - 1]
    return f"{weekday} {day.day} {month} {day.year}"


def short_day(day: date, locale: Locale) -> str:
    """A date without year and weekday."""
    return (
        f"{day.month}月{day.day}日" if locale == "ja" else calendar_day(day, locale).split(" ", 1)[1].rsplit(" ", 1)[0]
    )
