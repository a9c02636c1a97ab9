"""What was written in the demo's Zendesk tickets, and their ratings as records of their own."""

from ingestion.demo.clock import stamp_z
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, write_page
from ingestion.demo.vendors.zendesk import AGENT_ID
from ingestion.demo.world import World


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: one page of comments and one of ratings. Day 2: those of the last day."""
    calendar = world.calendar
    comments: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    ratings: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    for ticket in world.tickets:
        asker = world.people[ticket.person].zendesk_id
        for number, (moment, author) in enumerate(
            ((ticket.created, asker), (ticket.replied, AGENT_ID + ticket.agent)), start=1
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
    both = [*comments[1], *comments[2]]
    asked = sum(int(str(record["author_id"])) < AGENT_ID for record in both)
    source = "source = 'zendesk'"
    return [
        Planted("core.fct_messages", f"{source} and customer_id is not null", len(both)),
        Planted("core.fct_messages", f"{source} and direction = 'inbound'", asked),
        Planted("staging.stg_zendesk__satisfaction_ratings", "true", len(ratings[1]) + len(ratings[2])),
    ]
