"""An AWS Config snapshot or history file: `{"configurationItems": […]}`.

Config writes a service's own answer with small first letters (`instanceId`), sometimes as JSON in a string.
For the types of CONFIG_TYPES the answer is put back as the service gives it (`InstanceId`), under the type
name that the policy language uses (`aws.ec2`), so that one policy fits resources of every source. Another
type keeps Config's own name in lower case and its document as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.connectors.files.aws_config_documents import service_document
from apps.connectors.files.aws_config_types import CONFIG_TYPES
from apps.connectors.files.elements import array_elements
from apps.connectors.files.row import Row, build, converted, object_or_empty, required_text
from apps.connectors.files.source import ByteStream
from apps.connectors.files.strict_json import parse_object
from apps.connectors.records import Refusal, Rejected, ResourceRecord

LIST_KEYS = ("configurationItems",)


def read_aws_config(stream: ByteStream) -> Iterator[ResourceRecord | Refusal]:
    """A record or a refusal for each configuration item; `line` is the one its element begins on."""
    return converted(array_elements(stream, LIST_KEYS), record_of_item)


def record_of_item(item: Row, line: int) -> ResourceRecord:
    """A configuration item as a record. A deleted resource's item has no configuration. Raises Rejected."""
    config_type = required_text("resourceType", item.get("resourceType"), 256)
    deleted = str(item.get("configurationItemStatus", "")).startswith("ResourceDeleted")
    document = service_document(
        config_type,
        _configuration(item),
        object_or_empty("supplementaryConfiguration", item.get("supplementaryConfiguration")),
    )
    native_id = item.get("ARN") or item.get("arn") or item.get("resourceId")
    return build(
        provider="aws",
        native_id=native_id,
        type_=CONFIG_TYPES.get(config_type, config_type),
        name=item.get("resourceName") or item.get("resourceId"),
        location=_place(item),
        tags=item.get("tags") or document.get("Tags"),
        document=document,
        line=line,
        account=_account(item),
        status="deleted" if deleted else None,
    )


def _configuration(item: Row) -> dict[str, Any]:
    given = item.get("configuration")
    if isinstance(given, str):
        try:
            return parse_object(given.encode())
        except Rejected as rejected:
            raise Rejected(
                "configuration", f"configuration is a string, and inside it: {rejected.reason}"
            ) from None
    return object_or_empty("configuration", given)


def _place(item: Row) -> Any:
    zone = item.get("availabilityZone")
    told = isinstance(zone, str) and zone not in (
        "",
        "Not Applicable",
        "Multiple Availability Zones",
        "Regional",
    )
    return zone if told else item.get("awsRegion")


def _account(item: Row) -> str | None:
    found = item.get("awsAccountId") or item.get("accountId")
    return found if isinstance(found, str) else None
