"""Text that came from files, fit for a terminal."""

from __future__ import annotations

from rich.markup import escape


def shown(text: object) -> str:
    """`text` without markup and with control characters written out: a file's name must not steer a terminal."""
    plain = "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(text))
    return escape(plain.encode("utf-8", "backslashreplace").decode())
