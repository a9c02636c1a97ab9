"""A ZIP is its files: each is loaded and counted by itself, and what must not be taken out of it is refused by code."""

from __future__ import annotations

import copy
import io
import stat
import struct
import zipfile
from typing import Any

import pytest

from ingestion import quarantine
from kizuna.errors import InputError

HEADER = "Response ID,Survey Type,Score,Created At\n"


def rows(count: int, start: int = 0, score: str = "9") -> str:
    return HEADER + "".join(f"r{start + n},nps,{score},2026-06-30T00:00:00Z\n" for n in range(count))


def packed(*members: tuple[str | zipfile.ZipInfo, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def outcomes(shop: Any) -> dict[str, tuple[str, str | None]]:
    report = shop.ingest()
    assert report.rows_in == report.accepted + report.quarantined + report.duplicates + report.held
    return {file.path: (file.status, file.code) for file in report.files}


def test_each_member_is_a_file_of_its_own(shop: Any) -> None:
    content = packed(("a.csv", rows(3)), ("2026/b.csv", rows(2, start=9)), ("read.me", "hello"))
    shop.land("delighted/export.ZIP", content)
    assert outcomes(shop) == {
        "delighted/export.ZIP!/a.csv": ("accepted", None),
        "delighted/export.ZIP!/2026/b.csv": ("accepted", None),
        "delighted/export.ZIP!/read.me": ("unmatched", "contract.none"),
        "delighted/export.ZIP": ("accepted", None),
    }
    files = {row[0] for row in shop.rows("delighted__responses", "_file")}
    assert files == {"delighted/export.ZIP!/a.csv", "delighted/export.ZIP!/2026/b.csv"}
    again = shop.ingest()
    assert (again.rows_in, again.unmatched) == (0, ("delighted/export.ZIP!/read.me",)), "named each time"
    assert not (shop.home / ".unpacked").exists() or not list((shop.home / ".unpacked").iterdir())


def test_parts_of_one_export_are_read_by_the_contract_of_each_object(shop: Any) -> None:
    contact = "Id,Email,CreatedDate,LastName\n003{0},p{0}@example.com,2026-01-01T00:00:00.000Z,髙﨑\n"
    account = "Id,Name,CreatedDate\n001a,Example,2026-01-01T00:00:00.000Z\n"
    parts = [(("Contact.csv", contact.format(1)), ("Account.csv", account)), (("Contact.csv", contact.format(2)),)]
    for number, members in enumerate(parts, start=1):
        shop.land(f"salesforce/WE_00D000000000001_{number}.ZIP", packed(*members))
    assert {status for status, _ in outcomes(shop).values()} == {"accepted"}
    assert shop.rows("salesforce__contact", "id, last_name") == [("0031", "髙﨑"), ("0032", "髙﨑")]
    assert len(shop.rows("salesforce__account")) == 1


def test_the_same_content_packed_or_plain_is_one_file(shop: Any) -> None:
    shop.land("delighted/a.csv", rows(3))
    shop.land("delighted/a.zip", packed(("other name.csv", rows(3))))
    assert outcomes(shop)["delighted/a.zip!/other name.csv"][0] == "duplicate"
    shop.land("delighted/b.zip", (shop.settings.landing / "delighted/a.zip").read_bytes())
    assert outcomes(shop) == {"delighted/b.zip": ("duplicate", None)}


def test_a_held_member_is_read_again_by_replay_and_when_its_contract_changes(shop: Any) -> None:
    shop.land("delighted/a.zip", packed(("a.csv", rows(8, score="x")), ("b.csv", rows(2, start=50))))
    assert outcomes(shop)["delighted/a.zip!/a.csv"] == ("held", "drift.retyped")
    (listed,) = quarantine.list_quarantined(shop.settings, shop.store)
    replayed = quarantine.replay(shop.settings, shop.store, listed.id, force=True)
    assert (replayed.status, replayed.quarantined) == ("accepted", 8)
    assert shop.ingest().files == ()
    shop.land("delighted/a.zip", "something else")
    with pytest.raises(InputError, match=r"a\.zip"):
        quarantine.replay(shop.settings, shop.store, listed.id)


def test_the_held_member_of_a_renamed_archive_is_found_in_it(shop: Any) -> None:
    old = shop.land("delighted/a.zip", packed(("a.csv", rows(8, score="x")), ("b.csv", rows(2, start=50))))
    assert outcomes(shop)["delighted/a.zip!/a.csv"][0] == "held"
    shop.land("delighted/z.zip", old.read_bytes())
    assert outcomes(shop) == {"delighted/z.zip": ("duplicate", None)}
    old.unlink()
    assert outcomes(shop) == {
        "delighted/z.zip!/a.csv": ("held", "drift.retyped"),
        "delighted/z.zip!/b.csv": ("duplicate", None),
        "delighted/z.zip": ("accepted", None),
    }
    (listed,) = quarantine.list_quarantined(shop.settings, shop.store)
    assert quarantine.replay(shop.settings, shop.store, listed.id, force=True).status == "accepted"
    assert shop.ingest().files == ()
    assert len(shop.rows("delighted__responses")) == 2


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("../../evil.csv", rows(1), "archive.traversal"),
        ("..\\evil.csv", rows(1), "archive.traversal"),
        ("/etc/evil.csv", rows(1), "archive.absolute_path"),
        ("C:\\evil.csv", rows(1), "archive.absolute_path"),
        (link("evil.csv"), "/etc/passwd", "archive.link"),
        ("inner.zip", packed(("a.csv", rows(1))), "archive.nested"),
        ("inner.csv", packed(("a.csv", rows(1))), "archive.nested"),
        ("evil\x1b[2J.csv", rows(1), "archive.bad_name"),
        ("bomb.csv", b"0" * (70 << 20), "archive.bomb"),
    ],
)
def test_a_hostile_member_is_refused_and_the_others_are_loaded(
    shop: Any, name: str | zipfile.ZipInfo, content: str | bytes, code: str
) -> None:
    before = {path for path in shop.home.parent.rglob("*evil*")}
    shop.land("delighted/x.zip", packed((name, content), ("good.csv", rows(2))))
    found = outcomes(shop)
    assert sorted(found.values(), key=str) == sorted(
        [("accepted", None), ("accepted", None), ("refused", code)], key=str
    )
    assert {path for path in shop.home.parent.rglob("*evil*")} == before, "nothing is written under a name it chose"
    (listed,) = quarantine.list_quarantined(shop.settings, shop.store)
    assert [problem.code for problem in listed.problems] == [code]
    assert shop.ingest().files == (), "refused once, not at every ingest"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_all_refused(shop: Any) -> None:
    shop.land("delighted/x.zip", packed(("a.csv", rows(1)), ("A.csv", rows(2)), ("b.csv", rows(3, start=9))))
    assert sorted(status for status, _ in outcomes(shop).values()) == ["accepted", "accepted", "refused", "refused"]


