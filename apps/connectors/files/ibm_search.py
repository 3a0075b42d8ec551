"""An answer of IBM Cloud's Global Search: `{"items": [{"crn": …, "doc": {…}}]}`, or a bare list of items.

A resource's type is made of the words of its CRN: `ibm.<service>`, and `-<resource type>` where it has one:
`ibm.is-instance`, `ibm.cloud-object-storage-bucket`, `ibm.kms` for a Key Protect instance.
"""

from __future__ import annotations

from collections.abc import Iterator

from apps.connectors.files.elements import array_elements
from apps.connectors.files.row import Row, build, converted, required_text
from apps.connectors.files.source import ByteStream
from apps.connectors.records import Refusal, Rejected, ResourceRecord

LIST_KEYS = ("items",)
_CRN_PARTS = 10  # crn:version:cname:ctype:service:location:scope:instance:resource type:resource


def read_ibm_search(stream: ByteStream) -> Iterator[ResourceRecord | Refusal]:
    """A record or a refusal for each item; `line` is the one its element begins on."""
    return converted(array_elements(stream, LIST_KEYS), record_of_item)


def record_of_item(item: Row, line: int) -> ResourceRecord:
    """An item as a record; the document is the item whole. Raises Rejected."""
    crn = required_text("crn", item.get("crn"), 1024)
    return build(
        provider="ibm",
        native_id=crn,
        type_=type_of_crn(crn),
        name=item.get("name"),
        location=item.get("region"),
        tags=item.get("tags"),
        document=item,
        line=line,
    )


def type_of_crn(crn: str) -> str:
    """`ibm.<service>[-<resource type>]`. Raises Rejected where the text is no CRN."""
    parts = crn.split(":", _CRN_PARTS - 1)
    if len(parts) != _CRN_PARTS or parts[0] != "crn" or not parts[4]:
        raise Rejected("crn", f"{crn[:100]!r} is not a CRN of {_CRN_PARTS} parts")
    return f"ibm.{parts[4]}" + (f"-{parts[8]}" if parts[8] else "")
