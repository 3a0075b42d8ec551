"""A bound on requests that start work: a script gone wild must not fill the queue.

Counted in the cache, per tenant and user. A cache that is away lets everybody through: losing it loses
nothing but the bound.
"""

from __future__ import annotations

import logging
from typing import Any

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

log = logging.getLogger(__name__)


class WorkThrottle(SimpleRateThrottle):
    """Sixty pieces of work a minute for each user."""

    rate = "60/min"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        user = request.user
        return f"work:{user.tenant_id}:{user.pk}" if user.is_authenticated else None

    def allow_request(self, request: Request, view: Any) -> bool:
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        try:
            return super().allow_request(request, view)
        except (RedisError, OSError) as error:
            log.warning("No throttling, the cache is away: %s", error)
            return True
