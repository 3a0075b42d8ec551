"""The port through which `core` writes to the audit trail, which lives in a room above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.db import models


class Recorder(Protocol):
    def __call__(
        self, action: str, target: models.Model | tuple[str, str] | None, payload: Mapping[str, Any] | None
    ) -> Any: ...


_recorder: Recorder | None = None


def use_recorder(recorder: Recorder) -> None:
    """Called once, by the audit room's AppConfig.ready()."""
    global _recorder
    _recorder = recorder


def record(
    action: str, target: models.Model | tuple[str, str] | None, payload: Mapping[str, Any] | None
) -> None:
    if _recorder is None:
        raise RuntimeError("no recorder: apps.audit is not installed")
    _recorder(action, target, payload)
