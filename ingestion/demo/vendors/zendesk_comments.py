"""What was written in the demo's Zendesk tickets, their ratings as records of their own, and who works where."""

from ingestion.demo.clock import stamp_z
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_page
from ingestion.demo.vendors import zendesk_events
from ingestion.demo.vendors.zendesk import AGENT_ID, care_phone, reply_moments, users_since
from ingestion.demo.world import World

ORGANIZATION_ID = 390_000_000


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: one page of comments and one of ratings. Day 2: those of the last day."""
    calendar = world.calendar
    comments: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    ratings: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    for ticket in world.tickets:
        asker = world.people[ticket.person].zendesk_id
        for number, (moment, author) in enumerate(
            ((ticket.created, asker), *((moment, AGENT_ID + ticket.agent) for moment in reply_moments(ticket))), start=1
        ):
            if 0 < moment < calendar.cut2:
                comments[calendar.delivery(moment)].append(
                    {
                        "id": ticket.ticket_id * 10 + number,
                        "ticket_id": ticket.ticket_id,
                        "type": "Comment",
                        "author_id": author,
                        "body": ticket.subject,
                        "plain_body": ticket.subject,
                        "public": True,
                        "via": {"channel": ticket.channel},
                        "created_at": stamp_z(moment),
                    }
                )
        if 0 < ticket.rated < calendar.cut2:
            ratings[calendar.delivery(ticket.rated)].append(
                {
                    "id": 700_000 + ticket.ticket_id,
                    "ticket_id": ticket.ticket_id,
                    "requester_id": asker,
                    "score": ticket.rating,
                    "comment": ticket.rating_comment,
                    "created_at": stamp_z(ticket.rated),
                    "updated_at": stamp_z(ticket.rated),
                }
            )
    for name, found in (("comments", comments), ("satisfaction_ratings", ratings)):
        for day, records in found.items():
            write_page(book, day, f"zendesk/more/{name}_day{day}.json", {name: records}, len(records))
    members = _organizations(world, book)
    both = [*comments[1], *comments[2]]
    asked = sum(int(str(record["author_id"])) < AGENT_ID for record in both)
    source = "source = 'zendesk'"
    return [
        Planted("core.fct_messages", f"{source} and customer_id is not null", len(both)),
        Planted("core.fct_messages", f"{source} and direction = 'inbound'", asked),
        Planted("core.dim_accounts", source, len(set(members.values()))),
        Planted("identity.source_records", "source = 'zendesk.user' and account_key like 'zendesk:%'", len(members)),
        Planted("staging.stg_zendesk__satisfaction_ratings", "true", len(ratings[1]) + len(ratings[2])),
        *zendesk_events.write(world, book),
    ]


def _organizations(world: World, book: Deliveries) -> dict[int, int]:
    """Employers as organizations, and the users who belong to one, told anew; returns who belongs to which."""
    known = users_since(world)
    begin = stamp_z(world.calendar.begin)
    members = {index: world.people[index].company for index in sorted(known) if world.people[index].company >= 0}
    members = {index: company for index, company in members.items() if known[index] < world.calendar.cut1}
    organizations: list[dict[str, object]] = [
        {"id": ORGANIZATION_ID + number, "name": world.companies[number].name, "created_at": begin, "updated_at": begin}
        for number in sorted(set(members.values()))
    ]
    users: list[dict[str, object]] = []
    for index, company in members.items():
        person = world.people[index]
        users.append(
            {
                "id": person.zendesk_id,
                "name": f"{person.last}{person.first}",
                "email": person.care_email,
                "phone": care_phone(person) or None,
                "role": "end-user",
                "organization_id": ORGANIZATION_ID + company,
                "suspended": False,
                "created_at": stamp_z(known[index] - 30),
                "updated_at": stamp_z(known[index] - 10),
            }
        )
    for name, records in (("organizations", organizations), ("users", users)):
        write_page(book, 1, f"zendesk/more/{name}.json", {name: records}, len(records))
    return members
