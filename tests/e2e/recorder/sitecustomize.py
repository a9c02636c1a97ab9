"""Imported by every Python of a recorded run, fork servers included: notes whom it is about to talk to.

Each process writes that it is watched, then one line per address it connects or sends to, or host name it looks up.
Processes forked from a watched one stay watched.
"""

import json
import os
import sys

_LOG = os.environ.get("SOCKET_LOG")
_CONTACTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}


def _note(event: str, family: str, target: object) -> None:
    handle = os.open(_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        line = json.dumps({"pid": os.getpid(), "event": event, "family": family, "target": repr(target)})
        os.write(handle, line.encode() + b"\n")
    finally:
        os.close(handle)


def _watch(event: str, args: tuple) -> None:
    if event in _CONTACTS:
        _note(event, args[0].family.name, args[1])
    elif event in _LOOKUPS:
        _note(event, "", args[0])


if _LOG:
    _note("watched", "", " ".join(sys.orig_argv)[:200])
    sys.addaudithook(_watch)
