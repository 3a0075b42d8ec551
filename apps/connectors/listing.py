"""A cloud's inventory as pages that can be gone on from, and the patience to read them.

A page's `token` is opaque text to keep: with it a listing goes on after that page, in another process too.
A token that the cloud has forgotten begins the listing anew, once for an opened account: resources seen twice,
none lost. Callers may take one page at a time, each by a call of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .errors import CloudError, CloudThrottled
from .files.row import Convert, converted
from .files.strict_json import to_bytes
from .records import Refusal, ResourceRecord

T = TypeVar("T")

# A call is tried this often before its error is the job's to deal with; waits double from WAIT_SECONDS.
ATTEMPTS = 8
WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Page:
    """What one call listed; `token` goes on after it and is None at the end."""

    records: tuple[ResourceRecord | Refusal, ...]
    token: str | None


class Listed(Protocol):
    """A cloud whose inventory can be listed."""

    def pages(self, token: str | None = None) -> Iterator[Page]:
        """Pages from the first one, or after the one that `token` came with. Raises CloudError."""
        ...


def patiently(
    call: Callable[[], T], *, attempts: int = ATTEMPTS, sleep: Callable[[float], None] | None = None
) -> T:
    """The call's value, tried again while its CloudError says that this may help.

    Waits as long as the cloud asks for, else twice as long each time, with jitter, so that many workers do
    not come back at once. A cloud that asks for more than LONGEST_WAIT_SECONDS gets its error passed on: to
    wait that long is a job's business, not a call's.
    """
    wait = sleep or time.sleep
    for attempt in range(1, attempts + 1):
        try:
            return call()
        except CloudError as error:
            pause = _pause(error, attempt)
            if not error.retryable or attempt == attempts or pause > LONGEST_WAIT_SECONDS:
                raise
            wait(pause)
    raise AssertionError("a loop of no attempts")


def _pause(error: CloudError, attempt: int) -> float:
    asked = error.retry_after if isinstance(error, CloudThrottled) else None
    if asked is not None:
        return asked + random.uniform(0, min(1.0, asked))  # noqa: S311  jitter, no secret
    longest = min(WAIT_SECONDS * float(2 ** (attempt - 1)), LONGEST_WAIT_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311


def records_of(
    rows: Iterable[dict[str, Any]], convert: Convert, first: int = 1
) -> tuple[ResourceRecord | Refusal, ...]:
    """Rows of an API as the file readers would have taken them: the same checks, the same refusals.

    `line` counts the rows of this page from `first`.
    """
    numbered = ((first + index, to_bytes(row)) for index, row in enumerate(rows))
    return tuple(converted(numbered, convert))
