"""GA4 as BigQuery exports it: one event per line, integers as strings, parameters as an array, late rows.

Months are compressed; a late event lies in the file of the following month, or of the last day.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field

from ingestion.demo.clock import DAY, local_day
from ingestion.demo.delivery import Deliveries, TextFile
from ingestion.demo.people import Person
from ingestion.demo.web import Session
from ingestion.demo.words import PAGES, TRAFFIC
from ingestion.demo.world import World

_SITE = "https://www.kizuna.example.jp"
_STREAM = "4211000001"
_ITEM_SECONDS = 41


@dataclass
class Seen:
    """First delivery that shows a device, a login on a device, and events per (device, session start) and delivery."""

    devices: dict[str, int] = field(default_factory=dict)
    logins: dict[tuple[str, str], int] = field(default_factory=dict)
    sessions: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    late: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One event before it is written: moment in microseconds, name, page, whether the user is logged in."""

    micros: int
    name: str
    page: int
    known: bool


def events_of(session: Session) -> list[Event]:
    """The events of one visit, in time; the pace is a function of the session's start, so nothing is drawn here."""
    pace = 7 + session.start % 37
    names = ["session_start", *["page_view"] * session.pages]
    if session.kind == "purchase":
        names += ["view_item", "add_to_cart", "purchase"]
    elif session.pages > 1:
        names.append("view_item" if session.start % 3 else "scroll")
    if session.user and session.login_step:
        names.insert(min(session.login_step + 1, len(names) - 1), "login")
    events, known = [], bool(session.user) and session.login_step == 0
    for step, name in enumerate(names):
        known = known or name == "login"
        moment = session.start + (pace * step if step else 0) + (step * step % 11 if step > 1 else 0)
        events.append(
            Event(
                moment * 1_000_000 + (session.start * 7 + step * 1_013) % 900_000,
                name,
                (session.start + step) % 6,
                known,
            )
        )
    return events


class _Files:
    """Month files, opened when first needed and kept open: events come in order of session, not of file."""

    def __init__(self, world: World, book: Deliveries) -> None:
        self._calendar, self._book = world.calendar, book
        self._open: dict[tuple[int, str], TextFile] = {}
        self.last_label = f"{local_day(world.calendar.cut1 - 1):%Y%m}"

    def of(self, micros: int, late: bool) -> tuple[int, TextFile]:
        second = micros // 1_000_000
        if second >= self._calendar.cut1 or (late and self._calendar.cut1 - second < 4 * DAY):
            return 2, self.get(2, f"{self._calendar.end:%Y%m%d}")
        day = local_day(second)
        label = f"{day:%Y%m}"
        if late and label < self.last_label:
            label = f"{day.year + day.month // 12}{day.month % 12 + 1:02d}"
        return 1, self.get(1, label)

    def get(self, delivery: int, label: str) -> TextFile:
        key = (delivery, label)
        if key not in self._open:
            name = f"ga4/events_{label}.ndjson" + (".gz" if delivery == 1 else "")
            self._open[key] = self._book.lines(delivery, name)
        return self._open[key]

    def close(self) -> None:
        for _, file in sorted(self._open.items()):
            file.close()


def write(world: World, book: Deliveries) -> Seen:
    """Write all events; returns what each delivery shows of devices, logins and sessions."""
    files, seen = _Files(world, book), Seen()
    counts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    spoil_after = len(world.sessions) // 2
    for position, session in enumerate(world.sessions):
        events = events_of(session)
        for step, event in enumerate(events):
            if event.micros // 1_000_000 >= world.calendar.cut2:
                break
            late = session.late and step == len(events) - 1 and session.place in ("own", "anonymous")
            delivery, file = files.of(event.micros, late)
            text = json.dumps(_event(world, session, event, step), ensure_ascii=False, separators=(",", ":")) + "\n"
            line = file.record(text)
            if position % 4_001 == 77 and step == 1:
                file.duplicate(text, line)
            if position == spoil_after and step == 0:
                _spoil(file, text)
            seen.late += late
            counts[session.device, session.start][delivery - 1] += 1
            seen.devices[session.device] = min(seen.devices.get(session.device, 2), delivery)
            if event.known:
                login = (session.device, session.user)
                seen.logins[login] = min(seen.logins.get(login, 2), delivery)
    files.close()
    seen.sessions = {key: (first, first + second) for key, (first, second) in counts.items()}
    return seen


