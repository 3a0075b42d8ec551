"""The servers, from the environment."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from .base import CELERY, databases, redis_cache
from .environment import Environment

SHORTEST_LEASE_SECONDS = 3


def server_settings(environment: Environment, *, pool: bool) -> dict[str, Any]:
    redis_url = environment.text("REDIS_URL")
    return {
        "SECRET_KEY": environment.text("DJANGO_SECRET_KEY"),
        "DATABASES": databases(environment, pool=pool),
        "CACHES": redis_cache(redis_url),
        "CELERY": {**CELERY, "broker_url": redis_url},
        "JOB_LEASE_SECONDS": _lease_seconds(environment),
        "EVIDENCE": {
            "endpoint": environment.text("EVIDENCE_S3_ENDPOINT", "") or None,
            "public_endpoint": environment.text("EVIDENCE_S3_PUBLIC_ENDPOINT", "") or None,
            "bucket": environment.text("EVIDENCE_BUCKET"),
            "staging_bucket": environment.text("EVIDENCE_STAGING_BUCKET", "staging"),
            "access_key": environment.text("AWS_ACCESS_KEY_ID", "") or None,
            "secret_key": environment.text("AWS_SECRET_ACCESS_KEY", "") or None,
            "region": environment.text("AWS_DEFAULT_REGION", "us-east-1"),
        },
    }


def _lease_seconds(environment: Environment) -> int:
    """For how long a worker that says nothing keeps its job: the time until a killed worker's job goes on."""
    seconds = environment.number("JOB_LEASE_SECONDS", 30)
    if seconds < SHORTEST_LEASE_SECONDS:
        raise ImproperlyConfigured(
            f"JOB_LEASE_SECONDS is {seconds}: at least {SHORTEST_LEASE_SECONDS} are needed to renew it in time."
        )
    return seconds
