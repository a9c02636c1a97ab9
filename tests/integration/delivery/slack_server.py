"""A stand-in for Slack's Web API: a real HTTP server that keeps Slack's rules and fails when told to.

Rules: tokens and scopes, channel ids for history, 50 blocks, 3,000 characters in a section, images need a source that
was uploaded and completed. ``script[method]`` is a queue of actions for the coming calls of that method:
``("status", 500)``, ``("limit", seconds)``, ``("error", code)``, ``("drop",)`` (connection closed, nothing done),
``("accept_drop",)``, ``("accept_status", 500)``, ``("accept_hang", seconds)`` (done, but the caller does not hear it),
``("kill",)`` and ``("accept_kill",)`` (``on_kill`` is called before or after it is done, the caller hears nothing).

``broken`` is ``chat.postMessage`` calls that Slack would have refused for their size or pace: nobody should make one.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "xoxb-stand-in"
ALL_SCOPES = frozenset({"chat:write", "files:write", "channels:history", "channels:read"})
_NEEDS = {
    "chat.postMessage": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.list": "channels:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}


class SlackServer:
    """``messages`` is what people see, in order; ``calls`` is every request as (method, arguments)."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.messages: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.script: defaultdict[str, deque[tuple[Any, ...]]] = defaultdict(deque)
        self.scopes = set(ALL_SCOPES)
        self.token_error: str | None = None
        self.channels = {"#cx-alerts": "C0ALERTS01", "#cx-data": "C0DATA0001"}
        self.files: dict[str, dict[str, Any]] = {}
        self.files_ready_after = 0
        self.broken: list[str] = []
        self.on_kill: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server._handle(self, body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._http.server_port}/api/"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def keys(self, channel: str) -> list[str]:
        """Keys of the messages of a channel, in the order people see them."""
        return [m["metadata"]["event_payload"]["key"] for m in self.messages if m["channel"] == self.channels[channel]]

    def count(self, method: str) -> int:
        return sum(called == method for called, _ in self.calls)

    def _handle(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        path = request.path.split("?")[0]
        if path.startswith("/upload/"):
            self.files[path.rsplit("/", 1)[1]]["bytes"] = body
            return self._answer(request, 200, {"ok": True})
        method = path.removeprefix("/api/")
        arguments = self._arguments(request, body)
        with self._lock:
            self.calls.append((method, arguments))
            action = self.script[method].popleft() if self.script[method] else ("accept",)
        match action:
            case ("status", status):
                return self._answer(request, status, None)
            case ("limit", seconds):
                return self._answer(request, 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)})
            case ("error", code):
                return self._answer(request, 200, {"ok": False, "error": code})
            case ("drop",):
                return self._drop(request)
            case ("kill",):
                self.on_kill()
                return self._drop(request)
        with self._lock:
            result = self._do(request, method, arguments)
        match action:
            case ("accept_kill",):
                self.on_kill()
                return self._drop(request)
            case ("accept_drop",):
                return self._drop(request)
            case ("accept_status", status):
                return self._answer(request, status, None)
            case ("accept_hang", seconds):
                time.sleep(seconds)
                return self._drop(request)
        return self._answer(request, 200, result)

    def _arguments(self, request: BaseHTTPRequestHandler, body: bytes) -> dict[str, Any]:
        if "json" in request.headers.get("Content-Type", ""):
            return dict(json.loads(body))
        return dict(parse_qsl(body.decode()))

    def _drop(self, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.connection.close()

    def _answer(
        self, request: BaseHTTPRequestHandler, status: int, data: object, headers: dict[str, str] | None = None
    ) -> None:
        content = b"<html>upstream error</html>" if data is None else json.dumps(data).encode()
        try:
            request.send_response(status)
            for name, value in (headers or {}).items():
                request.send_header(name, value)
            request.send_header("Content-Type", "application/json; charset=utf-8")
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        except OSError:
            pass  # the caller was killed

    def _do(self, request: BaseHTTPRequestHandler, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        if self.token_error:
            return {"ok": False, "error": self.token_error}
        needed = _NEEDS.get(method)
        if needed is None:
            return {"ok": False, "error": "unknown_method"}
        if needed not in self.scopes:
            return {"ok": False, "error": "missing_scope", "needed": needed}
        return getattr(self, "_" + method.replace(".", "_"))(arguments)

    def _chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self.channels.get(arguments["channel"], arguments["channel"])
        if channel not in self.channels.values():
            return {"ok": False, "error": "channel_not_found"}
        blocks = arguments.get("blocks") or []
        if not arguments.get("text") and not blocks:
            return {"ok": False, "error": "no_text"}
        problem = self._bad_blocks(blocks)
        if problem:
            self.broken.append(problem)
            return {"ok": False, "error": "invalid_blocks", "response_metadata": {"messages": [problem]}}
        at = self.clock()
        last = max((m["at"] for m in self.messages if m["channel"] == channel), default=0.0)
        if 0 <= at - last < 1 - 1e-3:
            self.broken.append(f"{at - last:.3f} s after the last message of {channel}")
        ts = f"{at:.3f}{len(self.messages):03d}"
        self.messages.append({**arguments, "channel": channel, "ts": ts, "at": at})
        return {"ok": True, "channel": channel, "ts": ts, "message": {"text": arguments.get("text")}}

    def _bad_blocks(self, blocks: list[dict[str, Any]]) -> str | None:
        if len(blocks) > 50:
            return "no more than 50 items allowed"
        for block in blocks:
            texts = [(block["text"], 150 if block["type"] == "header" else 3000)] if block.get("text") else []
            texts += [(field, 2000) for field in block.get("fields") or ()]
            texts += [(element, 3000) for element in block.get("elements") or () if "text" in element]
            for text, longest in texts:
                if not 0 < len(text.get("text", "")) <= longest:
                    return f"must be less than {longest + 1} characters"
            if len(block.get("fields") or ()) > 10 or len(block.get("elements") or ()) > 10:
                return "no more than 10 items allowed"
            if block["type"] == "image":
                file = self.files.get((block.get("slack_file") or {}).get("id", ""))
                if not block.get("image_url") and (file is None or not file.get("complete")):
                    return "invalid slack file"
                if file is not None and file["looks"] < self.files_ready_after:
                    file["looks"] += 1
                    return "invalid slack file"
        return None

    def _conversations_history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._page(arguments, lambda m: not m.get("thread_ts"))

    def _conversations_replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return self._page(arguments, lambda m: arguments["ts"] in (m.get("thread_ts"), m["ts"]))

    def _page(self, arguments: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        if arguments["channel"] not in self.channels.values():
            return {"ok": False, "error": "channel_not_found"}
        found = [
            m
            for m in reversed(self.messages)
            if m["channel"] == arguments["channel"] and float(m["ts"]) > float(arguments["oldest"]) and wanted(m)
        ]
        start, size = int(arguments.get("cursor") or 0), min(int(arguments["limit"]), 7)  # small pages: paging is used
        page = [
            {
                k: v
                for k, v in m.items()
                if k != "metadata" or arguments.get("include_all_metadata") in (True, "1", "true")
            }
            for m in found[start : start + size]
        ]
        cursor = str(start + size) if start + size < len(found) else ""
        return {"ok": True, "messages": page, "response_metadata": {"next_cursor": cursor}}

    def _conversations_list(self, _: dict[str, Any]) -> dict[str, Any]:
        listed = [{"id": channel_id, "name": name.removeprefix("#")} for name, channel_id in self.channels.items()]
        return {"ok": True, "channels": listed, "response_metadata": {"next_cursor": ""}}

    def _files_getUploadURLExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:
        file_id = f"F{len(self.files):08d}"
        self.files[file_id] = {"name": arguments["filename"], "length": int(arguments["length"]), "looks": 0}
        return {"ok": True, "upload_url": self.base_url.replace("/api/", f"/upload/{file_id}"), "file_id": file_id}

    def _files_completeUploadExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:
        listed = arguments["files"]
        for item in json.loads(listed) if isinstance(listed, str) else listed:
            file = self.files[item["id"]]
            if len(file.get("bytes", b"")) != file["length"]:
                return {"ok": False, "error": "file_not_found"}
            file["complete"] = True
        return {"ok": True, "files": [{"id": item["id"]} for item in json.loads(listed)]}
