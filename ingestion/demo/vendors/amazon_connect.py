"""Amazon Connect contact records: nested JSON, one record per line, delivered at least once and in versions."""

import json
from collections import defaultdict
from uuid import UUID

from ingestion.demo.care import AGENTS, Call
from ingestion.demo.clock import local_day, stamp_z
from ingestion.demo.delivery import Deliveries, TextFile
from ingestion.demo.shopping import CALL_CENTRE_E164
from ingestion.demo.world import World

_ARN = "arn:aws:connect:ap-northeast-1:123456789012:instance/0f0f0f0f-1111-4222-8333-444444444444"


def contact_id(call: Call) -> str:
    """Id of the contact: a UUID made of the call's number."""
    return str(UUID(int=(call.number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % (1 << 128), version=4))


def write(world: World, book: Deliveries) -> None:
    """Day 1: one compressed file a month. Day 2: the last day's calls."""
    months: dict[tuple[int, str], list[Call]] = defaultdict(list)
    for call in world.calls:
        if call.started < world.calendar.cut2:
            day = local_day(call.started)
            delivery = world.calendar.delivery(call.started)
            label = f"{day:%Y/%m}" if delivery == 1 else f"{day:%Y/%m/%d}"
            months[delivery, label].append(call)
    for number, ((delivery, label), calls) in enumerate(sorted(months.items())):
        name = f"amazon_connect/{label}/contact_records.jsonl.gz"
        _month(world, book.lines(delivery, name), calls, spoil=delivery == 1 and number == len(months) // 2)


def _month(world: World, file: TextFile, calls: list[Call], *, spoil: bool) -> None:
    for position, call in enumerate(calls):
        if call.number % 23 == 4:  # the first delivery, before the agent finished the after-contact work
            file.record(_line(_record(world, call, final=False)))
        text = _line(_record(world, call, final=True))
        line = file.record(text)
        if spoil and position == 2:
            file.duplicate(text, line)
        if spoil and position == 4:
            ghost = _record(world, call, final=True)
            del ghost["ContactId"]
            file.malformed(_line(ghost), "ContactId", "value.required")
            file.malformed(text[: len(text) // 2] + "\n", "", "json.invalid")
    file.close()


def _line(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _record(world: World, call: Call, *, final: bool) -> dict[str, object]:
    person = world.people[call.person]
    own = contact_id(call)
    enqueued, connected = call.started + 20, call.started + 20 + call.wait
    agent = None
    if call.agent >= 0:
        agent = {
            "ARN": f"{_ARN}/agent/{call.agent + 1}",
            "Username": AGENTS[call.agent],
            "ConnectedToAgentTimestamp": stamp_z(connected),
            "AgentInteractionDuration": call.talk - call.hold,
            "AfterContactWorkDuration": call.wrap if final else 0,
            "AfterContactWorkStartTimestamp": stamp_z(call.ended) if final else None,
            "AfterContactWorkEndTimestamp": stamp_z(call.ended + call.wrap) if final else None,
            "CustomerHoldDuration": call.hold,
            "LongestHoldDuration": call.hold,
            "NumberOfHolds": int(call.hold > 0),
        }
    return {
        "AWSAccountId": "123456789012",
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "Agent": agent,
        "AgentConnectionAttempts": int(agent is not None),
        "Attributes": {"lang": "ja", "ivr": f"{call.number % 4 + 1}"},
        "Channel": "VOICE",
        "ConnectedToSystemTimestamp": stamp_z(call.started + 1),
        "ContactId": own,
        "CustomerEndpoint": None if call.withheld else {"Address": person.e164, "Type": "TELEPHONE_NUMBER"},
        "DisconnectReason": "CUSTOMER_DISCONNECT" if call.number % 3 else "AGENT_DISCONNECT",
        "DisconnectTimestamp": stamp_z(call.ended),
        "InitialContactId": own,
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": stamp_z(call.started),
        "InstanceARN": _ARN,
        "LastUpdateTimestamp": stamp_z(call.ended + (call.wrap + 60 if final else 5)),
        "MediaStreams": [{"Type": "AUDIO"}],
        "NextContactId": None,
        "PreviousContactId": None,
        "Queue": {
            "ARN": f"{_ARN}/queue/1",
            "Name": "カスタマーサポート",
            "EnqueueTimestamp": stamp_z(enqueued),
            "DequeueTimestamp": stamp_z(connected),
            "Duration": call.wait,
        },
        "Recording": None,
        "SystemEndpoint": {"Address": CALL_CENTRE_E164, "Type": "TELEPHONE_NUMBER"},
        "TransferCompletedTimestamp": None,
        "TransferredToEndpoint": None,
    }
