"""Cost import while a second thread writes: what it does where nobody holds a transaction open around it."""

from __future__ import annotations

import gzip
import io
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from apps.audit.models import Audit
from apps.catalog.models import ImportRun
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput
from apps.costs.models import CostDay, CostLine, CostPeriod, CostSettings
from apps.costs.services import beside, importing
from apps.costs.services.importing import import_costs
from apps.costs.services.rollups import check_sums
from apps.jobs.running import JobCancelled
from apps.tenancy.models import Tenant
from tests.fixtures.costs import focus_csv, focus_row

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 1_000


@pytest.fixture
def scope(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenant]:
    """In the tenant's name and in no transaction; a block is a few lines, progress is saved as often."""
    monkeypatch.setattr(beside, "BLOCK", 2_000)
    monkeypatch.setattr(importing, "BLOCK", 2_000)
    monkeypatch.setattr(importing, "READ_BETWEEN_SAVES", 50)
    with tenant_scope(tenant.id, Actor.system("importer")):
        yield tenant
    assert [each.name for each in threading.enumerate() if "beside" in each.name] == []


class Watcher:
    """A job's progress, which may be asked to stop after so many rows."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.job_id = uuid.uuid4()
        self.stop_after, self.notes = stop_after, list[str]()

    def checkpoint(self, done: Any = None, total: Any = None, note: str | None = None) -> None:
        self.notes.append(note or "")
        if self.stop_after is not None and len(self.notes) * 50 > self.stop_after:
            raise JobCancelled


def source(end: bytes = b"") -> io.BytesIO:
    return io.BytesIO(focus_csv([focus_row(number) for number in range(ROWS)]) + end)


def stored(tenant: Tenant) -> tuple[int, int, int]:
    """Lines, days and billing periods that are there."""
    with tenant_transaction(tenant.id):
        return CostLine.objects.count(), CostDay.objects.count(), CostPeriod.objects.count()


def test_it_lands_once_and_again_changes_nothing(scope: Tenant) -> None:
    progress = Watcher()
    run = import_costs(source=source(), name="bill.csv", progress=progress)
    assert (run.status, run.rows_read, run.rows_written) == ("succeeded", ROWS, ROWS)
    assert progress.notes[-1] == "Comparing with what is there" and len(progress.notes) > ROWS // 50
    assert stored(scope) == (ROWS, 1, 1)
    again = import_costs(source=source(), name="bill.csv")
    assert (again.rows_written, again.rows_unchanged) == (0, ROWS)
    assert stored(scope) == (ROWS, 1, 1)
    with tenant_transaction(scope.id):
        assert check_sums(CostSettings.objects.get()) == []
        assert Audit.objects.get(action="costs.period.imported").actor == "system:importer"


def test_only_refusals_begin_nothing(scope: Tenant) -> None:
    raw = focus_csv([focus_row(1, BilledCost="much")])
    run = import_costs(source=io.BytesIO(raw), name="bill.csv")
    assert (run.status, run.rows_refused, run.summary) == ("succeeded", 1, {})
    assert stored(scope) == (0, 0, 0)


def test_a_file_that_breaks_off_in_the_midst_of_writing_changes_nothing(scope: Tenant) -> None:
    whole = gzip.compress(source().getvalue(), mtime=0)
    with pytest.raises(InvalidInput, match="breaks off"):
        import_costs(source=io.BytesIO(whole[: len(whole) * 2 // 3]), name="bill.csv.gz")
    assert stored(scope) == (0, 0, 0)
    with tenant_transaction(scope.id):
        assert ImportRun.objects.get().status == "failed"


def test_a_cancelled_import_changes_nothing(scope: Tenant) -> None:
    with pytest.raises(JobCancelled):
        import_costs(source=source(), name="bill.csv", progress=Watcher(stop_after=ROWS // 2))
    assert stored(scope) == (0, 0, 0)


def test_a_cancel_at_the_last_moment_changes_nothing(scope: Tenant) -> None:
    with pytest.raises(JobCancelled):
        import_costs(source=source(), name="bill.csv", progress=Watcher(stop_after=ROWS))
    assert stored(scope) == (0, 0, 0)


def test_a_lost_connection_ends_the_reading_too(scope: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the database's, and the rest of a long file is not read for nothing."""
    merge = importing.merge

    def lost(lines: Any, **named: Any) -> Any:
        def cut() -> Iterator[bytes]:
            for number, block in enumerate(lines):
                if number == 2:
                    connection.connection.close()
                yield block

        return merge(cut(), **named)

    monkeypatch.setattr(importing, "merge", lost)
    with pytest.raises(OperationalError):
        import_costs(source=source(), name="bill.csv")
    assert stored(scope) == (0, 0, 0)
    with tenant_transaction(scope.id):
        run = ImportRun.objects.get()
    assert run.status == "failed"
    assert run.rows_read < ROWS
