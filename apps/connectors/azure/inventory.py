"""A subscription's inventory by Azure Resource Graph: resources, then the containers they lie in.

At most 1,000 rows an answer, ordered by id: without an order, pages may overlap (Azure Resource Graph,
"Working with large data sets"). The service tells how many queries are left for this caller and when there
will be more; a listing that has used them up waits, instead of running into a 429.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..answers import retry_after_of
from ..errors import CloudAway, CloudInvalid
from ..files.azure_resource_graph import record_of_arm_resource
from ..listing import LONGEST_WAIT_SECONDS, Page, patiently, records_of

if TYPE_CHECKING:
    from .cloud import AzureCloud

# Containers: subscriptions and resource groups, which have tags and policies of their own.
TABLES = ("resources", "resourcecontainers")
ROWS_A_PAGE = 1000


@dataclass(frozen=True)
class Answer:
    """Rows of one query's page, and `skip` to go on with."""

    rows: tuple[dict[str, Any], ...]
    skip: str | None


def pages(cloud: AzureCloud, token: str | None = None, size: int = ROWS_A_PAGE) -> Iterator[Page]:
    """Pages of ResourceRecords. Raises CloudError after patience has ended."""
    table, skip = _position(token)
    resumed = skip is not None
    while True:
        query = f"{TABLES[table]} | order by id asc"
        try:
            answer = patiently(lambda query=query, skip=skip: ask(cloud, query, skip=skip, top=size))  # type: ignore[misc]
        except CloudInvalid:
            if not resumed or cloud.began_anew:
                raise
            # The token is too old for Azure: this table from its beginning, once.
            skip, resumed, cloud.began_anew = None, False, True
            continue
        resumed = False
        following = _token(table, answer.skip)
        yield Page(records_of(answer.rows, record_of_arm_resource), following)
        if following is None:
            return
        table, skip = _position(following)


def ask(cloud: AzureCloud, query: str, *, skip: str | None = None, top: int = ROWS_A_PAGE) -> Answer:
    """One page of one query over the subscription."""
    from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

    heard: dict[str, str] = {}

    def hear(response: Any) -> None:
        heard.update(response.http_response.headers)

    options = QueryRequestOptions(top=top, skip_token=skip, result_format="objectArray")
    request = QueryRequest(subscriptions=[cloud.access.account], query=query, options=options)
    doing = "list resources by Resource Graph"
    rest = cloud.resting_until - time.monotonic()
    if rest > 0:
        time.sleep(min(rest, LONGEST_WAIT_SECONDS))
    with cloud.calling(doing):
        answer = cloud.graph.resources(request, raw_response_hook=hear)
    cloud.resting_until = time.monotonic() + _wait(heard)
    if not isinstance(answer.data, list):
        raise CloudAway("Azure Resource Graph answered without rows.", operation=doing)
    return Answer(tuple(answer.data), answer.skip_token or None)


def _wait(headers: dict[str, str]) -> float:
    lowered = {key.lower(): value for key, value in headers.items()}
    if lowered.get("x-ms-user-quota-remaining", "").strip() != "0":
        return 0.0
    return retry_after_of(lowered) or 0.0


def _position(token: str | None) -> tuple[int, str | None]:
    if token is None:
        return 0, None
    try:
        held = json.loads(token)
        return TABLES.index(held["table"]), held["skip"]
    except (ValueError, KeyError, TypeError) as error:
        raise CloudInvalid("This is no page token of an Azure listing.") from error


def _token(table: int, skip: str | None) -> str | None:
    if skip is None:
        table += 1
        if table == len(TABLES):
            return None
    return json.dumps({"table": TABLES[table], "skip": skip})
