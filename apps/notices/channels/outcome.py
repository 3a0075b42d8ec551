"""How one attempt to deliver ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """`code` is what the other side answered (an SMTP or HTTP status) or a word for why there was no answer.

    `retry`: the same attempt may succeed later. `gone`: the other side asks never to be called again.
    """

    delivered: bool
    code: str
    error: str = ""
    retry: bool = True
    gone: bool = False
