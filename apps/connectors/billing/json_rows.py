"""Rows of JSON lines, as BigQuery exports a nested table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal

from apps.connectors.billing.nested import flat
from apps.connectors.billing.rows import Cells, Table
from apps.connectors.files.lines import numbered_lines
from apps.connectors.files.source import ByteStream
from apps.connectors.records import Refusal

LOOKED_AT = 1_000
# Columns that decide over money and may be absent from the first rows.
_ALWAYS = ("cost", "credits", "cost_at_list", "cost_type", "project.labels", "labels", "resource.global_name")
_Row = tuple[int, dict[str, str]]


def json_table(stream: ByteStream) -> Table:
    """The columns are those of the first rows, and those that decide over money."""
    rows = _read(stream)
    first = list(itertools.islice(rows, LOOKED_AT))
    names: dict[str, None] = {}
    for item in first:
        if not isinstance(item, Refusal):
            names.update(dict.fromkeys(item[1]))
    known = {name.lower() for name in names}
    header = [*names, *(name for name in _ALWAYS if names and name not in known)]
    return Table(header, _cells(itertools.chain(first, rows), header))


def _cells(rows: Iterator[_Row | Refusal], header: Cells) -> Iterator[tuple[int, Cells] | Refusal]:
    for item in rows:
        yield item if isinstance(item, Refusal) else (item[0], [item[1].get(name, "") for name in header])


def _read(stream: ByteStream) -> Iterator[_Row | Refusal]:
    for item in numbered_lines(stream):
        if isinstance(item, Refusal):
            yield item
            continue
        line, raw = item
        try:
            row = json.loads(raw, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            yield Refusal(line, None, f"not JSON: {error}"[:300])
            continue
        if isinstance(row, dict):
            yield line, flat(row)
        else:
            yield Refusal(line, None, "is no JSON object")
