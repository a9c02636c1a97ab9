"""Invented vocabulary of the demo company: names, places, goods and sentences.

Every text can be written in CP932, because one Japanese file is delivered in that encoding; 髙, 﨑, ㈱, ① and ～
are there on purpose, since a Shift_JIS decoder loses them.
"""

from typing import NamedTuple


class Prefecture(NamedTuple):
    """One of the 47 prefectures: ISO 3166-2 number, Japanese and Latin name, region, capital, first postal digits."""

    code: int
    name: str
    latin: str
    region: str
    city: str
    postal: str

    @property
    def iso(self) -> str:
        """ISO 3166-2 code as Shopify writes it, for example JP-13."""
        return f"JP-{self.code:02d}"


REGION_WEIGHTS: dict[str, float] = {
    "北海道": 0.07,
    "東北": 0.08,
    "関東": 0.31,
    "中部": 0.15,
    "近畿": 0.14,
    "中国": 0.07,
    "四国": 0.06,
    "九州": 0.12,
}

_PLACES = """
1 北海道 Hokkaido 北海道 札幌市中央区 060
2 青森県 Aomori 東北 青森市 030
3 岩手県 Iwate 東北 盛岡市 020
4 宮城県 Miyagi 東北 仙台市青葉区 980
5 秋田県 Akita 東北 秋田市 010
6 山形県 Yamagata 東北 山形市 990
7 福島県 Fukushima 東北 福島市 960
8 茨城県 Ibaraki 関東 水戸市 310
9 栃木県 Tochigi 関東 宇都宮市 320
10 群馬県 Gunma 関東 高崎市 370
11 埼玉県 Saitama 関東 さいたま市大宮区 330
12 千葉県 Chiba 関東 船橋市 273
13 東京都 Tokyo 関東 世田谷区 154
14 神奈川県 Kanagawa 関東 横浜市中区 231
15 新潟県 Niigata 中部 新潟市中央区 950
16 富山県 Toyama 中部 富山市 930
17 石川県 Ishikawa 中部 金沢市 920
18 福井県 Fukui 中部 福井市 910
19 山梨県 Yamanashi 中部 甲府市 400
20 長野県 Nagano 中部 長野市 380
21 岐阜県 Gifu 中部 岐阜市 500
22 静岡県 Shizuoka 中部 静岡市葵区 420
23 愛知県 Aichi 中部 名古屋市中村区 450
24 三重県 Mie 近畿 津市 514
25 滋賀県 Shiga 近畿 大津市 520
26 京都府 Kyoto 近畿 京都市左京区 606
27 大阪府 Osaka 近畿 大阪市北区 530
28 兵庫県 Hyogo 近畿 神戸市中央区 650
29 奈良県 Nara 近畿 奈良市 630
30 和歌山県 Wakayama 近畿 和歌山市 640
31 鳥取県 Tottori 中国 鳥取市 680
32 島根県 Shimane 中国 松江市 690
33 岡山県 Okayama 中国 岡山市北区 700
34 広島県 Hiroshima 中国 広島市中区 730
35 山口県 Yamaguchi 中国 山口市 753
36 徳島県 Tokushima 四国 徳島市 770
37 香川県 Kagawa 四国 高松市 760
38 愛媛県 Ehime 四国 松山市 790
39 高知県 Kochi 四国 高知市 780
40 福岡県 Fukuoka 九州 福岡市博多区 812
41 佐賀県 Saga 九州 佐賀市 840
42 長崎県 Nagasaki 九州 長崎市 850
43 熊本県 Kumamoto 九州 熊本市中央区 860
44 大分県 Oita 九州 大分市 870
45 宮崎県 Miyazaki 九州 宮崎市 880
46 鹿児島県 Kagoshima 九州 鹿児島市 890
47 沖縄県 Okinawa 九州 那覇市 900
"""


def _places() -> tuple[Prefecture, ...]:
    rows = (line.split() for line in _PLACES.strip().splitlines())
    return tuple(Prefecture(int(code), *rest) for code, *rest in rows)


PREFECTURES: tuple[Prefecture, ...] = _places()
# Where people live within a region: the big cities draw more of them.
BUSY = {"東京都": 6.0, "神奈川県": 4.0, "愛知県": 4.0, "大阪府": 5.0, "福岡県": 4.0, "宮城県": 3.0, "広島県": 3.0}


def _names(text: str) -> tuple[tuple[str, str, str], ...]:
    """Parse `written/reading/latin` triples."""
    triples = (item.split("/") for item in text.split())
    return tuple((written, reading, latin) for written, reading, latin in triples)


