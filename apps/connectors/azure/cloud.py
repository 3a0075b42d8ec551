"""A subscription that can be called. The SDK retries nothing: who calls decides (listing.patiently, the runner)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from ..access import AccountAccess
from ..credentials import missing_sdk
from ..errors import CloudDenied
from ..listing import Page
from .credential import credential_for
from .errors import translated

try:
    from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy
    from azure.mgmt.resourcegraph import ResourceGraphClient
except ImportError as error:  # said when the account is opened, not when the desk starts
    raise missing_sdk("Azure", "azure.txt", error) from error

CONNECT_SECONDS, READ_SECONDS = 10, 60


class AzureCloud:
    """One subscription (`access.account`); clients are made when they are first called."""

    provider = "azure"

    def __init__(self, access: AccountAccess) -> None:
        self.access = access
        # Of the listing that is under way (inventory.py): when Azure answers again, and whether it began anew.
        self.resting_until = 0.0
        self.began_anew = False

    def identity(self) -> str:
        """The subscription's id, if the credentials can read it. Raises CloudDenied where they can't."""
        from .inventory import ask

        query = (
            "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project subscriptionId"
        )
        answer = ask(self, query, top=10)
        wanted = self.access.account.lower()
        for row in answer.rows:
            if str(row.get("subscriptionId", "")).lower() == wanted:
                return wanted
        raise CloudDenied(
            f"The credentials see nothing of subscription {wanted}: they need the role Reader on it.",
            operation="read the subscription",
        )

    def pages(self, token: str | None = None) -> Iterator[Page]:
        """Every resource and resource group, page by page."""
        from .inventory import pages

        return pages(self, token)

    def calling(self, doing: str) -> AbstractContextManager[None]:
        """Errors raised inside come out as CloudError."""
        return translated(doing)

    @cached_property
    def graph(self) -> Any:
        return ResourceGraphClient(**self._arguments)

    @cached_property
    def resources(self) -> Any:
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(subscription_id=self.access.account, **self._arguments)

    @cached_property
    def compute(self) -> Any:
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(subscription_id=self.access.account, **self._arguments)

    @cached_property
    def storage(self) -> Any:
        from azure.mgmt.storage import StorageManagementClient

        return StorageManagementClient(subscription_id=self.access.account, **self._arguments)

    @cached_property
    def _arguments(self) -> dict[str, Any]:
        credential = credential_for(self.access)
        arguments: dict[str, Any] = {
            "credential": credential or _NoCredential(),
            "retry_policy": RetryPolicy.no_retries(),
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }
        endpoint = self.access.endpoint_url
        if endpoint:
            arguments["base_url"] = endpoint.rstrip("/")
            arguments["credential_scopes"] = ["https://management.azure.com/.default"]
        if credential is None:
            arguments["authentication_policy"] = SansIOHTTPPolicy()
        return arguments


class _NoCredential:
    """Stands where the SDK wants a credential and the policy that would ask it is left out."""

    def get_token(self, *scopes: str, **options: Any) -> Any:
        raise CloudDenied("No credential is sent to an endpoint on plain http.")


def open_azure(access: AccountAccess) -> AzureCloud:
    """Raises CloudDenied or CloudUnsupported where the credentials can't be had."""
    cloud = AzureCloud(access)
    _ = cloud._arguments
    return cloud
