"""Discovery: what a connected account holds becomes resources, page by page, and what is gone is marked so.

Pages are fetched by a few threads and written by this one, so that memory holds a few pages whatever the
account holds. Every page is written by the same merge as a file's rows, then the scope's place is kept: a
killed discovery goes on there. What a scope's listing did not come by is gone only once that listing is
complete; a scope that failed, or was left halfway, marks nothing.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from django.db import connection

from apps.audit.services import record
from apps.connectors.clouds import Cloud, connect
from apps.connectors.discovery import page_of, scopes_of
from apps.connectors.errors import CloudError
from apps.connectors.listing import Page
from apps.connectors.records import Refusal
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import NotFound, Refused, TransientFailure
from apps.tenancy.cloud_accounts import next_discovery
from apps.tenancy.models import CloudAccount
from apps.tenancy.models_clouds import CONNECTED

from ..models import resource_key
from ..models_discovery import COMPLETE, FAILED, PENDING, DiscoveryScope, DiscoverySeen
from .clouds import access_of
from .importing import ImportLog, Progress
from .inventory import BATCH_ROWS, copy_line, merge_rows

SCOPES_AT_ONCE = 4
SHOWN_PROBLEMS = 5
NOTHING_FOUND = "nothing_found"

_GONE = """
UPDATE resources r SET status = 'deleted', updated_at = now()
WHERE r.provider = %(provider)s AND r.account = %(account)s
  AND (%(type)s = '' OR r.type = %(type)s)
  AND (%(region)s IN ('', 'global') OR starts_with(r.location, %(region)s))
  AND r.status IS DISTINCT FROM 'deleted'
  AND NOT EXISTS (
      SELECT FROM discovery_seen s
      WHERE s.tenant_id = r.tenant_id AND s.scope_id = %(scope)s::uuid AND s.resource_id = r.id)
  -- What was listed and refused is there, though it could not be read.
  AND coalesce(r.native_id, '') NOT IN (
      SELECT f.native_id FROM import_runs n JOIN import_refusals f ON f.run_id = n.id
      WHERE n.tenant_id = r.tenant_id AND n.job_id = %(job)s::uuid)
