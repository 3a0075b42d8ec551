"""How values look on a page. Whatever has a colour has words too, and every value is escaped."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

NOTHING = format_html('<span class="quiet">{}</span>', "–")
SEVERITY_LEVELS = {"low": 1, "medium": 2, "high": 3, "critical": 4}
# What a state means to somebody who reads it: good, bad, waiting, working, or simply over.
TONES = {
    "open": "bad", "failed": "bad", "invalid": "bad", "rejected": "bad", "unsupported": "bad",
    "pending": "wait", "needs_parameters": "wait", "preflight": "wait", "queued": "wait",
    "running": "work", "in_progress": "work", "verifying": "work",
    "satisfied": "good", "not_satisfied": "bad", "not_assessed": "wait", "failing": "bad", "passing": "good",
    "fixed": "good", "succeeded": "good", "completed": "good", "active": "good", "approved": "good",
    "delivered": "good",
}  # fmt: skip
# What people say where the stored code is another word.
WORDS = {"suppressed": "excepted", "azure": "Azure", "aws": "AWS", "gcp": "Google Cloud", "ibm": "IBM Cloud"}


def words(value: Any) -> str:
    """A stored code as people say it: `needs_parameters` → needs parameters, `aws` → AWS."""
    text = str(value)
    return WORDS.get(text, text.replace("_", " "))


def coded(value: str | None) -> SafeString:
    """A stored code in words, without a colour."""
    return format_html("{}", words(value)) if value else NOTHING


def severity(value: str | None) -> SafeString:
    """Four bars of which as many are filled as the severity is high, and its name."""
    if not value:
        return NOTHING
    level = SEVERITY_LEVELS.get(value, 0)
    return format_html('<span class="sev sev-{}"><i aria-hidden="true"></i>{}</span>', level, value)


def status(value: str | None) -> SafeString:
    if not value:
        return NOTHING
    return format_html('<span class="state state-{}">{}</span>', TONES.get(value, "over"), words(value))


def moment(value: dt.datetime | None) -> SafeString:
    """A point in time, in UTC, to the minute; the whole of it in the title."""
    if value is None:
        return NOTHING
    utc = value.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(),
        utc.strftime("%A, %d %B %Y, %H:%M:%S UTC"),
        utc.strftime("%Y-%m-%d %H:%M"),
    )


def day(value: dt.date | None) -> SafeString:
    return format_html('<time datetime="{0}">{0}</time>', value.isoformat()) if value else NOTHING


def link(text: Any, view: str, *args: Any, note: Any = "") -> SafeString:
    """A link to the page named `view`, with a quiet second line where there is a note."""
    label = str(text) or "(no name)"
    anchor = format_html('<a href="{}">{}</a>', reverse(view, args=args), label)
    if not note:
        return anchor
    return format_html('{}<span class="under" title="{}">{}</span>', anchor, note, note)


def code(value: Any) -> SafeString:
    return format_html('<code title="{0}">{0}</code>', value) if value not in (None, "") else NOTHING


def number(value: Any) -> SafeString:
    """A whole number with thin groups of three."""
    return NOTHING if value is None else format_html("{}", f"{int(value):,}")


def tags(value: Any) -> SafeString:
    """Up to three tags, and how many more there are."""
    if not isinstance(value, dict) or not value:
        return NOTHING
    shown = [f"{k}: {v}" if v not in (None, "") else str(k) for k, v in sorted(value.items())]
    text = format_html("".join('<span class="chip">{}</span>' for _ in shown[:3]), *shown[:3])
    return format_html('{}<span class="quiet"> +{}</span>', text, len(shown) - 3) if len(shown) > 3 else text
