"""From a reference to an authenticator of ibm-cloud-sdk-core."""

from __future__ import annotations

from typing import Any

from ..access import AccountAccess
from ..credentials import goes_bare, json_of, missing_sdk, unsupported, variables
from ..errors import CloudDenied

try:
    from ibm_cloud_sdk_core.authenticators import (
        ContainerAuthenticator,
        IAMAuthenticator,
        NoAuthAuthenticator,
        VPCInstanceAuthenticator,
    )
except ImportError as error:
    raise missing_sdk("IBM Cloud", "ibm.txt", error) from error


def authenticator_for(access: AccountAccess) -> Any:
    """Raises CloudDenied, CloudUnsupported.

    environment: `<prefix>_API_KEY`; file: an API key as the IBM Cloud CLI writes it; workload_identity: the
    name of a trusted profile for pods, `vpc:` and a profile's id for virtual servers.
    """
    if goes_bare(access):
        return NoAuthAuthenticator()
    reference = access.credential
    if reference.kind == "environment":
        return _made(IAMAuthenticator, variables(reference, ("API_KEY",))["API_KEY"])
    if reference.kind == "file":
        key = json_of(reference).get("apikey")
        if not isinstance(key, str) or not key:
            raise CloudDenied("The credential file has no apikey.")
        return _made(IAMAuthenticator, key)
    if reference.kind == "workload_identity":
        name = reference.values.get("name", "")
        if name.startswith("vpc:"):
            return VPCInstanceAuthenticator(iam_profile_id=name.removeprefix("vpc:"))
        return ContainerAuthenticator(iam_profile_name=name)
    raise unsupported("IBM Cloud", reference)


def _made(kind: Any, *values: str) -> Any:
    try:
        return kind(*values)
    except ValueError as error:
        raise CloudDenied("IBM Cloud's SDK does not take the API key.") from error
