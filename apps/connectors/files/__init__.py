"""Inventory files: the connector that always works. `read` streams any of FORMATS in flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from apps.connectors.files.aws_config import read_aws_config
from apps.connectors.files.azure_resource_graph import read_azure_resource_graph
from apps.connectors.files.csv_table import read_csv
from apps.connectors.files.detection import UnknownFormat, format_of
from apps.connectors.files.gcp_asset import read_gcp_asset
from apps.connectors.files.ibm_search import read_ibm_search
from apps.connectors.files.ndjson import read_ndjson
from apps.connectors.files.source import ByteStream, Input, open_source
from apps.connectors.records import Refusal, Rejected, ResourceRecord

__all__ = ["FORMATS", "Reader", "UnknownFormat", "detect", "read"]

Reader = Callable[[ByteStream], Iterator[ResourceRecord | Refusal]]

FORMATS: dict[str, Reader] = {
    "ndjson": read_ndjson,
    "azure-resource-graph": read_azure_resource_graph,
    "aws-config": read_aws_config,
    "gcp-asset": read_gcp_asset,
    "ibm-search": read_ibm_search,
    "csv": read_csv,
}


def detect(given: Input) -> str:
    """The name in FORMATS of a file or a binary stream, told from its first bytes. Raises UnknownFormat.

    A stream that can seek is put back to where it was; another one has lost its first bytes: give such a
    stream to `read`, which looks for itself.
    """
    seekable = not isinstance(given, str) and hasattr(given, "seekable") and given.seekable()
    start = given.tell() if seekable else 0  # type: ignore[union-attr]
    try:
        with open_source(given) as source:
            return format_of(source.head)
    finally:
        if seekable:
            given.seek(start)  # type: ignore[union-attr]


def read(given: Input, format: str | None = None) -> Iterator[ResourceRecord | Refusal]:
    """Records and refusals of a file or a binary stream, plain or gzip, in the file's order.

    `format` is a name in FORMATS (KeyError on another), or None to tell it from the first bytes. A file that
    can't be read at all gives one refusal with line 1. A path is opened when the first item is asked for: a
    missing one raises OSError then.
    """
    reader = FORMATS[format] if format else None
    return _read(given, reader)


def _read(given: Input, reader: Reader | None) -> Iterator[ResourceRecord | Refusal]:
    with open_source(given) as source:
        try:
            source.refuse_unreadable()
            reader = reader or FORMATS[format_of(source.head)]
        except Rejected as rejected:
            yield Refusal(1, rejected.field, rejected.reason)
            return
        nothing = True
        for item in reader(source.stream):
            nothing = False
            yield item
        if nothing:
            yield Refusal(1, None, "the file holds no resource")
