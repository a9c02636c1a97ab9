"""Delighted survey responses, a CSV per half-year; one half-year was saved by a Japanese spreadsheet (CP932, CRLF)."""

from collections import defaultdict

from ingestion.demo.care import Answer
from ingestion.demo.clock import local_day, stamp_local
from ingestion.demo.delivery import CsvFile, Deliveries
from ingestion.demo.render import email_text, phone_text
from ingestion.demo.vendors.headers import DELIGHTED_RESPONSES
from ingestion.demo.world import World

REVISED_HOUR = 9


def write(world: World, book: Deliveries) -> None:
    """Day 1: half-years, the second of them in CP932. Day 2: the last day's answers and two that were changed."""
    calendar = world.calendar
    halves: dict[tuple[int, int], list[Answer]] = defaultdict(list)
    for answer in world.answers:
        if answer.created < calendar.cut1:
            day = local_day(answer.created)
            halves[day.year, 1 + (day.month > 6)].append(answer)
    for number, ((year, half), answers) in enumerate(sorted(halves.items())):
        name = f"delighted/responses_{year}H{half}"
        if number == 1 or len(halves) == 1:
            file = book.csv(1, f"{name}_excel.csv", DELIGHTED_RESPONSES, encoding="cp932", newline="\r\n")
        else:
            file = book.csv(1, f"{name}.csv", DELIGHTED_RESPONSES, bom=number == 0)
        _answers(world, file, answers, 1, spoil=number == len(halves) - 1)
    last = [a for a in world.answers if calendar.cut1 <= a.created < calendar.cut2 or a.revised >= 0]
    _answers(
        world, book.csv(2, f"delighted/responses_{calendar.end:%Y%m%d}.csv", DELIGHTED_RESPONSES), last, 2, spoil=False
    )


def _answers(world: World, file: CsvFile, answers: list[Answer], day: int, *, spoil: bool) -> None:
    for position, answer in enumerate(answers):
        values = _answer(world, answer, day)
        line = file.row(values)
        if spoil and position == 5:
            file.duplicate(file.text(file.cells(values)), line)
        if spoil and position == 8:
            file.bad({**values, "Response ID": "990000001", "Survey Type": "nps", "Score": "11"}, "Score", "value.max")
            file.bad(
                {**values, "Response ID": "990000002", "Survey Type": "nps", "Score": "9.5"}, "Score", "type.integer"
            )
            file.bad({**values, "Response ID": ""}, "Response ID", "value.required")
    file.close()


def _answer(world: World, answer: Answer, day: int) -> dict[str, object]:
    person = world.people[answer.person]
    revised = day == 2 and answer.revised >= 0
    updated = world.calendar.cut1 + REVISED_HOUR * 3_600 if revised else answer.created
    return {
        "Response ID": answer.response_id,
        "Person ID": str(person.delighted_id),
        "Email": email_text(person.email, person.index + 2),
        "Name": f"{person.last} {person.first}",
        "Phone": phone_text(person.phone, 2) if person.index % 9 == 0 and person.shop_phone else "",
        "Survey Type": answer.kind,
        "Score": answer.score_at(day),
        "Comment": answer.comment,
        "Tags": "",
        "Sent At": stamp_local(answer.sent),
        "Created At": stamp_local(answer.created),
        "Updated At": stamp_local(updated),
        "Touchpoint": answer.touchpoint,
        "Locale": "ja",
    }