"""


def discover(*, account_id: uuid.UUID, progress: Progress) -> Mapping[str, Any]:
    """List the account and write what it holds; returns counts. Not inside a transaction.

    Raises Refused where the account can't be called, in the cloud's own words, and TransientFailure where
    trying again may help: the same job then goes on where this attempt has left off.
    """
    account = _account(account_id)
    try:
        with tenant_transaction(current_tenant_id()):
            access = access_of(account)
        cloud = connect(access)
        scopes = _scopes(account, cloud, progress.job_id)
    except CloudError as error:
        _note_problem(account, str(error), error.code or type(error).__name__)
        raise (TransientFailure if error.retryable else Refused)(str(error)) from error
    except Refused as error:
        _note_problem(account, str(error), error.code)
        raise
    return _Discovery(account, cloud, scopes, progress).run()


class _Discovery:
    def __init__(
        self, account: CloudAccount, cloud: Cloud, scopes: list[DiscoveryScope], progress: Progress
    ) -> None:
        self._account, self._cloud, self._scopes = account, cloud, scopes
        self._told = _Told(progress, scopes)
        self._tenant = str(current_tenant_id())
        self._later: list[str] = []
        self._log = ImportLog(
            kind="inventory",
            source=f"{account.provider} {account.account}",
            format=f"{account.provider}-api",
            progress=self._told,
        )

    def run(self) -> Mapping[str, Any]:
        try:
            self._list()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"[:500] if str(error) else "Cancelled."
            self._log.finish(status="failed", error=said)
            raise
        return self._end()

    def _list(self) -> None:
        waiting = deque(scope for scope in self._scopes if scope.status == PENDING)
        with ThreadPoolExecutor(SCOPES_AT_ONCE, thread_name_prefix="discovery") as pool:
            running: dict[Future[Page], DiscoveryScope] = {}
            try:
                while waiting or running:
                    while waiting and len(running) < SCOPES_AT_ONCE:
                        scope = waiting.popleft()
                        name = (scope.type, scope.region)
                        running[pool.submit(page_of, self._cloud, name, scope.token)] = scope
                    done, _ = wait(running, timeout=5.0, return_when=FIRST_COMPLETED)
                    for future in done:
                        scope = running.pop(future)
                        if self._take(scope, future):
                            waiting.appendleft(scope)
                    self._told.tell()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, scope: DiscoveryScope, future: Future[Page]) -> bool:
        """Write a page; True where the scope has more of them."""
        try:
            page = future.result()
        except CloudError as error:
            self._failed(scope, error)
            return False
        self._write(scope, page)
        if page.token is not None:
            return True
        self._complete(scope)
        return False

    def _write(self, scope: DiscoveryScope, page: Page) -> None:
        rows: dict[str, bytes] = {}
        seen: set[str] = set()
        for item in page.records:
            self._log.read += 1
            if isinstance(item, Refusal):
                self._log.refuse(None, item.field, item.reason, item.native_id)
                continue
            row_id = resource_key(self._tenant, *item.key)
            rows[row_id] = copy_line(row_id, item)
        merged = list(rows.values())
        for start in range(0, len(merged), BATCH_ROWS):
            merge_rows(merged[start : start + BATCH_ROWS], self._log)
        seen |= rows.keys()
        with tenant_transaction(current_tenant_id()):
            DiscoverySeen.objects.bulk_create(
                [DiscoverySeen(scope=scope, resource_id=row_id) for row_id in sorted(seen)],
                ignore_conflicts=True,
                batch_size=1_000,
            )
            scope.token, scope.pages, scope.resources = (
                page.token,
                scope.pages + 1,
                scope.resources + len(rows),
            )
            self._keep(scope)

    def _complete(self, scope: DiscoveryScope) -> None:
        values: dict[str, str] = {
            "provider": self._account.provider,
            "account": self._account.account,
            "type": scope.type,
            "region": scope.region,
            "scope": str(scope.pk),
            "job": str(self._told.job_id),
        }
        self._log.save()
        with tenant_transaction(current_tenant_id()), connection.cursor() as cursor:
            cursor.execute(_GONE, values)
            scope.gone, scope.status, scope.problem = cursor.rowcount, COMPLETE, ""
            self._keep(scope)
            DiscoverySeen.objects.filter(scope=scope).delete()
            if scope.gone:
                record(
                    "catalog.resources.gone",
                    self._account,
                    {"type": scope.type, "region": scope.region, "resources": scope.gone},
                )

    def _failed(self, scope: DiscoveryScope, error: CloudError) -> None:
        scope.problem = str(error)
        if error.retryable:
            self._later.append(f"{scope}: {error}")
        else:
            scope.status = FAILED
        with tenant_transaction(current_tenant_id()):
            self._keep(scope)

    @staticmethod
    def _keep(scope: DiscoveryScope) -> None:
        scope.updated_at = TransactionNow()  # type: ignore[assignment]
        scope.save(update_fields=["token", "pages", "resources", "gone", "status", "problem", "updated_at"])

    def _end(self) -> Mapping[str, Any]:
        if self._later:
            self._log.finish(status="failed", error=self._later[0][:500])
            _note_problem(self._account, self._later[0], "try-again")
            raise TransientFailure(self._later[0])
        result = self._counts()
        self._log.finish(summary=result)
        problem, code = self._problem(result)
        with tenant_transaction(current_tenant_id()):
            # The schedule may have been changed meanwhile, and the account disconnected.
            now = CloudAccount.objects.select_for_update().get(pk=self._account.pk)
            CloudAccount.objects.filter(pk=now.pk).update(
                discovered_at=TransactionNow(),
                discovery_due_at=next_discovery(now) if now.status == CONNECTED else None,
                last_result=result,
                problem=problem,
                problem_code=code,
            )
            DiscoveryScope.objects.filter(account=self._account).exclude(job_id=self._told.job_id).delete()
            record("catalog.account.discovered", self._account, result)
        return {"import_run": str(self._log.run.pk), **result}

    def _counts(self) -> dict[str, Any]:
        return {
            **self._log.counts(),
            "resources": sum(scope.resources for scope in self._scopes),
            "gone": sum(scope.gone for scope in self._scopes),
            "scopes": len(self._scopes),
            "scopes_failed": sum(scope.status == FAILED for scope in self._scopes),
        }

    def _problem(self, result: Mapping[str, Any]) -> tuple[str, str]:
        failed = [scope for scope in self._scopes if scope.status == FAILED]
        if failed:
            told = "; ".join(f"{scope}: {scope.problem}" for scope in failed[:SHOWN_PROBLEMS])
            more = f" (and {len(failed) - SHOWN_PROBLEMS} more)" if len(failed) > SHOWN_PROBLEMS else ""
            return f"{len(failed)} of {len(self._scopes)} parts could not be read. {told}{more}", "incomplete"
        # IAM's summary of the account is there however empty it is.
        if not sum(scope.resources for scope in self._scopes if scope.type != "aws.account"):
            where = ", ".join(self._account.regions) or "all its regions"
            return f"Nothing was found: the account is empty in {where}.", NOTHING_FOUND
        return "", ""


class _Told:
    """Progress by scopes and pages, in place of the rows that a file's import counts."""

    def __init__(self, progress: Progress, scopes: list[DiscoveryScope]) -> None:
        self.job_id = progress.job_id
        self._progress, self._scopes = progress, scopes

    def checkpoint(self, done: int | None = None, total: int | None = None, note: str | None = None) -> None:
        self.tell()

    def tell(self) -> None:
        ended = sum(scope.status != PENDING for scope in self._scopes)
        under_way = next((s for s in self._scopes if s.status == PENDING and s.pages), None)
        resources = sum(scope.resources for scope in self._scopes)
        note = f"{resources:,} resources" + (
            f"; {under_way}: page {under_way.pages}" if under_way is not None else ""
        )
        self._progress.checkpoint(done=ended, total=len(self._scopes), note=note)


def _account(account_id: uuid.UUID) -> CloudAccount:
    with tenant_transaction(current_tenant_id()):
        account = CloudAccount.objects.select_related("credential").filter(pk=account_id).first()
    if account is None:
        raise NotFound("There is no such cloud account.")
    if account.status != CONNECTED:
        why = f": {account.problem}" if account.problem else ""
        raise Refused(f"{account} is {account.status}, not connected{why}")
    return account


def _scopes(account: CloudAccount, cloud: Cloud, job_id: uuid.UUID) -> list[DiscoveryScope]:
    """The job's scopes, made by its first attempt."""
    with tenant_transaction(current_tenant_id()):
        there = list(DiscoveryScope.objects.filter(account=account, job_id=job_id).order_by("region", "type"))
    if there:
        return there
    made = [
        DiscoveryScope(account=account, job_id=job_id, type=type_, region=region, status=PENDING,
                       pages=0, resources=0, gone=0, problem="")
        for type_, region in scopes_of(cloud)
    ]  # fmt: skip
    with tenant_transaction(current_tenant_id()):
        DiscoveryScope.objects.bulk_create(made)
    return made


def _note_problem(account: CloudAccount, problem: str, code: str) -> None:
    with tenant_transaction(current_tenant_id()):
        CloudAccount.objects.filter(pk=account.pk).update(problem=problem[:2000], problem_code=code)
