"""How posture looks in a cell: whatever has a colour has words and numbers too."""

from __future__ import annotations

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core import cells

from .posture import STATES, ControlPosture, FrameworkPosture

WORDS = {
    "satisfied": "satisfied",
    "not_satisfied": "not satisfied",
    "excepted": "excepted",
    "not_assessed": "not assessed",
}


def state(posture: ControlPosture) -> SafeString:
    """The state, and below it why it is not assessed."""
    shown = cells.status(posture.state)
    if not posture.reason:
        return shown
    return format_html('{}<span class="under" title="{}">{}</span>', shown, posture.reason, posture.reason)


def shares(posture: FrameworkPosture) -> SafeString:
    """A bar of the parts that the states have, worst first; the numbers stand beside it and in its label."""
    told = ", ".join(f"{posture.by_state[name]} {WORDS[name]}" for name in STATES)
    parts, x = [], 0.0
    for name in STATES:
        width = 100 * posture.by_state[name] / posture.controls if posture.controls else 0
        parts.append((name, round(x, 2), round(width, 2)))
        x += width
    rects = format_html_join("", '<rect class="share-{}" x="{}" width="{}" height="8" y="0"></rect>', parts)
    return format_html(
        '<svg class="shares" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        told,
        rects,
    )
