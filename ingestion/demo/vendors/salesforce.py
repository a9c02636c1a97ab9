"""Salesforce Data Export: full CSV per object, API names as headers, every cell quoted, newlines inside cells."""

from datetime import timedelta

from ingestion.demo.clock import DAY, epoch_of, local_day, stamp_salesforce
from ingestion.demo.crm import Case, Contact
from ingestion.demo.delivery import CsvFile, Deliveries
from ingestion.demo.people import salesforce_id
from ingestion.demo.render import email_text, phone_text
from ingestion.demo.vendors.headers import (
    SALESFORCE_ACCOUNT,
    SALESFORCE_CASE,
    SALESFORCE_CONTACT,
    SALESFORCE_OPPORTUNITY,
)
from ingestion.demo.words import INDUSTRIES, TOPICS
from ingestion.demo.world import World

_OWNER = salesforce_id("005", 7)


def write(world: World, book: Deliveries) -> None:
    """Three full exports: a week before the last calm day, that day, and the last day."""
    end = world.calendar.end
    for delivery, back in ((1, 8), (1, 1), (2, 0)):
        day = end - timedelta(days=back)
        cut = epoch_of(day) + DAY
        folder = f"salesforce/WE_00D5g000004kZuN_{day:%Y%m%d}"
        spoil = back != 8
        _accounts(world, book.csv(delivery, f"{folder}/Account.csv", SALESFORCE_ACCOUNT, quote_all=True))
        _contacts(world, book.csv(delivery, f"{folder}/Contact.csv", SALESFORCE_CONTACT, quote_all=True), cut, spoil)
        _opportunities(
            world, book.csv(delivery, f"{folder}/Opportunity.csv", SALESFORCE_OPPORTUNITY, quote_all=True), cut
        )
        _cases(world, book.csv(delivery, f"{folder}/Case.csv", SALESFORCE_CASE, quote_all=True), cut)


def _accounts(world: World, file: CsvFile) -> None:
    created = world.calendar.begin
    for company in world.companies:
        file.row(
            {
                "Id": company.account_id,
                "IsDeleted": "0",
                "Name": company.name,
                "Type": "Customer",
                "BillingCity": company.prefecture.city,
                "BillingState": company.prefecture.name,
                "BillingCountry": "日本",
                "Phone": phone_text(f"03{50_000_000 + company.index * 37}", company.index),
                "Website": f"https://c{company.index}.example.jp",
                "Industry": INDUSTRIES[company.industry],
                "Description": "取引条件：\n月末締め、翌月末払い" if company.index % 4 == 0 else "",
                "OwnerId": _OWNER,
                "CreatedDate": stamp_salesforce(created),
                "CreatedById": _OWNER,
                "LastModifiedDate": stamp_salesforce(created),
                "LastModifiedById": _OWNER,
                "SystemModstamp": stamp_salesforce(created),
            }
        )
    file.close()


def _contact(world: World, contact: Contact, cut: int) -> dict[str, object]:
    person = world.people[contact.person]
    salt = person.index
    deleted, stamp = contact.is_deleted(cut), stamp_salesforce(contact.stamp(cut))
    street = f"{person.street}\n{person.last}ビル {salt % 9 + 1}F" if salt % 3 == 0 else person.street
    return {
        "Id": contact.contact_id,
        "IsDeleted": "1" if deleted else "0",
        "MasterRecordId": contact.master if deleted else "",
        "AccountId": world.companies[contact.company].account_id if contact.company >= 0 else "",
        "LastName": person.last,
        "FirstName": person.first,
        "Salutation": "様" if salt % 5 == 0 else "",
        "MailingStreet": street,
        "MailingCity": person.prefecture.city,
        "MailingState": person.prefecture.name,
        "MailingPostalCode": person.postal,
        "MailingCountry": "日本",
        "Phone": contact.phone if contact.junk else "",
        "MobilePhone": "" if contact.junk else phone_text(contact.phone, salt + 3),
        "Email": email_text(contact.email, salt + 7 * (contact.modified == 0)),
        "Title": "部長" if contact.company >= 0 and salt % 4 == 0 else "",
        "LeadSource": ("Web", "Store", "Referral")[salt % 3],
        "Birthdate": person.birth.isoformat() if salt % 5 else "",
        "Description": "㈱経由の紹介\n担当：髙﨑" if salt % 11 == 0 else "",
        "OwnerId": _OWNER,
        "HasOptedOutOfEmail": "1" if salt % 13 == 0 else "0",
        "HasOptedOutOfFax": "0",
        "DoNotCall": "1" if salt % 17 == 0 else "0",
        "CreatedDate": stamp_salesforce(contact.created),
        "CreatedById": _OWNER,
        "LastModifiedDate": stamp,
        "LastModifiedById": _OWNER,
        "SystemModstamp": stamp,
        "LastNameKana__c": person.last_kana,
        "FirstNameKana__c": person.first_kana,
    }


