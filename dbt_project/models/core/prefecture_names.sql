with

prefectures as (

    select
        cast(jis_code as varchar) as jis_code,
        cast(name_ja as varchar) as name_ja,
        cast(name_en as varchar) as name_en,
        cast(name_macron as varchar) as name_macron,
        cast(region as varchar) as region
    from (
        values
        ('01', '北海道', 'hokkaido', 'hokkaidō', '北海道'),
        ('02', '青森県', 'aomori', null, '東北'),
        ('03', '岩手県', 'iwate', null, '東北'),
        ('04', '宮城県', 'miyagi', null, '東北'),
        ('05', '秋田県', 'akita', null, '東北'),
        ('06', '山形県', 'yamagata', null, '東北'),
        ('07', '福島県', 'fukushima', null, '東北'),
        ('08', '茨城県', 'ibaraki', null, '関東'),
        ('09', '栃木県', 'tochigi', null, '関東'),
        ('10', '群馬県', 'gunma', 'gumma', '関東'),
        ('11', '埼玉県', 'saitama', null, '関東'),
        ('12', '千葉県', 'chiba', null, '関東'),
        ('13', '東京都', 'tokyo', 'tōkyō', '関東'),
        ('14', '神奈川県', 'kanagawa', null, '関東'),
        ('15', '新潟県', 'niigata', null, '中部'),
        ('16', '富山県', 'toyama', null, '中部'),
        ('17', '石川県', 'ishikawa', null, '中部'),
        ('18', '福井県', 'fukui', null, '中部'),
        ('19', '山梨県', 'yamanashi', null, '中部'),
        ('20', '長野県', 'nagano', null, '中部'),
        ('21', '岐阜県', 'gifu', null, '中部'),
        ('22', '静岡県', 'shizuoka', null, '中部'),
        ('23', '愛知県', 'aichi', null, '中部'),
        ('24', '三重県', 'mie', null, '近畿'),
        ('25', '滋賀県', 'shiga', null, '近畿'),
        ('26', '京都府', 'kyoto', 'kyōto', '近畿'),
        ('27', '大阪府', 'osaka', 'ōsaka', '近畿'),
        ('28', '兵庫県', 'hyogo', 'hyōgo', '近畿'),
        ('29', '奈良県', 'nara', null, '近畿'),
        ('30', '和歌山県', 'wakayama', null, '近畿'),
        ('31', '鳥取県', 'tottori', null, '中国'),
        ('32', '島根県', 'shimane', null, '中国'),
        ('33', '岡山県', 'okayama', null, '中国'),
        ('34', '広島県', 'hiroshima', null, '中国'),
        ('35', '山口県', 'yamaguchi', null, '中国'),
        ('36', '徳島県', 'tokushima', null, '四国'),
        ('37', '香川県', 'kagawa', null, '四国'),
        ('38', '愛媛県', 'ehime', null, '四国'),
        ('39', '高知県', 'kochi', 'kōchi', '四国'),
        ('40', '福岡県', 'fukuoka', null, '九州'),
        ('41', '佐賀県', 'saga', null, '九州'),
        ('42', '長崎県', 'nagasaki', null, '九州'),
        ('43', '熊本県', 'kumamoto', null, '九州'),
        ('44', '大分県', 'oita', 'ōita', '九州'),
        ('45', '宮崎県', 'miyazaki', null, '九州'),
        ('46', '鹿児島県', 'kagoshima', null, '九州'),
        ('47', '沖縄県', 'okinawa', null, '九州')
    ) as listed (jis_code, name_ja, name_en, name_macron, region)

),

spellings as (

    select jis_code as spelling, jis_code, region from prefectures
    union all
    select 'jp-' || jis_code, jis_code, region from prefectures
    union all
    select name_ja, jis_code, region from prefectures
    union all
    -- 東京 for 東京都; 北海道 has no shorter form.
    select substr(name_ja, 1, length(name_ja) - 1), jis_code, region from prefectures where jis_code <> '01'
    union all
    select name_en, jis_code, region from prefectures
    union all
    select name_en || ' prefecture', jis_code, region from prefectures
    union all
    select
        name_en || case jis_code when '13' then '-to' when '26' then '-fu' when '27' then '-fu' else '-ken' end,
        jis_code,
        region
    from prefectures
    where jis_code <> '01'
    union all
    select name_macron, jis_code, region from prefectures where name_macron is not null
    union all
    -- A source may deliver the region itself.
    select cast(region as varchar), cast(null as varchar), cast(region as varchar)
    from (values ('東北'), ('関東'), ('中部'), ('近畿'), ('中国'), ('四国'), ('九州')) as regions (region)

),

final as (

    select spelling, jis_code, region from spellings

)

select * from final
