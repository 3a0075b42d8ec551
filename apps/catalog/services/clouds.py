"""From a tenant's connected account to a cloud that can be called, and the test whether it can.

Nothing here holds a transaction open while a cloud is called.
"""

from __future__ import annotations

import uuid

from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.clouds import Cloud, connect
from apps.connectors.errors import CloudError
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import NotFound, Refused
from apps.tenancy.cloud_accounts import record_test
from apps.tenancy.cloud_references import reference_matches
from apps.tenancy.models import CloudAccount, CloudCredential
from apps.tenancy.models_clouds import CONNECTED, DISCONNECTED

OTHER_ACCOUNT = "other_account"
# How each kind calls what follows it in the reference.
_VALUE = {"environment": "prefix", "file": "path", "assume_role": "role_arn", "workload_identity": "name"}


def cloud_of(*, provider: str, account: str | None) -> Cloud:
    """The context tenant's connected account, ready to be called; no call is made yet.

    Without `account`, the only connected one of the provider. Reads in a short transaction of its own. Raises
    NotFound where there is no such account, Refused where it is not connected or its credential reference is
    no longer allowed, CloudDenied where the credentials are not there.
    """
    with tenant_transaction(current_tenant_id()):
        access = access_of(_connected(provider, account))
    return connect(access)


def access_of(row: CloudAccount) -> AccountAccess:
    """How connectors reach this account. Raises Refused where the platform has taken the reference away."""
    allowed: CloudCredential = row.credential
    if (
        allowed.revoked_at is not None
        or allowed.kind != row.credential_kind
        or not reference_matches(allowed.pattern, row.credential_value)
    ):
        raise Refused(f"The platform no longer allows the credential reference of {row}.")
    values = {_VALUE[row.credential_kind]: row.credential_value}
    if row.credential_kind == "assume_role":
        values |= {"external_id": row.external_id, "source": allowed.source}
    return AccountAccess(
        provider=row.provider,
        account=row.account,
        credential=CredentialReference(row.credential_kind, values),
        regions=tuple(row.regions),
        listing=row.listing,
        endpoint_url=allowed.endpoint_url or None,
    )


def check_account(*, account_id: uuid.UUID) -> CloudAccount:
    """Ask the cloud whose the credentials are; connects the account where they are its own.

    What went wrong is written on the account, in words, and returned with it. Raises NotFound, and Refused
    where another tenant has connected the account. Not inside a transaction.
    """
    with tenant_transaction(current_tenant_id()):
        row = CloudAccount.objects.select_related("credential").filter(pk=account_id).first()
        if row is None:
            raise NotFound("There is no such cloud account.")
        if row.status == DISCONNECTED:
            raise Refused(f"{row} is disconnected: connect it again first.")
    problem, code = _ask(row)
    with tenant_transaction(current_tenant_id()):
        row = CloudAccount.objects.get(pk=account_id)
        return record_test(account=row, problem=problem, code=code)


def _ask(row: CloudAccount) -> tuple[str, str]:
    """(what is wrong in words, a short code), both empty where the account is proven."""
    try:
        proven = connect(access_of(row)).identity()
    except CloudError as error:
        return str(error), error.code or type(error).__name__
    except Refused as error:
        return str(error), error.code
    if proven.lower() != row.account:
        return f"These credentials are of the account {proven}, not of {row.account}.", OTHER_ACCOUNT
    return "", ""


def _connected(provider: str, account: str | None) -> CloudAccount:
    rows = CloudAccount.objects.select_related("credential").filter(provider=provider)
    if account is not None:
        row = rows.filter(account=account.lower()).first()
        if row is None:
            raise NotFound(
                f"The {provider} account {account} is not connected: an administrator connects it under Cloud accounts."
            )
        if row.status != CONNECTED:
            why = f": {row.problem}" if row.problem else "."
            raise Refused(f"The {provider} account {account} is {row.status}{why}")
        return row
    connected = list(rows.filter(status=CONNECTED)[:2])
    if not connected:
        raise NotFound(f"No {provider} account is connected.")
    if len(connected) > 1:
        raise Refused(
            f"Several {provider} accounts are connected, and the resource does not say which is its own."
        )
    return connected[0]
