"""An account's inventory by Global Search: a cursor that is given on from answer to answer.

The end is an answer without a cursor or with fewer items than were asked for (GlobalSearchV2, `search`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import CloudInvalid
from ..files.ibm_search import record_of_item
from ..listing import Page, patiently, records_of

if TYPE_CHECKING:
    from .cloud import IbmCloud

ROWS_A_PAGE = 500


def pages(cloud: IbmCloud, token: str | None = None, size: int = ROWS_A_PAGE) -> Iterator[Page]:
    """Pages of ResourceRecords. Raises CloudError after patience has ended."""
    cursor, resumed = token, token is not None
    while True:
        try:
            items, following = patiently(lambda cursor=cursor: _page(cloud, cursor, size))  # type: ignore[misc]
        except CloudInvalid:
            if not resumed or cloud.began_anew:
                raise
            # Cursors live for minutes: from the beginning, once.
            cursor, resumed, cloud.began_anew = None, False, True
            continue
        resumed = False
        yield Page(records_of(items, record_of_item), following)
        if following is None:
            return
        cursor = following


def _page(cloud: IbmCloud, cursor: str | None, size: int) -> tuple[list[dict[str, Any]], str | None]:
    with cloud.calling("list resources by Global Search"):
        answer = cloud.search.search(
            query="*",
            fields=["*"],
            search_cursor=cursor,
            account_id=cloud.access.account,
            limit=size,
            sort=["crn"],
        ).get_result()
    items = answer.get("items", [])
    following = answer.get("search_cursor")
    return items, following if following and len(items) >= size else None
