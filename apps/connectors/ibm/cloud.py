"""An account that can be called. The SDK retries nothing: who calls decides (listing.patiently, the runner).

Object Storage speaks S3: boto3 calls it with the token that IBM's SDK got (ibm-cos-sdk 2 has no wheels).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from ..access import AccountAccess
from ..credentials import missing_sdk
from ..errors import CloudDenied, CloudInvalid
from ..listing import Page
from .credential import authenticator_for
from .errors import translated

try:
    from ibm_platform_services import (
        GlobalSearchV2,
        GlobalTaggingV1,
        IamPolicyManagementV1,
        ResourceManagerV2,
    )
except ImportError as error:  # said when the account is opened, not when the desk starts
    raise missing_sdk("IBM Cloud", "ibm.txt", error) from error

SECONDS = 60
_VPC = "https://{region}.iaas.cloud.ibm.com"
_STORAGE = "https://s3.{region}.cloud-object-storage.appdomain.cloud"


class IbmCloud:
    """One account (`access.account`); clients are made when they are first called."""

    provider = "ibm"

    def __init__(self, access: AccountAccess) -> None:
        self.access = access
        self.authenticator = authenticator_for(access)
        self.began_anew = False  # the listing that is under way, its cursor forgotten
        self._regional: dict[tuple[str, str], Any] = {}

    def identity(self) -> str:
        """The account of the credentials: that of its default resource group, which every account has."""
        doing = "read the account's resource groups"
        with self.calling(doing):
            found = self.groups.list_resource_groups(default=True).get_result()
        for group in found.get("resources", []):
            if group.get("account_id"):
                return str(group["account_id"])
        raise CloudDenied(
            "The credentials see no resource group: they need the role Viewer on the account.",
            operation=doing,
        )

    def pages(self, token: str | None = None) -> Iterator[Page]:
        """Everything that Global Search knows, page by page."""
        from .inventory import pages

        return pages(self, token)

    def calling(self, doing: str) -> AbstractContextManager[None]:
        """Errors raised inside come out as CloudError."""
        return translated(doing)

    @cached_property
    def search(self) -> Any:
        return self._service(GlobalSearchV2)

    @cached_property
    def tagging(self) -> Any:
        return self._service(GlobalTaggingV1)

    @cached_property
    def groups(self) -> Any:
        return self._service(ResourceManagerV2)

    @cached_property
    def policies(self) -> Any:
        return self._service(IamPolicyManagementV1)

    def vpc(self, region: str) -> Any:
        """The VPC service of a region."""
        from ibm_vpc import VpcV1

        def make() -> Any:
            endpoint = self.access.endpoint_url
            base = endpoint.rstrip("/") if endpoint else _VPC.format(region=_checked(region))
            return self._service(VpcV1, f"{base}/v1")

        return self._once("vpc", region, make)

    def storage(self, region: str) -> Any:
        """Object Storage of a region, a cross-region (`eu`) or a single site."""
        from .storage_client import storage_client

        def make() -> Any:
            endpoint = self.access.endpoint_url
            base = f"{endpoint.rstrip('/')}/cos" if endpoint else _STORAGE.format(region=_checked(region))
            return storage_client(base, region, self.authenticator)

        return self._once("storage", region, make)

    def _once(self, what: str, region: str, make: Any) -> Any:
        if (what, region) not in self._regional:
            self._regional[what, region] = make()
        return self._regional[what, region]

    def _service(self, kind: Any, url: str | None = None) -> Any:
        service = kind(authenticator=self.authenticator)
        service.set_http_config({"timeout": SECONDS})
        url = url or self.access.endpoint_url
        if url:
            service.set_service_url(url.rstrip("/"))
        return service


def _checked(region: str) -> str:
    """A region goes into a host's name: nothing but letters, digits and hyphens may."""
    if not region or not all(part.isascii() and part.isalnum() for part in region.split("-")):
        raise CloudInvalid(f"{region[:40]!r} is no region of IBM Cloud.")
    return region


def open_ibm(access: AccountAccess) -> IbmCloud:
    """Raises CloudDenied or CloudUnsupported where the credentials can't be had."""
    return IbmCloud(access)
