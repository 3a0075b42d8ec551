"""Health: is the process alive, and is it ready to serve? Neither needs a tenant nor tells anything about one."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.core.cache import cache
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError

from .requests import non_atomic

log = logging.getLogger(__name__)

OK = "ok"
_parts: dict[str, Callable[[], str]] = {}


def register_part(name: str, look: Callable[[], str]) -> None:
    """Called by a room's AppConfig.ready(): `look` says "ok", or in words what is amiss. It tells of no tenant."""
    _parts[name] = look


@non_atomic
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@non_atomic
def ready(request: HttpRequest) -> JsonResponse:
    """503 unless PostgreSQL answers and its schema is this code's. What else is amiss is said, "degraded",
    and is no reason to stop serving: losing Redis loses nothing."""
    parts = {"postgresql": _postgresql(), "redis": _redis()}
    fit = parts["postgresql"] == "ok"
    parts |= {name: _part(look) if fit else "not looked at" for name, look in _parts.items()}
    status = "not ready" if not fit else "ready" if set(parts.values()) == {OK} else "degraded"
    return JsonResponse({"status": status, "parts": parts}, status=200 if fit else 503)


def _part(look: Callable[[], str]) -> str:
    try:
        return look()
    except DatabaseError:
        log.warning("readiness: a part could not be looked at", exc_info=True)
        return "away"


def _postgresql() -> str:
    try:
        executor = MigrationExecutor(connections["default"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "migrations pending"
    except DatabaseError:
        log.warning("readiness: PostgreSQL is away", exc_info=True)
        return "away"
    return "ok"


def _redis() -> str:
    try:
        cache.set("health", 1, 5)
    except (RedisError, OSError):
        return "away"
    return "ok"
