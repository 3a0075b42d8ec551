"""From a reference to credentials of google-auth."""

from __future__ import annotations

from typing import Any

from ..access import AccountAccess, CredentialReference
from ..credentials import goes_bare, json_of, missing_sdk, unsupported, variables
from ..errors import CloudDenied

try:
    import google.auth.compute_engine
    import google.auth.credentials
    import google.auth.exceptions
    import google.auth.identity_pool
    import google.oauth2.service_account
except ImportError as error:
    raise missing_sdk("Google Cloud", "gcp.txt", error) from error

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def credentials_for(access: AccountAccess) -> Any:
    """Credentials of google-auth. Raises CloudDenied, CloudUnsupported.

    environment: `<prefix>_APPLICATION_CREDENTIALS` names a file; file: a service account's key, or the
    configuration of a workload identity pool; workload_identity: `default` for what the machine or pod runs
    as, else the service account of it.
    """
    if goes_bare(access):
        return google.auth.credentials.AnonymousCredentials()
    reference = access.credential
    if reference.kind == "environment":
        named = variables(reference, ("APPLICATION_CREDENTIALS",))["APPLICATION_CREDENTIALS"]
        return _of_file(CredentialReference("file", {"path": named}))
    if reference.kind == "file":
        return _of_file(reference)
    if reference.kind == "workload_identity":
        name = reference.values.get("name", "default")
        return google.auth.compute_engine.Credentials(service_account_email=name, scopes=list(SCOPES))
    raise unsupported("Google Cloud", reference)


def _of_file(reference: CredentialReference) -> Any:
    """Two types by name: others run programs or call addresses of the file's choosing."""
    held, path = dict(json_of(reference)), reference.values.get("path", "")
    kinds = {
        "service_account": google.oauth2.service_account.Credentials.from_service_account_info,
        "external_account": google.auth.identity_pool.Credentials.from_info,
    }
    if held.get("type") not in kinds:
        raise CloudDenied(f"The credential file {path} is neither a service_account nor an external_account.")
    try:
        return kinds[held["type"]](held, scopes=list(SCOPES))
    except (google.auth.exceptions.GoogleAuthError, ValueError, TypeError) as error:
        raise CloudDenied(f"Google's SDK does not take the credentials in {path}.") from error
