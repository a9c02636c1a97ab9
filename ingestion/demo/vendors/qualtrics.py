"""A relationship survey in Qualtrics: three header rows, previews and unfinished answers mixed in, codes and words."""

import numpy as np

from ingestion.demo.clock import local
from ingestion.demo.delivery import Deliveries
from ingestion.demo.more import Planted, company_contract, write_csv
from ingestion.demo.world import World

CONTRACT = """\
# Which question of the survey is the NPS one.
extends: qualtrics/responses
files: ["**/relationship*.csv"]
columns:
  survey: {value: relationship}
  nps_score: {from: Q12, values: {"10 - Extremely likely": "10", "0 - Not at all likely": "0"}}
  comment: {from: Q12_TEXT}
"""
#: Internal id and question text of each column.
COLUMNS = {
    "StartDate": "Start Date", "EndDate": "End Date", "Status": "Response Type", "IPAddress": "IP Address",
    "Progress": "Progress", "Duration (in seconds)": "Duration (in seconds)", "Finished": "Finished",
    "RecordedDate": "Recorded Date", "ResponseId": "Response ID", "RecipientLastName": "Recipient Last Name",
    "RecipientFirstName": "Recipient First Name", "RecipientEmail": "Recipient Email",
    "ExternalReference": "External Data Reference", "LocationLatitude": "Location Latitude",
    "LocationLongitude": "Location Longitude", "DistributionChannel": "Distribution Channel",
    "UserLanguage": "User Language", "Q1": "どこで\n知りましたか", "Q12_NPS_GROUP": "おすすめ度 - Group",
    "Q12": "おすすめ度", "Q12_TEXT": "理由",
}  # fmt: skip


def write(world: World, book: Deliveries) -> list[Planted]:
    """Day 1: one export. Day 2: the answers of the last day. Every third person is asked."""
    rng = np.random.default_rng([world.seed, 104])
    calendar = world.calendar
    company_contract(book, "qualtrics_relationship.yml", CONTRACT)
    rows: dict[int, list[dict[str, object]]] = {1: [], 2: []}
    scores, excluded = [], 0
    for person in world.people:
        if person.index % 3 != 0:
            continue
        roll = rng.random(3)
        begun = person.entry + int(roll[0] * (calendar.cut2 - 300 - person.entry))
        kind = "preview" if roll[1] < 0.05 else ("partial" if roll[1] < 0.15 else "whole")
        score = int(roll[2] * 11)
        if kind == "whole":
            scores.append(score)
        else:
            excluded += 1
        rows[calendar.delivery(begun + 90)].append(
            {
                "StartDate": local(begun),
                "EndDate": local(begun + 80),
                "Status": "Survey Preview" if kind == "preview" else ("0" if person.index % 2 else "IP Address"),
                "IPAddress": "192.0.2.1",
                "Progress": 45 if kind == "partial" else 100,
                "Duration (in seconds)": 80,
                "Finished": "False" if kind == "partial" else "True",
                "RecordedDate": local(begun + 90),
                "ResponseId": f"R_demo{person.index:06d}",
                "RecipientLastName": person.last,
                "RecipientFirstName": person.first,
                "RecipientEmail": person.email,
                "DistributionChannel": "email",
                "UserLanguage": "JA",
                "Q1": "店頭",
                "Q12_NPS_GROUP": "Promoter" if score >= 9 else ("Passive" if score >= 7 else "Detractor"),
                "Q12": "10 - Extremely likely" if score == 10 else score,
                "Q12_TEXT": "便利です" if score >= 9 else "",
            }
        )
    header = (list(COLUMNS.values()), [f'{{"ImportId":"{name}"}}' for name in COLUMNS])
    for day, told in rows.items():
        write_csv(book, day, f"qualtrics/relationship_day{day}.csv", tuple(COLUMNS), told, header)
    source = "source = 'qualtrics' and kind = 'nps'"
    return [
        Planted("marts.survey_responses", f"{source} and customer_id is not null", len(scores)),
        Planted("marts.survey_responses", source, sum(scores), "sum(score)"),
        Planted("staging.stg_qualtrics__responses", "exclusion_reason in ('preview', 'partial')", excluded),
    ]
