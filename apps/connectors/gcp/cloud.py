"""A project that can be called, by REST only: grpc does not survive the fork of a worker.

google-cloud-compute takes seconds to import, so each client is imported when it is first called. The SDK
retries nothing: who calls decides (listing.patiently, the runner).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..access import AccountAccess
from ..credentials import missing_sdk
from ..errors import CloudDenied
from ..listing import Page
from . import ONCE
from .credential import credentials_for
from .errors import translated

try:
    from google.cloud.asset_v1 import AssetServiceClient
except ImportError as error:  # said when the account is opened, not when the desk starts
    raise missing_sdk("Google Cloud", "gcp.txt", error) from error

if TYPE_CHECKING:
    from .inventory import Policies


class GcpCloud:
    """One project (`access.account` is its project id)."""

    provider = "gcp"

    def __init__(self, access: AccountAccess) -> None:
        self.access = access
        self.credentials = credentials_for(access)
        # Of the listing that is under way (inventory.py).
        self.policies: Policies | None = None
        self.began_anew = False

    def identity(self) -> str:
        """The project's id, if the credentials may search its assets. Raises CloudDenied where they can't."""
        request = {
            "scope": f"projects/{self.access.account}",
            "asset_types": ["cloudresourcemanager.googleapis.com/Project"],
            "page_size": 1,
        }
        doing = "read the project"
        with self.calling(doing):
            found = next(self.assets.search_all_resources(request=request, **ONCE).pages).results
        for result in found:
            return str(result.name).rsplit("/", 1)[-1]
        raise CloudDenied(
            f"The credentials see nothing of project {self.access.account}: "
            "they need the role Cloud Asset Viewer on it.",
            operation=doing,
        )

    def pages(self, token: str | None = None) -> Iterator[Page]:
        """Every asset with its IAM policy, page by page."""
        from .inventory import pages

        return pages(self, token)

    def calling(self, doing: str) -> AbstractContextManager[None]:
        """Errors raised inside come out as CloudError."""
        return translated(doing)

    @cached_property
    def assets(self) -> Any:
        return AssetServiceClient(transport=self._transport(AssetServiceClient))

    @cached_property
    def instances(self) -> Any:
        from google.cloud.compute_v1 import InstancesClient

        return InstancesClient(transport=self._transport(InstancesClient))

    @cached_property
    def disks(self) -> Any:
        from google.cloud.compute_v1 import DisksClient

        return DisksClient(transport=self._transport(DisksClient))

    @cached_property
    def snapshots(self) -> Any:
        from google.cloud.compute_v1 import SnapshotsClient

        return SnapshotsClient(transport=self._transport(SnapshotsClient))

    @cached_property
    def images(self) -> Any:
        from google.cloud.compute_v1 import ImagesClient

        return ImagesClient(transport=self._transport(ImagesClient))

    @cached_property
    def storage(self) -> Any:
        from google.cloud.storage import Client

        endpoint = self.access.endpoint_url
        options = {"api_endpoint": endpoint.rstrip("/")} if endpoint else None
        return Client(self.access.account, credentials=self.credentials, client_options=options)

    def _transport(self, client: Any) -> Any:
        """REST, to the cloud or to where the platform sends us."""
        transport = client.get_transport_class("rest")
        if not self.access.endpoint_url:
            return transport(credentials=self.credentials)
        scheme, _, host = self.access.endpoint_url.rstrip("/").partition("://")
        return transport(credentials=self.credentials, host=host, url_scheme=scheme)


def open_gcp(access: AccountAccess) -> GcpCloud:
    """Raises CloudDenied or CloudUnsupported where the credentials can't be had."""
    return GcpCloud(access)
