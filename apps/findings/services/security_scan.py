"""`scans.security`: what a policy on one resource can't see, over the tenant's inventory as it is.

Each check is one statement from facts to violations, each batch of texts another; each is a transaction of its own,
so a killed scan has done a part, and the next attempt does it all again and changes nothing of what is done. A full
scan advances `last_seen` of what still holds; an incremental one looks at the same and writes only what differs.
The policies of the checks are `external`: scans of policies leave them and their violations alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import DatabaseError, connection

from apps.audit.services import record
from apps.catalog.models import policy_key
from apps.catalog.services.secret_marks import fingerprint_key
from apps.connectors.masking import FINDINGS
from apps.connectors.secret_places import PLACES, TYPES
from apps.connectors.secret_words import reason_of, secrets_at
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput
from apps.jobs.models import Job
from apps.jobs.running import JobHandle
from apps.jobs.services import enqueue

from ..models import EXTERNAL, EvaluationError, ScanRun
from ..security import CHECKS, SECRET_CHECKS, SOURCE, Check
from ..security.base import query
from .exceptions import settle_exceptions
from .scan_plan import Target, count_of
from .scan_sql import FULL, INCREMENTAL, Outcome, diff_statement
from .scanning import server_is_away
from .security_sql import ADVICE, BOUNDS, FOUND, ORPHANS, PARTS, POLICIES, PROVIDERS, STAMPS
from .turns import one_scan_at_a_time

JOB_TYPE = "scans.security"
# In `_parts` a place below zero is what was found when the document came in: -1 for the first of these, and so on.
_PROVIDERS = tuple(sorted({place.provider for place in PLACES}))
# Documents a batch: what is in memory at a time is the texts of these.
BATCH_DOCUMENTS = 500


def start_security_scan(*, mode: str = FULL, idempotency_key: str | None = None, send: bool = True) -> Job:
    """Ask for a security scan of the context's tenant. Raises InvalidInput for an unknown mode."""
    if mode not in (FULL, INCREMENTAL):
        raise InvalidInput(f"mode must be {FULL} or {INCREMENTAL}, not {mode!r}.", field="mode")
    return enqueue(JOB_TYPE, {"mode": mode}, idempotency_key=idempotency_key, send=send)


def run_security_scan(handle: JobHandle) -> Mapping[str, Any]:
    """The job's handler; returns the run's id and counts.

    Where an earlier attempt ended its run and died before its job was recorded, that run is the answer.
    """
    with tenant_transaction(current_tenant_id()):
        ended = ScanRun.objects.filter(job_id=handle.job_id, status="succeeded").first()
    return _SecurityScan(handle).run() if ended is None else _told(ended)


def _told(scan: ScanRun) -> dict[str, Any]:
    counts = {name: getattr(scan, name) for name in asdict(Outcome())}
    return {"scan": str(scan.pk), "mode": scan.mode, "policies": scan.policies, **counts}


@dataclass(frozen=True)
class _Ready:
    """A check with its policy, as it stood when the scan began."""

    check: Check
    policy_id: str
    stamp: str


