"""Taking a whole tenant out: its rows, its objects where no lock forbids it, and a certificate of what went.

Acts as the owner role. Each batch is a transaction that also writes down what went, so a purge that was cut goes on
where it was and counts nothing twice. From its first moment the tenant is `purging`: nobody signs in, no job runs.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, transaction
from django.db.models import Q

from apps.audit.models import AuditPurge
from apps.audit.services import record
from apps.core.context import current, tenant_scope
from apps.core.errors import InvalidInput, NotFound, StaleState
from apps.evidence.errors import StoreDenied
from apps.evidence.holding import delete_version, list_versions, locked_until
from apps.evidence.options import options
from apps.tenancy.models import Tenant

from .models import LegalHold

OWNER = "owner"
BATCH = 10_000
PURGING = "purging"

Progress = Callable[[str, int], None]


def purge_tenant(*, handle: str, confirm: str, progress: Progress | None = None) -> dict[str, Any]:
    """Purge the tenant of an id, a slug or a name; `confirm` is its slug. The certificate, with its `sha256`.

    Of a tenant that is gone already (named by its id), the objects whose locks have ended since: a certificate of
    its own. Raises NotFound, InvalidInput (confirm), StaleState under a legal hold, StoreAway.
    """
    tell = progress or (lambda what, n: None)
    tenant = _tenant(handle)
    if tenant is None:
        return _purge_rest(handle, tell)
    if confirm != tenant.slug:
        raise InvalidInput(
            f"To purge {tenant.name} for good say --confirm {tenant.slug}, not {confirm!r}.", field="confirm"
        )
    if LegalHold.objects.using(OWNER).filter(tenant_id=tenant.pk, released_at=None).exists():
        raise StaleState(f"{tenant.name} is under a legal hold: release it first.")
    purge = _begin(tenant)
    with tenant_scope(tenant.pk):
        _delete_objects(purge, tenant.pk, tell)
    _delete_rows(purge, tenant.pk, tell)
    return _end(purge)


def _tenant(handle: str) -> Tenant | None:
    """Also one whose purge has begun, which nobody else finds any more."""
    which = Q(slug=handle) | Q(name=handle)
    if (asked := _uuid(handle)) is not None:
        which |= Q(pk=asked)
    found = list(Tenant.objects.using(OWNER).filter(which)[:2])
    if len(found) > 1:
        raise InvalidInput(f"More than one tenant is called {handle!r}: use the id.", field="tenant")
    return found[0] if found else None


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _begin(tenant: Tenant) -> AuditPurge:
    """The purge's row; the one that was begun before, where it was cut."""
    going_on = AuditPurge.objects.using(OWNER).filter(purged_id=tenant.pk, ended_at=None).first()
    if going_on is not None:
        return going_on
    if tenant.status != PURGING:
        with tenant_scope(tenant.pk), transaction.atomic():
            record("tenancy.tenant.purge_begun", tenant, {"slug": tenant.slug})
    with transaction.atomic(using=OWNER):
        Tenant.objects.using(OWNER).filter(pk=tenant.pk).update(status=PURGING)
        told: dict[str, Any] = {
            "tenant": {"id": str(tenant.pk), "slug": tenant.slug, "name": tenant.name},
            "by": str(current().actor),
            "audit": _last_checkpoint(tenant.pk),
            "rows": {},
            "objects": _no_objects(),
        }
        return AuditPurge.objects.using(OWNER).create(
            purged_id=tenant.pk, size=told["audit"]["size"], certificate=_canonical(told)
        )


def _purge_rest(handle: str, tell: Progress) -> dict[str, Any]:
    asked = _uuid(handle)
    before = (
        AuditPurge.objects.using(OWNER).filter(purged_id=asked).order_by("-began_at").first()
        if asked
        else None
    )
    if before is None:
        raise NotFound(f"There is no tenant {handle!r}.")
    purge = before
    if before.ended_at is not None:
        told = json.loads(before.certificate)
        told |= {"by": str(current().actor), "rows": {}, "objects": _no_objects(), "after": before.sha256}
        with transaction.atomic(using=OWNER):
            purge = AuditPurge.objects.using(OWNER).create(
                purged_id=before.purged_id, size=before.size, certificate=_canonical(told)
            )
    with tenant_scope(purge.purged_id):
        _delete_objects(purge, purge.purged_id, tell)
    return _end(purge)


def _no_objects() -> dict[str, Any]:
    return {"deleted": 0, "bytes": 0, "locked": 0, "locked_until": ""}


