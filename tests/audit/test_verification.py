"""`manage.py audit verify` names each row that is not what was hashed, and none on an honest trail."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction

from apps.audit.services import record
from apps.audit.verification import verify_trail
from apps.core.context import Actor, tenant_transaction
from apps.core.ids import new_id

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


def make_tenant(name: str) -> Any:
    tenant_id = new_id()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)", [tenant_id, name, f"{name}-t"]
        )
    with tenant_transaction(tenant_id, Actor.system("test")):
        record(
            "a.first.done", ("thing", "1"), {"n": 1.10, "text": 'é " \\ \n 😀', "none": None, "list": [1, {}]}
        )
        record("a.second.done")
        record("a.third.done", ("", ""), {})
    return tenant_id


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    try:
        call_command("audit", "verify", "--json", *arguments, stdout=out)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, json.loads(out.getvalue())


def test_an_honest_trail_has_nothing_wrong_for_a_tenant_and_for_all() -> None:
    first, _ = make_tenant("one"), make_tenant("two")
    code, one = run("--tenant", str(first))
    assert (code, one["rows"], one["tenants"], one["mismatches"]) == (0, 3, 1, [])
    code, all_of_them = run()
    assert (code, all_of_them["rows"], all_of_them["tenants"]) == (0, 6, 2)
    assert all_of_them["sealed"] is False
    assert "not sealed" in all_of_them["limits"]


def test_it_walks_over_many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.audit.verification.BATCH", 2)
    make_tenant("one"), make_tenant("two")
    assert verify_trail(using="owner").rows == 6


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("actor = 'user:nobody'", "canonical"),
        ("payload = '{\"n\": 2}'", "canonical"),
        ("created_at = created_at - interval '1 microsecond'", "canonical"),
        ("target_id = NULL", "canonical"),
        ("leaf = sha256('x')", "leaf"),
        ("leaf = ''", "leaf"),
        ("canonical = 'x', leaf = sha256('\\x00'::bytea || 'x'::bytea)", "canonical"),
    ],
)
def test_a_changed_row_is_named(change: str, problem: str) -> None:
    """Changed as the owner role can: leaf and canonical bytes stay what they were at the insert."""
    tenant_id = make_tenant("one")
    with transaction.atomic(using="owner"):
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"UPDATE audits SET {change} WHERE action = 'a.first.done' RETURNING id")
            (audit_id,) = cursor.fetchone()
        code, said = run()
        transaction.set_rollback(True, using="owner")
    assert code == 1
    (mismatch,) = said["mismatches"]
    assert (mismatch["audit_id"], mismatch["tenant_id"]) == (str(audit_id), str(tenant_id))
    assert mismatch["problem"] == problem
    assert run()[0] == 0


def test_an_unknown_tenant_is_named() -> None:
    code, said = run("--tenant", "nobody")
    assert code == 1
    assert "nobody" in said["error"]["message"]
