"""Any cloud's inventory by scopes: AWS by type and region, the others in one listing of everything.

A scope is (type, region), where an empty text means all of them.
"""

from __future__ import annotations

from itertools import islice
from typing import cast

from .clouds import Cloud
from .errors import CloudUnsupported
from .listing import Listed, Page

ScopeName = tuple[str, str]
EVERYTHING: ScopeName = ("", "")


def scopes_of(cloud: Cloud) -> tuple[ScopeName, ...]:
    """What there is to list. Raises CloudError; CloudUnsupported where the connector can't list."""
    if cloud.provider == "aws":
        from .aws import inventory
        from .aws.cloud import AwsCloud

        return tuple((scope.type, scope.region) for scope in inventory.scopes_of(cast(AwsCloud, cloud)))
    if not hasattr(cloud, "pages"):
        raise CloudUnsupported(f"The connector for {cloud.provider} can't list an inventory yet.")
    return (EVERYTHING,)


def page_of(cloud: Cloud, scope: ScopeName, token: str | None) -> Page:
    """The scope's first page, or the one that `token` leads to. Raises CloudError."""
    if cloud.provider == "aws":
        from .aws import inventory
        from .aws.cloud import AwsCloud

        return inventory.page_of(cast(AwsCloud, cloud), inventory.Scope(*scope), token)
    page = next(islice(cast(Listed, cloud).pages(token), 1), None)
    return page if page is not None else Page((), None)
