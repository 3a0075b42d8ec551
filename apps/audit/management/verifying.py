"""`manage.py audit verify`."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from apps.audit.anchors import anchor_store, checkpoint_prefix
from apps.audit.options import trusted_keys
from apps.audit.verification.findings import Findings
from apps.audit.verification.verify import verify_all, verify_tenant
from apps.core.context import tenant_scope
from apps.core.errors import InvalidInput, NotFound

HELP = """Verify the audit trail: rows, places, tree, checkpoints, the platform's log.
Every row's columns against what was hashed and sealed; every place; the tree at each checkpoint that the store
has; their signatures and links; all tenants' chains against the platform's log. Names what is wrong and where,
and exits with 1. Without --tenant of all tenants, as the owner role (DATABASE_OWNER_URL)."""

LIMITS = (
    "Rows that are not sealed yet can still be rewritten by the database's owner, unnoticed. Whoever holds the"
    " database, the signing key and the store's administrator can forge what was sealed since a checkpoint that"
    " somebody else has kept."
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--tenant", metavar="T", help="id, slug or unambiguous name; all tenants unless given"
    )
    parser.add_argument(
        "--public-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key to trust, as `audit key --show` prints it; may be repeated. Otherwise AUDIT_PUBLIC_KEYS",
    )
    parser.add_argument(
        "--since", metavar="FILE", help="a checkpoint that you kept: only what was sealed after it is read"
    )

    parser.add_argument(
        "--no-evidence",
        action="store_true",
        help="the trail alone: neither artifacts in the object store nor history nor rows that it tells of",
    )


def run(options: dict[str, Any]) -> Mapping[str, Any]:
    trusted, beyond = trusted_keys(options["public_key"]), not options["no_evidence"]
    if options["since"] and not options["tenant"]:
        raise InvalidInput("--since is a checkpoint of one tenant: name it with --tenant.", field="since")
    if options["tenant"]:
        tenant_id = _tenant_id(options["tenant"])
        start = Path(options["since"]).read_bytes() if options["since"] else None
        with tenant_scope(tenant_id):
            return _told(verify_tenant(tenant_id, trusted=trusted, start=start, beyond=beyond))
    if not settings.DATABASES["owner"].get("USER"):
        raise InvalidInput("Set DATABASE_OWNER_URL, or name one tenant with --tenant.", field="tenant")
    return _told(verify_all(trusted=trusted, using="owner", beyond=beyond))


def describe(result: Mapping[str, Any]) -> str:
    lines = [
        f"WRONG  {_whose(problem['tenant_id'])}: {problem['where']} {problem['what']} [{problem['code']}]"
        for problem in result["problems"]
    ]
    if result["wrong"] > len(lines):
        lines.append(f"… and {result['wrong'] - len(lines)} more")
    verdict = f"{result['wrong']} problems" if result["failed"] else "all as they were written"
    lines.append(f"{result['rows']} rows of {result['tenants']} tenants: {verdict}.")
    sealed = f"{result['sealed']} sealed in {result['checkpoints']} checkpoints"
    if result["unsealed"]:
        lines.append(
            f"{sealed}; {result['unsealed']} not sealed yet, the oldest of {result['oldest_unsealed']}."
        )
    else:
        lines.append(f"{sealed}, none waiting.")
    return "\n".join([*lines, result["limits"]])


def _whose(tenant_id: str) -> str:
    return f"tenant {tenant_id}" if tenant_id else "platform"


def _told(found: Findings) -> dict[str, Any]:
    return {"verb": "verify", **found.as_dict(), "limits": LIMITS}


def _tenant_id(handle: str) -> uuid.UUID:
    """As tenancy's own look-up, which lies in a room above this one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id, match FROM tenant_ids(%s)", [handle.strip()])
        rows = cursor.fetchall()
    exact = [row[0] for row in rows if row[1] != "name"] or [row[0] for row in rows]
    if len(exact) > 1:
        raise InvalidInput(f"{len(exact)} or more tenants are named {handle!r}: use the id.", field="tenant")
    if not exact:
        return _removed_tenant(handle)
    found: uuid.UUID = exact[0]
    return found


def _removed_tenant(handle: str) -> uuid.UUID:
    """A tenant that the database no longer has, and the store does: its removal is what verifying must name."""
    try:
        tenant_id = uuid.UUID(handle.strip())
    except ValueError:
        tenant_id = None
    if tenant_id is None or not anchor_store().keys_after(checkpoint_prefix(tenant_id), "", 1):
        raise NotFound(f"There is no tenant {handle!r}.")
    return tenant_id
