"""What the runner needs of other rooms and of the settings: the tenant's clouds, and the kinds there are."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from apps.connectors.clouds import Cloud

from .executors.base import Executor
from .executors.table import EXECUTORS, executor_for


class CloudOf(Protocol):
    def __call__(self, *, provider: str, account: str | None) -> Cloud:
        """The context's tenant's account, opened. Raises NotFound or Refused in words where there is none."""
        ...


def cloud_of(*, provider: str, account: str | None) -> Cloud:
    return _opener(settings.ACTIONS_CLOUDS)(provider=provider, account=account)


def find_executor(type_: str) -> Executor | None:
    """The kind's executor: of the product's table, or of those that the settings add."""
    return executor_for(type_) or _more(tuple(settings.ACTIONS_EXECUTORS)).get(type_)


def all_executors() -> dict[str, Executor]:
    return {**EXECUTORS, **_more(tuple(settings.ACTIONS_EXECUTORS))}


@lru_cache(maxsize=4)
def _opener(path: str) -> CloudOf:
    return cast(CloudOf, import_string(path))


@lru_cache(maxsize=4)
def _more(paths: tuple[str, ...]) -> dict[str, Executor]:
    made: dict[str, Executor] = {}
    for path in paths:
        made |= import_string(path)
    return made
