"""From an HTTP answer that says no to the CloudError that it means: the same words for every cloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .errors import (
    CloudAway,
    CloudConflict,
    CloudDenied,
    CloudError,
    CloudGone,
    CloudInvalid,
    CloudThrottled,
)

_CLOCK = re.compile(r"^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
# What looks like a token in a cloud's message is left out of ours.
_SECRET = re.compile(
    r"(?i)\b(bearer\s+\S+|(?:client_secret|apikey|api_key|password|access_token)\s*[=:]\s*\S+)"
)
_LONGEST = 500


def error_for(
    *,
    cloud: str,
    doing: str,
    status: int,
    said: str = "",
    code: str = "",
    retry_after: float | None = None,
    throttled: bool = False,
) -> CloudError:
    """`doing` completes "asked to …" and is the operation; `throttled` for clouds that say it with a 403."""
    words = f": {_plain(said)}" if said else ""
    told = f" ({code})" if code and code not in words else ""
    if status == 429 or throttled:
        return CloudThrottled(
            f"{cloud} gets too many calls just now, asked to {doing}{words}{told}. Later it will do.",
            operation=doing, code=code, retry_after=retry_after,
        )  # fmt: skip
    if status == 401:
        return CloudDenied(
            f"{cloud} does not take the credentials, asked to {doing}{words}{told}. They are wrong, or expired.",
            operation=doing, code=code,
        )  # fmt: skip
    if status == 403:
        return CloudDenied(
            f"{cloud} does not let these credentials {doing}{words}{told}. They need a role that allows it.",
            operation=doing, code=code,
        )  # fmt: skip
    if status in (404, 410):
        return CloudGone(
            f"{cloud} has nothing there (any more), asked to {doing}{words}{told}.",
            operation=doing, code=code,
        )  # fmt: skip
    if status in (409, 412, 423):
        return CloudConflict(
            f"{cloud} could not {doing}, for its state forbids it or something else is changing it{words}{told}.",
            operation=doing, code=code,
        )  # fmt: skip
    if status == 408 or status >= 500:
        return CloudAway(
            f"{cloud} had a defect of its own, asked to {doing}{words}{told}. It may or may not have happened.",
            operation=doing, code=code,
        )  # fmt: skip
    return CloudInvalid(
        f"{cloud} holds the call to {doing} to be wrong{words}{told}.", operation=doing, code=code
    )


def away(cloud: str, doing: str, said: str = "") -> CloudAway:
    """No answer at all: refused, broken off, or too slow."""
    words = f": {_plain(said)}" if said else ""
    return CloudAway(
        f"{cloud} did not answer, asked to {doing}{words}. It may or may not have happened.", operation=doing
    )


def retry_after_of(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that the cloud asks to wait, from the first header that says it; None where none does.

    Retry-After is seconds or a date (RFC 9110, 10.2.3); Azure Resource Graph says hh:mm:ss in
    x-ms-user-quota-resets-after.
    """
    lowered = {key.lower(): value for key, value in (headers or {}).items()}
    if "retry-after-ms" in lowered and lowered["retry-after-ms"].isdigit():
        return int(lowered["retry-after-ms"]) / 1000
    asked = lowered.get("retry-after", "").strip()
    if asked:
        return _seconds(asked)
    clock = _CLOCK.match(lowered.get("x-ms-user-quota-resets-after", ""))
    if clock is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _seconds(asked: str) -> float | None:
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(asked)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _plain(said: str) -> str:
    """On one line, without what looks like a secret, without the full stop that ours brings."""
    text = _SECRET.sub("…", " ".join(said.split()))
    return (text if len(text) <= _LONGEST else text[:_LONGEST] + "…").rstrip(".")
