"""What the fake clouds have in common: an HTTP server on loopback that keeps state and can be made to fail.

A fake answers the real SDK. Each has routes (method, pattern, handler); a handler gets a Request and gives an
Answer. Faults stand in front of the handlers and are used up in order.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    raw: bytes
    found: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else {}


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Answer]


@dataclass
class Fault:
    """Befalls requests whose `METHOD path` matches, after `skip` of them, `times` times.

    `act` is what it does: throttle, deny, refuse (a status of its own), break (5xx), cut (no answer) or let
    (through); with `done` the thing is done all the same.
    """

    act: str
    match: re.Pattern[str]
    times: int
    skip: int = 0
    done: bool = False
    status: int = 500
    retry_after: float | None = None

    def takes(self, line: str) -> bool:
        if not self.times or not self.match.search(line):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Fake:
    """A cloud on loopback; use it as a context manager. `calls` is every request as `METHOD path`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.calls: list[str] = []
        self.faults: list[Fault] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    # --- what a fake says for itself

    def routes(self) -> list[tuple[str, str, Handler]]:
        raise NotImplementedError

    def error(self, status: int, code: str, message: str) -> Answer:
        """A refusal in this cloud's form."""
        raise NotImplementedError

    def denied(self) -> Answer:
        return self.error(403, "Forbidden", "not allowed")

    # --- faults

    def throttle(self, times: int, retry_after: float | None = 0, match: str = "") -> None:
        self.faults.append(Fault("throttle", re.compile(match), times, retry_after=retry_after))

    def let(self, times: int = 1) -> None:
        """Between faults: so many requests are answered."""
        self.faults.append(Fault("let", re.compile(""), times, done=True))

    def deny(self, match: str = "", times: int = 10_000) -> None:
        self.faults.append(Fault("deny", re.compile(match), times))

    def refuse(self, status: int, match: str = "", times: int = 1) -> None:
        self.faults.append(Fault("refuse", re.compile(match), times, status=status))

    def break_(self, match: str = "", times: int = 1, done: bool = False, status: int = 503) -> None:
        self.faults.append(Fault("break", re.compile(match), times, done=done, status=status))

    def cut(self, at: int, done: bool, match: str = "") -> None:
        """The answer to request `at` (from 0) is lost, as if the caller had been killed; once."""
        self.faults.append(Fault("cut", re.compile(match), 1, skip=at, done=done))

    def heal(self) -> None:
        self.faults.clear()

    # --- the server

    def answer(self, request: Request) -> Answer | None:
        """None stands for a connection that breaks."""
        line = f"{request.method} {request.path}"
        with self.lock:
            self.calls.append(line)
            fault = next((fault for fault in self.faults if fault.takes(line)), None)
            if fault is None or fault.done:
                given = self._route(request)
            if fault is None or fault.act == "let":
                return given
        if fault.act == "throttle":
            answer = self.error(429, "TooManyRequests", "slow down")
            headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            return Answer(answer.status, answer.body, {**answer.headers, **headers})
        if fault.act == "deny":
            return self.denied()
        if fault.act == "refuse":
            return self.error(fault.status, "Refused", "this can't be done now")
        return None if fault.act == "cut" else self.error(fault.status, "InternalError", "a defect of ours")

    def _route(self, request: Request) -> Answer:
        for method, pattern, handler in self.routes():
            found = re.fullmatch(pattern, request.path, re.IGNORECASE)
            if found and method == request.method:
                return handler(Request(**{**request.__dict__, "found": found.groupdict()}))
        return self.error(404, "NotFound", f"the fake has no {request.method} {request.path}")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _handle(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                query = dict(parse_qsl(url.query, keep_blank_values=True))
                headers = {key.lower(): value for key, value in self.headers.items()}
                answer = fake.answer(Request(self.command, url.path, query, headers, raw))
                if answer is None:
                    self.close_connection = True
                    return
                self._send(answer)

            def _send(self, answer: Answer) -> None:
                raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                raw = b"" if answer.body is None else raw
                self.send_response(answer.status)
                headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle

            def log_message(self, *_: object) -> None:
                pass

        return Handling
