"""`scans.policy`: every active policy over the tenant's estate, one statement for each resource type.

A full scan advances `last_seen` of what still holds; an incremental one looks at what changed since the last
and writes no row that did not. Each statement is a transaction of its own, so a killed scan has done part of
its work and the next attempt does the rest: the same statement a second time changes nothing but `last_seen`.
Scans of one tenant take turns by an advisory lock that a transaction holds.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import F, Q
from django.utils import timezone

from apps.audit.services import record
from apps.catalog.models import Policy, PolicyVersion, Resource
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue
from apps.rules.compile import CompiledRule
from apps.rules.errors import PolicyError
from apps.rules.sql.query import SqlQuery, group_by_type, hits_query

from ..models import EvaluationError, ScanRun
from ..policy_reader import compile_for_scan
from .scan_sql import FULL, INCREMENTAL, ORPHANS, Outcome, diff_statement

JOB_TYPE = "scans.policy"
STATEMENT_TIMEOUT = "15min"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('scans.policy'), hashtext(%s))"
_PLACEHOLDER = re.compile(r"%s|%%")


@dataclass(frozen=True)
class _Ready:
    """An active policy, compiled for this scan; `changed` says that its own row changed since the watermark."""

    policy_id: str
    rule: CompiledRule
    changed: bool


def start_policy_scan(*, mode: str = FULL, idempotency_key: str | None = None, send: bool = True) -> Job:
    """Ask for a scan of the context's tenant. Raises InvalidInput for an unknown mode."""
    if mode not in (FULL, INCREMENTAL):
        raise InvalidInput(f"mode must be {FULL} or {INCREMENTAL}, not {mode!r}.", field="mode")
    return enqueue(JOB_TYPE, {"mode": mode}, idempotency_key=idempotency_key, send=send)


