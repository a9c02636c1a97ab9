"""What people call the columns of the canonical entities, in English and Japanese.

Names are compared without case, blanks and punctuation. A word that several fields use is settled by the entity.
"""

from __future__ import annotations

from functools import lru_cache

#: Field of any entity -> names it is known by.
FIELDS: dict[str, tuple[str, ...]] = {
    "customer_key": (
        "customer id", "customer no", "customer number", "customer", "client id", "member id", "member no", "card",
        "account number", "user no", "buyer id", "会員番号", "会員ID", "顧客番号", "顧客ID", "顧客コード", "お客様番号",
        "得意先コード", "会員コード",
    ),
    "contact_key": (
        "contact id", "customer id", "customer no", "customer number", "member id", "member no", "id", "record id",
        "person id", "会員番号", "会員ID", "顧客番号", "顧客ID", "顧客コード", "お客様番号", "会員コード",
    ),
    "email": (
        "email", "e-mail", "mail", "email address", "customer email", "mail address", "メールアドレス", "メール",
        "Eメール", "電子メール", "eメールアドレス",
    ),
    "phone": (
        "phone", "phone number", "tel", "telephone", "mobile", "mobile phone", "cell", "電話番号", "電話", "携帯電話",
        "携帯番号", "連絡先電話番号", "TEL",
    ),
    "first_name": ("first name", "given name", "forename", "名", "お名前(名)", "名前(名)"),
    "last_name": ("last name", "surname", "family name", "name", "full name", "氏名", "姓", "お名前", "名前", "顧客名"),
    "birth_on": ("birthday", "birth date", "date of birth", "dob", "生年月日", "誕生日"),
    "region": ("region", "prefecture", "state", "province", "都道府県", "地域", "住所都道府県"),
    "postal_code": ("postal code", "zip", "zip code", "postcode", "郵便番号"),
    "country": ("country", "country code", "国"),
    "opted_out": ("opted out", "unsubscribed", "opt out", "do not mail", "配信停止", "メルマガ拒否"),
    "created_at": (
        "created at", "created", "created date", "registered", "registered at",
        "登録日", "登録日時", "作成日時",
    ),
    "updated_at": (
        "updated at", "updated", "last modified", "last modified date", "modified", "last update time", "更新日",
        "更新日時", "最終更新日時",
    ),
    "order_key": (
        "order id", "order no", "order number", "order", "receipt", "receipt no", "invoice", "invoice no",
        "transaction id", "注文番号", "注文ID", "受注番号", "伝票番号", "レシート番号",
    ),
    "ordered_at": (
        "order date", "ordered at", "ordered", "purchase date", "purchased at", "date", "sold at", "transaction date",
        "when", "bought on", "注文日", "注文日時", "購入日", "購入日時", "受注日", "売上日", "日付",
    ),
    "gross_amount": (
        "amount", "total", "total amount", "gross", "gross amount", "price", "revenue", "sales", "order total",
        "金額", "合計", "合計金額", "税込金額", "売上金額", "購入金額", "注文金額",
    ),
    "line_key": ("line id", "line no", "line number", "明細番号", "行番号"),
    "sku": ("sku", "item code", "product code", "article number", "商品コード", "品番"),
    "unit_price": ("unit price", "price per unit", "単価", "販売単価"),
    "quantity": ("quantity", "qty", "pieces", "items", "units", "数量", "個数", "点数"),
    "discount_amount": ("discount", "discount amount", "coupon", "値引", "値引額", "割引", "割引額"),
    "cancelled_at": (
        "cancelled at", "canceled at", "cancelled", "cancel date",
        "キャンセル日", "キャンセル日時", "解約日",
    ),
    "is_test": ("test", "is test", "テスト"),
    "currency": ("currency", "currency code", "通貨", "通貨コード"),
    "status": ("status", "state", "ステータス", "状態", "対応状況", "注文状況"),
    "channel": ("channel", "source channel", "origin", "チャネル", "経路", "受付経路", "販路"),
    "refund_key": ("refund id", "refund no", "refund", "返金番号", "返金ID"),
    "refunded_at": ("refund date", "refunded at", "返金日", "返金日時"),
    "amount": ("amount", "refund amount", "price", "monthly price", "fee", "金額", "返金額", "月額", "料金"),
    "interaction_key": (
        "ticket id", "ticket no", "case number", "case id", "conversation id", "inquiry id", "id", "問い合わせ番号",
        "問合せ番号", "お問い合わせ番号", "受付番号", "チケット番号", "案件番号",
    ),
    "opened_at": (
        "created time", "opened at", "opened", "received at", "created at",
        "受付日", "受付日時", "問い合わせ日時",
    ),
    "first_response_at": (
        "first response time", "first replied at", "first response at",
        "初回回答日時", "一次回答日時",
    ),
    "resolved_at": ("resolved at", "resolved time", "closed at", "closed time", "解決日時", "完了日時", "対応完了日"),
    "queue": ("queue", "group", "ticket type", "team", "部署", "担当部署", "カテゴリ", "分類"),
    "priority": ("priority", "ticket priority", "優先度", "重要度"),
    "agent": ("agent", "assignee", "owner", "担当者", "対応者", "オペレーター"),
    "topic": ("subject", "topic", "ticket subject", "件名", "問い合わせ内容", "タイトル"),
    "csat_score": ("csat", "csat score", "satisfaction", "customer satisfaction rating", "満足度"),
    "response_key": ("response id", "answer id", "submission id", "回答ID", "回答番号"),
    "kind": ("survey type", "kind", "metric", "調査種別", "種別"),
    "survey": ("survey", "survey name", "form", "アンケート名", "調査名"),
    "score": ("score", "rating", "nps", "nps score", "answer", "点数", "スコア", "評価", "推奨度"),
    "submitted_at": (
        "submitted at", "submit date", "answered at", "response date", "completed at",
        "回答日", "回答日時",
    ),
    "sent_at": ("sent at", "sent", "send date", "送信日", "送信日時", "配信日時"),
    "comment": ("comment", "comments", "feedback", "free text", "コメント", "自由記述", "ご意見", "感想"),
    "touchpoint": ("touchpoint", "journey", "store", "接点", "店舗"),
    "device_id": ("device id", "client id", "cookie id", "visitor id", "anonymous id", "端末ID", "訪問者ID"),
    "user_id": ("user id", "login id", "ユーザーID", "ログインID"),
    "session_key": ("session id", "session", "visit id", "セッションID"),
    "event_key": ("event id", "イベントID"),
    "event_name": ("event", "event name", "event type", "action", "イベント名", "イベント"),
    "occurred_at": ("timestamp", "event time", "occurred at", "time", "発生日時", "アクセス日時"),
    "page": ("page", "url", "page url", "path", "ページ", "ページURL"),
    "subscription_key": ("subscription id", "contract id", "契約番号", "契約ID", "定期番号"),
    "plan": ("plan", "plan name", "product", "プラン", "プラン名", "商品名"),
    "started_at": ("start date", "started at", "start time", "call start", "契約開始日", "開始日", "開始日時"),
    "ended_at": ("end date", "ended at", "end time", "契約終了日", "終了日", "終了日時"),
    "call_key": ("call id", "contact record id", "通話ID", "通話番号"),
    "talk_seconds": ("talk time", "talk seconds", "duration", "通話時間", "通話秒数"),
    "message_key": ("message id", "メッセージID"),
    "body": ("body", "message", "text", "本文", "メッセージ"),
    "direction": ("direction", "方向", "送受信"),
    "campaign": ("campaign", "campaign name", "キャンペーン", "キャンペーン名", "施策名"),
    "campaign_key": ("campaign id", "キャンペーンID"),
    "touch_kind": ("touch", "member status", "反応", "反応種別"),
    "touched_at": ("touched at", "反応日時", "接触日時"),
    "purpose": ("purpose", "consent type", "同意目的", "同意種別"),
    "granted": ("granted", "consent", "opt in", "同意", "同意有無"),
    "stated_at": ("stated at", "consent date", "同意日", "同意日時"),
    "experiment": ("experiment", "experiment id", "test name", "実験名", "テスト名"),
    "variant": ("variant", "variation", "group name", "パターン", "群"),
    "exposed_at": ("exposed at", "exposure time", "表示日時", "割当日時"),
}  # fmt: skip

