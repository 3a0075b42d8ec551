"""An answer of Azure Resource Graph (`data`), of an ARM list call (`value`), or a bare list of resources."""

from __future__ import annotations

from collections.abc import Iterator

from apps.connectors.files.elements import array_elements
from apps.connectors.files.row import Row, build, converted
from apps.connectors.files.source import ByteStream
from apps.connectors.records import Refusal, ResourceRecord

LIST_KEYS = ("data", "value")


def read_azure_resource_graph(stream: ByteStream) -> Iterator[ResourceRecord | Refusal]:
    """A record or a refusal for each ARM resource; `line` is the one its element begins on."""
    return converted(array_elements(stream, LIST_KEYS), record_of_arm_resource)


def record_of_arm_resource(resource: Row, line: int) -> ResourceRecord:
    """An ARM resource as a record; the document is the resource whole. Raises Rejected."""
    return build(
        provider="azure",
        native_id=resource.get("id"),
        type_=resource.get("type"),
        name=resource.get("name"),
        location=resource.get("location"),
        tags=resource.get("tags"),
        document=resource,
        line=line,
    )