def encrypted() -> bytes:
    content = bytearray(packed(("a.csv", rows(1))))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", content, content.index(mark) + offset, 1)
    return bytes(content)


def crowded() -> bytes:
    return packed(*((f"{n}.csv", "") for n in range(2_001)))


def lying() -> bytes:
    """States a thousand members more than it has."""
    content = bytearray(packed(("a.csv", rows(1))))
    struct.pack_into("<H", content, content.index(b"PK\x05\x06") + 10, 60_000)
    return bytes(content)


def shared() -> bytes:
    """Lists its one member under another name too."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", rows(9))
        twin = copy.copy(archive.filelist[0])
        twin.filename = twin.orig_filename = "b.csv"
        archive.filelist.append(twin)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no zip at all", "archive.corrupt"),
        (packed(("a.csv", rows(99)))[:-30], "archive.corrupt"),
        (packed(), "archive.empty"),
        (crowded(), "archive.too_many"),
        (lying(), "archive.too_many"),
        (shared(), "archive.bomb"),
    ],
    ids=["no zip", "cut", "empty", "crowded", "lying", "shared bytes"],
)
def test_an_archive_that_cannot_be_listed_is_refused_as_a_whole(shop: Any, content: bytes, code: str) -> None:
    shop.land("delighted/x.zip", content)
    assert outcomes(shop) == {"delighted/x.zip": ("refused", code)}
    assert shop.ingest().files == ()


def test_an_encrypted_member_says_what_to_do(shop: Any) -> None:
    shop.land("delighted/x.zip", encrypted())
    assert outcomes(shop)["delighted/x.zip!/a.csv"] == ("refused", "archive.encrypted")


def test_names_from_a_japanese_windows_are_read(shop: Any) -> None:
    raw = "回答.csv".encode("cp932")
    content = packed(("abcd.csv", rows(1))).replace(b"abcd.csv", raw)
    shop.land("delighted/x.zip", content)
    assert "delighted/x.zip!/回答.csv" in outcomes(shop)


def limited(shop: Any, **limits: int) -> None:
    tighter = shop.settings.company.limits.model_copy(update=limits)
    company = shop.settings.company.model_copy(update={"limits": tighter})
    object.__setattr__(shop, "settings", shop.settings.model_copy(update={"company": company}))


@pytest.mark.parametrize(
    ("members", "tight", "code", "named"),
    [
        ((("a.csv", rows(2)), ("b.csv", rows(3))), {"members": 1}, "archive.too_many", "limits.members"),
        ((("a.csv", rows(50_000)),), {"unpacked_mb": 1}, "archive.too_large", "limits.unpacked_mb"),
        ((("a.csv", HEADER + " " * (65 << 20)),), {"line_mb": 1}, "archive.bomb", "limits.unpacked_ratio"),
    ],
    ids=["members", "size", "ratio"],
)
def test_the_limits_are_settings_and_raising_one_is_enough(
    shop: Any, members: Any, tight: dict[str, int], code: str, named: str
) -> None:
    limited(shop, **tight)
    shop.land("delighted/x.zip", packed(*members))
    (refused,) = shop.ingest().with_status("refused")
    assert (refused.code, named in str(refused.reason)) == (code, True)
    assert shop.ingest().files == ()
    limited(shop, members=2_000, unpacked_mb=1_000, unpacked_ratio=2_000)
    again = {file.path: (file.status, file.code) for file in shop.ingest().files}
    assert len(again) == len(members) + 1
    assert not any(str(found).startswith("archive.") for _, found in again.values()), again
    assert shop.ingest().files == ()


def test_no_member_is_unpacked_in_the_run_s_own_process(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.reading.write_member", None)
    monkeypatch.setattr("ingestion.archives.write_member", None)
    shop.land("delighted/x.zip", packed(("a.csv", rows(2))))
    assert outcomes(shop)["delighted/x.zip!/a.csv"] == ("accepted", None)