#: Words in a file's name that speak for an entity.
FILE_NAMES: dict[str, tuple[str, ...]] = {
    "contact": ("contact", "customer", "member", "people", "person", "会員", "顧客", "名簿"),
    "order": ("order", "sale", "purchase", "receipt", "注文", "売上", "受注", "購入"),
    "refund": ("refund", "return", "返金", "返品"),
    "interaction": ("ticket", "case", "inquiry", "support", "問い合わせ", "問合せ", "受付"),
    "survey_response": ("survey", "response", "nps", "csat", "feedback", "アンケート", "回答"),
    "web_event": ("event", "pageview", "clickstream", "web", "アクセス", "行動"),
    "subscription": ("subscription", "contract", "契約", "定期"),
    "call": ("call", "telephony", "通話", "電話"),
    "message": ("message", "chat", "メッセージ"),
    "order_line": ("order_line", "line_item", "order_detail", "注文明細", "売上明細", "受注明細"),
    "order_step": ("fulfillment", "fulfilment", "shipment", "order_status", "出荷", "配送"),
    "campaign_touch": ("campaign", "mailing", "施策", "配信"),
    "consent": ("consent", "optin", "同意"),
    "experiment_exposure": ("experiment", "exposure", "abtest", "実験"),
}


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name as it is compared: letters and digits of any script, without case."""
    return "".join(character for character in name.casefold() if character.isalnum())


NAMES: dict[str, frozenset[str]] = {
    field: frozenset({plain(field), *map(plain, names)}) for field, names in FIELDS.items()
}
