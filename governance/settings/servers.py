"""The servers, from the environment."""

from __future__ import annotations

from pathlib import Path
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
        "AUDIT": audit_settings(environment),
    }


def audit_settings(environment: Environment) -> dict[str, Any]:
    """Sealing the audit trail. The key file and credentials of its own are given to the sealer's process alone."""
    key_file = environment.text("AUDIT_SIGNING_KEY_FILE", "")
    public_key_file = environment.text("AUDIT_PUBLIC_KEY_FILE", "")
    return {
        "bucket": environment.text("AUDIT_CHECKPOINT_BUCKET", "checkpoints"),
        "access_key": environment.text("AUDIT_S3_ACCESS_KEY_ID", "") or None,
        "secret_key": environment.text("AUDIT_S3_SECRET_ACCESS_KEY", "") or None,
        "key_file": Path(key_file) if key_file else None,
        "public_keys": tuple(environment.text("AUDIT_PUBLIC_KEYS", "").split()),
        "public_key_file": Path(public_key_file) if public_key_file else None,
        "seal_seconds": environment.number("AUDIT_SEAL_SECONDS", 10),
        "alarm_seconds": environment.number("AUDIT_SEAL_ALARM_SECONDS", 300),
        "retention_days": environment.number("AUDIT_RETENTION_DAYS", 2557),
    }


def _lease_seconds(environment: Environment) -> int:
    """For how long a worker that says nothing keeps its job: the time until a killed worker's job goes on."""
    seconds = environment.number("JOB_LEASE_SECONDS", 30)
    if seconds < SHORTEST_LEASE_SECONDS:
        raise ImproperlyConfigured(
            f"JOB_LEASE_SECONDS is {seconds}: at least {SHORTEST_LEASE_SECONDS} are needed to renew it in time."
        )
    return seconds
