"""`scans.policy`: every active policy over the tenant's estate, one statement for each resource type.

A full scan advances `last_seen` of what still holds; an incremental one looks at what changed since the last
and writes no row that did not. Both can be narrowed to one policy or one resource, which are then looked at in
full. Each statement is a transaction of its own, so a killed scan has done part of its work and the next
attempt does the rest: the same statement a second time changes nothing but `last_seen`. Scans of one tenant
take turns by an advisory lock that a transaction holds.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import Any

from django.db import DatabaseError, connection
from django.utils import timezone

from apps.audit.services import record
from apps.catalog.models import Policy, Resource
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue
from apps.rules.sql.query import hits_query

from ..models import EvaluationError, ScanRun
from .exceptions import settle_exceptions
from .populations import record_evaluations
from .scan_plan import (
    Changes,
    Group,
    Ready,
    Target,
    changes_since_last,
    compile_policies,
    count_of,
    groups_of,
    parts,
    types_of,
)
from .scan_sql import FULL, INCREMENTAL, Outcome, diff_statement, orphans_statement
from .sql_names import named
from .turns import one_scan_at_a_time

JOB_TYPE = "scans.policy"


def start_policy_scan(
    *,
    mode: str = FULL,
    policy_id: str | None = None,
    resource_id: str | None = None,
    idempotency_key: str | None = None,
    send: bool = True,
) -> Job:
    """Ask for a scan of the context's tenant: of everything, of one policy, of one resource, or of one pair.

    Raises InvalidInput for an unknown mode, for a policy or resource that is not there, for a policy that is
    not active, and for an incremental scan of one thing: it is looked at in full.
    """
    if mode not in (FULL, INCREMENTAL):
        raise InvalidInput(f"mode must be {FULL} or {INCREMENTAL}, not {mode!r}.", field="mode")
    target = Target(policy_id or None, resource_id or None)
    if not target.is_all and mode != FULL:
        raise InvalidInput(
            "A scan of one policy or resource looks at all of it: mode must be full.", field="mode"
        )
    _refuse_unknown(target)
    params = {"mode": mode} | {name: value for name, value in asdict(target).items() if value}
    return enqueue(JOB_TYPE, params, idempotency_key=idempotency_key, send=send)


def _refuse_unknown(target: Target) -> None:
    if target.policy_id is not None:
        policy = Policy.objects.filter(pk=target.policy_id).first()
        if policy is None:
            raise InvalidInput("There is no such policy.", field="policy_id")
        if policy.status != "active":
            raise InvalidInput("Scans run active policies only; this one is not.", field="policy_id")
    if target.resource_id is not None and not Resource.objects.filter(pk=target.resource_id).exists():
        raise InvalidInput("There is no such resource.", field="resource_id")


def run_policy_scan(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler; returns the run's id and counts.

    Where an earlier attempt ended its run and died before its job was recorded, that run is the answer.
    """
    with tenant_transaction(current_tenant_id()):
        ended = ScanRun.objects.filter(job_id=handle.job_id, status="succeeded").first()
    return _Scan(handle).run() if ended is None else _result_of(ended)


def _result_of(scan: ScanRun) -> Mapping[str, Any]:
    counts = {name: getattr(scan, name) for name in asdict(Outcome())}
    narrowed = {name: value for name in asdict(Target()) if (value := getattr(scan, name))}
    return {"scan": str(scan.pk), "mode": scan.mode, "policies": scan.policies, **narrowed, **counts}


