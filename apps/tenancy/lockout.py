"""Slowing down guesses: five wrong passwords for a tenant, name and address shut that door for 15 minutes.

Counted in the cache, keyed by all three, so nobody can lock out another tenant's user or one at another desk.
"""

from __future__ import annotations

import hashlib
import logging

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger("security.sign_in")

LIMIT = 5
SECONDS = 15 * 60


def _key(tenant: str, upn: str, address: str) -> str:
    digest = hashlib.sha256("\0".join((tenant, upn, address)).encode()).hexdigest()
    return f"sign-in:{digest}"


def is_locked(tenant: str, upn: str, address: str) -> bool:
    try:
        return int(cache.get(_key(tenant, upn, address), 0)) >= LIMIT
    except (RedisError, OSError):
        log.warning("The cache is away: wrong passwords are not counted")
        return False


def count_failure(tenant: str, upn: str, address: str) -> None:
    key = _key(tenant, upn, address)
    try:
        cache.add(key, 0, SECONDS)
        cache.incr(key)
    except (RedisError, OSError, ValueError):
        log.warning("The cache is away: a wrong password was not counted")


def forget_failures(tenant: str, upn: str, address: str) -> None:
    try:
        cache.delete(_key(tenant, upn, address))
    except (RedisError, OSError):
        log.warning("The cache is away")
