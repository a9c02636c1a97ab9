"""What a published version says beside spikes: the digest of a period; to the data team what is late or well again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from sqlalchemy import insert, select
from told_versions import SUNDAY, Told, text_of

from kizuna.control.schema import batches, files, incidents
from kizuna.data_channel import FailedRun, PastDay, report_run_failure, report_run_failures
from kizuna.delivery import outbox
from kizuna.message_settings import DigestKpi
from kizuna.targets import known_kpis
from kizuna.versions import rollback
from kizuna.watching import store_is_gone


def test_a_week_is_told_once_when_it_is_over_with_its_figures(told: Callable[..., Told]) -> None:
    week = told(
        "locale: en\ncurrency: JPY\ndigest: {kpis: [net_revenue, open_interactions, nps_relational_28d, csat_avg]}"
    )
    assert [m["key"] for m in week.version(SUNDAY - timedelta(days=1))] == ["digest:weekly:2026-W25"]
    (message,) = week.version(SUNDAY)
    assert message["key"] == "digest:weekly:2026-W26" and message["image"].stat().st_size > 1000
    said = text_of(message)
    # Flows are summed over Monday to Sunday, a state is Sunday's, ratios are sums by sums.
    for figure in (
        "*Net revenue* ¥2,800  ±0",
        "*Open contacts* 28  ▲33.3% (the week before 21)",
        "*NPS* 25.0",
        "*CSAT* 4.50",
    ):
        assert figure in said, said
    assert "¥4,000 of ¥5,000, heading for ¥4,501 — at risk" in said
    assert week.version(SUNDAY + timedelta(days=1)) == []
    assert week.version(SUNDAY + timedelta(days=1), rows=5) == [], "built again: the week has been told"
    rollback(week.company.store, week.company.settings, week.company.lease("back"), to=2)
    assert week.look() == [], "an older day shown again is no news"


def test_a_week_waits_two_days_for_its_data_and_then_says_what_is_missing(told: Callable[..., Told]) -> None:
    late = told("locale: en\ndigest: {kpis: [net_revenue]}")
    late.version(SUNDAY - timedelta(days=1))
    missing = {"whole_until": SUNDAY - timedelta(days=1), "shopify": SUNDAY - timedelta(days=1)}
    assert late.version(SUNDAY, **missing) == late.version(SUNDAY + timedelta(days=1), **missing) == []
    (message,) = late.version(SUNDAY + timedelta(days=2), **missing)
    assert message["key"] == "digest:weekly:2026-W26" and "part of the data is still missing" in text_of(message)


def test_a_day_is_told_once_in_the_channel_of_the_digest(told: Callable[..., Told]) -> None:
    daily = told('locale: ja\nchannels: {digest: "#kpi"}\ndigest: {every: daily, kpis: [net_revenue]}')
    (message,) = daily.version(SUNDAY)
    assert (message["key"], message["channel"]) == ("digest:daily:2026-06-28", "#kpi")
    assert "*純売上* 700.00 USD  ▲16.7%（前日 600.00 USD）" in text_of(message)
    assert daily.version(SUNDAY, rows=4) == []


def test_a_source_that_stays_away_is_told_once_and_once_when_it_is_back(told: Callable[..., Told]) -> None:
    source = told("locale: en\ndigest: {every: never}\nfreshness: {sources: {zendesk: 9, shopify: 2}}")
    last = SUNDAY - timedelta(days=2)
    assert source.version(SUNDAY, shopify=last) == []
    (late,) = source.version(SUNDAY + timedelta(days=1), shopify=last)
    assert late["channel"] == "#cx-data" and "*shopify* until Fri 26 Jun 2026, 3 days ago" in text_of(late)
    assert "source-late" in text_of(late)
    assert source.version(SUNDAY + timedelta(days=2), shopify=last) == []
    (back,) = source.version(SUNDAY + timedelta(days=3))
    assert back["text"] == "Data arrives again: shopify" and back["channel"] == "#cx-data"
    assert [m["text"] for m in source.version(SUNDAY + timedelta(days=9), shopify=last)] == [
        "Data has not arrived: shopify"
    ], "the next time is told again"


def test_a_source_that_is_expected_and_never_came_is_told(told: Callable[..., Told]) -> None:
    (missing,) = told("digest: {every: never}\nfreshness: {sources: {delighted: 8}}").version(SUNDAY)
    assert "*delighted* has never arrived" in text_of(missing)


def test_runs_that_fail_and_succeed_again(told: Callable[..., Told]) -> None:
    runs = told()
    store, settings = runs.company.store, runs.company.settings
    runs.version(SUNDAY)
    for run in ("r1", "r1", "r2"):
        report_run_failure(store, settings, run_id=run, build_id=None, steps=["dbt_core"])
    assert runs.look() == [], "the version of before the failure proves nothing"
    with store.read() as connection:
        failed = [m for m in outbox.listing(connection) if m.key.startswith("run-failed")]
    assert [m.key for m in failed] == ["run-failed:r1", "run-failed:r2"]
    (well,) = runs.version(SUNDAY + timedelta(days=1))
    assert well["text"].startswith("Runs succeed again") and well["channel"] == "#cx-data"
    assert {m.thread_key for m in failed} == {well["thread"]}, "what belongs together is one thread"
    assert runs.version(SUNDAY + timedelta(days=2)) == []


def test_a_past_day_that_fails_is_told_as_one_and_touches_no_daily_problem(told: Callable[..., Told]) -> None:
    """Somebody asks for days of May while the daily build is broken, at the same step."""
    runs = told("locale: en\ndigest: {every: never}")
    store, settings = runs.company.store, runs.company.settings
    runs.version(SUNDAY)
    may = [PastDay(date(2026, 5, 30)), PastDay(date(2026, 5, 31), datetime(2026, 6, 5, 12))]
    past = [FailedRun(f"p{k}", None, ("dbt_core",), past=day) for k, day in enumerate(may)]
    daily = [FailedRun(run, None, ("dbt_core",)) for run in ("r1", "r2")]

    def open_problems() -> list[tuple[str, dict[str, str]]]:
        with store.read() as connection:
            rows = connection.execute(select(incidents).where(incidents.c.state == "open")).all()
        return [(row.kind, row.detail) for row in rows]

    assert report_run_failures(store, settings, past) == 1
    assert open_problems() == [], "no publication would ever be waited for"
    assert runs.look() == []
    report_run_failures(store, settings, daily[:1])
    before = open_problems()
    assert [kind for kind, _ in before] == ["run"]
    more = [FailedRun("p9", None, ("dbt_core",), past=may[0])]
    assert report_run_failures(store, settings, [*past, *daily[:1], *more]) == 1, "what was told is told once"
    assert open_problems() == before, "a daily problem goes on as it was"
    assert report_run_failures(store, settings, [more[0], daily[1]]) == 1
    with store.read() as connection:
        said = {m.key: m for m in outbox.listing(connection) if m.key.startswith("run-failed")}
    assert list(said) == ["run-failed:p1", "run-failed:r1", "run-failed:p9", "run-failed:r2"]
    assert len({said[f"run-failed:{run}"].thread_key for run in ("p1", "p9", "r1", "r2")}) == 3, "r2 answers r1 only"
    text = str(said["run-failed:p1"].payload)
    assert "Sat 30 May 2026, Sun 31 May 2026" in text and "2 runs stopped there" in text
    assert "Readers are not concerned" in text and "Published numbers are the previous ones" not in text
    assert "kizuna run --as-of 2026-05-31 --known-as-of 2026-06-05T12:00:00" in text
    (well,) = runs.version(SUNDAY + timedelta(days=1))
    assert well["text"].startswith("Runs succeed again") and well["thread"] == said["run-failed:r1"].thread_key


def test_a_gate_that_stops_a_past_day_is_told_by_its_own_attempt(told: Callable[..., Told]) -> None:
    """As it was known then, a past day can be the very build that a gate stopped for readers."""
    from kizuna.builds import record_gate

    gate = told("locale: en")
    store, settings = gate.company.store, gate.company.settings
    lease = gate.company.lease("stopped")
    builds = [gate.company.build(lease, 9) for _ in range(2)]
    assert builds[0].build_id == builds[1].build_id
    for build, reason in zip(builds, ("orders of nobody", "amounts below zero"), strict=True):
        broken = {"relation": "core.fct_orders", "suite": "core", "outcome": "failed", "evaluated": 3, "warnings": [],
                  "failed": [{"reason": reason, "unexpected_count": 37}]}  # fmt: skip
        record_gate(store, build, "core", "failed", [broken])
    asked = FailedRun("p", builds[0].build_id, ("gate_core",), builds[0].attempt, PastDay(date(2026, 6, 30)))
    report_run_failures(store, settings, [asked])
    with store.read() as connection:
        stopped = outbox.get(connection, "run-failed:p")
        kinds = connection.execute(select(incidents.c.kind, incidents.c.state)).all()
    assert stopped is not None
    text = str(stopped.payload)
    assert "Past day not rebuilt, stopped by a data check: core" in text and "*orders of nobody* — 37 rows" in text
    assert "amounts below zero" not in text and "Not built" not in text
    assert [tuple(row) for row in kinds] == [("past", "resolved")]


def test_a_gate_that_stops_a_build_and_passes_again(told: Callable[..., Told]) -> None:
    from kizuna.builds import record_gate

    gate = told()
    store, settings = gate.company.store, gate.company.settings
    lease = gate.company.lease("stopped")
    build = gate.company.build(lease, 9)
    broken = {"relation": "core.fct_orders", "suite": "core", "outcome": "failed", "evaluated": 3, "warnings": [],
              "failed": [{"reason": "orders of nobody", "unexpected_count": 37}]}  # fmt: skip
    record_gate(store, build, "core", "failed", [broken])
    report_run_failure(store, settings, run_id="stopped", build_id=build.build_id, steps=["gate_core"])
    lease.release()
    (well,) = gate.version(SUNDAY)
    assert well["text"] == "The data check passes again and the build is published: core"
    with store.read() as connection:
        stopped = outbox.get(connection, "run-failed:stopped")
    assert stopped is not None and "*orders of nobody* — 37 rows" in str(stopped.payload)
    assert stopped.thread_key == well["thread"]


def test_withheld_scores_are_told_to_both_channels_once_and_their_return(told: Callable[..., Told]) -> None:
    scores = told()
    assert scores.version(SUNDAY, withheld="too_little_history") == [], "a young company waits for its history"
    found = scores.version(SUNDAY + timedelta(days=1), withheld="below_floor")
    assert {m["channel"] for m in found} == {"#cx-data", "#cx-alerts"} and len(found) == 2
    assert all("did not rank customers well enough" in text_of(m) for m in found)
    assert scores.version(SUNDAY + timedelta(days=2), withheld="below_floor") == []
    back = scores.version(SUNDAY + timedelta(days=3))
    assert {m["channel"] for m in back} == {"#cx-data", "#cx-alerts"} and len(back) == 2
    assert scores.version(SUNDAY + timedelta(days=4)) == []


def test_a_digest_may_show_every_kpi_that_has_a_value_over_a_period() -> None:
    assert set(DigestKpi.__args__) == known_kpis()


def test_a_source_that_comes_every_day_is_late_after_three_times_its_longest_gap(told: Callable[..., Told]) -> None:
    company = told("digest: {every: never}\nfreshness: {days: 1}")
    with company.company.store.begin() as connection:
        for k in (0, 1, 2, 4, 5, 6):
            at = datetime(2026, 6, 20) + timedelta(days=k)
            shared = {"source": "shopify", "content_hash": f"{k}", "bytes": 1, "rows_in": 1}
            connection.execute(insert(files).values(
                file_id=f"f{k}", path=f"a{k}", status="accepted", first_seen_at=at, **shared))  # fmt: skip
            connection.execute(insert(batches).values(
                batch_id=f"b{k}", file_id=f"f{k}", entity="orders", relation="raw.shopify__orders", path=f"p{k}",
                parquet_hash="x", accepted=1, quarantined=0, duplicates=0, known_at=at, last_event_at=at,
                active=True, **shared))  # fmt: skip
    assert company.version(date(2026, 7, 2), shopify=date(2026, 6, 26)) == [], "six days: as often as not"
    (late,) = company.version(date(2026, 7, 3), shopify=date(2026, 6, 26))
    assert late["text"] == "Data has not arrived: shopify"


def test_runbooks_are_links_to_where_the_team_reads_them(told: Callable[..., Told]) -> None:
    """A file of the server is nothing that anybody who reads Slack could open."""
    from kizuna.builds import record_gate

    page = "https://wiki.example.com/kizuna/{page}"
    team = told(
        f"locale: en\ndigest: {{every: never}}\nfreshness: {{sources: {{delighted: 8}}}}\n"
        f"alerts: {{runbook_url: '{page}'}}"
    )
    store, settings = team.company.store, team.company.settings
    lease = team.company.lease("stopped")
    build = team.company.build(lease, 9)
    broken = {"relation": "core.fct_orders", "suite": "core", "outcome": "failed", "evaluated": 3, "warnings": [],
              "failed": [{"reason": "orders of nobody", "unexpected_count": 37}]}  # fmt: skip
    record_gate(store, build, "core", "failed", [broken])
    report_run_failure(store, settings, run_id="stopped", build_id=build.build_id, steps=["gate_core"])
    lease.release()
    report_run_failure(store, settings, run_id="r1", build_id=None, steps=["dbt_core"])
    team.version(SUNDAY)
    with store.read() as connection:
        said = {m.key: str(m.payload) for m in outbox.listing(connection)}
    for key, name in (
        ("run-failed:stopped", "gate-failed"),
        ("run-failed:r1", "run-failed"),
        ("data:source:delighted:1:open", "source-late"),
    ):
        assert f"<{page.format(page=name)}|Runbook>" in said[key], said[key]
    silence = store_is_gone(settings, datetime(2026, 6, 30), "no answer")
    assert silence.runbook == page.format(page="silence")