class _Scan:
    def __init__(self, handle: JobHandle) -> None:
        self.handle = handle
        self.tenant_id = current_tenant_id()
        self.now = timezone.now()
        self.target = Target(handle.params.get("policy_id"), handle.params.get("resource_id"))
        self.outcome = Outcome()
        self._noted: set[str] = set()

    def run(self) -> Mapping[str, Any]:
        self.scan, changes = self._begin(str(self.handle.params.get("mode", FULL)))
        try:
            with tenant_transaction(self.tenant_id):
                ready, broken = compile_policies(self.target, changes, self.now, self._note_error)
                groups = groups_of(ready, changes, types_of(self.target))
            for number, group in enumerate(groups):
                self.handle.checkpoint(number, len(groups), f"{group.type or 'rules for any type'}")
                self.outcome += self._judge(group)
            self.handle.checkpoint(len(groups), len(groups), "closing what no policy looks at any more")
            self._close_orphans(ready, changes)
            self._record_populations(ready, incremental=changes is not None)
            return self._end("succeeded", policies=len(ready) + broken)
        except BaseException as error:
            self._end("failed", error=f"{type(error).__name__}: {error}"[:500])
            raise

    def _begin(self, mode: str) -> tuple[ScanRun, Changes | None]:
        """The run's row, and what an incremental scan must look at (None: at everything).

        The watermark is the oldest transaction still running now: whatever commits later has this id or a
        higher one, so the next incremental scan misses nothing.
        """
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            ScanRun.objects.filter(job_id=self.handle.job_id, status="running").update(
                status="failed", error="Interrupted; taken up again.", finished_at=TransactionNow()
            )
            # First: what commits while we look for changes is then the next scan's.
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
            (watermark,) = cursor.fetchone()
            changes = changes_since_last() if mode == INCREMENTAL and self.target.is_all else None
            scan = ScanRun(
                mode=mode if changes else FULL, job_id=self.handle.job_id, watermark=watermark, status="running",
                policy_id=self.target.policy_id, resource_id=self.target.resource_id,
            )  # fmt: skip
            # Counted again at its end; an incremental scan does not pass over all of them twice for it.
            scan.resources = changes.resources if changes else count_of(self.target)
            scan.save(force_insert=True)
            return scan, changes

    def _judge(self, group: Group) -> Outcome:
        """One statement for all; where it fails (a runaway regular expression) each policy by itself."""
        try:
            return self._statement(group)
        except DatabaseError as error:
            if server_is_away(error):
                raise
            if len(group.policies) == 1:
                self._note_error(group.policies[0].policy_id, str(error).splitlines()[0])
                return Outcome(errors=1)
        # Half and half again: what fails is found in few statements, and one too long for the wire is cut.
        middle = len(group.policies) // 2
        outcome = Outcome()
        for half in (group.policies[:middle], group.policies[middle:]):
            self.handle.checkpoint()
            outcome += self._judge(replace(group, policies=half))
        return outcome

    def _statement(self, group: Group) -> Outcome:
        ids = (self.target.resource_id,) if self.target.resource_id is not None else group.ids
        query = hits_query(
            [(policy.policy_id, policy.rule) for policy in group.policies],
            tenant_id=self.tenant_id,
            resource_type=group.type,
            resource_ids=ids,
            without_deleted=True,
        )
        text, values = named(query)
        values |= {"type": group.type, "ids": list(ids or ())}
        values |= {"touch": self.scan.mode == FULL, "scan": self.scan.pk, **self._judged(group.policies)}
        statement = diff_statement(
            text,
            # Those that are named are all of the type.
            by_type=group.type is not None and ids is None and not group.only_this_type,
            by_ids=ids is not None,
        )
        with self._turn() as cursor:
            cursor.execute(statement, values)
            return Outcome(*(int(n) for n in cursor.fetchone()))

    def _judged(self, policies: Sequence[Ready]) -> dict[str, Any]:
        return {
            "tenant": self.tenant_id,
            "policies": [policy.policy_id for policy in policies],
            "stamps": [policy.stamp for policy in policies],
        }

    def _turn(self) -> AbstractContextManager[Any]:
        return one_scan_at_a_time(self.tenant_id)

    def _close_orphans(self, ready: Sequence[Ready], changes: Changes | None) -> None:
        pairs = [(policy.policy_id, type_) for policy in ready for type_ in policy.types if type_ is not None]
        values = self._judged(ready) | {
            "any_type": [policy.rule.resource_types is None for policy in ready],
            "pair_policies": [policy_id for policy_id, _ in pairs],
            "pair_types": [type_ for _, type_ in pairs],
        }
        for narrowed in self._where_orphans_are(changes):
            statement = orphans_statement(by_policies="of_policies" in narrowed, by_ids="ids" in narrowed)
            with self._turn() as cursor:
                cursor.execute(statement, values | narrowed)
                self.outcome += Outcome(fixed=cursor.rowcount)
        # By itself: decisions take their turn before they touch a violation, so must this.
        with self._turn():
            settle_exceptions(since=self.scan.started_at)

    def _where_orphans_are(self, changes: Changes | None) -> Iterator[dict[str, Any]]:
        """Where there may be some, each for a statement of its own: among the violations of a policy that changed
        since the last scan, or on a resource that has gone since. The others were closed by it."""
        if changes is None or changes.ids is None:
            named = {"of_policies": self.target.policy_id, "ids": self.target.resource_id}
            yield {where: [one] for where, one in named.items() if one is not None}
            return
        with tenant_transaction(self.tenant_id):
            policies, resources = changes.policies_changed(), changes.resources_gone()
        if policies:
            yield {"of_policies": policies}
        for part in parts(resources):
            yield {"ids": list(part)}

    def _record_populations(self, ready: Sequence[Ready], *, incremental: bool) -> None:
        """A scan of one resource says nothing of how many a policy was held against."""
        if self.target.resource_id is None:
            with tenant_transaction(self.tenant_id):
                record_evaluations(scan=self.scan, ready=ready, failed=self._noted, incremental=incremental)

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
            told = {"mode": self.scan.mode, "error": error, **self._narrowed(), **counts}
            record(f"findings.scan.{status}", self.scan, told)
        return {
            "scan": str(self.scan.pk), "mode": self.scan.mode, "policies": policies, **self._narrowed(), **counts
        }  # fmt: skip

    def _narrowed(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self.target).items() if value}


def server_is_away(error: DatabaseError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        # Said by psycopg and not by the server: the connection broke, or the statement has too many parameters.
        return connection.connection is None or bool(connection.connection.closed)
    # Class 57P is the server being stopped or crashed. 57014 is ours: the statement timeout.
    return bool(state.startswith(("57P", "08")))


def scan_of(job_id: uuid.UUID) -> ScanRun | None:
    return ScanRun.objects.filter(job_id=job_id).order_by("-started_at").first()


def fail_scans_of(job: Job) -> None:
    """A job that ended without its handler (its worker died too often) leaves no run `running`."""
    ScanRun.objects.filter(job_id=job.pk, status="running").update(
        status="cancelled" if job.status == "cancelled" else "failed",
        error=job.error,
        finished_at=TransactionNow(),
    )
