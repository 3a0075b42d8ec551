"""What listers are made of: rows in the plain inventory format, calls in a region, tags in a list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.aws.names import partition_of
from apps.connectors.errors import CloudGone

GLOBAL = "global"
Row = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """Calls to one region of one account."""

    cloud: AwsCloud
    region: str

    def __call__(self, service: str, method: str, **request: Any) -> dict[str, Any]:
        return self.cloud.call(service, method, self.region, **request)

    def or_none(self, service: str, method: str, **request: Any) -> dict[str, Any] | None:
        """The answer, None where AWS says that there is no such setting."""
        try:
            return self(service, method, **request)
        except CloudGone:
            return None

    def arn(self, service: str, rest: str, *, region: str | None = None) -> str:
        place = self.region if region is None else region
        return f"arn:{partition_of(self.region)}:{service}:{place}:{self.cloud.access.account}:{rest}"


@dataclass(frozen=True)
class Listed:
    rows: list[Row]
    token: str | None


List = Callable[[Ask, str | None], Listed]
Detail = Callable[[Ask, Row], Row]


@dataclass(frozen=True)
class Lister:
    """`list` gives a page of rows and the token that goes on; `detail` adds to a row what takes further calls."""

    list: List
    detail: Detail | None = None
    is_global: bool = False


def row(
    ask: Ask,
    type_: str,
    native_id: str,
    document: Mapping[str, Any],
    *,
    name: str | None = None,
    tags: Any = None,
    location: str | None = None,
) -> Row:
    """A row as an inventory file would hold it; `tags` as the service lists them, else the document's `Tags`."""
    held = plain({key: value for key, value in document.items() if key != "ResponseMetadata"})
    listed = plain(tags) if tags is not None else held.get("Tags") or []
    held["Tags"] = listed
    called = name or _name_tag(listed)
    return {
        "provider": "aws",
        "id": native_id,
        "type": type_,
        "name": called,
        "account": ask.cloud.access.account,
        "location": location,
        "tags": listed,
        "properties": held,
    }


def with_details(found: Row, tags: Any = None, **more: Any) -> Row:
    """The row with more keys in its document (those that are None left out), and with `tags` where given."""
    document = {**found["properties"], **plain({k: v for k, v in more.items() if v is not None})}
    if tags is None:
        return {**found, "properties": document}
    listed = plain(tags)
    document["Tags"] = listed
    name = found["name"] or _name_tag(listed)
    return {**found, "properties": document, "tags": listed, "name": name}


def token_request(parameter: str, token: str | None) -> dict[str, str]:
    return {parameter: token} if token else {}


def plain(value: Any) -> Any:
    """JSON-ready: times as ISO 8601 in UTC."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes | bytearray):
        return None
    return value


def _name_tag(listed: Any) -> str | None:
    if isinstance(listed, Mapping):
        return listed.get("Name") or None
    return next((tag.get("Value") or None for tag in listed if tag.get("Key") == "Name"), None)
