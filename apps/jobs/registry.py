"""Which kinds of jobs there are. Rooms above fill it in their AppConfig.ready()."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.core.errors import InvalidInput

if TYPE_CHECKING:
    from .models import Job
    from .running import JobHandle

QUEUES = ("actions.execute", "scans.policy", "scans.finops", "scans.security", "jobs")

Run = Callable[["JobHandle"], Mapping[str, Any] | None]
Finished = Callable[["Job"], None]


@dataclass(frozen=True)
class JobKind:
    """`run` does the work, in short transactions of its own, and is idempotent: a killed attempt is repeated.

    `finished` is called in the transaction that finishes the job, whichever way it ends, also when it was
    given up after its worker died: there a room marks its own row (a report, a scan run) as ended.
    """

    type: str
    queue: str
    title: str
    run: Run
    finished: Finished | None = None


_kinds: dict[str, JobKind] = {}
_sweeps: dict[str, Callable[[], int]] = {}
_listeners: list[Finished] = []


def register_job(kind: JobKind) -> None:
    if kind.queue not in QUEUES:
        raise ValueError(f"{kind.type}: no queue {kind.queue}")
    _kinds[kind.type] = kind


def job_kind(type_: str) -> JobKind:
    try:
        return _kinds[type_]
    except KeyError as error:
        raise InvalidInput(f"There is no job of type {type_}.", field="type") from error


def on_finished(listener: Finished) -> None:
    """`listener` is called for every job in the transaction that ends it, after its kind's own `finished`."""
    if listener not in _listeners:
        _listeners.append(listener)


def listeners() -> tuple[Finished, ...]:
    return tuple(_listeners)


def register_sweep(name: str, sweep: Callable[[], int]) -> None:
    """`sweep` runs every minute for each tenant, in its transaction, and returns how many rows it mended."""
    _sweeps[name] = sweep


def sweeps() -> Mapping[str, Callable[[], int]]:
    return dict(_sweeps)


def is_registered(type_: str) -> bool:
    return type_ in _kinds
