"""R4: sixty kinds of malformed files. Each is named with file, line, column and code; no good row is lost; all add up.

One trial lands every kind once, with sizes and places drawn by the seed, and ingests them in one go.
"""

from __future__ import annotations

import codecs
import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture import Trial, beside

PROOF_TRIALS = 2
HEADER = "Receipt,Card,When,Total,Pieces,Town"
homes = beside("homes")


@dataclass
class File:
    """One malformed file and what must become of it. `bad` are (line, column, code) of its rejected rows."""

    content: bytes
    path: str = "till/{name}.csv"
    status: str = "accepted"
    code: str | None = None
    good: int = 0
    bad: list[tuple[int, str | None, str]] = field(default_factory=list)
    duplicates: int = 0
    member: str | None = None
    drift: str | None = None


class Maker:
    """Good rows, and one row to spoil at a place the seed chooses."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.count = dice.randint(12, 40)
        self.at = dice.randrange(2, self.count - 2)
        self.prefix = f"{dice.getrandbits(40):x}"
        self.rows = [
            f"{self.prefix}{n},k{n},2026-06-{n % 28 + 1:02} 10:00:00,{n * 10}.50,{n},東京{n}" for n in range(self.count)
        ]

    def text(self, header: str = HEADER, end: str = "\n", rows: list[str] | None = None) -> str:
        return end.join([header, *(self.rows if rows is None else rows), ""])

    def spoiled(self, row: str | Callable[[str], str]) -> str:
        rows = list(self.rows)
        rows[self.at] = row(rows[self.at]) if callable(row) else row
        return self.text(rows=rows)

    def rejects(self, content: str | bytes, code: str, column: str | None = None, good: int | None = None) -> File:
        data = content if isinstance(content, bytes) else content.encode()
        return File(data, good=self.count - 1 if good is None else good, bad=[(self.at + 2, column, code)])

    def accepts(self, content: str | bytes, **more: object) -> File:
        data = content if isinstance(content, bytes) else content.encode()
        return File(data, good=self.count, **more)  # type: ignore[arg-type]

    def refused(self, content: str | bytes, code: str, **more: object) -> File:
        data = content if isinstance(content, bytes) else content.encode()
        return File(data, status="refused", code=code, **more)  # type: ignore[arg-type]

    def cell(self, position: int, value: str) -> str:
        def replace(row: str) -> str:
            cells = row.split(",")
            cells[position] = value
            return ",".join(cells)

        return self.spoiled(replace)


def corpus(dice: random.Random) -> dict[str, File]:
    """Sixty files by name."""

    def m() -> Maker:
        return Maker(dice)

    found: dict[str, File] = {}
    found["bom"] = (a := m()).accepts(codecs.BOM_UTF8 + a.text().encode())
    marked = codecs.BOM_UTF16_LE + m().text().encode("utf-16-le")
    found["utf-16 undeclared"] = m().refused(marked, "encoding.undeclared")
    bare = m().text().replace("東京", "T").encode("utf-16-le")
    found["utf-16 without a mark"] = m().refused(bare, "encoding.wrong")
    marked = codecs.BOM_UTF16_BE + (a := m()).text().encode("utf-16-be")
    found["utf-16 declared"] = a.accepts(marked, path="utf16/{name}.csv")
    found["cp932 as utf-8"] = (a := m()).refused(a.text().encode("cp932"), "encoding.wrong")
    found["utf-8 as cp932"] = (a := m()).refused(a.text(), "encoding.wrong", path="sjis/{name}.csv")
    found["euc-jp as cp932"] = (a := m()).refused(a.text().encode("euc_jp"), "encoding.wrong", path="sjis/{name}.csv")
    found["cp932 as euc-jp"] = (a := m()).refused(a.text().encode("cp932"), "encoding.wrong", path="euc/{name}.csv")
    found["cp932 declared"] = (a := m()).accepts(a.text().encode("cp932"), path="sjis/{name}.csv")
    found["euc-jp declared"] = (a := m()).accepts(a.text().encode("euc_jp"), path="euc/{name}.csv")
    found["a broken byte"] = (a := m()).rejects(
        a.cell(5, "broken").encode().replace(b"broken", b"\xe6\x9d\xff"), "encoding.invalid"
    )
    found["one latin-1 row"] = (a := m()).rejects(
        a.cell(5, "broken").encode().replace(b"broken", b"Gen\xe8ve"), "encoding.invalid"
    )
    found["nul"] = (a := m()).rejects(a.cell(5, "a\0b"), "text.nul")
    found["text behind a quote"] = (a := m()).rejects(a.cell(5, '"To"kyo'), "csv.bad_quote")
    found["quote never closed"] = (a := m()).rejects(a.cell(5, '"Tokyo'), "csv.bad_quote")
    found["a quote inside"] = (a := m()).accepts(a.cell(5, 'To"kyo'))
    found["newlines in cells"] = (a := m()).accepts(a.cell(5, '"To\nk\r\nyo"'))
    found["odd line ends in cells"] = (a := m()).accepts(a.cell(5, "a\u2028b\x85c\x0bd\x0ce"))
    found["too few cells"] = (a := m()).rejects(a.spoiled("x,k"), "row.ragged")
    found["too many cells"] = (a := m()).rejects(a.spoiled(lambda row: row + ",more"), "row.ragged")
    a = m()
    cut = a.text().rstrip("\n")
    found["cut in a number"] = File(
        cut[: cut.rindex(".")].encode(), good=a.count - 1, bad=[(a.count + 1, None, "row.ragged")]
    )
    found["double header"] = (a := m()).refused(a.text("Receipt,Card,When,Total,Total,Town"), "header.duplicate")
    found["renamed required header"] = (a := m()).refused(
        a.text(HEADER.replace("Card", "Member")), "header.missing_column"
    )
    found["renamed optional header"] = (a := m()).accepts(a.text(HEADER.replace("Pieces", "Piece")), drift="suspected")
    found["an alias"] = (a := m()).accepts(a.text(HEADER.replace("Receipt", "Receipt No")), drift="renamed")
    found["other capitals"] = (a := m()).accepts(a.text(HEADER.upper()), drift="recased")
    found["spaces around names"] = (a := m()).accepts(a.text(HEADER.replace(",", " , ")))
    found["one column more"] = (a := m()).accepts(
        a.text(HEADER + ",Clerk", rows=[row + ",x" for row in a.rows]), drift="added"
    )
    found["one column less"] = (a := m()).accepts(
        a.text(HEADER.removesuffix(",Town"), rows=[row.rpartition(",")[0] for row in a.rows]), drift="dropped"
    )
    found["separator change"] = (a := m()).refused(a.text().replace(",", ";"), "header.missing_column")
    found["separator change inside"] = (a := m()).rejects(a.spoiled(lambda row: row.replace(",", ";")), "row.ragged")
    found["no header"] = (a := m()).refused("\n".join(a.rows), "header.missing_column")
    found["empty"] = m().refused(b"", "file.empty")
    found["blank lines only"] = m().refused(b"\n\n\n", "file.empty")
    found["header only"] = File(f"{HEADER}\n".encode())
    found["blank lines between"] = (a := m()).accepts(a.text().replace("\n", "\n\n"))
    found["windows line ends"] = (a := m()).accepts(a.text(end="\r\n"))
    found["no last line end"] = (a := m()).accepts(a.text().rstrip("\n"))
    found["a cell of 1 MB"] = (a := m()).accepts(a.cell(5, '"' + "長い," * 200_000 + '"'))
    found["wrong gzip"] = (a := m()).refused(a.text(), "archive.corrupt", path="till/{name}.csv.gz")
    found["gzip cut short"] = (a := m()).refused(
        gzip.compress(a.text().encode())[:-12], "archive.corrupt", path="till/{name}.csv.gz"
    )
    found["good gzip"] = (a := m()).accepts(gzip.compress(a.text().encode()), path="till/{name}.csv.gz")
    found["gzip without its name"] = (a := m()).refused(gzip.compress(a.text().encode()), "format.foreign")
    inner = homes.packed(("a.csv", m().text().encode()))
    found["nested zip"] = File(
        homes.packed(("inner.zip", inner)), "till/{name}.zip", "refused", "archive.nested", member="inner.zip"
    )
    found["traversal"] = File(
        homes.packed(("../up.csv", b"x")), "till/{name}.zip", "refused", "archive.traversal", member="../up.csv"
    )
    found["zip cut short"] = m().refused(inner[:-25], "archive.corrupt", path="till/{name}.zip")
    found["good zip"] = File(
        homes.packed(("a.csv", (a := m()).text().encode())), "till/{name}.zip", good=a.count, member="a.csv"
    )
    a = m()
    sheet = [HEADER.split(","), *(row.split(",") for row in a.rows)]
    found["xlsx named csv"] = m().refused(homes.workbook(sheet), "format.foreign")
    found["csv named xlsx"] = (a := m()).refused(a.text(), "format.foreign", path="sheets/{name}.xlsx")
    found["good xlsx"] = File(homes.workbook(sheet), "sheets/{name}.xlsx", good=len(sheet) - 1)
    sheet = [list(row) for row in sheet]
    sheet[4][0], sheet[4][3] = "other", "#N/A"
    found["xlsx with an error"] = File(
        homes.workbook(sheet[:9]), "sheets/{name}.xlsx", good=7, bad=[(5, "D5", "xlsx.no_value")]
    )
    found["xlsx cut short"] = m().refused(homes.workbook(sheet)[:-200], "xlsx.invalid", path="sheets/{name}.xlsx")
    found["a page"] = m().refused(b"<!DOCTYPE html><html><body>Sign in</body></html>", "format.foreign")
    found["local decimals"] = (a := m()).rejects(a.cell(3, '"12,50"'), "type.decimal", "gross_amount")
    found["a currency sign"] = (a := m()).rejects(a.cell(3, "¥100"), "type.decimal", "gross_amount")
    found["an impossible day"] = (a := m()).rejects(a.cell(2, "2026-02-30"), "type.timestamp", "ordered_at")
    found["half a piece"] = (a := m()).rejects(a.cell(4, "1.5"), "type.integer", "quantity")
    found["an empty key"] = (a := m()).rejects(a.cell(1, ""), "value.required", "customer_key")
    found["the same row twice"] = (a := m()).accepts(a.text(rows=[*a.rows, a.rows[a.at]]), duplicates=1)
    lines = [f'{{"Receipt": "{a.prefix}j{n}", "Card": "k", "When": "2026-06-30", "Total": {n}}}' for n in range(20)]
    lines[7] = lines[7][:-1]
    found["a broken line of json"] = File(
        "\n".join(lines).encode(), "events/{name}.ndjson", good=19, bad=[(8, None, "json.invalid")]
    )
    return found


def run_trial(seed: int, folder: Path) -> Trial:
    """Every kind once."""
    dice = random.Random(seed)
    home = homes.make_home(folder / "home")
    home.contract("till", homes.till("till"))
    home.contract("sjis", homes.till("sjis", encodings="cp932"))
    home.contract("euc", homes.till("euc", encodings="euc_jp"))
    home.contract("utf16", homes.till("utf16", encodings="utf-16"))
    home.contract("sheets", homes.till("sheets", suffixes="xlsx,xlsm", format="xlsx"))
    home.contract("events", homes.till("events", suffixes="ndjson,jsonl", format="ndjson"))
    files = corpus(dice)
    paths = {name: file.path.format(name=name) for name, file in files.items()}
    for name, file in files.items():
        home.land(paths[name], file.content)
    home.land("till/zz the same renamed.csv", files["bom"].content)
    report = home.ingest()
    records = home.records()
    failures = [f"{name}: {text}" for name, file in files.items() for text in _judge(home, records, paths[name], file)]
    if records["till/zz the same renamed.csv"].status != "duplicate":
        failures.append("the same file renamed: not told as a duplicate")
    if report.rows_in != report.accepted + report.quarantined + report.duplicates + report.held:
        failures.append("the ingest's rows do not add up")
    stored = home.query("SELECT count(*) FROM raw.mapped__order")[0][0]
    if stored != sum(file.good for file in files.values()):
        failures.append(f"{stored} good rows are stored, {sum(file.good for file in files.values())} were written")
    home.store.close()
    return Trial(len(files) + 1, tuple(failures))


def _judge(home: Any, records: dict[str, Any], path: str, file: File) -> list[str]:
    record = records.get(path if file.member is None else f"{path}!/{file.member}")
    if record is None:
        return ["is not in the ledger"]
    found = []
    if (record.status, record.code) != (file.status, file.code):
        found.append(f"is {record.status} {record.code} ({record.reason}), expected {file.status} {file.code}")
    if homes.unbalanced(record):
        found.append(f"{record.rows_in} rows in, {record.accepted}+{record.quarantined}+{record.duplicates}")
    if file.status == "accepted" and (record.accepted, record.duplicates) != (file.good, file.duplicates):
        found.append(f"{record.accepted} accepted and {record.duplicates} duplicates, expected {file.good}")
    rows = home.rejected(record)
    bad = [(row["line"], row["column"], row["code"]) for row in rows if row["scope"] == "row"]
    if file.status == "accepted" and bad != file.bad:
        found.append(f"rejected {bad}, expected {file.bad}")
    whole = [row for row in rows if row["scope"] == "file"]
    if file.status == "refused" and (len(whole) != 1 or whole[0]["line"] is None or not whole[0]["reason"]):
        found.append("the refusal is not in quarantine with file and line")
    if file.drift and file.drift not in record.detail.get("drift", {}):
        found.append(f"drift {file.drift} is not reported: {record.detail.get('drift')}")
    return found
