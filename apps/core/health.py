"""Health: is the process alive, and is it ready to serve? Neither needs a tenant nor tells anything about one."""

from __future__ import annotations

import logging

from django.core.cache import cache
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError
from django.http import HttpRequest, JsonResponse
from redis.exceptions import RedisError

from .requests import non_atomic

log = logging.getLogger(__name__)


@non_atomic
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@non_atomic
def ready(request: HttpRequest) -> JsonResponse:
    """503 unless PostgreSQL answers and its schema is this code's. Redis away is said, and is no reason
    to stop serving: losing it loses nothing."""
    parts = {"postgresql": _postgresql(), "redis": _redis()}
    fit = parts["postgresql"] == "ok"
    return JsonResponse(
        {"status": "ready" if fit else "not ready", "parts": parts}, status=200 if fit else 503
    )


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
