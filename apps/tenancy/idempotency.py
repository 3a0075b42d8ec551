"""`Idempotency-Key`: the same request sent twice does its work once and gets the same answer.

The key's row is inserted, the work done and the answer kept in one transaction. A second request with the key
waits on the unique index for the first to end: it then finds the answer, or, where the first failed and rolled
back, does the work itself. Kept per user for a day; a failed request keeps nothing, so it may be sent again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, KeyReused

from .models import IdempotencyKey, User

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
_FORM = re.compile(r"[\x21-\x7e]{1,255}")
_DIGESTED = JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Answer:
    """What a creating request answers: status, body, and the address of what it made."""

    status: int
    body: dict[str, Any]
    location: str = ""
    replayed: bool = False

    def as_response(self) -> Response:
        headers = {"Location": self.location} if self.location else {}
        headers |= {"Idempotency-Replayed": "true"} if self.replayed else {}
        return Response(self.body, status=self.status, headers=headers)


def key_of(request: Request) -> str | None:
    """The request's key, None without one. Raises InvalidInput for one that is no key."""
    key = request.headers.get(HEADER)
    if key is not None and not _FORM.fullmatch(key):
        raise InvalidInput(f"{HEADER} is 1 to 255 visible ASCII characters.", field=HEADER)
    return key


def digest_of(request: Request, body: Any) -> str:
    """SHA-256 over what the request asks for: method, path and `body`, which is JSON-serialisable."""
    text = f"{request.method} {request.path}\n{_DIGESTED.encode(body)}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def earlier_answer(request: Request, body: Any) -> Answer | None:
    """The answer kept for the request's key, if any. Raises KeyReused where it stands for another request."""
    key = key_of(request)
    if key is None:
        return None
    row = IdempotencyKey.objects.filter(user=request.user.pk, key=key, status__isnull=False).first()
    return _replay(row, digest_of(request, body)) if row is not None else None


def once(request: Request, body: Any, work: Callable[[], Answer], *, withheld: Sequence[str] = ()) -> Answer:
    """Do `work` once for the request's key, within the open transaction.

    `withheld` names parts of the answer that are not kept (a secret shown once): replayed they are null.
    """
    key = key_of(request)
    if key is None:
        return work()
    digest = digest_of(request, body)
    row = IdempotencyKey(user=cast(User, request.user), key=key, request_sha256=digest)
    with transaction.atomic():
        IdempotencyKey.objects.bulk_create([row], ignore_conflicts=True)
        kept = IdempotencyKey.objects.get(user=request.user.pk, key=key)
        if kept.pk != row.pk:
            return _replay(kept, digest)
        answer = work()
        stored = {**answer.body, **dict.fromkeys(withheld)}
        IdempotencyKey.objects.filter(pk=row.pk).update(
            status=answer.status, body=_plain(stored), location=answer.location
        )
    return answer


def sweep_keys() -> int:
    """Forget keys older than a day."""
    return IdempotencyKey.objects.filter(created_at__lt=TransactionNow() - KEPT).delete()[0]


def _replay(row: IdempotencyKey, digest: str) -> Answer:
    if row.request_sha256 != digest:
        raise KeyReused("This Idempotency-Key came with another request before.", field=HEADER)
    return Answer(row.status or 500, row.body, row.location, replayed=True)


def _plain(body: Any) -> Any:
    return json.loads(JSONEncoder().encode(body))