def _last_checkpoint(tenant_id: uuid.UUID) -> dict[str, Any]:
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute(
            "SELECT size, encode(root, 'hex'), note FROM audit_checkpoints WHERE tenant_id = %s"
            " AND anchored_at IS NOT NULL ORDER BY size DESC LIMIT 1",
            [tenant_id],
        )
        size, root, note = cursor.fetchone() or (0, "", "")
        cursor.execute("SELECT count(*) FROM audits WHERE tenant_id = %s", [tenant_id])
        (rows,) = cursor.fetchone()
    return {"size": size, "root": root, "note": note, "rows": rows, "not_sealed": rows - size}


def _delete_objects(purge: AuditPurge, tenant_id: uuid.UUID, tell: Progress) -> None:
    """Every version of the tenant's; what a lock or a hold keeps is counted, with the day on which the last ends."""
    objects, untils = _no_objects(), []
    for bucket in dict.fromkeys((options().bucket, options().staging_bucket)):
        for version in list_versions(bucket, f"tenants/{tenant_id}/"):
            if delete_version(bucket, version.key, version.version_id):
                objects["deleted"] += 1
                objects["bytes"] += version.size
            else:
                until = locked_until(bucket, version.key, version.version_id)
                if (
                    not until
                ):  # nothing holds it: we are not allowed to, and a certificate must not call that a lock
                    raise StoreDenied(f"The object store does not let us delete versions in {bucket}.")
                objects["locked"] += 1
                untils.append(until)
            tell("objects", objects["deleted"] + objects["locked"])
    dated = [until for until in untils if until != "hold"]
    objects["locked_until"] = "a legal hold is released" if "hold" in untils else max(dated, default="")
    told = json.loads(purge.certificate)
    # A purge that was cut had deleted some before: it had not written them down, and the store no longer tells.
    objects["deleted"] += told["objects"]["deleted"]
    objects["bytes"] += told["objects"]["bytes"]
    _note(purge, told | {"objects": objects})


def _delete_rows(purge: AuditPurge, tenant_id: uuid.UUID, tell: Progress) -> None:
    for table in tables_in_order():
        while n := _delete_batch(purge, table, tenant_id):
            tell(table, n)
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute("DELETE FROM tenants WHERE id = %s", [tenant_id])


def _delete_batch(purge: AuditPurge, table: str, tenant_id: uuid.UUID) -> int:
    """One batch, and its count with it. A row's place (ctid) may be that of a row in another partition: of the same
    tenant then, and counted as what it is."""
    whole = table in _pointing_at_themselves()
    chosen = (
        ""
        if whole
        else f" AND ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE tenant_id = %(t)s LIMIT {BATCH}))"  # noqa: S608
    )
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE tenant_id = %(t)s{chosen}", {"t": tenant_id})  # noqa: S608
        n: int = cursor.rowcount
        if n:
            told = json.loads(purge.certificate)
            rows = Counter(told["rows"])
            rows[table] += n
            _note(purge, told | {"rows": dict(rows)})
    return n


def _pointing_at_themselves() -> frozenset[str]:
    """Tables with a key onto themselves: a part of one may be pointed at by the rest."""
    return frozenset(
        model._meta.db_table
        for model in _tenant_models()
        if any(
            field.related_model is model for field in model._meta.local_concrete_fields if field.is_relation
        )
    )


def _tenant_models() -> list[Any]:
    return [
        m for m in apps.get_models() if m._meta.managed and getattr(m, "tenant_column", "") == "tenant_id"
    ]


def tables_in_order() -> list[str]:
    """Every table with a tenant, none before those that point at it. From the database, not from Python: composite
    keys count as well."""
    names = {model._meta.db_table for model in _tenant_models()}
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid <> confrelid AND connamespace = current_schema()::regnamespace"
        )
        edges = [(child, parent) for child, parent in cursor.fetchall() if {child, parent} <= names]
    ordered: list[str] = []
    waiting = set(names)
    while waiting:
        free = sorted(n for n in waiting if not any(p == n and c in waiting for c, p in edges))
        if not free:
            raise InvalidInput(f"These tables point at each other: {', '.join(sorted(waiting))}.")
        ordered += free
        waiting -= set(free)
    return ordered


def _end(purge: AuditPurge) -> dict[str, Any]:
    """Seal the certificate by its hash; the sealer takes it up into the platform's log."""
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
        text = _canonical(
            {
                "certificate": str(purge.pk),
                "began_at": purge.began_at,
                "ended_at": now,
                **json.loads(purge.certificate),
            }
        )
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        AuditPurge.objects.using(OWNER).filter(pk=purge.pk).update(
            certificate=text, sha256=sha256, ended_at=now
        )
    return {**json.loads(text), "sha256": sha256}


def _note(purge: AuditPurge, told: dict[str, Any]) -> None:
    purge.certificate = _canonical(told)
    AuditPurge.objects.using(OWNER).filter(pk=purge.pk).update(certificate=purge.certificate)


def _canonical(told: dict[str, Any]) -> str:
    return json.dumps(told, cls=DjangoJSONEncoder, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
