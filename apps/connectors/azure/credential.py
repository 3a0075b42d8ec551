"""From a reference to a credential of azure-identity."""

from __future__ import annotations

import contextlib
from typing import Any

from ..access import AccountAccess
from ..credentials import goes_bare, json_of, missing_sdk, unsupported, variable, variables
from ..errors import CloudDenied


def credential_for(access: AccountAccess) -> Any:
    """A TokenCredential; None where calls go without. Raises CloudDenied, CloudUnsupported.

    environment: `<prefix>_TENANT_ID`, `_CLIENT_ID` and `_CLIENT_SECRET` or `_CLIENT_CERTIFICATE_PATH`;
    file: a service principal as the Azure CLI writes it; workload_identity: `default` for the pod's or the
    machine's own, else a managed identity's client id.
    """
    if goes_bare(access):
        return None
    try:
        import azure.identity as identity
    except ImportError as error:
        raise missing_sdk("Azure", "azure.txt", error) from error
    reference = access.credential
    if reference.kind == "environment":
        found = variables(reference, ("TENANT_ID", "CLIENT_ID"))
        certificate = variable(reference, "CLIENT_CERTIFICATE_PATH")
        if certificate:
            return _made(identity.CertificateCredential, *found.values(), certificate)
        found |= variables(reference, ("CLIENT_SECRET",))
        return _made(identity.ClientSecretCredential, *found.values())
    if reference.kind == "file":
        held = json_of(reference)
        names = (("tenantId", "tenant"), ("clientId", "appId"), ("clientSecret", "password"))
        values = [held.get(first) or held.get(second) for first, second in names]
        if not all(isinstance(value, str) for value in values):
            raise CloudDenied("The credential file lacks tenantId, clientId or clientSecret.")
        return _made(identity.ClientSecretCredential, *values)
    if reference.kind == "workload_identity":
        name = reference.values.get("name", "default")
        if name != "default":
            return identity.ManagedIdentityCredential(client_id=name)
        return identity.ChainedTokenCredential(*_own_identities(identity))
    raise unsupported("Azure", reference)


def _own_identities(identity: Any) -> list[Any]:
    """The pod's federated identity where there is one, then the machine's."""
    found = [identity.ManagedIdentityCredential()]
    with contextlib.suppress(ValueError):  # its variables are not set: not a pod of that kind
        found.insert(0, identity.WorkloadIdentityCredential())
    return found


def _made(kind: Any, *values: Any) -> Any:
    try:
        return kind(*values)
    except ValueError as error:
        raise CloudDenied(f"Azure's SDK does not take the credentials: {error}") from error
