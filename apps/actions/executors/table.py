"""Every kind of action there is. A new kind is a new module and a line here."""

from __future__ import annotations

from .aws_table import AWS_EXECUTORS
from .base import Executor

EXECUTORS: dict[str, Executor] = {executor.kind.type: executor for executor in (*AWS_EXECUTORS,)}


def executor_for(type_: str) -> Executor | None:
    """None where there is no such kind (a row of an older release, a row put in by hand)."""
    return EXECUTORS.get(type_)
