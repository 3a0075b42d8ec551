"""Rows of a Parquet file, batch by batch. The reader is Arrow's Rust implementation in a small wheel, arro3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import IO, Any

from arro3.core import DataType, RecordBatchReader
from arro3.io import read_parquet

from apps.connectors.billing.nested import MAPS, cell
from apps.connectors.billing.rows import Cells, Table
from apps.connectors.files.source import ByteStream
from apps.connectors.records import Refusal, Rejected

MAGIC = b"PAR1"
BATCH_ROWS = 4_096
_CHUNK = 1024 * 1024


def parquet_table(stream: ByteStream) -> Table:
    """The table of a Parquet file, whose end must be read before its rows: it goes to a temporary file first.

    Raises Rejected where the bytes are no Parquet.
    """
    spool = tempfile.TemporaryFile(prefix="costs-")  # noqa: SIM115  (the rows' iterator closes it)
    try:
        while chunk := stream.read1(_CHUNK):
            spool.write(chunk)
        spool.seek(0)
        batches = read_parquet(spool, batch_size=BATCH_ROWS)
        header = [name for name, _ in _columns(batches.schema)]
    except BaseException as error:
        spool.close()
        # Arrow's errors come as plain exceptions of several kinds.
        if isinstance(error, OSError | KeyboardInterrupt) or type(error).__module__.startswith("apps."):
            raise
        raise Rejected(None, f"the Parquet file can't be read: {str(error)[:200]}") from None
    return Table(header, _rows(batches, spool))


def _columns(schema: Any) -> list[tuple[str, tuple[str, ...]]]:
    """(flat name, path) for each leaf; a struct is taken apart, a list or a map stays whole."""
    found: list[tuple[str, tuple[str, ...]]] = []

    def walk(fields: Any, path: tuple[str, ...]) -> None:
        for field in fields:
            here = (*path, field.name)
            if DataType.is_struct(field.type) and field.name not in MAPS:
                walk(field.type.fields, here)
            else:
                found.append((".".join(here), here))

    walk(schema, ())
    return found


def _rows(batches: RecordBatchReader, spool: IO[bytes]) -> Iterator[tuple[int, Cells] | Refusal]:
    columns = _columns(batches.schema)
    number = 0
    with spool:
        try:
            for batch in batches:
                whole = {name: batch.column(name).to_pylist() for name in batch.schema.names}
                texts = [_texts(whole[path[0]], path[1:]) for _, path in columns]
                for cells in zip(*texts, strict=True):
                    number += 1
                    yield number, list(cells)
        except Rejected:
            raise
        except Exception as error:
            if type(error).__module__.startswith("apps."):
                raise
            yield Refusal(number + 1, None, f"the Parquet file breaks here: {str(error)[:200]}")


def _texts(values: list[Any], path: tuple[str, ...]) -> list[str]:
    for name in path:
        values = [value.get(name) if isinstance(value, dict) else None for value in values]
    return [cell(dict(v) if _is_map(v) else v) for v in values]


def _is_map(value: Any) -> bool:
    """Arrow gives a map as a list of pairs."""
    return (
        isinstance(value, list) and bool(value) and all(isinstance(p, tuple) and len(p) == 2 for p in value)
    )
