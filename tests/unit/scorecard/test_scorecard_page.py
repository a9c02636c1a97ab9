"""The scorecard page says what the marts say, in one file, in any browser."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fontTools.ttLib import TTFont

from kizuna.fonts import missing_glyphs, subset_font
from kizuna.scorecard import render_scorecard
from kizuna.scorecard.model import Undelivered
from kizuna.scorecard.page import gate_outcomes, page_text
from kizuna.settings import Company

MakeDb = Callable[..., Path]


@pytest.fixture(scope="module")
def page(make_db: MakeDb, manifest: dict[str, Any], ja: Company) -> str:
    return render_scorecard(make_db(), manifest, ja)


def query(db: Path, sql: str) -> Any:
    with duckdb.connect(str(db), read_only=True) as connection:
        row = connection.execute(sql).fetchone()
    return row[0] if row and len(row) == 1 else row


def exact(page: str, key: str) -> str:
    """The machine-readable value of a tile."""
    found = re.search(rf'id="kpi-{key}">.*?<data value="([^"]*)"', page, re.DOTALL)
    assert found, f"tile {key} has no value"
    return found[1]


def cells(page: str, table: str) -> list[list[str]]:
    part = page[page.index(f'id="table-{table}"') :]
    body = part[part.index("<tbody>") : part.index("</tbody>")]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    return [[re.sub("<[^>]*>", "", c).strip() for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_tiles_equal_the_marts(page: str, make_db: MakeDb) -> None:
    db = make_db()
    assert int(exact(page, "customers")) == query(db, "select count(*) from marts.customer_360 where is_known")
    revenue = "select sum(numerator) from marts.kpi_daily where kpi = 'net_revenue' and segment_type = 'overall'"
    assert Decimal(exact(page, "revenue")) == query(db, revenue + " and day > date '2026-06-02'")
    nps = """select nps from marts.nps_by_period where segment_type = 'overall' and survey_kind = 'relational'
        and is_complete order by period desc limit 1"""
    assert float(exact(page, "nps")) == query(db, nps)
    returned, size = query(
        db,
        """select returned, cohort_size from marts.retention_cohorts where period_number = 1 and is_complete
        order by cohort_month desc limit 1""",
    )
    assert exact(page, "retention") == f"{returned}/{size}"
    median = """select round(median(first_response_minutes), 2) from marts.support_interactions
        where opened_on > date '2026-06-02' and continues_interaction_id is null"""
    assert Decimal(exact(page, "first_response")) == query(db, median)
    share, value = query(
        db,
        """select share, value_at_risk from marts.churn_risk_daily where segment_type = 'overall'
        order by day desc limit 1""",
    )
    assert float(exact(page, "risk_share")) == share
    assert Decimal(exact(page, "value_at_risk")) == value


def test_tables_equal_the_marts(page: str, make_db: MakeDb) -> None:
    db = make_db()
    regions = {row[0].removesuffix(" 急増"): row for row in cells(page, "regions")}
    sql = "select sum(numerator) from marts.kpi_daily where segment = '関西' and day > date '2026-06-02'"
    assert regions["関西"][2] == f"¥{query(db, sql):,.0f}"
    assert [row for row in cells(page, "regions") if "急増" in row[0]] == [regions["関西"]]
    sources = {row[0]: row for row in cells(page, "sources")}
    assert sources["shopify"][2:7] == ["26", "21,884", "21,861", "17", "6"]
    assert sources["zendesk"][7] == "2026-06-30 22:07", "instants are shown in the company's zone"
    assert "454,828" in page, "the total of the rows that came in"


def test_the_spike_is_told_and_a_calm_day_too(
    page: str, make_db: MakeDb, manifest: dict[str, Any], ja: Company
) -> None:
    assert "離反リスクの急増: 関西" in page
    calm = render_scorecard(make_db(spike=False), manifest, ja)
    assert "離反リスクの急増はありません" in calm
    assert 'class="notice spike"' not in calm


@pytest.mark.parametrize("reason", ["below_floor", "leak_suspected", "too_little_history", "fit_failed"])
def test_withheld_scores_are_told_with_their_reason(
    make_db: MakeDb, manifest: dict[str, Any], ja: Company, en: Company, reason: str
) -> None:
    path = make_db(
        spike=False, then=f"insert into marts.churn_risk values ('a', 'non_contractual', 'withheld', '{reason}')"
    )
    pages = [render_scorecard(path, manifest, company) for company in (ja, en)]
    assert "離反リスクは表示を控えています" in pages[0] and "急増はありません" not in pages[0]
    assert ("Churn risk is withheld" in pages[1] and "no score is shown" in pages[1]) or "none is shown" in pages[1]


def test_without_a_usual_level_nothing_is_called_calm(make_db: MakeDb, manifest: dict[str, Any], ja: Company) -> None:
    then = "update marts.churn_risk_daily set baseline = null, is_spike = false"
    young = render_scorecard(make_db(then=then), manifest, ja)
    assert "急増はまだ判定できません" in young
    assert "急増はありません" not in young


def test_every_character_is_in_the_embedded_font(page: str) -> None:
    text = page_text(page)
    assert missing_glyphs(text) == set()
    data = re.search(r"data:font/woff;base64,([A-Za-z0-9+/=]+)", page)
    assert data
    embedded = TTFont(io.BytesIO(base64.b64decode(data[1])))
    drawn = set(map(chr, embedded.getBestCmap()))
    assert {c for c in text if not c.isspace()} <= drawn
    assert str(embedded["name"].getDebugName(1)) == "Kizuna JP"


def test_a_character_that_the_font_lacks_is_found() -> None:
    assert missing_glyphs("関西 한국") == {"한", "국"}


class _Requests(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.addresses.append(value or "")


def test_the_page_asks_nobody_for_anything(page: str) -> None:
    found = _Requests()
    found.feed(page)
    assert not found.tags & {"script", "link", "iframe", "object", "embed", "img", "form"}
    assert found.addresses == []
    rest = re.sub(r'\sxmlns(:xlink)?="http://www.w3.org/[^"]*"', "", page)
    assert "http:" not in rest and "https:" not in rest
    assert not re.search(r"url\((?!#|\"data:font/woff;base64,)", page)
    assert "@import" not in page


def test_same_input_same_bytes(page: str, make_db: MakeDb, manifest: dict[str, Any], ja: Company) -> None:
    assert render_scorecard(make_db(), manifest, ja) == page
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names)), "two charts share an id"


def test_data_stays_text(make_db: MakeDb, manifest: dict[str, Any]) -> None:
    evil = "<script>alert(1)</script>"
    rename = ";".join(
        f"update marts.{table} set {column} = '{evil}' where {column} = '関西'"
        for table, column in (("customer_360", "region"), ("kpi_daily", "segment"), ("churn_risk_daily", "segment"))
    )
    company = Company(name=f'{evil}"><img src=x>', locale="en", timezone="UTC", currency="USD")
    page = render_scorecard(make_db(then=rename), manifest, company)
    found = _Requests()
    found.feed(page)
    assert not found.tags & {"script", "img"}
    assert page_text(page).count(evil) >= 4, "title, heading, region in table, region in chart"


def test_an_empty_company_says_so(make_db: MakeDb, ja: Company, en: Company) -> None:
    manifest = {"version": 1, "as_of": "2026-06-30", "verdicts": []}
    page = render_scorecard(make_db(rows=False), manifest, en)
    assert page.count("no data yet") >= 14
    assert "<data" not in page, "no tile shows a number"
    assert "all gates passed" not in page
    assert "NaN" not in page
    assert "データはまだありません" in render_scorecard(make_db(rows=False), manifest, ja)


def test_missing_marts_are_named(make_db: MakeDb, manifest: dict[str, Any], en: Company) -> None:
    page = render_scorecard(make_db(then="drop table marts.nps_by_period"), manifest, en)
    assert "Not in this version: nps_by_period." in page
    assert re.search(r'id="chart-nps">.*?no data yet', page, re.DOTALL)
    assert exact(page, "customers") == "800"


def test_a_gate_is_as_good_as_its_worst_verdict() -> None:
    rows = [
        {"gate": "raw", "relation": "a", "outcome": "passed"},
        {"gate": "raw", "relation": "b", "outcome": "could_not_run"},
        {"gate": "core", "relation": "c", "outcome": "passed"},
        {"gate": "raw", "relation": "d", "outcome": "failed"},
    ]
    assert gate_outcomes({"verdicts": rows}) == {"raw": "could_not_run", "core": "passed"}
    assert gate_outcomes({}) == {}


def test_bad_data_shows_at_the_top(make_db: MakeDb, manifest: dict[str, Any], en: Company) -> None:
    assert "data in order" in render_scorecard(make_db(), manifest, en)
    late = make_db(then="update marts.data_state set freshness_days = freshness_days + 4")
    assert "data needs a look" in render_scorecard(late, manifest, en)
    failed = {**manifest, "verdicts": [{"gate": "core", "relation": "x", "outcome": "failed"}]}
    assert "gate not passed" in render_scorecard(make_db(), failed, en)


def test_the_week_that_has_not_ended_is_pale() -> None:
    from kizuna.scorecard.charts import weekly
    from kizuna.scorecard.model import DayValue

    days = [DayValue(date(2026, 6, 10) + timedelta(days=n), Decimal("0.10")) for n in range(21)]
    assert weekly(days, date(2026, 6, 30)) == [
        (date(2026, 6, 15), Decimal("0.70"), True),
        (date(2026, 6, 22), Decimal("0.70"), True),
        (date(2026, 6, 29), Decimal("0.20"), False),
    ]


def test_the_font_subset_is_small_and_stable() -> None:
    once = subset_font("顧客体験")
    subset_font("別の文字")
    assert subset_font("験体客顧") == once
    assert len(once) < 60_000


def test_the_number_of_customers_says_how_much_of_it_is_stitching(
    page: str, make_db: MakeDb, manifest: dict[str, Any], en: Company
) -> None:
    assert "本人特定ルールにより 790 〜 1,050 人" in page_text(page)
    assert "790 to 1,050 by identity rules" in page_text(render_scorecard(make_db(), manifest, en))
    same = make_db(then="update marts.identity_bands set low = 800, high = 800")
    assert "by identity rules" not in page_text(render_scorecard(same, manifest, en))


def test_targets_stand_there_with_their_state_where_there_are_any(
    make_db: MakeDb, manifest: dict[str, Any], page: str, targets: str
) -> None:
    company = Company(name="Acme", locale="en", currency="JPY")
    english = render_scorecard(make_db(then=targets), manifest, company)
    assert cells(english, "targets") == [
        ["Answered within target", "all customers", "2026-06", "90.0 %", "95.0 %", "\N{EN DASH}", "met", "desk"],
        [
            "Net revenue",
            "関東",
            "2026-Q3",
            "¥9,000",
            "¥1,234",
            "¥8,000¥7,000 \N{EN DASH} ¥9,001",
            "at risk",
            "shop &lt;b&gt;",
        ],
        [
            "Net revenue",
            "all customers",
            "2026",
            "¥50,000,000",
            "¥11,964,028",
            "¥24,099,292¥22,493,050 \N{EN DASH} ¥25,705,534",
            "missed",
            "head.of.sales@example.com",
        ],
        ["Net revenue", "all customers", "2027", "¥50,000,000", "¥0", "\N{EN DASH}", "not started", "shop"],
    ]
    assert 'id="table-targets"' not in page


def test_messages_that_do_not_arrive_stand_on_top(make_db: MakeDb, manifest: dict[str, Any], ja: Company) -> None:
    trouble = Undelivered(3, datetime(2026, 6, 30, 4), "#cx-alerts: Slack answered token_revoked")
    page = render_scorecard(make_db(), manifest, ja, trouble)
    assert "token_revoked" in page and "3件の通知が届いていません" in page
    assert "undelivered" not in render_scorecard(make_db(), manifest, ja)
