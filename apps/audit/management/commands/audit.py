from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from apps.audit.verification import Verification, verify_trail
from apps.core.context import tenant_scope
from apps.core.errors import InvalidInput, NotFound
from apps.core.management.base import ReportingCommand

LIMITS = (
    "Rows are not sealed into signed checkpoints in this version: a row that was left out, or that the database's"
    " owner wrote anew with its hash, is not found."
)


class Command(ReportingCommand):
    help = (
        "Verify the audit trail: each row's canonical bytes against its columns, its leaf against the bytes."
        " Without --tenant of all tenants, as the owner role (DATABASE_OWNER_URL)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        verify = sub.add_parser("verify", help="verify every row's hash", description=self.help)
        super().add_arguments(verify)
        verify.add_argument(
            "--tenant", metavar="T", help="id, slug or unambiguous name; all tenants unless given"
        )

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["tenant"]:
            with tenant_scope(_tenant_id(options["tenant"])):
                return _told(verify_trail())
        if not settings.DATABASES["owner"].get("USER"):
            raise InvalidInput("Set DATABASE_OWNER_URL, or name one tenant with --tenant.", field="tenant")
        return _told(verify_trail(using="owner"))

    def describe(self, result: Mapping[str, Any]) -> str:
        lines = [
            f"WRONG  {row['audit_id']} of tenant {row['tenant_id']} ({row['created_at']}, {row['action']}): "
            + _PROBLEMS[row["problem"]]
            for row in result["mismatches"]
        ]
        if result["wrong"] > len(lines):
            lines.append(f"… and {result['wrong'] - len(lines)} more")
        verdict = f"{result['wrong']} problems" if result["failed"] else "all as they were written"
        lines.append(f"{result['rows']} rows of {result['tenants']} tenants: {verdict}.")
        return "\n".join([*lines, result["limits"]])


_PROBLEMS = {
    "canonical": "its columns are not what was hashed",
    "leaf": "its leaf is not the hash of its canonical bytes",
}


def _told(verified: Verification) -> dict[str, Any]:
    return {
        "rows": verified.rows,
        "tenants": len(verified.tenants),
        "wrong": verified.wrong,
        "mismatches": [asdict(mismatch) for mismatch in verified.named],
        "sealed": False,
        "limits": LIMITS,
        "failed": verified.wrong > 0,
    }


def _tenant_id(handle: str) -> Any:
    """As tenancy's own look-up, which lies in a room above this one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id, match FROM tenant_ids(%s)", [handle.strip()])
        rows = cursor.fetchall()
    exact = [row[0] for row in rows if row[1] != "name"] or [row[0] for row in rows]
    if len(exact) > 1:
        raise InvalidInput(f"{len(exact)} or more tenants are named {handle!r}: use the id.", field="tenant")
    if not exact:
        raise NotFound(f"There is no tenant {handle!r}.")
    return exact[0]
