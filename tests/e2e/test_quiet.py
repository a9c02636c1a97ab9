"""A run talks to nobody: no connection, no packet, no name looked up, by Python or by any library under it.

Two witnesses. Python's own audit events name every contact, in all processes of a run. The kernel's counter of packets
without a way out sees the rest (DuckDB, drivers in C, C++ and Rust): runs live in a network namespace without any
interface, where even a look-up of a name is counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

CONTROL = """
import multiprocessing, socket

def talk():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.sendto(b"hello", ("192.0.2.7", 9))
        except OSError:
            pass

if __name__ == "__main__":
    with socket.socket() as other:
        other.settimeout(0.2)
        try:
            other.connect(("192.0.2.1", 9))
        except OSError:
            pass
    try:
        socket.getaddrinfo("nobody.invalid", 443)
    except OSError:
        pass
    child = multiprocessing.get_context("forkserver").Process(target=talk)
    child.start()
    child.join()
"""

#: DuckDB looks for its extension server from C++, where no Python event is raised.
NATIVE = (
    "import duckdb\ntry:\n    duckdb.sql(\"INSTALL httpfs FROM 'http://192.0.2.1/'\")\nexcept duckdb.Error:\n    pass\n"
)


def test_the_whole_demo_contacts_nobody(demo: Any) -> None:
    assert demo.ran.outside == []
    assert any("kizuna demo" in process for process in demo.ran.watched)
    assert any("forkserver" in process for process in demo.ran.watched), "dbt's children were not watched"
    assert any(contact["family"] == "AF_UNIX" for contact in demo.ran.contacts), "the recorder saw nothing at all"


def test_no_library_under_python_contacts_anybody(demo: Any) -> None:
    if demo.ran.unrouted is None:
        pytest.skip("no network namespace can be made here (unshare -rn), so the kernel's counter cannot be read")
    assert demo.ran.unrouted == 0


def test_the_recorder_sees_a_contact_of_the_process_and_of_its_children(
    watch: Callable[..., Any], tmp_path: Any
) -> None:
    script = tmp_path / "control.py"
    script.write_text(CONTROL)
    ran = watch([sys.executable, str(script)])
    assert ran.code == 0, ran.output
    assert [(contact["event"], contact["target"]) for contact in ran.outside] == [
        ("socket.connect", "('192.0.2.1', 9)"),
        ("socket.getaddrinfo", "'nobody.invalid'"),
        ("socket.sendto", "('192.0.2.7', 9)"),
    ]
    assert len({contact["pid"] for contact in ran.outside}) == 2


def test_the_kernel_sees_a_contact_that_python_does_not(watch: Callable[..., Any]) -> None:
    ran = watch([sys.executable, "-c", NATIVE])
    assert ran.code == 0, ran.output
    assert ran.outside == []
    if ran.unrouted is None:
        pytest.skip("no network namespace can be made here (unshare -rn), so the kernel's counter cannot be read")
    assert ran.unrouted > 0
