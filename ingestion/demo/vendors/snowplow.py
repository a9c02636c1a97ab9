"""Snowplow enriched events of a second site: tab-separated without a header, delivered at least once."""

from ingestion.contract_files import BUILT_IN, load_vendor
from ingestion.demo.clock import DAY, utc
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted
from ingestion.demo.vendors.ga4 import Event, events_of
from ingestion.demo.web import Session
from ingestion.demo.words import PAGES, TRAFFIC
from ingestion.demo.world import World

_EVERY, _DAYS = 5, 120
_SITE = "https://journal.kizuna.example.jp"


def picked(world: World, remainder: int) -> list[Session]:
    """Every fifth recent visit that one person made on a device of their own, whole within the delivered days."""
    calendar = world.calendar
    recent = [s for s in world.sessions if s.place == "own" and calendar.cut1 - _DAYS * DAY < s.start]
    return [s for n, s in enumerate(recent) if n % _EVERY == remainder and s.start < calendar.cut2 - DAY // 4]


def write(world: World, book: Deliveries) -> list[Planted]:
    """Each delivery repeats every tenth event, as a collector does that did not hear of an answer."""
    columns = load_vendor(BUILT_IN / "snowplow" / "events.yml").dialect.columns
    sessions = picked(world, 1)
    events = 0
    for day, first, last in ((1, 0, world.calendar.cut1), (2, world.calendar.cut1, world.calendar.cut2)):
        lines = []
        for session in sessions:
            if first <= session.start < last:
                found = events_of(session)
                events += len(found)
                for step, event in enumerate(found):
                    cells = _event(session, event, step)
                    lines.append("\t".join(cells.get(name, "") for name in columns))
                    if (session.start + step) % 10 == 0:
                        later = {**cells, "collector_tstamp": _stamp(event.micros + 60_000_000)}
                        lines.append("\t".join(later.get(name, "") for name in columns))
        if lines:
            file = book.lines(day, f"snowplow/run={world.calendar.end:%Y-%m}-{day}/part-00000.tsv.gz")
            for line in lines:
                file.record(line + "\n")
            file.close()
    return [
        Planted("staging.stg_snowplow__events", "true", events),
        Planted("core.fct_sessions", "event_source = 'snowplow'", len(sessions)),
        Planted(
            "core.fct_sessions",
            "event_source = 'snowplow' AND attribution = 'login'",
            sum(any(event.known for event in events_of(session)) for session in sessions),
        ),
    ]


def _stamp(micros: int) -> str:
    return f"{utc(micros // 1_000_000)}.{micros % 1_000_000 // 1_000:03d}"


def _event(session: Session, event: Event, step: int) -> dict[str, str]:
    path, title = PAGES[event.page]
    source, medium, campaign = TRAFFIC[session.source]
    page_view = event.name == "page_view"
    return {
        "app_id": "journal",
        "platform": "web",
        "etl_tstamp": _stamp(event.micros + 5_000_000),
        "collector_tstamp": _stamp(event.micros + 1_000_000),
        "derived_tstamp": _stamp(event.micros),
        "event": "page_view" if page_view else "struct",
        "event_id": f"{session.start:x}-{session.device}-{step}",
        "event_fingerprint": f"{session.start * 31 + step:032x}",
        "event_vendor": "com.snowplowanalytics.snowplow",
        "event_name": "page_view" if page_view else "event",
        "event_format": "jsonschema",
        "event_version": "1-0-0",
        "se_category": "" if page_view else "site",
        "se_action": "" if page_view else event.name,
        "user_id": session.user if event.known else "",
        "domain_userid": f"sp.{session.device}",
        "network_userid": f"nw.{session.device}",
        "domain_sessionid": f"sp.{session.start}",
        "domain_sessionidx": str(session.number),
        "page_url": _SITE + path,
        "page_title": title,
        "mkt_source": source,
        "mkt_medium": medium,
        "mkt_campaign": campaign,
        "dvce_type": "Mobile",
        "geo_country": "JP",
    }
