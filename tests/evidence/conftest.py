"""The store alone: nobody above is asked."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a key is held is asked of the database, which these tests do without: see tests/archive."""
    monkeypatch.setattr("apps.evidence.holding._held", [])