SURNAMES: tuple[tuple[str, str, str], ...] = _names(
    """
    佐藤/サトウ/sato 鈴木/スズキ/suzuki 高橋/タカハシ/takahashi 田中/タナカ/tanaka 伊藤/イトウ/ito
    渡邉/ワタナベ/watanabe 山本/ヤマモト/yamamoto 中村/ナカムラ/nakamura 小林/コバヤシ/kobayashi
    加藤/カトウ/kato 吉田/ヨシダ/yoshida 山田/ヤマダ/yamada 髙﨑/タカサキ/takasaki 齋藤/サイトウ/saito
    松本/マツモト/matsumoto 井上/イノウエ/inoue 木村/キムラ/kimura 林/ハヤシ/hayashi 清水/シミズ/shimizu
    山﨑/ヤマザキ/yamazaki 森/モリ/mori 池田/イケダ/ikeda 橋本/ハシモト/hashimoto 阿部/アベ/abe
    石川/イシカワ/ishikawa 髙木/タカギ/takagi 前田/マエダ/maeda 藤田/フジタ/fujita 後藤/ゴトウ/goto
    岡田/オカダ/okada 長谷川/ハセガワ/hasegawa 村上/ムラカミ/murakami 近藤/コンドウ/kondo 石井/イシイ/ishii
    遠藤/エンドウ/endo 青木/アオキ/aoki 坂本/サカモト/sakamoto 福田/フクダ/fukuda 太田/オオタ/ota
    西村/ニシムラ/nishimura
    """
)
GIVEN_NAMES: tuple[tuple[str, str, str], ...] = _names(
    """
    陽菜/ヒナ/hina 結衣/ユイ/yui 葵/アオイ/aoi 美咲/ミサキ/misaki さくら/サクラ/sakura 優子/ユウコ/yuko
    恵/メグミ/megumi 直美/ナオミ/naomi 由美子/ユミコ/yumiko 智子/トモコ/tomoko 久美子/クミコ/kumiko
    真理/マリ/mari 彩/アヤ/aya 千尋/チヒロ/chihiro 美穂/ミホ/miho 蓮/レン/ren 大翔/ヒロト/hiroto
    湊/ミナト/minato 健一/ケンイチ/kenichi 誠/マコト/makoto 隆/タカシ/takashi 浩二/コウジ/koji
    直樹/ナオキ/naoki 大輔/ダイスケ/daisuke 拓也/タクヤ/takuya 翔太/ショウタ/shota 和也/カズヤ/kazuya
    修/オサム/osamu 茂/シゲル/shigeru 剛/ツヨシ/tsuyoshi
    """
)
COMPANY_WORDS = ("青空", "さくら", "大和", "北斗", "みどり", "東和", "日向", "若葉", "瑞穂", "丸山", "朝日野", "白浜")
COMPANY_FORMS = ("㈱{}商事", "{}商店", "株式会社{}", "㈲{}工房", "{}製作所㈱", "合同会社{}")
INDUSTRIES = ("Retail", "Hospitality", "Healthcare", "Education", "Manufacturing")

# Goods of a kitchen and living shop: name and price in yen, tax included. Sorted by price.
PRODUCTS: tuple[tuple[str, int], ...] = (
    ("箸置き 梅", 480),
    ("ふきん 麻 2枚組", 680),
    ("豆皿 藍", 880),
    ("手ぬぐい 波", 980),
    ("菜箸 竹", 1080),
    ("湯呑み 白磁", 1280),
    ("味噌汁椀", 1480),
    ("エプロン 綿", 1780),
    ("茶筒 桜皮", 1980),
    ("弁当箱 曲げわっぱ", 2480),
    ("急須 常滑", 2980),
    ("カトラリー 5点", 3280),
    ("まな板 檜", 3480),
    ("土鍋 小", 3980),
    ("包丁 三徳", 4980),
    ("ブランケット 今治", 5480),
    ("鉄瓶 0.8L", 6980),
    ("フライパン 鉄 26cm", 7480),
    ("銅鍋 18cm", 9800),
    ("大皿 有田", 11800),
    ("炊飯土鍋 3合", 13800),
    ("ランプ 和紙", 16800),
    ("包丁 牛刀 ～特選～", 19800),
)

PAGES = (
    ("/", "絆ストア"),
    ("/collections/kitchen", "台所の道具"),
    ("/collections/table", "食卓の器"),
    ("/collections/gift", "贈りもの"),
    ("/pages/shipping", "配送について"),
    ("/blogs/journal", "暮らしの手帖"),
)
TRAFFIC = (
    ("google", "organic", "(organic)"),
    ("(direct)", "(none)", "(direct)"),
    ("newsletter", "email", "monthly_letter"),
    ("instagram", "social", "spring"),
    ("google", "cpc", "brand"),
    ("yahoo", "organic", "(organic)"),
)
TOPICS = (
    ("delivery", "配送日の変更について"),
    ("return", "返品の方法を教えてください"),
    ("product", "商品の使い方について"),
    ("payment", "領収書の発行をお願いします"),
    ("account", "ログインできません"),
    ("stock", "再入荷の予定はありますか"),
)
# What is written when an order went wrong; the last one tells nothing.
TROUBLE_SUBJECTS = (
    "届いた品が割れていました",
    "注文と違う商品が届きました",
    "荷物がまだ届きません",
    "My order arrived broken",
    "返金をお願いします。対応が遅すぎます",
    "注文について",
)
COMMENTS_GOOD = (
    "丁寧な梱包で満足です。",
    "届くのが早かったです①",
    "贈りものに喜ばれました～",
    "㈱の名前で領収書が出て助かりました。",
    "Lovely bowls, fast delivery.",
    "",
    "また利用します。\n友人にも勧めました。",
)
COMMENTS_MIDDLE = ("ふつうです。", "色が写真と少し違いました。", "", "Delivery took a while.")
COMMENTS_BAD = ("届くまで時間がかかりすぎ。", "割れていました、残念。", "返事が来ません。", "")
SPIKE_SUBJECTS = ("荷物が届きません", "配達されず返送されました", "至急：配送状況を確認してください")
SPIKE_COMMENTS = ("荷物が届かない。連絡もない。", "配送の事故と聞きましたが説明がありません。", "もう利用しません。")
