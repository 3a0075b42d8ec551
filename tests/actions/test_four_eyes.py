"""Nobody approves what he asked for: by service, API, token, admin, bulk action, or raw SQL as the app role."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from apps.actions.models import Action, ActionApproval
from apps.actions.services import approve_action, reject_action
from apps.core.context import Actor, tenant_scope
from apps.core.errors import FourEyes, Refused, StaleState
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser, program
from tests.fixtures.estate import acting_as

from .conftest import Desk


def sql(user: User | None, desk: Desk, *statements: tuple[str, list[Any]]) -> None:
    """Raw SQL as the app role, in the tenant's context, in the name of `user`, of nobody for None."""
    actor = Actor.user(user.pk) if user is not None else Actor.system("sql")
    with tenant_scope(desk.tenant.id, actor), transaction.atomic(), connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=r".*") if not constraint else _Refusal(constraint)


class _Refusal:
    """The database refuses, by the trigger or constraint of this name."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        assert isinstance(error, IntegrityError), f"not refused: {error!r}"
        assert error.__cause__.diag.constraint_name == self.constraint, error
        return True


INSERT = """
INSERT INTO action_approvals (id, tenant_id, action_id, requested_by, decided_by, plan_revision, plan_sha256, decision)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'approved')
"""


def approval(desk: Desk, action: Action, requested_by: User, decided_by: User) -> tuple[str, list[Any]]:
    return INSERT, [
        uuid.uuid4(), desk.tenant.id, action.pk, requested_by.pk, decided_by.pk,
        action.plan_revision, action.plan_sha256,
    ]  # fmt: skip


@pytest.fixture
def own(desk: Desk) -> Action:
    """Waiting, asked for by the approver himself."""
    action = desk.planned(by=desk.approver)
    assert action.status == "preflight"
    return action


def test_by_service(desk: Desk, own: Action) -> None:
    for decide in (approve_action, reject_action):
        with acting_as(desk.approver), pytest.raises(FourEyes):
            decide(action=own, plan_sha256=own.plan_sha256, reason="mine")
    assert desk.now(own).status == "preflight"


def test_by_api_and_token(desk: Desk, own: Action) -> None:
    path, body = f"/api/v1/actions/{own.pk}/approve/", {"plan_sha256": own.plan_sha256}
    for client in (browser(desk.approver), program(desk.approver, ["read", "request", "approve"])):
        response = client.post(path, body, content_type="application/json")
        assert response.status_code == 403
        assert response.json()["type"].endswith("four-eyes")
    assert desk.now(own).status == "preflight"


def test_a_token_without_the_scope_approves_nothing(desk: Desk) -> None:
    action = desk.planned()
    path, body = f"/api/v1/actions/{action.pk}/approve/", {"plan_sha256": action.plan_sha256}
    without = program(desk.approver, ["read", "request", "import", "scan", "manage"])
    assert without.post(path, body, content_type="application/json").status_code == 403
    assert desk.now(action).status == "preflight"
    within = program(desk.approver, ["approve"])
    assert within.post(path, body, content_type="application/json").status_code == 200
    assert desk.now(action).status == "in_progress"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_who_is_no_approver_does_not_decide(desk: Desk, role: Role) -> None:
    action = desk.planned(by=desk.approver)
    path, body = f"/api/v1/actions/{action.pk}/approve/", {"plan_sha256": action.plan_sha256}
    assert browser(desk.users[role]).post(path, body, content_type="application/json").status_code == 403
    with acting_as(desk.users[role]), pytest.raises(Refused):
        approve_action(action=action, plan_sha256=action.plan_sha256)
    with refused("action_approvals_role"):
        sql(desk.users[role], desk, approval(desk, action, desk.approver, desk.second))


def test_by_raw_sql_in_another_persons_name(desk: Desk, own: Action) -> None:
    """The statement names the second approver; the context is the requester's, and the context counts."""
    with refused("action_approvals_four_eyes"):
        sql(desk.approver, desk, approval(desk, own, desk.approver, desk.second))


def test_by_raw_sql_that_lies_about_who_asked(desk: Desk, own: Action) -> None:
    with refused("action_approvals_action_fk"):
        sql(desk.approver, desk, approval(desk, own, desk.operator, desk.approver))


def test_by_raw_sql_in_nobodys_name(desk: Desk, own: Action) -> None:
    with refused("action_approvals_four_eyes"):
        sql(None, desk, approval(desk, own, desk.approver, desk.second))


def test_by_raw_sql_that_changes_who_asked(desk: Desk, own: Action) -> None:
    with refused("actions_request_immutable"):
        sql(
            desk.approver,
            desk,
            ("UPDATE actions SET requested_by = %s WHERE id = %s", [desk.operator.pk, own.pk]),
        )


def test_by_raw_sql_that_asks_in_anothers_name(desk: Desk) -> None:
    statement = (
        "INSERT INTO actions (id, tenant_id, type, status, requested_by) VALUES (%s, %s, 't', 'queued', %s)"
    )
    with refused("actions_requester"):
        sql(desk.approver, desk, (statement, [uuid.uuid4(), desk.tenant.id, desk.operator.pk]))


