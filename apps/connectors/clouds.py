"""From an account's access to a cloud that can be called. The one place that knows which clouds there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .access import AccountAccess
from .errors import CloudUnsupported


class Cloud(Protocol):
    """An account that can be called. What can be called is each cloud's own: see its package."""

    provider: str
    access: AccountAccess

    def identity(self) -> str:
        """The account that the credentials prove to be of, asked of the cloud. Raises CloudError."""
        ...


def _open_azure(access: AccountAccess) -> Cloud:
    from .azure.cloud import open_azure

    return open_azure(access)


def _open_gcp(access: AccountAccess) -> Cloud:
    from .gcp.cloud import open_gcp

    return open_gcp(access)


def _open_ibm(access: AccountAccess) -> Cloud:
    from .ibm.cloud import open_ibm

    return open_ibm(access)


def _open_aws(access: AccountAccess) -> Cloud:
    from .aws.cloud import AwsCloud

    return AwsCloud(access)


# provider → opens an account. SDKs are imported inside, so a missing one hurts nobody who does not use it.
_OPENERS: dict[str, Callable[[AccountAccess], Cloud]] = {
    "aws": _open_aws,
    "azure": _open_azure,
    "gcp": _open_gcp,
    "ibm": _open_ibm,
}


def connect(access: AccountAccess) -> Cloud:
    """Open the account; nothing is called yet. Raises CloudUnsupported, CloudDenied (no such credentials)."""
    try:
        opener = _OPENERS[access.provider]
    except KeyError as error:
        raise CloudUnsupported(f"There is no connector for {access.provider}.") from error
    return opener(access)
