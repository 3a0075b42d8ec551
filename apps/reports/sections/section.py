"""A section: a query as of the cut, walked by its key in batches, each in a short transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from apps.core.context import current_tenant_id, tenant_transaction
from apps.reports.period import Period

BATCH = 2000
Row = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """`sql` gives at most %(size)s rows after the key %(after_0)s, %(after_1)s …, ordered by it.

    It reads only what is true as of %(start)s and %(cut)s. `columns` are the ones to show; `key` those to
    walk by, from `first`; a row whose `included` is false is walked over. `complete` adds to a row what SQL
    does not know.
    """

    name: str
    sql: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("key",)
    first: tuple[Any, ...] = ("",)
    complete: Callable[[Row], None] | None = None

    def rows(self, period: Period, progress: Callable[[int], None]) -> Iterator[Row]:
        """Every row of the section; `progress` is told the rows so far, between transactions."""
        after, done = self.first, 0
        while True:
            batch = self._batch(period, after)
            for row in batch:
                if row.pop("included", True):
                    if self.complete is not None:
                        self.complete(row)
                    done += 1
                    yield row
            if len(batch) < BATCH:
                return
            after = tuple(batch[-1][column] for column in self.key)
            progress(done)

    def _batch(self, period: Period, after: tuple[Any, ...]) -> list[Row]:
        values: dict[str, Any] = {"start": period.start, "cut": period.cut, "size": BATCH}
        values["policies"] = list(period.policies) if period.policies is not None else None
        values |= period.scope.values()
        values |= {f"after_{n}": value for n, value in enumerate(after)}
        return fetch(self.sql, values)


def fetch(sql: str, values: Mapping[str, Any]) -> list[Row]:
    """The rows of a query of the context's tenant, in one transaction."""
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        cursor.execute(sql, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def utc(moment: datetime | None) -> str:
    """ISO 8601 with microseconds and Z; empty for none."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
