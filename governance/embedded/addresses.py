"""Where the servers are, as environment variables. Settings read this first: no Django, nothing third-party.

Three groups, each wholly ours or wholly the operator's: PostgreSQL (`DATABASE_URL`, `DATABASE_OWNER_URL`,
`DATABASE_SEALER_URL`), Redis (`REDIS_URL`), S3 (`EVIDENCE_S3_ENDPOINT`, `AWS_*`, `AUDIT_S3_*`). A group whose
address is set in the environment is external: its server is not started and none of its variables is ours to
fill in.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from governance.embedded import kept, ports

DATABASE = "governance"
OWNER = "governance_owner"
APP = "governance_app"
SEALER = "governance_sealer"
EVIDENCE_BUCKET = "evidence"
STAGING_BUCKET = "staging"
CHECKPOINT_BUCKET = "checkpoints"

POSTGRES, VALKEY, S3 = "postgres", "valkey", "s3"
# The demo's cloud takes any key; this one is of the account 123456789012.
CLOUD_KEY = "AKIADEMOCLOUD0000001"

_SECRETS = (
    "postgres_superuser",
    "postgres_owner",
    "postgres_app",
    "postgres_sealer",
    "valkey",
    "s3_admin_key",
    "s3_admin_secret",
    "s3_app_key",
    "s3_app_secret",
    "s3_sealer_key",
    "s3_sealer_secret",
    "s3_signing",
    "s3_encryption",
    "django",
    "webhooks",
    "cloud",
)
# What a process without business there gets as an empty variable.
WITHHELD = (
    "DATABASE_OWNER_URL",
    "DATABASE_SEALER_URL",
    "AUDIT_SIGNING_KEY_FILE",
    "AUDIT_S3_ACCESS_KEY_ID",
    "AUDIT_S3_SECRET_ACCESS_KEY",
)
# Other ways in which boto3 finds credentials: with our own S3 server they would win over, or mix with, ours.
_FOREIGN_S3 = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")


class MissingVariable(ValueError):
    """One of two variables that belong together is set, the other is not."""


def secrets_of(var: Path) -> dict[str, str]:
    """The secrets of this installation, made once into `secrets.json` (0600)."""
    return kept.keep(var / "secrets.json", dict.fromkeys(_SECRETS, _new_secret))


def _new_secret() -> str:
    return secrets.token_urlsafe(40)  # url-safe; 54 characters: Django's deployment check asks for 50


def environment(var: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The embedded default's value of every variable that `environ` leaves to it.

    Nothing of an external group is in it, and no DATABASE_OWNER_URL where `environ` has an empty one.
    Secrets and ports are made by the first call. Errors as `external`.
    """
    outside = external(environ)
    secret, port = secrets_of(var), ports.read(var)
    values = {
        "EVIDENCE_BUCKET": EVIDENCE_BUCKET,
        "EVIDENCE_STAGING_BUCKET": STAGING_BUCKET,
        "AUDIT_CHECKPOINT_BUCKET": CHECKPOINT_BUCKET,
        "AUDIT_PUBLIC_KEY_FILE": str(var / "audit" / "public.keys"),
        "DJANGO_SECRET_KEY": secret["django"],
        "BASE_URL": f"http://{ports.LOOPBACK}:{web_port(environ)}",
        "EMAIL_URL": f"file://{var / 'mail'}",
        "EMAIL_FROM": "Governance desk <governance-desk@localhost>",
        "WEBHOOK_KEY": secret["webhooks"],
    }
    if environ.get("DEMO") != "0":
        values["DEMO_CLOUD_URL"] = f"http://{ports.LOOPBACK}:{port['cloud']}"
        values["DEMO_CLOUD_ACCESS_KEY_ID"] = CLOUD_KEY
        values["DEMO_CLOUD_SECRET_ACCESS_KEY"] = secret["cloud"]
    if POSTGRES not in outside:
        database = f"{ports.LOOPBACK}:{port['postgres']}/{DATABASE}"
        values["DATABASE_URL"] = f"postgresql://{APP}:{secret['postgres_app']}@{database}"
        if environ.get("DATABASE_OWNER_URL") != "":
            values["DATABASE_OWNER_URL"] = f"postgresql://{OWNER}:{secret['postgres_owner']}@{database}"
        if environ.get("DATABASE_SEALER_URL") != "":
            values["DATABASE_SEALER_URL"] = f"postgresql://{SEALER}:{secret['postgres_sealer']}@{database}"
    if VALKEY not in outside:
        values["REDIS_URL"] = f"redis://:{secret['valkey']}@{ports.LOOPBACK}:{port['valkey']}/0"
    if S3 not in outside:
        values["EVIDENCE_S3_ENDPOINT"] = f"http://{ports.LOOPBACK}:{port['s3']}"
        values["AWS_ACCESS_KEY_ID"] = secret["s3_app_key"]
        values["AWS_SECRET_ACCESS_KEY"] = secret["s3_app_secret"]
        values["AWS_DEFAULT_REGION"] = "us-east-1"
        if environ.get("AUDIT_S3_ACCESS_KEY_ID") != "":
            values["AUDIT_S3_ACCESS_KEY_ID"] = secret["s3_sealer_key"]
            values["AUDIT_S3_SECRET_ACCESS_KEY"] = secret["s3_sealer_secret"]
    if environ.get("AUDIT_SIGNING_KEY_FILE") != "":
        values["AUDIT_SIGNING_KEY_FILE"] = str(var / "audit" / "signing.key")
    return values


