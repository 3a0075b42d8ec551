"""Our own plain format: one JSON object a line with `id, provider, type, name, location, tags, properties`.

`account` may say whose it is, where neither id nor document does (an S3 bucket).

`properties` is the cloud's own document. An Azure row may give the whole ARM resource there, or only its
inner `properties` as ARM nests it; the document is the whole ARM resource either way, so that
paths work the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from apps.connectors.bounds import MAX_SHORT_TEXT_BYTES
from apps.connectors.files.lines import numbered_lines
from apps.connectors.files.row import Row, build, converted, object_or_empty, optional_text
from apps.connectors.files.source import ByteStream
from apps.connectors.records import Refusal, ResourceRecord

# What a row says of itself; the rest of an Azure row is the ARM resource.
_OURS = ("provider", "account")


def read_ndjson(stream: ByteStream) -> Iterator[ResourceRecord | Refusal]:
    """A record or a refusal for each line that isn't blank."""
    return converted(numbered_lines(stream), record_of_row)


def record_of_row(row: Row, line: int) -> ResourceRecord:
    """A row of the plain format as a record. Raises Rejected."""
    provider = row.get("provider")
    given = object_or_empty("properties", row.get("properties"))
    document = _arm_resource(row, given) if provider == "azure" else given
    return build(
        provider=provider if isinstance(provider, str) else str(provider),
        native_id=row.get("id"),
        type_=row.get("type"),
        name=row.get("name"),
        location=row.get("location"),
        tags=row["tags"] if "tags" in row else document.get("Tags", document.get("labels")),
        document=document,
        line=line,
        account=optional_text("account", row.get("account"), MAX_SHORT_TEXT_BYTES),
    )


def _arm_resource(row: Row, given: Row) -> Row:
    """The whole ARM resource: `properties` itself where it is one already, else the row around it."""
    if isinstance(given.get("properties"), dict) and isinstance(given.get("id"), str) and "type" in given:
        return given
    return {key: value for key, value in row.items() if key not in _OURS}
