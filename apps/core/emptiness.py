"""An empty list says why it is empty, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Emptiness:
    """Why there is nothing to see: `step` is a URL name and `step_label` its words; `needs` the key of the
    template's `may` without which the step isn't offered."""

    title: str
    why: str
    step: str = ""
    step_label: str = ""
    needs: str = "view"
