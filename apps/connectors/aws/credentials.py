"""From a credential reference to a botocore session that uses these credentials and no others.

The process has credentials of its own in its environment, for the evidence buckets: botocore's chain of
providers, which would find those, is never asked for a tenant's account.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.credentials import Credentials, DeferredRefreshableCredentials
from botocore.session import Session

from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.errors import CloudDenied, CloudUnsupported

FALLBACK_REGION = "us-east-1"
# The platform's own credentials for assuming tenants' roles, where the reference names no other source.
PLATFORM_SOURCE = CredentialReference("environment", {"prefix": "GOVERNANCE_AWS"})
ROLE_SECONDS = 3600
# Providers of botocore's chain that don't read the process's environment or home.
_WORKLOAD = {
    "web": ("assume-role-with-web-identity",),
    "container": ("container-role",),
    "instance": ("iam-role",),
}

CONFIG = Config(
    # Ours to slow down beyond this: discovery waits and goes on at the same page.
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=16,
    ignore_configured_endpoint_urls=True,
    user_agent_extra="governance-desk",
    # One line each time a checksum header is not answered is noise; what needs one asks for it.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


def session_for(access: AccountAccess) -> Session:
    """A session for `access`. Raises CloudDenied where its credentials are not there; calls nothing yet."""
    session = _empty_session()
    region = access.regions[0] if access.regions else FALLBACK_REGION
    session.set_config_variable("region", region)
    _fill(session, access.credential, access.endpoint_url)
    return session


def _empty_session() -> Session:
    """A session that reads no profile, no shared file and no variable of the process."""
    nothing = (None, None, None, None)
    return Session(
        session_vars={
            "profile": nothing,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
            "region": ("region", None, None, None),
        }
    )


def _fill(session: Session, reference: CredentialReference, endpoint_url: str | None) -> None:
    if reference.kind == "environment":
        session._credentials = _from_environment(reference.values["prefix"])
    elif reference.kind == "file":
        session._credentials = _from_file(Path(reference.values["path"]))
    elif reference.kind == "workload_identity":
        _keep_providers(session, reference.values["name"])
    elif reference.kind == "assume_role":
        session._credentials = _assumed(reference.values, endpoint_url)
    else:
        raise CloudUnsupported(f"AWS knows no credentials of the kind {reference.kind}.")


def _from_environment(prefix: str) -> Credentials:
    names = [f"{prefix}_ACCESS_KEY_ID", f"{prefix}_SECRET_ACCESS_KEY"]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise CloudDenied(
            f"The credentials are missing: {' and '.join(missing)} is not set where the desk's workers run."
        )
    return Credentials(
        os.environ[names[0]], os.environ[names[1]], os.environ.get(f"{prefix}_SESSION_TOKEN") or None
    )


def _from_file(path: Path) -> Credentials:
    """A JSON object with the keys that `aws sts` and `aws configure export-credentials` write."""
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CloudDenied("The credentials are missing: their file is not there.") from error
    except (OSError, ValueError) as error:
        raise CloudDenied(f"The file of the credentials can't be read: {type(error).__name__}.") from error
    told = told.get("Credentials", told) if isinstance(told, dict) else {}
    if not isinstance(told, dict) or not told.get("AccessKeyId") or not told.get("SecretAccessKey"):
        raise CloudDenied("The file of the credentials has no AccessKeyId and SecretAccessKey.")
    return Credentials(
        str(told["AccessKeyId"]), str(told["SecretAccessKey"]), told.get("SessionToken") or None
    )


def _keep_providers(session: Session, name: str) -> None:
    kept = _WORKLOAD.get(name)
    if kept is None:
        raise CloudUnsupported(f"AWS knows the workload identities {', '.join(_WORKLOAD)}, not {name}.")
    resolver = session.get_component("credential_provider")
    for provider in [p.METHOD for p in resolver.providers]:
        if provider not in kept:
            resolver.remove(provider)


def _assumed(values: Mapping[str, str], endpoint_url: str | None) -> Any:
    source = _source(values.get("source", ""))
    base = _empty_session()
    base.set_config_variable("region", FALLBACK_REGION)
    _fill(base, source, endpoint_url)

    def refresh() -> dict[str, Any]:
        sts = base.create_client("sts", endpoint_url=endpoint_url, config=CONFIG)
        made = sts.assume_role(
            RoleArn=values["role_arn"],
            RoleSessionName="governance-desk",
            ExternalId=values["external_id"],
            DurationSeconds=ROLE_SECONDS,
        )["Credentials"]
        expires: datetime = made["Expiration"]
        return {
            "access_key": made["AccessKeyId"],
            "secret_key": made["SecretAccessKey"],
            "token": made["SessionToken"],
            "expiry_time": expires.astimezone(UTC).isoformat(),
        }

    return DeferredRefreshableCredentials(refresh_using=refresh, method="governance-assume-role")


def _source(reference: str) -> CredentialReference:
    if not reference:
        return PLATFORM_SOURCE
    kind, _, value = reference.partition(":")
    key = {"environment": "prefix", "file": "path", "workload_identity": "name"}.get(kind)
    if key is None:
        raise CloudUnsupported(f"A role can't be assumed with credentials of the kind {kind}.")
    return CredentialReference(kind, {key: value})
