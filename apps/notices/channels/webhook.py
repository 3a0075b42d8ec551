"""One POST to a webhook: to the address that was judged, under the name's certificate, with bounds on everything."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from ..models import Delivery, WebhookEndpoint
from .addresses import ForbiddenAddress, resolve
from .links import url_of
from .outcome import Outcome
from .signing import secrets_in_force, signature_headers

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0
ANSWER_LIMIT = 64 * 1024
GONE = 410


class _Pinned(http.client.HTTPSConnection):
    """Speaks to `address` as `host`: SNI, certificate and Host header are the name's, the socket is pinned.

    http.client knows no proxies and follows no redirects.
    """

    def __init__(self, host: str, port: int, address: str) -> None:
        self._context = _tls()
        self._address = address
        super().__init__(host, port, timeout=CONNECT_SECONDS, context=self._context)

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), CONNECT_SECONDS)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def send_webhook(delivery: Delivery) -> Outcome:
    """One signed POST. `webhook-id` is the delivery's, the same in each attempt, so a receiver knows repeats."""
    endpoint: WebhookEndpoint | None = delivery.endpoint
    if endpoint is None or not endpoint.is_active:
        return Outcome(False, "inactive", "This endpoint is switched off.", retry=False)
    now, body = timezone.now(), body_of(delivery)
    headers = signature_headers(secrets_in_force(endpoint, now), f"msg_{delivery.pk.hex}", now, body)
    try:
        return _judged(post(endpoint.url, body, headers))
    except ForbiddenAddress as error:
        return Outcome(False, "forbidden", str(error), retry=False)
    except ssl.SSLCertVerificationError as error:
        return Outcome(False, "certificate", f"The certificate is not valid: {error.verify_message}.")
    except TimeoutError:
        return Outcome(False, "timeout", f"No answer within {WHOLE_SECONDS:.0f} seconds.")
    except (OSError, http.client.HTTPException) as error:
        return Outcome(
            False, "unreachable", f"The endpoint can't be reached: {error or type(error).__name__}."
        )


def body_of(delivery: Delivery) -> bytes:
    """The payload: `type`, `timestamp` and `data`, as the specification advises."""
    notice = delivery.notice
    told = {
        "type": notice.code,
        "timestamp": notice.created_at.isoformat(),
        "data": {
            "notice_id": str(notice.pk),
            "tenant_id": str(notice.tenant_id),
            "title": notice.title,
            "text": notice.text,
            "url": url_of(notice),
            "details": notice.payload,
        },
    }
    return json.dumps(told, cls=DjangoJSONEncoder, separators=(",", ":"), ensure_ascii=False).encode()


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status that `url` answers with. Raises ForbiddenAddress, OSError (TimeoutError), HTTPException."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or 443
    deadline = time.monotonic() + WHOLE_SECONDS
    last: Exception = OSError(f"{host} has no address")
    for address in resolve(host, port):
        if time.monotonic() > deadline:
            break
        connection = _Pinned(host, port, address)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            last = error
            continue
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return _exchange(connection, target, body, headers, deadline)
    raise last


def _exchange(
    connection: _Pinned, target: str, body: bytes, headers: Mapping[str, str], deadline: float
) -> int:
    """Send and read the answer's head and at most its first bytes; a watchdog ends what drips."""
    plain = {"Content-Type": "application/json", "User-Agent": "governance-desk-webhooks/1", **headers}
    late = threading.Event()

    def cut() -> None:
        late.set()
        if (sock := connection.sock) is not None:
            with contextlib.suppress(OSError):  # it ended by itself at this moment
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    watchdog.start()
    try:
        connection.request("POST", target, body, plain)
        response = connection.getresponse()
        response.read(ANSWER_LIMIT)
        if late.is_set():  # the head was cut in the midst, which http.client takes for its end
            raise TimeoutError
        return response.status
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        watchdog.cancel()
        connection.close()


def _judged(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(True, str(status))
    if 300 <= status < 400:
        return Outcome(False, str(status), "The endpoint answered with a redirect; webhooks follow none.")
    if status == GONE:
        error = "The endpoint said that it is gone (410): it was switched off."
        return Outcome(False, str(status), error, retry=False, gone=True)
    return Outcome(False, str(status), f"The endpoint answered {status} {_phrase(status)}.")


def _phrase(status: int) -> str:
    return http.client.responses.get(status, "")


def _tls() -> Any:
    context = ssl.create_default_context(cafile=settings.WEBHOOKS["ca_file"])
    if settings.WEBHOOKS["ca_file"]:
        context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
