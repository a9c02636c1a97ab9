"""Names of segments in the reader's language: the marts have them in English, a company's own stay as they are."""

from __future__ import annotations

from typing import Literal

_IN_ENGLISH = {"all": "all customers", "unknown": "not known"}
_IN_JAPANESE = {
    "all": "全顧客",
    "all contracts": "全契約",
    "unknown": "不明",
    # age_band
    "under 20": "20歳未満", "20-29": "20代", "30-39": "30代", "40-49": "40代", "50-59": "50代", "60-69": "60代",
    "70 and over": "70歳以上",
    # lifecycle_segment
    "anonymous visitor": "匿名の訪問者", "not yet a buyer": "未購入", "new buyer": "新規購入者",
    "active buyer": "継続購入者", "cooling": "購入が途絶えがち", "lapsed": "休眠",
    # value_tier and rfm_segment
    "no purchase": "購入なし", "top 20 %": "上位20%", "next 30 %": "上位20〜50%", "lower half": "下位50%",
    "champion": "最優良", "loyal": "優良", "recent": "最近の購入者", "promising": "有望",
    "regular gone quiet": "元常連", "fading": "離れつつある", "gone": "離れた",
    # channel_preference
    "no contact": "問い合わせなし", "mixed": "複数の手段", "phone": "電話", "email": "メール", "chat": "チャット",
    "web": "ウェブ", "social": "SNS",
    # device_mix
    "mostly mobile": "主にスマートフォン", "mostly desktop": "主にパソコン", "both": "両方", "no visit": "訪問なし",
}  # fmt: skip


def segment_in(locale: Literal["ja", "en"], segment: str) -> str:
    """The name of a segment in this language, itself where it has no other."""
    return (_IN_JAPANESE if locale == "ja" else _IN_ENGLISH).get(segment, segment)
