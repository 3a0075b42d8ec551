"""moto as a cloud that survives its own end: what changes it is written down and done again at the next start.

    python -m governance.embedded.cloud_server FOLDER PORT

moto's own recorder writes requests down, but not the state of its random numbers nor the time, and it counts
on every read coming again in the same order; so ids and dates were others after a restart. Here

- changes are made one at a time, each with random numbers seeded by its place in the recording,
- what a region holds from the start (its default network) is made before the first request that names the
  region, seeded by account and region,
- the time of each change is kept with it and is the time again when it is repeated.

Reads are neither recorded nor seeded. `X-Demo-At` (ISO 8601) lets the demo make things that are old.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# A thousand public images and a snapshot for each: seconds to load, and nobody's estate.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.core import utils as moto_utils

_READ = re.compile(
    r"^(Describe|Get|List|Head|Lookup|Search|Select|Batch(Get|Describe)|Query|Scan|Decode|Simulate)"
)
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([a-z0-9-]+)/")

_clock = threading.local()


def _now() -> datetime:
    """In place of moto's clock: naive UTC, as it was when a repeated change was made first."""
    at: datetime | None = getattr(_clock, "at", None)
    return at or datetime.now(UTC).replace(tzinfo=None)


# Before any service is imported: each takes the function by name.
moto_utils.utcnow = _now

from moto.moto_api._internal import mock_random  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3 import models as s3_models  # noqa: E402
from moto.secretsmanager import models as secrets_models  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402
from werkzeug.test import EnvironBuilder, run_wsgi_app  # noqa: E402
from werkzeug.wsgi import get_input_stream  # noqa: E402

Answer = tuple[Iterable[bytes], str, Any]

_make_bucket = s3_models.FakeBucket.__init__


def _make_dated_bucket(self: Any, *args: Any, **more: Any) -> None:
    """Buckets alone ask another clock."""
    _make_bucket(self, *args, **more)
    self.creation_date = _now().replace(tzinfo=UTC)


s3_models.FakeBucket.__init__ = _make_dated_bucket  # type: ignore[method-assign]


class _Time:
    """Secrets ask the `time` module."""

    @staticmethod
    def time() -> float:
        return _now().replace(tzinfo=UTC).timestamp()


secrets_models.time = _Time  # type: ignore[assignment,attr-defined]


class RememberingCloud:
    """A WSGI application around moto's; `folder` holds the recording, one JSON object a line."""

    def __init__(self, folder: Path) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._path = folder / "recording.ndjson"
        self._changing = threading.Lock()
        self._regions: set[tuple[str, str]] = set()
        self._count = 0

    def replay(self) -> int:
        """Do again what was recorded; a last line that was cut short by a kill is dropped."""
        if not self._path.exists():
            return 0
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    break
                whole += len(line)
                self._repeat(entry)
        with self._path.open("rb+") as file:
            file.truncate(whole)
        return self._count

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = get_input_stream(environ).read()
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = _Body(body), str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        with self._changing:
            self._know_region(environ)
            if _is_read(environ, body):
                chunks, status, headers = self._answer(environ)
            else:
                chunks, status, headers = self._change(environ, body)
        start_response(status, list(headers))
        return chunks

    def _change(self, environ: dict[str, Any], body: bytes) -> Answer:
        entry = {
            "method": environ["REQUEST_METHOD"],
            "url": environ.get("RAW_URI") or environ["REQUEST_URI"],
            "host": environ["HTTP_HOST"],
            "at": _asked_time(environ) or datetime.now(UTC).isoformat(),
            "headers": _headers(environ),
            "body": base64.b64encode(body).decode(),
        }
        answer = self._at(entry["at"], environ)
        if answer[1].startswith("2"):
            with self._path.open("a") as file:
                file.write(json.dumps(entry) + "\n")
            self._count += 1
        return answer

    def _repeat(self, entry: dict[str, Any]) -> None:
        body = base64.b64decode(entry["body"])
        builder = EnvironBuilder(
            path=entry["url"],
            method=entry["method"],
            base_url=f"http://{entry['host']}",
            headers=entry["headers"],
            data=body,
        )
        environ = builder.get_environ()
        environ["RAW_URI"] = environ["REQUEST_URI"] = entry["url"]
        environ["CONTENT_LENGTH"] = str(len(body))  # S3 wants it told also where there is nothing
        self._know_region(environ)
        self._at(entry["at"], environ)
        self._count += 1

    def _at(self, moment: str, environ: dict[str, Any]) -> Answer:
        """One change, at its time and with its own random numbers."""
        _clock.at = datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None)
        mock_random.seed(_seed("change", str(self._count)))
        try:
            return self._answer(environ)
        finally:
            _clock.at = None
            mock_random.seed()

    def _answer(self, environ: dict[str, Any]) -> Answer:
        chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        return chunks, status, headers

    def _know_region(self, environ: dict[str, Any]) -> None:
        from moto.iam.models import get_account_id_from

        found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if found:
            self._make_region(get_account_id_from(found[1]), found[2])

    def _make_region(self, account: str, region: str) -> None:
        from moto.ec2.models import ec2_backends

        if (account, region) in self._regions or region not in ec2_backends[account].regions:
            return
        mock_random.seed(_seed(account, region))
        _clock.at = datetime(2024, 1, 1)  # noqa: DTZ001  # moto's times are naive UTC
        _ = ec2_backends[account][region]
        _clock.at = None
        mock_random.seed()
        self._regions.add((account, region))


class _Body:
    """The body, read once already, as moto and werkzeug read it again."""

    def __init__(self, body: bytes) -> None:
        import io

        self._file = io.BytesIO(body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _seed(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:8], "big")


def _is_read(environ: dict[str, Any], body: bytes) -> bool:
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
        return True
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if target:
        return bool(_READ.match(target))
    action = re.search(rb"(?:^|&)Action=(\w+)", body)
    if action:
        return bool(_READ.match(action[1].decode())) and action[1] not in (
            b"GetSessionToken",
            b"GetFederationToken",
        )
    return False


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    kept = {
        name[5:].replace("_", "-").title(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
        and name not in ("HTTP_HOST", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")
    }
    if environ.get("CONTENT_TYPE"):
        kept["Content-Type"] = environ["CONTENT_TYPE"]
    return kept


def _asked_time(environ: dict[str, Any]) -> str | None:
    asked = environ.get("HTTP_X_DEMO_AT", "")
    try:
        return datetime.fromisoformat(asked).isoformat() if asked else None
    except ValueError:
        return None


def main() -> int:
    """Serve until SIGTERM."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    cloud = RememberingCloud(folder)
    print(f"{cloud.replay()} changes done again", flush=True)
    server = make_server("127.0.0.1", port, cloud, threaded=True, request_handler=_QuietHandler)
    server.serve_forever()
    return 0


class _QuietHandler(MotoRequestHandler):  # type: ignore[misc]
    def log_request(self, *args: Any, **more: Any) -> None:
        """A line for every request is not a log that anybody reads."""


if __name__ == "__main__":
    sys.exit(main())