def external(environ: Mapping[str, str] = os.environ) -> set[str]:
    """Which servers the environment names, and which are therefore not ours to start.

    DATABASE_URL and DATABASE_OWNER_URL come together, or MissingVariable names the one that is not set. An
    *empty* DATABASE_OWNER_URL says on purpose that this process gets none (web and workers).
    """
    app, owner = environ.get("DATABASE_URL", ""), environ.get("DATABASE_OWNER_URL")
    if app and owner is None:
        raise MissingVariable(
            "DATABASE_URL is set and DATABASE_OWNER_URL is not: migrations connect as the owner"
        )
    if owner and not app:
        raise MissingVariable("DATABASE_OWNER_URL is set and DATABASE_URL is not: the app connects by it")
    named = {POSTGRES: app, VALKEY: environ.get("REDIS_URL"), S3: environ.get("EVIDENCE_S3_ENDPOINT")}
    return {server for server, address in named.items() if address}


def complete(var: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`environ` with the embedded default where it says nothing: what a process of ours runs with.

    With our own S3 server, its credentials win over AWS_* that are there for something else.
    """
    ours = environment(var, environ)
    result = {name: value for name, value in environ.items() if value or name in WITHHELD}
    if "EVIDENCE_S3_ENDPOINT" in ours:
        for name in (*_FOREIGN_S3, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            result.pop(name, None)
    return {**ours, **result}


def without_owner(environ: Mapping[str, str]) -> dict[str, str]:
    """The same for web and workers, which are neither owner nor sealer: empty, so that settings don't fill it
    in again."""
    return {**environ, **dict.fromkeys(WITHHELD, "")}


def for_sealer(environ: Mapping[str, str]) -> dict[str, str]:
    """The same for the sealer, which is not the owner where a role of its own is told."""
    return {**environ, "DATABASE_OWNER_URL": ""} if environ.get("DATABASE_SEALER_URL") else dict(environ)


def web_port(environ: Mapping[str, str] = os.environ) -> int:
    """`WEB_PORT`, or 8000. ValueError names the variable where it is no port."""
    text = environ.get("WEB_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"WEB_PORT is {text!r}: a port from 1 to 65535 is expected")
    return int(text)


def var_folder(root: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the embedded default keeps everything: `GOVERNANCE_VAR`, or `var` below the checkout `root`."""
    return Path(environ.get("GOVERNANCE_VAR") or root / "var").resolve()
