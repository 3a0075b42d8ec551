"""Which scopes an account has, and a page of one of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.errors import CloudDenied, CloudGone, CloudInvalid
from apps.connectors.files.ndjson import record_of_row
from apps.connectors.listing import Page, patiently, records_of
from apps.connectors.records import Refusal, ResourceRecord

from .balancing import BALANCING
from .compute import COMPUTE
from .data import DATA
from .identity import IDENTITY
from .rows import GLOBAL, Ask, Detail, Lister, Row

LISTERS: dict[str, Lister] = {**COMPUTE, **BALANCING, **DATA, **IDENTITY}
# Calls for the details of one page's resources at a time: well below any service's own limits.
DETAILS_AT_ONCE = 6


@dataclass(frozen=True)
class Scope:
    """A catalog type in a region."""

    type: str
    region: str

    def __str__(self) -> str:
        return f"{self.type} in {self.region}"


def scopes_of(cloud: AwsCloud) -> tuple[Scope, ...]:
    """Every scope of the account, region by region. Raises CloudError where the regions can't be told."""
    regions = patiently(cloud.regions)
    world = [Scope(type_, GLOBAL) for type_, lister in LISTERS.items() if lister.is_global]
    local = [
        Scope(type_, region)
        for region in regions
        for type_, lister in LISTERS.items()
        if not lister.is_global
    ]
    return (*world, *local)


def page_of(cloud: AwsCloud, scope: Scope, token: str | None = None) -> Page:
    """A page of the scope; its token is AWS's own. A token that AWS has forgotten begins the scope anew.

    A resource whose details are denied comes as a Refusal: without them policies would judge what is not
    known. Raises CloudError.
    """
    lister = LISTERS[scope.type]
    ask = Ask(cloud, cloud.home if scope.region == GLOBAL else scope.region)
    try:
        listed = patiently(lambda: lister.list(ask, token))
    except CloudInvalid:
        if token is None:
            raise
        listed = patiently(lambda: lister.list(ask, None))
    detailed = _detailed(ask, lister.detail, listed.rows)
    records: list[ResourceRecord | Refusal] = []
    for line, found in enumerate(detailed, 1):
        if isinstance(found, Refusal):
            records.append(Refusal(line, None, found.reason, found.native_id))
        elif found is not None:
            records += records_of([found], record_of_row, line)
    return Page(tuple(records), listed.token)


def _detailed(ask: Ask, detail: Detail | None, rows: list[Row]) -> list[Row | Refusal | None]:
    if detail is None or not rows:
        return [*rows]
    with ThreadPoolExecutor(min(DETAILS_AT_ONCE, len(rows)), thread_name_prefix="aws-detail") as pool:
        return list(pool.map(lambda row: _one(ask, detail, row), rows))


def _one(ask: Ask, detail: Detail, row: Row) -> Row | Refusal | None:
    try:
        # All of a resource's details again after a throttled one: they are few.
        return patiently(lambda: detail(ask, row))
    except CloudGone:
        return None  # it went while it was listed
    except CloudDenied as error:
        return Refusal(0, None, f"Its details could not be read: {error}", row["id"])
