"""What every import keeps: a run with its counts, and a row for each refusal."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow

from ..models import ImportRefusal, ImportRun

# Of one file so many refusals are listed; beyond, they are counted and the run says so.
LISTED_REFUSALS = 100_000
BATCH = 1_000


class Progress(Protocol):
    """What an import needs of its job; None where it runs without one."""

    job_id: uuid.UUID

    def checkpoint(
        self, done: int | None = None, total: int | None = None, note: str | None = None
    ) -> None: ...


class ImportLog:
    """Counts and refusals of one import. Every method opens its own short transaction."""

    def __init__(
        self,
        *,
        kind: str,
        source: str,
        format: str,
        progress: Progress | None,
        measure: Callable[[], tuple[int, int | None]] | None = None,
    ) -> None:
        """`measure` says how much of how much was read, e.g. in bytes: with it progress has a percentage."""
        self._progress, self._measure = progress, measure
        self._pending: list[ImportRefusal] = []
        self.read = self.written = self.unchanged = self.refused = 0
        with tenant_transaction(current_tenant_id()):
            if progress is not None:
                ImportRun.objects.filter(job_id=progress.job_id, status="running").update(
                    status="failed", error="Interrupted; taken up again.", finished_at=TransactionNow()
                )
            self.run = ImportRun(
                kind=kind, source=source, format=format, job_id=progress.job_id if progress else None
            )
            self.run.status = "running"
            self.run.save(force_insert=True)

    def refuse(self, line: int | None, field: str | None, reason: str, native_id: str | None = None) -> None:
        self.refused += 1
        if self.refused > LISTED_REFUSALS:
            return
        self._pending.append(
            ImportRefusal(
                run=self.run,
                line=line,
                field=_storable(field or "", 300),
                reason=_storable(reason, 1000),
                native_id=_storable(native_id or "", 1024),
            )
        )
        if len(self._pending) >= BATCH:
            self.save()

    def count(self, written: int, unchanged: int) -> None:
        """Take up what a batch did, and save."""
        self.add(written, unchanged)
        self.save()

    def add(self, written: int, unchanged: int) -> None:
        self.written += written
        self.unchanged += unchanged

    def save(self) -> None:
        """Write the refusals so far and the counts; show progress, and stop here if the job was cancelled."""
        self._flush()
        self.note(f"{self.read:,} rows read")

    def note(self, words: str) -> None:
        """Show progress in words, and stop here if the job was cancelled."""
        if self._progress is not None:
            done, total = self._measure() if self._measure is not None else (self.read, None)
            self._progress.checkpoint(done=done, total=total, note=words)

    def _flush(self) -> None:
        with tenant_transaction(current_tenant_id()):
            ImportRefusal.objects.bulk_create(self._pending, batch_size=BATCH)
            self._write_counts()
        self._pending = []

    def _write_counts(self, **more: Any) -> None:
        values = {
            "rows_read": self.read,
            "rows_written": self.written,
            "rows_unchanged": self.unchanged,
            "rows_refused": self.refused,
            **more,
        }
        ImportRun.objects.filter(pk=self.run.pk).update(**values)
        for name, value in values.items():
            setattr(self.run, name, value)

    def finish(
        self, *, status: str = "succeeded", error: str = "", summary: dict[str, Any] | None = None
    ) -> None:
        self._flush()
        with tenant_transaction(current_tenant_id()):
            self._write_counts(
                status=status, error=error, summary=summary or {}, finished_at=TransactionNow()
            )
            record(
                f"catalog.{self.run.kind}.imported"
                if status == "succeeded"
                else f"catalog.{self.run.kind}.failed",
                self.run,
                {"source": self.run.source, "error": error, **self.counts()},
            )
            self.run.refresh_from_db()

    def counts(self) -> dict[str, int]:
        return {
            "read": self.read,
            "written": self.written,
            "unchanged": self.unchanged,
            "refused": self.refused,
        }


def _storable(text: str, limit: int) -> str:
    """PostgreSQL takes neither NUL nor lone surrogates; what is said about a bad row must always be stored."""
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()[:limit]
