"""Billing exports as a stream of charges. `read` takes any of FORMATS, in flat memory, with no float on the way."""

from __future__ import annotations

from collections.abc import Iterator

from apps.connectors.billing.aws_cur import AWS_CUR
from apps.connectors.billing.azure import AZURE
from apps.connectors.billing.charges import NAMES, Charge
from apps.connectors.billing.focus import FOCUS, refuse_other_set
from apps.connectors.billing.focus import normalise as plain
from apps.connectors.billing.gcp import GCP
from apps.connectors.billing.json_rows import json_table
from apps.connectors.billing.layout import Encode, Layout, as_it_is
from apps.connectors.billing.parquet_rows import MAGIC, parquet_table
from apps.connectors.billing.rows import CutShort, Table, csv_table
from apps.connectors.files.source import BrokenSource, Input, Source, open_source
from apps.connectors.records import Refusal, Rejected

__all__ = ["FORMATS", "NAMES", "Charge", "CutShort", "read"]

# In the order in which a header is asked: FOCUS files carry columns of the native format too.
FORMATS: dict[str, Layout] = {layout.name: layout for layout in (FOCUS, AWS_CUR, AZURE, GCP)}


def read(given: Input, format: str | None = None, encode: Encode = as_it_is) -> Iterator[Charge | Refusal]:
    """The charges and refusals of a file or a binary stream, in the file's order; their values by `encode`.

    `format` is a name in FORMATS (KeyError on another), or None to tell it from the header. A file that holds
    no charges at all (another data set, another format) gives one refusal that says so. Raises CutShort where
    the file breaks off in the middle: what was read until then is no whole delivery.
    """
    layout = FORMATS[format] if format else None
    with open_source(given) as source:
        try:
            source.refuse_unreadable()
            table = _table(source)
            layout = layout or layout_of(table.header)
            charges = layout.read(table, encode)
            first = next(charges, None)
        except BrokenSource as broken:
            raise CutShort(1, str(broken)) from None
        except Rejected as rejected:
            yield Refusal(1, rejected.field, rejected.reason)
            return
        if first is None:
            yield Refusal(1, None, "the file has a header and no charges")
            return
        yield first
        yield from charges


def _table(source: Source) -> Table:
    if source.head.startswith(MAGIC):
        return parquet_table(source.stream)
    if source.head.lstrip()[:1] in (b"{", b"["):
        return json_table(source.stream)
    return csv_table(source.stream)


def layout_of(header: list[str]) -> Layout:
    """The layout that a header belongs to. Raises Rejected where it is none, in words where it is nearly one."""
    for layout in FORMATS.values():
        if layout.recognises(frozenset(map(layout.normalise, header))):
            return layout
    refuse_other_set(frozenset(map(plain, header)))
    if not header:
        raise Rejected(None, "this JSON holds no rows of a billing export")
    shown = ", ".join(name[:40] for name in header[:8])
    raise Rejected(None, f"no billing export that is known here has this header: {shown[:300]}")
