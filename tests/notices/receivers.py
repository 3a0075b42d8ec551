"""Real receivers on loopback: an SMTP server, and an https server that checks signatures as a customer's would."""

from __future__ import annotations

import base64
import datetime as dt
import email
import email.policy
import hashlib
import hmac
import http.server
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "hooks.example.org")
TOLERANCE_SECONDS = 300


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class MailReceiver:
    """Keeps messages; `answer` is what it says to a recipient instead of taking him ("" takes him)."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answer = ""
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self._controller.port)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.answer:
            return self.answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append(message)  # type: ignore[arg-type]
        return "250 taken"


@dataclass(frozen=True)
class Hook:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    server_name: str | None

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    def verify(self, secret: str, *, now: float | None = None) -> None:
        """As the specification tells receivers to; ValueError says what is wrong."""
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        stamp = self.headers["webhook-timestamp"]
        if abs((now or time.time()) - int(stamp)) > TOLERANCE_SECONDS:
            raise ValueError("the timestamp is out of the window")
        signed = f"{self.headers['webhook-id']}.{stamp}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [part.partition(",") for part in self.headers["webhook-signature"].split(" ")]
        if not any(v == "v1" and hmac.compare_digest(text, wanted) for v, _, text in given):
            raise ValueError("no signature fits")


@dataclass
class HookReceiver:
    """`answers` are the statuses of the next requests (200 when used up); `drip` writes an answer's bytes slowly."""

    certificates: Path
    got: list[Hook] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    answer_with: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None

    def start(self) -> None:
        receiver = self
        names: dict[Any, str | None] = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name = names.get(self.connection)
                told = {k.lower(): v for k, v in self.headers.items()}
                receiver.got.append(Hook(self.path, told, body, name))
                if receiver.answer_with is not None:
                    receiver.answer_with(self)
                    return
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                for header, value in receiver.headers.items():
                    self.send_header(header, value)
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *_: Any) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates / "cert.pem", self.certificates / "key.pem")
        context.sni_callback = lambda sock, name, _: names.__setitem__(sock, name)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"


def allow_loopback(settings: Any, ca_file: Path) -> None:
    """What an operator sets to let webhooks reach his own network."""
    loopback = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
    settings.WEBHOOKS = {**settings.WEBHOOKS, "allowed_networks": loopback, "ca_file": str(ca_file)}


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
