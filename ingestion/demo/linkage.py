"""Which source records are one customer, by what the records themselves say: the reachable truth.

A person who shares nothing between two systems is rightly two customers; the truth therefore names both the person and
the component of records that shared identifiers tie together.
"""

from collections import defaultdict
from dataclasses import dataclass

from ingestion.demo.clock import utc
from ingestion.demo.crm import JUNK_EMAILS, JUNK_PHONES
from ingestion.demo.shopping import CALL_CENTRE_E164
from ingestion.demo.vendors.ga4 import Seen
from ingestion.demo.vendors.zendesk import AGENT_ID, care_phone, users_since
from ingestion.demo.world import World

_JUNK = frozenset((*JUNK_EMAILS, *JUNK_PHONES, "test@test.com", "not-specified@example.com"))
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """One source record that stands for a person, as the deliveries up to a day show it.

    `person` is -1 where no single person stands behind it. `reason` tells why it belongs to no customer.
    """

    source: str
    key: str
    person: int
    identifiers: tuple[tuple[str, str], ...]
    region: str = ""
    reason: str = ""
    alt_key: str = ""

    @property
    def name(self) -> Key:
        """Source and key: unique."""
        return self.source, self.key


def usable(value: str) -> bool:
    """False for placeholders, role addresses and the call centre's own number."""
    return value not in _JUNK and value != CALL_CENTRE_E164


def _ids(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((kind, value) for kind, value in pairs if value))


def _e164(national: str) -> str:
    return "+81" + national[1:] if national.isdigit() and len(national) >= 10 else national


def shared_devices(seen: Seen) -> set[str]:
    """Devices on which more than one user logs in."""
    users: dict[str, set[str]] = defaultdict(set)
    for device, user in seen.logins:
        users[device].add(user)
    return {device for device, names in users.items() if len(names) > 1}


def records(world: World, seen: Seen, day: int) -> list[Record]:
    """All person records that the deliveries up to the day hold."""
    return [*_crm(world, day), *_shop(world, day), *_care(world, day), *_web(world, seen, day)]


def _crm(world: World, day: int) -> list[Record]:
    cut, found = world.cut(day), []
    gone = set()
    for contact in world.contacts:
        if contact.created >= cut:
            continue
        merged = contact.master if contact.is_deleted(cut) else ""
        deleted = contact.is_deleted(cut) and not merged
        if deleted:
            gone.add(contact.contact_id)
        ids = _ids(
            ("salesforce_contact_id", contact.contact_id),
            ("salesforce_contact_id", merged),
            ("email", contact.email),
            ("phone", _e164(contact.phone)),
        )
        region = world.people[contact.person].region
        found.append(
            Record("salesforce.contact", contact.contact_id, contact.person, ids, region, "deleted" if deleted else "")
        )
    for case in world.cases:
        if case.created < cut and not case.contact_id:
            found.append(Record("salesforce.case", case.case_id, case.person, _ids(("email", case.supplied_email))))
    return found


def _shop(world: World, day: int) -> list[Record]:
    cut, found = world.cut(day), []
    for person in world.people:
        if person.shop_id and person.entry < cut:
            ids = _ids(
                ("shopify_customer_id", person.shop_id),
                ("user_id", person.shop_id),
                ("email", person.email),
                ("phone", person.e164 if person.shop_phone else ""),
            )
            found.append(Record("shopify.customer", person.shop_id, person.index, ids, person.region))
    for order in world.orders:
        if order.created < cut:
            ids = _ids(("email", order.email), ("phone", _e164(order.billing_phone)), ("phone", _e164(order.phone)))
            region = world.people[order.person].region if order.channel != "pos" else ""
            found.append(Record("shopify.order", order.name, order.person, ids, region, alt_key=order.order_id))
    return found


def _care(world: World, day: int) -> list[Record]:
    cut, found = world.cut(day), []
    for number in range(6):
        found.append(Record("zendesk.user", str(AGENT_ID + number), -1, (), reason="staff"))
    for index, moment in sorted(users_since(world).items()):
        if moment < cut:
            person = world.people[index]
            ids = _ids(
                ("zendesk_user_id", str(person.zendesk_id)),
                ("email", person.care_email),
                ("phone", _e164(care_phone(person))),
            )
            found.append(Record("zendesk.user", str(person.zendesk_id), index, ids))
    for index in sorted({call.person for call in world.calls if call.started < cut and not call.withheld}):
        phone = world.people[index].e164
        found.append(Record("amazon_connect.caller", phone, index, _ids(("phone", phone))))
    for index in sorted({answer.person for answer in world.answers if answer.created < cut}):
        person = world.people[index]
        phone = person.e164 if index % 9 == 0 and person.shop_phone else ""
        ids = _ids(("delighted_person_id", str(person.delighted_id)), ("email", person.email), ("phone", phone))
        found.append(Record("delighted.person", str(person.delighted_id), index, ids))
    return found


def _web(world: World, seen: Seen, day: int) -> list[Record]:
    found = []
    shared = shared_devices(seen)
    owner = {session.device: session.person for session in world.sessions if session.place in ("own", "anonymous")}
    by_user = {person.shop_id: person.index for person in world.people if person.shop_id}
    logins: dict[str, list[str]] = defaultdict(list)
    users: set[str] = set()
    for (device, user), delivery in sorted(seen.logins.items()):
        if delivery <= day:
            logins[device].append(user)
            users.add(user)
    for device, delivery in sorted(seen.devices.items()):
        if delivery <= day:
            ids = _ids(("device_id", device), *(("user_id", user) for user in logins[device]))
            reason = "shared_device" if device in shared else ""
            found.append(Record("ga4.device", device, owner.get(device, -1), ids, reason=reason))
    for user in sorted(users):
        found.append(Record("ga4.user", user, by_user[user], _ids(("user_id", user))))
    return found


def components(found: list[Record]) -> dict[Key, str]:
    """Component of every record that belongs to a customer, named after its first record (`source|key`, sorted)."""
    parent: dict[Key, Key] = {}

    def root(node: Key) -> Key:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    members = [record for record in found if not record.reason]
    for record in members:
        for kind, value in record.identifiers:
            if usable(value):
                parent[root(("=" + kind, value))] = root(record.name)
    groups: dict[Key, list[Record]] = defaultdict(list)
    for record in members:
        groups[root(record.name)].append(record)
    return {record.name: "|".join(min(peer.name for peer in group)) for group in groups.values() for record in group}


def day_of(epoch: int) -> str:
    """UTC moment for the truth files."""
    return utc(epoch).isoformat(sep=" ")
