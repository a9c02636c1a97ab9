"""Whatever comes in: every record maps exactly once or has a reason, and ids and links agree with the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.identity.conftest import World

SOURCES = ("zendesk.user", "ga4.device", "amazon_connect.caller", "salesforce.contact")
TEXTS = {
    "email": ["a@example.jp", "A@example.jp", "b@example.jp", "test@test.com", "null", "", "c@example.jp"],
    "phone": ["090-3333-1111", "+819033331111", "03-3580-3311", "0", "0120-444-444"],
    "user_id": ["u1", "u2", "u3", "(not set)"],
    "device_id": ["d1", "d2", "0"],
    "salesforce_contact_id": ["k0", "k1", "k2", "k3"],
}
EVIDENCE = st.sampled_from([(kind, text) for kind, texts in TEXTS.items() for text in texts])
RECORD = st.tuples(st.sampled_from(SOURCES), st.one_of(st.none(), st.integers(0, 9)), st.lists(EVIDENCE, max_size=4))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(RECORD, max_size=14),
    logins=st.lists(st.tuples(st.sampled_from(TEXTS["device_id"]), st.sampled_from(TEXTS["user_id"])), max_size=4),
    seed=st.integers(0, 99),
)
def test_every_record_is_mapped_once_or_has_a_reason(
    world: World,
    records: list[tuple[str, int | None, list[tuple[str, str]]]],
    logins: list[tuple[str, str]],
    seed: int,
) -> None:
    here = type(world)()
    for number, (source, day, evidence) in enumerate(records):
        carried: dict[str, str | list[str]] = {}
        for kind, text in evidence:
            carried[kind] = [*carried.get(kind, []), text]
        here.record(source, f"k{number}", day, **carried)
    for device, user in logins:
        here.login(device, user)
    found = here.resolve()

    given_records = {f"{source} {key}" for source, key, _ in here.records}
    mapped = [f"{row['source']} {row['record_key']}" for row in found.tables.customer_map.to_pylist()]
    assert sorted([*mapped, *found.unmapped]) == sorted(given_records)
    assert set(found.unmapped.values()) <= {"shared_device", "blocked_value", "invalid", "over_limit"}

    customers = set(found.customer_of.values())
    held = {}
    for row in found.tables.customer_identifiers.to_pylist():
        assert (
            held.setdefault((row["identifier_type"], row["identifier_hash"]), row["customer_id"]) == row["customer_id"]
        )
    assert set(held.values()) == customers
    links = {
        (r["identifier_type"], r["identifier_hash"], r["customer_id"]) for r in found.tables.identity_links.to_pylist()
    }
    assert links == {(kind, name, who) for (kind, name), who in held.items() if kind != "record"}
    assert here.shuffled(seed).resolve().rows == found.rows
    again = here.resolve(registry=found.registry)
    assert again.customer_of == found.customer_of
    assert again.changes == []
