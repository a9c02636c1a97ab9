"""Further objects of the Salesforce Data Export: leads, comments on cases, tasks and campaign members."""

from collections.abc import Iterator

from ingestion.demo.clock import DAY, local_day, stamp_salesforce
from ingestion.demo.crm import Contact
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_csv
from ingestion.demo.people import Person, salesforce_id
from ingestion.demo.world import World

LEAD = (
    "Id", "IsDeleted", "MasterRecordId", "FirstName", "LastName", "Company", "Email", "Phone", "MobilePhone", "State",
    "Country", "Status", "LeadSource", "HasOptedOutOfEmail", "IsConverted", "ConvertedDate", "ConvertedContactId",
    "ConvertedAccountId", "CreatedDate", "LastModifiedDate", "SystemModstamp",
)  # fmt: skip
COMMENT = ("Id", "ParentId", "IsPublished", "IsDeleted", "CommentBody", "CreatedById", "CreatedDate", "SystemModstamp")
TASK = (
    "Id", "WhoId", "WhatId", "AccountId", "Subject", "Status", "Priority", "Type", "TaskSubtype", "ActivityDate",
    "IsClosed", "IsDeleted", "CompletedDateTime", "CallType", "CallDurationInSeconds", "OwnerId", "CreatedDate",
    "SystemModstamp",
)  # fmt: skip
MEMBER = (
    "Id", "IsDeleted", "CampaignId", "LeadId", "ContactId", "Status", "HasResponded", "FirstRespondedDate",
    "CreatedDate", "SystemModstamp",
)  # fmt: skip

_AGENT = salesforce_id("005", 7)
_CAMPAIGN = salesforce_id("701", 1)


def write(world: World, book: Deliveries) -> list[Planted]:
    """One full export, up to the end of day 1."""
    cut = world.calendar.cut1
    contacts = [c for c in world.contacts if not c.junk and not c.is_deleted(cut) and c.created < cut - 30 * DAY]
    first = {contact.person: contact for contact in reversed(contacts)}
    leads = list(_leads(world, first, cut))
    comments = list(_comments(world, cut))
    tasks = list(_tasks(world, contacts, cut))
    members = list(_members(contacts, cut))
    folder = f"salesforce/WE_00D5g000004kZuN_{world.calendar.end:%Y%m%d}_2"
    for name, header, rows in (
        ("Lead", LEAD, leads),
        ("CaseComment", COMMENT, comments),
        ("Task", TASK, tasks),
        ("CampaignMember", MEMBER, members),
    ):
        write_csv(book, 1, f"{folder}/{name}.csv", header, rows)
    kinds = [str(row["Status"]) for row in members]
    same = (
        "identity.customer_map AS lead JOIN identity.customer_map AS contact ON lead.customer_id = contact.customer_id"
    )
    return [
        Planted("staging.stg_salesforce__lead", "true", len(leads)),
        # A converted lead is whoever its contact is, though they share no address.
        Planted(
            f"{same} JOIN staging.stg_salesforce__lead AS listed ON listed.contact_key = lead.record_key",
            "lead.source = 'salesforce.lead' AND contact.source = 'salesforce.contact' "
            "AND contact.record_key = listed.crm_contact_id",
            sum(row["IsConverted"] == "1" for row in leads),
        ),
        Planted("core.fct_messages", "source = 'salesforce'", len(comments) + len(tasks)),
        Planted(
            "core.fct_messages",
            "source = 'salesforce' AND interaction_id IS NOT NULL AND direction = 'outbound'",
            sum(row["IsPublished"] == "1" for row in comments),
        ),
        Planted(
            "core.fct_campaign_touches",
            "source = 'salesforce' AND touch_kind = 'responded' AND customer_id IS NOT NULL",
            kinds.count("Responded"),
        ),
        Planted("core.fct_campaign_touches", "source = 'salesforce' AND touch_kind = 'sent'", kinds.count("Sent")),
    ]


def _leads(world: World, contacts: dict[int, Contact], cut: int) -> Iterator[dict[str, object]]:
    """Every fifth contact began as a lead under another address; some people are leads and nothing more."""
    for number, person in enumerate(world.people):
        contact = contacts.get(person.index)
        if person.index % 5 or person.entry >= cut - 60 * DAY:
            continue
        converted = contact is not None
        created = person.entry
        yield {
            "Id": salesforce_id("00Q", number + 1),
            "IsDeleted": "0",
            "FirstName": person.first,
            "LastName": person.last,
            "Company": "見本商店",
            "Email": f"lead.{person.index}@example.net",
            "State": person.prefecture.name,
            "Country": "日本",
            "Status": "Qualified" if converted else "Open",
            "LeadSource": "Web",
            "HasOptedOutOfEmail": "0",
            "IsConverted": "1" if converted else "0",
            "ConvertedDate": local_day(contact.created).isoformat() if contact else "",
            "ConvertedContactId": contact.contact_id if contact else "",
            "CreatedDate": stamp_salesforce(created),
            "LastModifiedDate": stamp_salesforce(created),
            "SystemModstamp": stamp_salesforce(created),
        }


def _comments(world: World, cut: int) -> Iterator[dict[str, object]]:
    """An answer and a note on every case."""
    for case in world.cases:
        for step, shown in enumerate(("1", "0")):
            moment = case.created + 3_600 * (step + 1)
            if moment >= cut:
                continue
            yield {
                "Id": salesforce_id("00a", case.number * 2 + step),
                "ParentId": case.case_id,
                "IsPublished": shown,
                "IsDeleted": "0",
                "CommentBody": "ご連絡ありがとうございます。\n確認いたします。" if shown == "1" else "在庫を確認",
                "CreatedById": _AGENT,
                "CreatedDate": stamp_salesforce(moment),
                "SystemModstamp": stamp_salesforce(moment),
            }


def _tasks(world: World, contacts: list[Contact], cut: int) -> Iterator[dict[str, object]]:
    """A call to every fourth contact."""
    for number, contact in enumerate(contacts[::4]):
        person: Person = world.people[contact.person]
        moment = contact.created + 10 * DAY
        if moment >= cut:
            continue
        yield {
            "Id": salesforce_id("00T", number + 1),
            "WhoId": contact.contact_id,
            "Subject": f"{person.last}様へ電話",
            "Status": "Completed",
            "Priority": "Normal",
            "Type": "Call",
            "TaskSubtype": "Call",
            "ActivityDate": local_day(moment).isoformat(),
            "IsClosed": "1",
            "IsDeleted": "0",
            "CompletedDateTime": stamp_salesforce(moment),
            "CallType": "Outbound",
            "CallDurationInSeconds": "180",
            "OwnerId": _AGENT,
            "CreatedDate": stamp_salesforce(moment - 600),
            "SystemModstamp": stamp_salesforce(moment),
        }


def _members(contacts: list[Contact], cut: int) -> Iterator[dict[str, object]]:
    sent = cut - 25 * DAY
    for number, contact in enumerate(contacts):
        responded = number % 6 == 0
        moment = sent + 3 * DAY if responded else sent
        yield {
            "Id": salesforce_id("00v", number + 1),
            "IsDeleted": "0",
            "CampaignId": _CAMPAIGN,
            "ContactId": contact.contact_id,
            "Status": "Responded" if responded else "Sent",
            "HasResponded": "1" if responded else "0",
            "FirstRespondedDate": local_day(moment).isoformat() if responded else "",
            "CreatedDate": stamp_salesforce(sent),
            "SystemModstamp": stamp_salesforce(moment),
        }