def _contacts(world: World, file: CsvFile, cut: int, spoil: bool) -> None:
    shown = [contact for contact in world.contacts if contact.created < cut]
    for position, contact in enumerate(shown):
        values = _contact(world, contact, cut)
        line = file.row(values)
        if spoil and position == 11:
            file.duplicate(file.text(file.cells(values)), line)
        if spoil and position == 17:
            ghost = {**values, "Id": salesforce_id("003", 9_000_001), "Email": "", "MobilePhone": "", "Phone": ""}
            file.bad({**ghost, "CreatedDate": "2025-13-45T00:00:00.000Z"}, "CreatedDate", "type.timestamp")
            if cut == world.calendar.cut1:
                file.bad({**ghost, "Id": ""}, "Id", "value.required")
    file.close()


def _opportunities(world: World, file: CsvFile, cut: int) -> None:
    for deal in world.deals:
        if deal.created >= cut:
            continue
        closed = deal.stage.startswith("Closed") and deal.close < cut
        stamp = stamp_salesforce(deal.close if closed else deal.created)
        stage = deal.stage if closed or not deal.stage.startswith("Closed") else "Negotiation"
        file.row(
            {
                "Id": salesforce_id("006", deal.number),
                "IsDeleted": "0",
                "AccountId": world.companies[deal.company].account_id,
                "ContactId": deal.contact_id,
                "Name": f"{world.companies[deal.company].name} 記念品",
                "StageName": stage,
                "Amount": f"{deal.amount}.0",
                "Probability": "100.0" if stage == "Closed Won" else "50.0",
                "CloseDate": local_day(deal.close).isoformat(),
                "IsClosed": "1" if closed else "0",
                "IsWon": "1" if stage == "Closed Won" else "0",
                "CurrencyIsoCode": "JPY",
                "OwnerId": _OWNER,
                "CreatedDate": stamp_salesforce(deal.created),
                "CreatedById": _OWNER,
                "LastModifiedDate": stamp,
                "LastModifiedById": _OWNER,
                "SystemModstamp": stamp,
            }
        )
    file.close()


def _cases(world: World, file: CsvFile, cut: int) -> None:
    for case in world.cases:
        if case.created < cut:
            file.row(_case(case, cut))
    file.close()


def _case(case: Case, cut: int) -> dict[str, object]:
    closed = case.closed < cut
    topic, subject = TOPICS[case.topic]
    stamp = stamp_salesforce(case.closed if closed else case.created)
    return {
        "Id": case.case_id,
        "IsDeleted": "0",
        "CaseNumber": f"{case.number:08d}",
        "ContactId": case.contact_id,
        "SuppliedEmail": case.supplied_email,
        "Type": topic,
        "Status": "Closed" if closed else "Working",
        "Reason": "",
        "Origin": "Email" if case.number % 2 else "Phone",
        "Subject": subject,
        "Priority": case.priority,
        "Description": f"{subject}\n\nお手数ですがご確認ください。" if case.number % 3 == 0 else subject,
        "IsClosed": "1" if closed else "0",
        "ClosedDate": stamp_salesforce(case.closed) if closed else "",
        "IsEscalated": "0",
        "OwnerId": _OWNER,
        "CreatedDate": stamp_salesforce(case.created),
        "CreatedById": _OWNER,
        "LastModifiedDate": stamp,
        "LastModifiedById": _OWNER,
        "SystemModstamp": stamp,
    }