class _SecurityScan:
    def __init__(self, handle: JobHandle) -> None:
        self.handle = handle
        self.tenant_id = current_tenant_id()
        self.mode = str(handle.params.get("mode", FULL))
        self.outcome = Outcome()
        self._advised: dict[str, int] = {}
        self._key = fingerprint_key(self.tenant_id)

    def run(self) -> Mapping[str, Any]:
        self.scan = self._begin()
        try:
            ready = self._policies()
            by_sql = [one for one in ready if one.check.hits]
            bounds = self._bounds() if len(by_sql) < len(ready) else []
            total = len(by_sql) + len(bounds)
            for number, one in enumerate(by_sql):
                self.handle.checkpoint(number, total, one.check.title)
                self.outcome += self._judge(one)
            for number, (after, upto) in enumerate(bounds, len(by_sql)):
                self.handle.checkpoint(number, total, "looking for secrets in texts")
                self.outcome += self._look_through(ready, after, upto)
            self.handle.checkpoint(total, total, "closing what no check speaks of any more")
            self._settle(ready)
            self._recommend(ready)
            return self._end("succeeded", policies=len(ready))
        except BaseException as error:
            self._end("failed", error=f"{type(error).__name__}: {error}"[:500])
            raise

    def _begin(self) -> ScanRun:
        with tenant_transaction(self.tenant_id):
            ScanRun.objects.filter(job_id=self.handle.job_id, status="running").update(
                status="failed", error="Interrupted; taken up again.", finished_at=TransactionNow()
            )
            scan = ScanRun(kind="security", mode=self.mode, job_id=self.handle.job_id, status="running")
            scan.resources = count_of(Target())
            scan.save(force_insert=True)
            return scan

    def _policies(self) -> list[_Ready]:
        """The checks of the clouds that the tenant has something of, with their policies as they are now."""
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            cursor.execute(PROVIDERS, {"tenant": self.tenant_id})
            providers = {row[0] for row in cursor.fetchall()}
            checks = [c for c in (*CHECKS, *SECRET_CHECKS.values()) if c.provider in providers]
            ids = [policy_key(self.tenant_id, SOURCE, check.name) for check in checks]
            values: dict[str, Any] = {
                "tenant": self.tenant_id,
                "ids": ids,
                "names": [check.title for check in checks],
                "providers": [check.provider for check in checks],
                "severities": [check.severity for check in checks],
                "metadata": [json.dumps(_metadata(check)) for check in checks],
            }
            cursor.execute(POLICIES, values)
            cursor.execute(STAMPS, values)
            stamps = dict(cursor.fetchall())
        return [_Ready(check, id_, stamps[id_]) for check, id_ in zip(checks, ids, strict=True)]

    def _judge(self, one: _Ready) -> Outcome:
        """A check that can't be decided is noted with its error and keeps what it has opened before."""
        statement = diff_statement(query(one.check), status=EXTERNAL, source=SOURCE)
        try:
            return self._statement(statement, [one], policy=one.policy_id)
        except DatabaseError as error:
            if server_is_away(error):
                raise
            with tenant_transaction(self.tenant_id):
                message = (str(error).splitlines() or [""])[0][:1000]
                EvaluationError(scan=self.scan, policy_id=one.policy_id, resources=0, message=message).save(
                    force_insert=True
                )
            return Outcome(errors=1)

    def _statement(self, statement: str, judged: Sequence[_Ready], **values: Any) -> Outcome:
        values |= {
            "tenant": self.tenant_id,
            "policies": [one.policy_id for one in judged],
            "stamps": [one.stamp for one in judged],
            "touch": self.mode == FULL,
            "scan": self.scan.pk,
        }
        with one_scan_at_a_time(self.tenant_id) as cursor:
            cursor.execute(statement, values)
            return Outcome(*(int(n) for n in cursor.fetchone()))

    def _bounds(self) -> list[tuple[str | None, str | None]]:
        """Ranges of ids, each with a batch of documents that may hold a secret; together all of the estate."""
        values: dict[str, Any] = {
            "tenant": self.tenant_id,
            "types": list(TYPES),
            "size": BATCH_DOCUMENTS,
        }
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            cursor.execute(BOUNDS, values)
            ends: list[str | None] = [row[0] for row in cursor.fetchall()]
        return list(zip([None, *ends], [*ends, None], strict=True))

    def _look_through(self, ready: Sequence[_Ready], after: str | None, upto: str | None) -> Outcome:
        policies = {one.check.id: one for one in ready if not one.check.hits}
        found: dict[tuple[str, str], list[str]] = {}
        for resource_id, place, parts in self._parts(after, upto):
            for provider, kind, told in self._told(place, parts):
                one = policies.get(SECRET_CHECKS[provider, kind].id)
                words = found.setdefault((resource_id, one.policy_id), []) if one is not None else None
                if words is not None and told not in words:
                    words.append(told)
        pairs = sorted(found)
        statement = diff_statement(FOUND, status=EXTERNAL, source=SOURCE, by_range=True)
        return self._statement(
            statement,
            list(policies.values()),
            after=after,
            upto=upto,
            found_resources=[resource_id for resource_id, _ in pairs],
            found_policies=[policy_id for _, policy_id in pairs],
            found_reasons=[reason_of(found[pair]) for pair in pairs],
        )

    def _told(self, place: int, parts: list[Any]) -> Iterator[tuple[str, str, str]]:
        """(provider, kind, words): what was found when the document came in, or is found in it now."""
        if place >= 0:
            at = PLACES[place]
            yield from ((at.provider, at.kind, told) for told in secrets_at(at, parts, self._key))
            return
        provider = _PROVIDERS[-1 - place]
        for part in parts:
            if isinstance(part, dict) and (provider, part.get("kind")) in SECRET_CHECKS:
                yield provider, str(part["kind"]), str(part.get("told"))

    def _parts(self, after: str | None, upto: str | None) -> Iterator[tuple[str, int, list[Any]]]:
        typed = [(type_, number, place.path) for number, place in enumerate(PLACES) for type_ in place.types]
        found = {(type_, _PROVIDERS.index(place.provider)) for place in PLACES for type_ in place.types}
        typed += [(type_, -1 - provider, f'lax $."{FINDINGS}"[*]') for type_, provider in sorted(found)]
        values: dict[str, Any] = {
            "tenant": self.tenant_id,
            "types": list(TYPES),
            "after": after,
            "upto": upto,
            "place_types": [type_ for type_, _, _ in typed],
            "places": [number for _, number, _ in typed],
            "paths": [path for _, _, path in typed],
        }
        with tenant_transaction(self.tenant_id), connection.cursor() as cursor:
            cursor.execute(PARTS, values)
            rows = cursor.fetchall()
        for resource_id, place, parts in rows:
            yield resource_id, place, json.loads(parts) if isinstance(parts, str) else parts

    def _settle(self, ready: Sequence[_Ready]) -> None:
        values = {"tenant": self.tenant_id, "ids": [one.policy_id for one in ready]}
        with one_scan_at_a_time(self.tenant_id) as cursor:
            cursor.execute(ORPHANS, values)
            self.outcome += Outcome(fixed=cursor.rowcount)
        # By itself: decisions take their turn before they touch a violation, so must this.
        with one_scan_at_a_time(self.tenant_id):
            settle_exceptions(since=self.scan.started_at)

    def _recommend(self, ready: Sequence[_Ready]) -> None:
        """What to do about each violation that is open now; what was said of others is gone."""
        checks = [one.check for one in ready]
        values: dict[str, Any] = {
            "tenant": self.tenant_id,
            "source": SOURCE,
            "policies": [one.policy_id for one in ready],
            "rules": [check.name for check in checks],
            "titles": [check.title for check in checks],
            "advices": [check.remediation for check in checks],
            "risks": [check.risk for check in checks],
            "confidences": [check.confidence for check in checks],
            "remedies": [str(check.action.get("type", "")) for check in checks],
        }
        with one_scan_at_a_time(self.tenant_id) as cursor:
            cursor.execute(ADVICE, values)
            names = ("recommended", "recommendations_changed", "recommendations_gone")
            self._advised = dict(zip(names, map(int, cursor.fetchone()), strict=True))

    def _end(self, status: str, *, error: str = "", policies: int = 0) -> Mapping[str, Any]:
        counts = asdict(self.outcome)
        with tenant_transaction(self.tenant_id):
            ScanRun.objects.filter(pk=self.scan.pk, status="running").update(
                status=status, error=error, policies=policies, finished_at=TransactionNow(), **counts
            )
            told = {"kind": "security", "mode": self.scan.mode, "error": error, **counts, **self._advised}
            record(f"findings.scan.{status}", self.scan, told)
        told = {"scan": str(self.scan.pk), "mode": self.scan.mode, "policies": policies}
        return {**told, **counts, **self._advised}


def _metadata(check: Check) -> dict[str, Any]:
    said = {
        "provider_id": check.name,
        "source": SOURCE,
        "description": check.description,
        "remediation": check.remediation,
        "controls": {framework: list(ids) for framework, ids in check.controls.items()},
        "action": dict(check.action),
    }
    return {key: value for key, value in said.items() if value}