@pytest.mark.parametrize("person", ["approver", "operator", None])
def test_by_raw_sql_that_moves_the_state(desk: Desk, own: Action, person: str | None) -> None:
    user = getattr(desk, person) if person else None
    with refused("actions_approval"):
        sql(user, desk, ("UPDATE actions SET status = 'in_progress' WHERE id = %s", [own.pk]))


@pytest.mark.parametrize("status", ["in_progress", "verifying"])
def test_by_raw_sql_that_begins_in_the_middle(desk: Desk, status: str) -> None:
    statement = "INSERT INTO actions (id, tenant_id, type, status) VALUES (%s, %s, 'test.set_public', %s)"
    with refused("actions_approval"):
        sql(desk.approver, desk, (statement, [uuid.uuid4(), desk.tenant.id, status]))


@pytest.mark.parametrize(
    "change",
    [
        "approvals_needed = 0",
        "params = params || '{\"requires_approval\": false}'",
        "params = params - 'requires_approval'",
        "plan = '{}'",
        "plan_sha256 = 'x'",
        "plan_revision = plan_revision + 1",
    ],
)
def test_by_raw_sql_that_changes_the_plan(desk: Desk, own: Action, change: str) -> None:
    with refused("actions_plan_author"):
        sql(desk.approver, desk, (f"UPDATE actions SET {change} WHERE id = %s", [own.pk]))
    # Not even in nobody's name, as the workers are, for the plan is sealed.
    with refused("actions_plan_immutable") if "revision" not in change else refused("actions_approval"):
        sql(
            None, desk,
            (f"UPDATE actions SET {change} WHERE id = %s", [own.pk]),
            ("UPDATE actions SET status = 'in_progress' WHERE id = %s", [own.pk]),
        )  # fmt: skip


@pytest.mark.parametrize("column", ["type = 'test.destroy'", "params = params || '{\"public\": true}'"])
def test_by_raw_sql_that_changes_what_was_asked(desk: Desk, own: Action, column: str) -> None:
    with refused("actions_request_immutable"):
        sql(None, desk, (f"UPDATE actions SET {column} WHERE id = %s", [own.pk]))


def test_by_raw_sql_that_makes_a_rule_without_approvals(desk: Desk, own: Action) -> None:
    statement = "INSERT INTO action_rules (id, tenant_id, kind, approvals) VALUES (%s, %s, '', 0)"
    for user in (desk.approver, desk.operator):
        with refused("action_rules_author"):
            sql(user, desk, (statement, [uuid.uuid4(), desk.tenant.id]))


def test_an_unapproved_action_is_not_carried_out_by_its_job(desk: Desk, own: Action) -> None:
    assert desk.run(own).status == "preflight"
    assert desk.cloud.changes() == []


def test_approvals_are_never_changed_or_deleted(desk: Desk) -> None:
    action = desk.planned()
    desk.approve(action)
    for statement in ("UPDATE action_approvals SET decision = 'rejected'", "DELETE FROM action_approvals"):
        with pytest.raises(Exception, match="permission denied"):
            sql(desk.approver, desk, (statement, []))


def test_an_approval_is_for_the_plan_that_was_shown(desk: Desk) -> None:
    action = desk.planned()
    with acting_as(desk.approver), pytest.raises(StaleState):
        approve_action(action=action, plan_sha256="0" * 64)
    with refused("action_approvals_current"):
        statement, values = approval(desk, action, desk.operator, desk.approver)
        sql(desk.approver, desk, (statement, [*values[:-1], "0" * 64]))


def test_two_approvers_where_two_are_needed(desk: Desk) -> None:
    bucket = desk.add_bucket(7, tags={"Environment": "Production"})
    action = desk.planned([bucket])
    assert action.approvals_needed == 2
    assert desk.approve(action).status == "preflight"
    with acting_as(desk.approver), pytest.raises(StaleState):  # one person counts once
        approve_action(action=action, plan_sha256=action.plan_sha256)
    with tenant_scope(desk.tenant.id), transaction.atomic():
        assert ActionApproval.objects.filter(action=action).count() == 1
    assert desk.approve(action, desk.second).status == "in_progress"
    assert desk.run(action).status == "completed"


def test_in_the_admin_and_its_bulk_action(desk: Desk, own: Action) -> None:
    client: Client = browser(desk.approver)
    page = client.get(f"/admin/actions/action/{own.pk}/approve/")
    assert page.status_code == 200
    assert "somebody else has to decide" in page.content.decode()
    sent = {"digest": own.plan_sha256, "reason": ""}
    client.post(f"/admin/actions/action/{own.pk}/approve/", sent)
    assert desk.now(own).status == "preflight"
    bulk = {"action": "approve_selected", "confirm": "yes", "_selected_action": [str(own.pk)]}
    page = client.post("/admin/actions/action/", {**bulk, f"digest_{own.pk}": own.plan_sha256, "reason": ""})
    assert "somebody else has to decide" in page.content.decode()
    assert desk.now(own).status == "preflight"
