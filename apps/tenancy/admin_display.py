"""How values look in the admin's lists: severities as labels, long cloud ids cut in the middle, ages in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince, timeuntil

SHOWN = 44
SEVERITY_LABELS = {"critical": "danger", "high": "warning", "medium": "info", "low": "default"}
STATUS_LABELS = {
    "pending": "warning",
    "open": "danger",
    "suppressed": "info",
    "approved": "success",
    "active": "success",
    "succeeded": "success",
    "completed": "success",
    "fixed": "success",
    "rejected": "danger",
    "failed": "danger",
    "invalid": "danger",
    "unsupported": "danger",
    "needs_parameters": "warning",
    "preflight": "warning",
    "running": "info",
    "in_progress": "info",
    "verifying": "info",
}


def shortened(text: str | None, *, shown: int = SHOWN) -> str:
    """`text`, cut in the middle where it is long (both ends of a cloud id tell), whole in the title."""
    if not text:
        return "–"
    if len(text) <= shown:
        return format_html('<span class="desk-short" title="{0}">{0}</span>', text)
    head = (shown - 1) // 2
    cut = f"{text[:head]}…{text[-(shown - 1 - head) :]}"
    return format_html('<span class="desk-short" title="{}">{}</span>', text, cut)


def clamped(text: str | None) -> str:
    """Prose on at most two lines, whole in the title."""
    return format_html('<span class="desk-clamped" title="{0}">{0}</span>', text) if text else "–"


def age(moment: datetime | None) -> str:
    """How long ago, in its largest unit, the moment itself in the title."""
    if moment is None:
        return "–"
    text = timesince(moment, depth=1)
    text = "just now" if text.startswith("0") else text
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', moment.isoformat(), text)


def until(moment: datetime | None, *, never: str = "never") -> str:
    """How long still, or how long past."""
    if moment is None:
        return never
    now: Any = timezone.now()
    text = f"in {timeuntil(moment, depth=1)}" if moment > now else f"{timesince(moment, depth=1)} ago"
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', moment.isoformat(), text)
