"""A project's inventory by Cloud Asset Inventory: searchAllResources, joined with searchAllIamPolicies.

The policies are read first, into a temporary table on disk, so that each resource comes whole, in one record,
and memory stays flat; a resource whose policy is gone loses it. The table is the opened project's, for callers
that ask for one page at a time; a process that goes on from another's token reads the policies again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import CloudInvalid
from ..files.gcp_asset import record_of_asset
from ..listing import Page, patiently, records_of
from ..records import PART_KEYS, WHOLE, ResourceRecord
from . import ONCE

if TYPE_CHECKING:
    from .cloud import GcpCloud

ROWS_A_PAGE = 500  # the service gives no more
Json = dict[str, Any]


def pages(cloud: GcpCloud, token: str | None = None, size: int = ROWS_A_PAGE) -> Iterator[Page]:
    """Pages of ResourceRecords. Raises CloudError after patience has ended."""
    if token is None or cloud.policies is None:
        policies = Policies()
        for found, _ in _search(cloud, "policies", size, None):
            policies.keep(found)
        cloud.policies = policies
    policies = cloud.policies
    for results, following in _search(cloud, "resources", size, token):
        rows = [asset_of(result, policies.of(result.get("name", ""))) for result in results]
        yield Page(records_of(rows, lambda row, line: _record(cloud, row, line)), following)


def _search(
    cloud: GcpCloud, what: str, size: int, token: str | None
) -> Iterator[tuple[list[Json], str | None]]:
    """(results, token of what follows) page by page."""
    resumed = token is not None
    while True:
        try:
            results, following = patiently(lambda token=token: _page(cloud, what, size, token))  # type: ignore[misc]
        except CloudInvalid:
            if not resumed or cloud.began_anew:
                raise
            # The token is too old for the service: from the beginning, once.
            token, resumed, cloud.began_anew = None, False, True
            continue
        resumed = False
        yield results, following
        if following is None:
            return
        token = following


def _page(cloud: GcpCloud, what: str, size: int, token: str | None) -> tuple[list[Json], str | None]:
    request: Json = {"scope": f"projects/{cloud.access.account}", "page_size": size}
    if token:
        request["page_token"] = token
    if what == "resources":
        # Everything: without a mask the resource's own document is left out.
        request |= {"order_by": "name", "read_mask": {"paths": ["*"]}}
        call = cloud.assets.search_all_resources
    else:
        call = cloud.assets.search_all_iam_policies
    with cloud.calling(f"list {what} by Cloud Asset Inventory"):
        answer = next(call(request=request, **ONCE).pages)
    kind = type(answer)
    found = kind.to_dict(
        answer, always_print_fields_with_no_presence=False, preserving_proto_field_name=False
    )
    return [_whole_numbers(result) for result in found.get("results", [])], answer.next_page_token or None


def asset_of(result: Json, policy: Json | None) -> Json:
    """A search result as a line of an asset export: its newest document, or what the search knows of it."""
    versions = {item.get("version", ""): item for item in result.get("versionedResources", [])}
    version = versions.get("v1") or next(reversed(versions.values()), None)
    data = dict(version["resource"]) if version else _known(result)
    if result.get("labels") and "labels" not in data and "settings" not in data:
        data["labels"] = result["labels"]
    resource = {
        "data": data,
        "location": result.get("location"),
        "parent": result.get("parentFullResourceName"),
    }
    asset = {"name": result.get("name"), "asset_type": result.get("assetType"), "resource": resource}
    return {**asset, "ancestors": [result["project"]] if "project" in result else [], "iam_policy": policy}


def _known(result: Json) -> Json:
    """Of a type whose document the search does not hold: its columns and additional attributes."""
    columns = ("displayName", "description", "labels", "networkTags", "kmsKeys", "state", "createTime")
    held = {key: result[key] for key in (*columns, "updateTime") if key in result}
    return {**result.get("additionalAttributes", {}), **held}


def _record(cloud: GcpCloud, asset: Json, line: int) -> ResourceRecord:
    policy = asset.pop("iam_policy", None)
    record = record_of_asset(asset, line)
    document = {**record.document, PART_KEYS["iam_policy"]: policy} if policy else record.document
    # The search was over one project: a bucket's name does not tell it, and its number is no id.
    project = cloud.access.account
    return replace(record, document=document, part=WHOLE, account=project, group_name=project)


class Policies:
    """IAM policies by the resource's name, in a temporary file that SQLite deletes."""

    def __init__(self) -> None:
        self._table = sqlite3.connect("", check_same_thread=False)
        self._one_at_a_time = threading.Lock()
        self._table.execute("CREATE TABLE policies (name TEXT PRIMARY KEY, policy TEXT) WITHOUT ROWID")

    def keep(self, results: list[Json]) -> None:
        rows = [(result.get("resource", ""), json.dumps(result.get("policy", {}))) for result in results]
        with self._one_at_a_time:
            self._table.executemany("INSERT OR REPLACE INTO policies VALUES (?, ?)", rows)

    def of(self, name: str) -> Json | None:
        with self._one_at_a_time:
            found = self._table.execute("SELECT policy FROM policies WHERE name = ?", (name,)).fetchone()
        return json.loads(found[0]) if found else None


def _whole_numbers(value: Any) -> Any:
    """Protobuf's Struct knows only doubles: 10.0 becomes the 10 that the service's JSON has."""
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