def run_policy_scan(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler; returns the run's id and counts.

    Where an earlier attempt ended its run and died before its job was recorded, that run is the answer.
    """
    with tenant_transaction(current_tenant_id()):
        ended = ScanRun.objects.filter(job_id=handle.job_id, status="succeeded").first()
    return _Scan(handle).run() if ended is None else _result_of(ended)


def _result_of(scan: ScanRun) -> Mapping[str, Any]:
    counts = {name: getattr(scan, name) for name in asdict(Outcome())}
    return {"scan": str(scan.pk), "mode": scan.mode, "policies": scan.policies, **counts}


class _Scan:
    def __init__(self, handle: JobHandle) -> None:
        self.handle = handle
        self.tenant_id = current_tenant_id()
        self.now = timezone.now()
        self.outcome = Outcome()
        self._noted: set[str] = set()

    def run(self) -> Mapping[str, Any]:
        self.scan, since = self._begin(str(self.handle.params.get("mode", FULL)))
        try:
            ready = self._compile(since)
            groups = self._groups(ready, since)
            for number, (type_, policies, group_since) in enumerate(groups):
                self.handle.checkpoint(number, len(groups), f"{type_ or 'rules for any type'}")
                self.outcome += self._judge(type_, policies, group_since)
            self.handle.checkpoint(len(groups), len(groups), "closing what no policy looks at any more")
            self._close_orphans(ready)
            return self._end("succeeded", policies=len(ready))
        except BaseException as error:
            self._end("failed", error=f"{type(error).__name__}: {error}"[:500])
            raise

    def _begin(self, mode: str) -> tuple[ScanRun, str | None]:
        """The run's row, and since when an incremental scan must look (None: at everything).

        The watermark is the oldest transaction still running now: whatever commits later has this id or a
        higher one, so the next incremental scan misses nothing.
        """
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            ScanRun.objects.filter(job_id=self.handle.job_id, status="running").update(
                status="failed", error="Interrupted; taken up again.", finished_at=TransactionNow()
            )
            since = None
            if mode == INCREMENTAL:
                since = (
                    ScanRun.objects.filter(kind="policy", status="succeeded")
                    .order_by("-started_at")
                    .values_list("watermark", flat=True)
                    .first()
                )
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
            (watermark,) = cursor.fetchone()
            scan = ScanRun(
                mode=mode if since else FULL, job_id=self.handle.job_id, watermark=watermark, status="running"
            )
            scan.resources = Resource.objects.filter(Q(status__isnull=True) | ~Q(status="deleted")).count()
            scan.save(force_insert=True)
            return scan, since or None

    def _compile(self, since: str | None) -> list[_Ready]:
        """Every active policy; one that no longer compiles is an evaluation error, not the scan's failure."""
        with tenant_transaction(self.tenant_id):
            rows = list(
                PolicyVersion.objects.filter(
                    policy__status="active", number=F("policy__current_version")
                ).values_list(
                    "policy_id", "policy__language", "definition", "policy__parameters", "policy__changed_xid"
                )
            )
        ready: list[_Ready] = []
        for policy_id, language, definition, parameters, changed_xid in rows:
            changed = since is None or int(changed_xid) >= int(since)
            try:
                rule = compile_for_scan(language, definition, parameters, self.now)
            except PolicyError as error:
                self._note_error(policy_id, str(error))
                continue
            ready.append(_Ready(policy_id, rule, changed))
        return ready

    @staticmethod
    def _groups(
        ready: Sequence[_Ready], since: str | None
    ) -> list[tuple[str | None, list[tuple[str, CompiledRule]], str | None]]:
        """(type, policies, since): a changed policy looks at everything, the others at changed resources."""
        groups: list[tuple[str | None, list[tuple[str, CompiledRule]], str | None]] = []
        for changed in (True, False):
            chosen = [(r.policy_id, r.rule) for r in ready if r.changed is changed]
            for type_, policies in sorted(group_by_type(chosen).items(), key=lambda g: g[0] or ""):
                groups.append((type_, policies, None if changed else since))
        return groups

    def _judge(
        self, type_: str | None, policies: Sequence[tuple[str, CompiledRule]], since: str | None
    ) -> Outcome:
        """One statement for all; where it fails (a runaway regular expression) each policy by itself."""
        try:
            return self._statement(type_, policies, since)
        except DatabaseError as error:
            if _server_is_away(error):
                raise
            if len(policies) == 1:
                self._note_error(policies[0][0], str(error).splitlines()[0])
                return Outcome(errors=1)
        outcome = Outcome()
        for policy in policies:
            self.handle.checkpoint()
            outcome += self._judge(type_, [policy], since)
        return outcome

    def _statement(
        self, type_: str | None, policies: Sequence[tuple[str, CompiledRule]], since: str | None
    ) -> Outcome:
        query = hits_query(policies, tenant_id=self.tenant_id, resource_type=type_, changed_since=since)
        text, values = _named(query)
        values |= {
            "tenant": self.tenant_id,
            "policies": [policy_id for policy_id, _ in policies],
            "type": type_,
            "since": since,
            "touch": self.scan.mode == FULL,
            "scan": self.scan.pk,
        }
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
            cursor.execute(_LOCK, [str(self.tenant_id)])
            cursor.execute(diff_statement(text), values)
            return Outcome(*(int(n) for n in cursor.fetchone()))

    def _close_orphans(self, ready: Sequence[_Ready]) -> None:
        pairs: list[tuple[str, str | None]] = []
        for policy in ready:
            types: list[str | None] = (
                [None] if policy.rule.resource_types is None else [*policy.rule.resource_types]
            )
            pairs += [(policy.policy_id, type_) for type_ in types]
        # A policy that could not be evaluated this time says nothing about its violations.
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            active = Policy.objects.filter(status="active").exclude(pk__in=[r.policy_id for r in ready])
            pairs += [(policy_id, None) for policy_id in active.values_list("pk", flat=True)]
            cursor.execute(_LOCK, [str(self.tenant_id)])
            cursor.execute(
                ORPHANS,
                {
                    "tenant": self.tenant_id,
                    "pair_policies": [p for p, _ in pairs],
                    "pair_types": [t for _, t in pairs],
                },
            )
            self.outcome += Outcome(fixed=cursor.rowcount)

    def _note_error(self, policy_id: str, message: str) -> None:
        """Once a policy, however many types it was tried on."""
        if policy_id in self._noted:
            return
        self._noted.add(policy_id)
        with tenant_transaction(self.tenant_id):
            EvaluationError(scan=self.scan, policy_id=policy_id, resources=0, message=message[:1000]).save(
                force_insert=True
            )

    def _end(self, status: str, *, error: str = "", policies: int = 0) -> Mapping[str, Any]:
        counts = asdict(self.outcome)
        with tenant_transaction(self.tenant_id):
            ScanRun.objects.filter(pk=self.scan.pk, status="running").update(
                status=status, error=error, policies=policies, finished_at=TransactionNow(), **counts
            )
            record(f"findings.scan.{status}", self.scan, {"mode": self.scan.mode, "error": error, **counts})
        return {"scan": str(self.scan.pk), "mode": self.scan.mode, "policies": policies, **counts}


def _server_is_away(error: DatabaseError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    # Class 57P is the server being stopped or crashed; without a state the connection broke. 57014 is ours:
    # the statement timeout.
    return state is None or state.startswith(("57P", "08"))


def _named(query: SqlQuery) -> tuple[str, dict[str, Any]]:
    """The engine's `%s` as `%(h0)s`, `%(h1)s`, …, to stand inside a statement with named parameters."""
    values: dict[str, Any] = {}
    params = iter(query.params)

    def name(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%%"
        key = f"h{len(values)}"
        values[key] = next(params)
        return f"%({key})s"

    return _PLACEHOLDER.sub(name, query.text), values


def scan_of(job_id: uuid.UUID) -> ScanRun | None:
    return ScanRun.objects.filter(job_id=job_id).order_by("-started_at").first()


def fail_scans_of(job: Job) -> None:
    """A job that ended without its handler (its worker died too often) leaves no run `running`."""
    ScanRun.objects.filter(job_id=job.pk, status="running").update(
        status="cancelled" if job.status == "cancelled" else "failed",
        error=job.error,
        finished_at=TransactionNow(),
    )
