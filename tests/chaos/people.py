"""What people do in a stack, as a process of its own: `python -m tests.chaos.people VERB …`, JSON on the last line.

setup: a tenant with an operator, an approver and buckets; propose: an action on two of them; approve: the plan that
waits; verify: every artifact against its hash.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from django.db import transaction  # noqa: E402

from apps.actions.models import Action  # noqa: E402
from apps.actions.services import approve_action, propose_action  # noqa: E402
from apps.actions.services.downloading import verify_evidence  # noqa: E402
from apps.catalog.models import Resource  # noqa: E402
from apps.core.context import Actor, tenant_scope  # noqa: E402
from apps.tenancy.models import User  # noqa: E402
from apps.tenancy.roles import Role  # noqa: E402
from apps.tenancy.services import create_tenant, create_user, find_tenant  # noqa: E402
from tests.fixtures.rows import make_resource  # noqa: E402

SLUG = "faults"


def setup() -> dict[str, Any]:
    tenant = create_tenant(name="Faults", slug=SLUG)
    with tenant_scope(tenant.pk, Actor.system("test")), transaction.atomic():
        for role in (Role.OPERATOR, Role.APPROVER):
            create_user(upn=f"{role}@example.org", role=role, password=None)
    return {"tenant": str(tenant.pk)}


def propose(first: str, count: str) -> dict[str, Any]:
    with _as(Role.OPERATOR), transaction.atomic():
        numbers = range(int(first), int(first) + int(count))
        buckets = [
            Resource.objects.filter(name=f"bucket-{n}").first() or make_resource(n, account="1")
            for n in numbers
        ]
        action = propose_action(type="test.set_public", resources=buckets)
        return {"action": str(action.pk)}


def approve(action_id: str) -> dict[str, Any]:
    with _as(Role.APPROVER), transaction.atomic():
        action = Action.objects.get(pk=action_id)
        approve_action(action=action, plan_sha256=action.plan_sha256)
        return {"status": action.status}


def verify(action_id: str) -> dict[str, Any]:
    with _as(Role.OPERATOR):
        checked = verify_evidence(action_id=action_id)
    return {"artifacts": len(checked), "damaged": [c.problem for c in checked if not c.holds]}


def _as(role: Role) -> Any:
    tenant_id = find_tenant(SLUG)
    with tenant_scope(tenant_id, Actor.system("test")), transaction.atomic():
        user = User.objects.get(upn=f"{role}@example.org")
    return tenant_scope(tenant_id, Actor.user(user.pk))


if __name__ == "__main__":
    verbs = {"setup": setup, "propose": propose, "approve": approve, "verify": verify}
    print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])))  # noqa: T201
