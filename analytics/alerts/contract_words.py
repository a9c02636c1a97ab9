"""Texts of the messages about contracts where they differ from those about buyers: what is at risk is that one ends."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.alerts.rules import CONTRACTS
from analytics.alerts.words import ACTIONS, WORDS, Locale

_WORDS: dict[Locale, dict[str, str]] = {
    "ja": {
        "spike_title": "解約リスクが急上昇: {where}",
        "spike_sentence": "*{where}* のうち、解約となるおそれの高い方が *{share}*"
        "（{at_risk}件 / {scored}件）になりました。ふだんは約{baseline}で、{effect}ポイント上回っています。",
        "spike_text": "解約リスクが急上昇: {where} {share}（ふだん約{baseline}）、{at_risk}件、{value}",
        "spike_sentence_number": "*{where}* のうち、解約となるおそれの高い方が *{at_risk}件*"
        "（{scored}件の{share}）になりました。ふだんは約{usual}件です。",
        "spike_sentence_value": "*{where}* で失うおそれのある売上が *{value}* になりました。ふだんは約{usual_value}です"
        "（解約となるおそれの高い方は{at_risk}件）。",
        "spike_text_number": "解約リスクが急上昇: {where} {at_risk}件（ふだん約{usual}件）、{value}",
        "spike_text_value": "失うおそれのある売上が急増: {where} {value}（ふだん約{usual_value}）、{at_risk}件",
        "customers": "対象の契約者",
        "customers_value": "{at_risk}件（ふだんは約{usual}件）",
        "driver": "• {label}: {customers}件（ふだんは{usual}件）",
        "named": "影響の大きい契約者",
        "named_line": "• {label} 解約確率 {probability}、{value}: {drivers}",
        "update_sentence": "*{where}* はさらに広がり、解約となるおそれの高い方は {before}件から "
        "*{at_risk}件*（{share}）に増えました。",
        "update_text": "解約リスクがさらに拡大: {where} {before}件 → {at_risk}件",
        "resolved_title": "解約リスクが平常に戻りました: {where}",
        "new_level_title": "解約リスクの新しい水準が続いています: {where}",
        "resolved_sentence": "*{where}* の解約リスクは {share}（{at_risk}件）で、ふだんの範囲に戻りました。",
        "new_level_sentence": "*{where}* の解約リスクは {share}（{at_risk}件）のまま続いているため、"
        "この水準を新しい基準とします。以後、同じ水準では通知しません。",
        "resolved_since": "{opened} に始まり、最大 {peak}件でした。",
        "beside": "契約でも同じ日に急上昇",
        "beside_share": "*{where}* のうち、解約となるおそれの高い方が *{share}*（{at_risk}件 / {scored}件）です。"
        "ふだんは約{baseline}で、失うおそれのある売上は{value}です。",
        "beside_number": "*{where}* のうち、解約となるおそれの高い方が *{at_risk}件*（{scored}件の{share}）です。"
        "ふだんは約{usual}件で、失うおそれのある売上は{value}です。",
        "beside_value": "*{where}* で失うおそれのある売上が *{value}* です。ふだんは約{usual_value}です"
        "（解約となるおそれの高い方は{at_risk}件）。",
        "beside_more": "詳しくはこのスレッドをご覧ください。",
        "beside_text": "、契約でも{at_risk}件",
        "scores_title": "解約リスクの表示を控えています",
        "scores_below_floor": "後の期間で確かめたところ、スコアで解約となる契約を十分に見分けられませんでした。",
        "scores_too_few_ended": "解約された契約がまだ少なく、スコアを計算できません。",
        "scores_sentence": "表示を再開するまで、解約リスクの急上昇は通知できません。",
    },
    "en": {
        "spike_title": "Risk of cancellations spikes: {where}",
        "spike_sentence": "*{share}* of *{where}* are at high risk of being ended ({at_risk} of {scored}). "
        "Usual is about {baseline}: {effect} points more.",
        "spike_text": "Risk of cancellations spikes: {share} of {where} (usually about {baseline}), {at_risk}, {value}",
        "spike_sentence_number": "*{at_risk}* *{where}* are at high risk of being ended ({share} of {scored}). "
        "Usual are about {usual}.",
        "spike_sentence_value": "*{value}* of revenue from *{where}* is at risk. Usual is about {usual_value} "
        "({at_risk} at high risk of being ended).",
        "spike_text_number": "Risk of cancellations spikes: {at_risk} {where} (usually about {usual}), {value}",
        "spike_text_value": "Value at risk spike: {where} {value} (usually about {usual_value}), {at_risk} at risk",
        "customers": "Contracts, by payer",
        "driver": "• {label}: {customers} payers (usually {usual})",
        "named": "Payers with most at stake",
        "named_line": "• {label} probability of ending {probability}, {value}: {drivers}",
        "update_sentence": "The risk of *{where}* has grown: *{at_risk}* at high risk of being ended ({share}), "
        "{before} when last told.",
        "update_text": "Risk of cancellations has grown: {where} from {before} to {at_risk}",
        "resolved_title": "Risk of cancellations back to normal: {where}",
        "new_level_title": "Risk of cancellations stays at a new level: {where}",
        "resolved_sentence": "{share} of *{where}* are at high risk ({at_risk}), within the usual range again.",
        "new_level_sentence": "{share} of *{where}* have stayed at high risk of being ended ({at_risk}). "
        "This is the baseline from now on; the same level does not alert again.",
        "resolved_since": "Began on {opened}, {peak} at its height.",
        "beside": "Contracts, on the same day",
        "beside_share": "*{share}* of *{where}* are at high risk of being ended ({at_risk} of {scored}). "
        "Usual is about {baseline}. Revenue at risk: {value}. ",
        "beside_number": "*{at_risk}* *{where}* are at high risk of being ended ({share} of {scored}). "
        "Usual are about {usual}. Revenue at risk: {value}. ",
        "beside_value": "*{value}* of revenue from *{where}* is at risk. Usual is about {usual_value} "
        "({at_risk} at high risk of being ended). ",
        "beside_more": "More in this thread.",
        "beside_text": ", and {at_risk} contracts",
        "scores_title": "Risk of cancellations is withheld",
        "scores_below_floor": "On a later period the scores did not rank contracts well enough.",
        "scores_too_few_ended": "Too few contracts have ended to learn from.",
        "scores_sentence": "Until they are shown again no spike of cancellations can be told.",
    },
}
_ACTIONS: dict[Locale, dict[str, str]] = {
    "ja": {
        "payment_failed": "支払いに失敗した契約者に、支払い方法の更新を案内してください。",
        "contract_raised": "値上げの理由を伝え、別のプランを案内してください。",
        "contract_lowered": "安いプランに移った契約者に、何が不要になったかを伺ってください。",
        "contract_renewal": "更新日の近い契約者に、更新前に連絡してください。",
        "contract_tenure": "契約して間もない方が使い始められているか確かめてください。",
        "contract_plan": "解約の多いプランの内容と価格を確かめてください。",
    },
    "en": {
        "payment_failed": "Ask those whose payment failed to renew their means of payment.",
        "contract_raised": "Explain the higher price, and offer another plan.",
        "contract_lowered": "Ask those who went to a cheaper plan what they no longer need.",
        "contract_renewal": "Talk to those whose renewal is near before it comes.",
        "contract_tenure": "See whether those who began lately have come to use what they pay for.",
        "contract_plan": "Look at what the plans that are ended most offer, and at their price.",
    },
}


def words_for(segment_type: str, locale: Locale) -> Mapping[str, str]:
    """Texts of a message about a segment."""
    return WORDS[locale] | _WORDS[locale] if segment_type == CONTRACTS else WORDS[locale]


def actions_for(segment_type: str, locale: Locale) -> Mapping[str, str]:
    """What to do by driver, in a message about a segment."""
    return ACTIONS[locale] | _ACTIONS[locale] if segment_type == CONTRACTS else ACTIONS[locale]
