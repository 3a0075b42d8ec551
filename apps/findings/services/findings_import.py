"""Findings of other tools become violations beside our own, with their source; nothing of ours judges them.

A check of a tool is a policy of language `external` and status `external`: it is never compiled or scanned, and its
violations open, close and re-open as its tool's files say. A finding that is older than what is stored changes
nothing. A resource that the inventory does not know is kept with status `reported`, until an inventory brings it; no
policy of ours is held against it. A finding that is about no cloud resource (a file in a repository) is a
recommendation. What an approved exception covers is opened as excepted, as in a scan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.db import connection
from django.utils import timezone

from apps.catalog.models import ImportRun, policy_key, resource_key
from apps.catalog.services.importing import ImportLog, Progress
from apps.connectors.findings import FORMATS, read
from apps.connectors.findings.identity import candidate_ids, type_of
from apps.connectors.findings.records import PASS, FindingRecord
from apps.connectors.records import Refusal
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.plans import forget_plans
from apps.core.errors import InvalidInput
from apps.core.ids import derived_key

from ..models import EXTERNAL
from .findings_sql import CLOSE, COPY_COLUMNS, INCOMING, OPEN, POLICIES, RECOMMEND, RESOLVE, RESOURCES, SEEN

BATCH_ROWS = 2_000


def import_findings(
    *, source: IO[bytes] | Path, name: str, format: str | None = None, progress: Progress | None = None
) -> ImportRun:
    """Import a file of findings for the context's tenant; returns the finished run.

    Counts are of findings on resources: written where something was opened, closed or changed. Good rows land
    whatever becomes of others; a second time changes nothing. Raises InvalidInput for an unknown format. Not
    inside a transaction: it opens one for each batch.
    """
    if format is not None and format not in FORMATS:
        raise InvalidInput(f"There is no format {format!r}; known: {', '.join(FORMATS)}.", field="format")
    log = ImportLog(kind="findings", source=name, format=format or "", progress=progress)
    tally = {"opened": 0, "reopened": 0, "changed": 0, "closed": 0, "recommended": 0, "resources_reported": 0}
    sources: set[str] = set()
    try:
        for batch in _batches(read(source, format), log):
            sources |= {record.source for record in batch}
            _write(_last_of_each(batch, log), log, tally)
    except BaseException as error:
        log.finish(
            status="failed", error=f"{type(error).__name__}: {error}"[:500] if str(error) else "Cancelled."
        )
        raise
    log.finish(summary={**tally, "sources": sorted(sources)})
    return log.run


def _batches(items: Iterator[FindingRecord | Refusal], log: ImportLog) -> Iterator[list[FindingRecord]]:
    batch: list[FindingRecord] = []
    for item in items:
        log.read += 1
        if isinstance(item, Refusal):
            log.refuse(item.line, item.field, item.reason, item.native_id)
            continue
        batch.append(item)
        if len(batch) >= BATCH_ROWS:
            yield batch
            batch = []
    yield batch


def _last_of_each(batch: list[FindingRecord], log: ImportLog) -> list[FindingRecord]:
    """One finding for each check and resource: the youngest; of two of one moment the one that comes last."""
    kept: dict[tuple[str, ...], FindingRecord] = {}
    for record in batch:
        key = (
            record.source,
            record.check_id,
            record.provider or "",
            record.native_id or f"{record.place} {record.uid}",
        )
        other = kept.get(key)
        if other is not None:
            older, record = (other, record) if _moment(other) <= _moment(record) else (record, other)
            log.refuse(older.line, None, f"superseded by line {record.line}", older.native_id)
        kept[key] = record
    return list(kept.values())


def _moment(record: FindingRecord) -> float:
    return record.seen_at.timestamp() if record.seen_at else 0.0


def _write(records: list[FindingRecord], log: ImportLog, tally: dict[str, int]) -> None:
    if not records:
        log.save()
        return
    values = {"tenant": current_tenant_id()}
    rows = [_row(record, timezone.now()) for record in records]
    with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
        forget_plans(cursor)
        cursor.execute(INCOMING)
        statement = f"COPY incoming_findings ({', '.join(COPY_COLUMNS)}) FROM STDIN"
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

        def changed(statement: str) -> int:
            cursor.execute(statement, values)
            return int(cursor.rowcount)

        cursor.execute(RESOLVE, values)
        tally["resources_reported"] += changed(RESOURCES)
        cursor.execute(POLICIES, values)
        cursor.execute(SEEN, values)
        was = [state for (state,) in cursor.fetchall()]
        counts = {
            "reopened": was.count("fixed"),
            "changed": len(was) - was.count("fixed"),
            "opened": changed(OPEN),
            "closed": changed(CLOSE),
            "recommended": changed(RECOMMEND),
        }
        cursor.execute("DROP TABLE incoming_findings")
    for name, count in counts.items():
        tally[name] += count
    written = sum(counts.values())
    log.written += written
    log.unchanged += len(records) - written
    log.save()


def _row(record: FindingRecord, now: datetime) -> tuple[Any, ...]:
    tenant = str(current_tenant_id())
    check = f"{record.source}/{record.check_id}"
    candidates: list[str] = []
    resource_id = type_ = None
    if record.native_id is not None and record.provider is not None:
        candidates = list(candidate_ids(record.provider, record.native_id))
        type_ = type_of(record.provider, record.native_id, record.resource_type)
        key = record.native_id.lower() if record.provider == "azure" else record.native_id
        resource_id = resource_key(tenant, record.provider, type_, key)
    # What is not known is not younger than now.
    seen = min(record.seen_at, now) if record.seen_at else now
    return (
        policy_key(tenant, EXTERNAL, check),
        record.source,
        check,
        record.title,
        json.dumps(_metadata(record, check)),
        record.provider or "",
        type_,
        record.native_id,
        candidates,
        resource_id,
        record.resource_name or record.native_id,
        record.account,
        record.region,
        record.severity,
        record.outcome == PASS,
        _reason(record),
        seen,
        record.seen_at is not None,
        derived_key("f", record.source, record.check_id, record.place, record.uid)
        if resource_id is None
        else None,
    )


def _reason(record: FindingRecord) -> str:
    return f"{record.reason} ({record.place})" if record.place and record.native_id is None else record.reason


def _metadata(record: FindingRecord, check: str) -> dict[str, Any]:
    said = {
        "provider_id": check,
        "source": record.source,
        "description": record.description,
        "remediation": record.remediation,
        "references": list(record.references),
        "controls": {framework: list(ids) for framework, ids in record.controls.items()},
    }
    return {key: value for key, value in said.items() if value}