def _spoil(file: TextFile, text: str) -> None:
    event = json.loads(text)
    file.malformed(text[: len(text) * 2 // 3] + "\n", "", "json.invalid")
    broken = {**event, "event_timestamp": "17x9999999", "event_bundle_sequence_id": "1"}
    file.malformed(json.dumps(broken, ensure_ascii=False) + "\n", "event_timestamp", "type.timestamp")
    del broken["event_name"], broken["event_timestamp"]
    broken["event_timestamp"] = event["event_timestamp"]
    file.malformed(json.dumps(broken, ensure_ascii=False) + "\n", "event_name", "value.required")


def _param(key: str, value: str | int) -> dict[str, object]:
    return {"key": key, "value": {"int_value": str(value)} if isinstance(value, int) else {"string_value": value}}


def _event(world: World, session: Session, event: Event, step: int) -> dict[str, object]:
    person = world.people[session.person] if session.person >= 0 else None
    path, title = PAGES[event.page]
    source, medium, campaign = TRAFFIC[session.source]
    engaged = step > 1
    params = [
        _param("ga_session_id", session.start),
        _param("ga_session_number", session.number),
        _param("page_location", _SITE + path),
        _param("page_title", title),
        # The type differs by event, as in real exports.
        _param("session_engaged", int(engaged) if event.name == "scroll" else str(int(engaged))),
    ]
    if engaged:
        params.append(_param("engagement_time_msec", 1_000 * (5 + step * 3)))
    if step == 0:
        params += [_param("source", source), _param("medium", medium), _param("campaign", campaign)]
    ecommerce: dict[str, object] = {}
    if event.name == "purchase":
        order = world.orders[session.order]
        params += [_param("transaction_id", order.name), _param("currency", order.currency)]
        ecommerce = {
            "transaction_id": order.name,
            "purchase_revenue": order.total,
            "total_item_quantity": str(len(order.lines)),
        }
    record: dict[str, object] = {
        "event_date": f"{local_day(event.micros // 1_000_000):%Y%m%d}",
        "event_timestamp": str(event.micros),
        "event_name": event.name,
        "event_params": params,
        "event_bundle_sequence_id": str(session.start % 100_000 + step),
        "user_pseudo_id": session.device,
        "privacy_info": {"analytics_storage": "Yes", "ads_storage": "Yes"},
        "user_first_touch_timestamp": session.device.split(".")[1] + "000000",
        "device": _device(session),
        "geo": _geo(person, session),
        "traffic_source": {"name": campaign, "medium": medium, "source": source},
        "stream_id": _STREAM,
        "platform": "WEB",
        "items": [],
    }
    if event.known:
        record["user_id"] = session.user
    if ecommerce:
        record["ecommerce"] = ecommerce
    return record


def _device(session: Session) -> dict[str, object]:
    if session.place == "kiosk" or session.place == "tablet":
        category, system = "tablet", "iPadOS"
    else:
        category, system = (("mobile", "iOS"), ("mobile", "Android"), ("desktop", "Windows"))[
            ord(session.device[-1]) % 3
        ]
    return {
        "category": category,
        "operating_system": system,
        "language": "ja-jp",
        "web_info": {"browser": "Safari" if system != "Windows" else "Chrome", "hostname": "www.kizuna.example.jp"},
    }


def _geo(person: Person | None, session: Session) -> dict[str, object]:
    region = person.prefecture.latin if person else ("Tokyo", "Osaka", "Aichi", "Fukuoka")[session.start % 4]
    return {"continent": "Asia", "country": "Japan", "region": region, "city": "(not set)"}
