"""What admins manage: people, tokens, policies, the organisation's name. Every write by its service, audited."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import Audit
from apps.catalog.models import Policy
from apps.tenancy.models import ApiToken, Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.services import create_token
from tests.fixtures.estate import acting_as

from .conftest import make_case, sign_in

pytestmark = pytest.mark.django_db

USERS, TOKENS, POLICIES = "/admin/tenancy/user/", "/admin/tenancy/apitoken/", "/admin/catalog/policy/"
NEW = {
    "upn": "new@acme", "display_name": "Nina New", "email": "", "role": "approver",
    "first_password": "a long enough password", "password_again": "a long enough password",
}  # fmt: skip


def audited(user: User, action: str) -> list[Audit]:
    with acting_as(user):
        return list(Audit.objects.filter(action=action))


def test_a_new_user_can_sign_in(admin, tenant, users):
    assert admin.post(f"{USERS}add/", NEW).status_code == 302
    with acting_as(users[Role.ADMIN]):
        made = User.objects.get(upn="new@acme")
    assert (made.role, made.display_name, made.is_active) == ("approver", "Nina New", True)
    assert made.check_password(NEW["first_password"])
    assert [a.target_id for a in audited(users[Role.ADMIN], "tenancy.user.created")][-1] == str(made.pk)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"upn": "with space"}, "A user name has no spaces."),
        ({"upn": ""}, "This field is required."),
        ({"role": "root"}, "Select a valid choice."),
        ({"first_password": "short", "password_again": "short"}, "at least 12 characters"),
        ({"password_again": "another password"}, "The two passwords differ."),
    ],
)
def test_what_is_wrong_with_a_new_user_is_said_and_makes_none(admin, users, wrong, said):
    page = admin.post(f"{USERS}add/", NEW | wrong)
    assert page.status_code == 200
    assert said in page.content.decode()
    with acting_as(users[Role.ADMIN]):
        assert User.objects.count() == len(Role)


def test_a_name_that_is_taken_is_refused(admin, users):
    page = admin.post(f"{USERS}add/", NEW | {"upn": users[Role.VIEWER].upn})
    assert "There is already a user" in page.content.decode()


def test_the_hash_is_on_no_page(admin, users):
    pages = [USERS, f"{USERS}{users[Role.VIEWER].pk}/change/", f"{USERS}{users[Role.VIEWER].pk}/history/"]
    for url in pages:
        page = admin.get(url).content.decode()
        assert users[Role.VIEWER].password not in page
        assert "md5$" not in page


def test_role_and_standing_change_and_nothing_else(admin, users):
    target = users[Role.VIEWER]
    data = {"role": "operator", "upn": "other", "password": "x", "tenant": "x", "email": "evil@x"}
    assert admin.post(f"{USERS}{target.pk}/change/", data).status_code == 302
    with acting_as(users[Role.ADMIN]):
        changed = User.objects.get(pk=target.pk)
    assert (changed.role, changed.is_active) == ("operator", False)
    assert (changed.upn, changed.password, changed.email) == (target.upn, target.password, "")
    (audit,) = audited(users[Role.ADMIN], "tenancy.user.changed")
    assert audit.payload["before"] == {"role": "viewer", "is_active": True}
    assert audit.payload["after"] == {"role": "operator", "is_active": False}


def test_an_ended_account_is_signed_out(admin, tenant, users):
    other = sign_in(users[Role.APPROVER], tenant)
    admin.post(f"{USERS}{users[Role.APPROVER].pk}/change/", {"role": "approver"})
    assert other.get("/admin/")["Location"].startswith("/sign-in/")


def test_nobody_changes_his_own_role(admin, users):
    own = users[Role.ADMIN]
    url = f"{USERS}{own.pk}/change/"
    assert b"another admin changes your role" in admin.get(url).content
    admin.post(url, {"role": "approver"})
    with acting_as(own):
        assert (User.objects.get(pk=own.pk).role, User.objects.get(pk=own.pk).is_active) == ("admin", True)
    assert audited(own, "tenancy.user.changed") == []


@pytest.fixture
def token(users) -> ApiToken:
    with acting_as(users[Role.OPERATOR]):
        expires = timezone.now() + timedelta(days=9)
        return create_token(user=users[Role.OPERATOR], name="ci", scopes=["read"], expires_at=expires).token


def test_a_token_is_revoked_by_post_alone(admin, users, token):
    url = f"{TOKENS}{token.pk}/revoke/"
    assert admin.get(url).status_code == 200
    with acting_as(users[Role.ADMIN]):
        assert ApiToken.objects.get().revoked_at is None
    assert admin.post(url).status_code == 302
    with acting_as(users[Role.ADMIN]):
        assert ApiToken.objects.get().revoked_at is not None
    admin.post(url)
    assert len(audited(users[Role.ADMIN], "tenancy.token.revoked")) == 1


def test_tokens_are_revoked_in_bulk_and_their_secret_is_on_no_page(admin, users, token):
    for url in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        assert token.secret_sha256 not in admin.get(url).content.decode()
    admin.post(TOKENS, {"action": "revoke_selected", "index": "0", "_selected_action": [str(token.pk)]})
    with acting_as(users[Role.ADMIN]):
        assert ApiToken.objects.get().revoked_at is not None


def test_approvers_revoke_no_token(approver, users, token):
    assert approver.post(f"{TOKENS}{token.pk}/revoke/").status_code == 403


def test_policies_are_disabled_and_enabled(admin, users):
    with acting_as(users[Role.ADMIN]):
        policy, _ = make_case(0)
    for action, status in (("disable", "disabled"), ("enable", "active")):
        admin.post(POLICIES, {"action": action, "index": "0", "_selected_action": [policy.pk]})
        with acting_as(users[Role.ADMIN]):
            assert Policy.objects.get().status == status
        assert len(audited(users[Role.ADMIN], f"catalog.policy.{status}")) == 1


def test_a_refused_policy_can_not_be_enabled_and_the_others_are(admin, users):
    with acting_as(users[Role.ADMIN]):
        ids = []
        for number, status in enumerate(("unsupported", "disabled")):
            policy, _ = make_case(number)
            Policy.objects.filter(pk=policy.pk).update(status=status)
            ids.append(policy.pk)
    page = admin.post(POLICIES, {"action": "enable", "index": "0", "_selected_action": ids}, follow=True)
    assert "1 enabled" in page.content.decode()
    assert "from unsupported to active" in page.content.decode()


def test_severity_changes_and_the_definition_does_not(admin, users):
    with acting_as(users[Role.ADMIN]):
        policy, _ = make_case(0)
    admin.post(f"{POLICIES}{policy.pk}/change/", {"severity": "critical", "name": "other", "status": "draft"})
    with acting_as(users[Role.ADMIN]):
        changed = Policy.objects.get()
    assert (changed.severity, changed.name, changed.status) == ("critical", "Case 0", "active")
    (audit,) = audited(users[Role.ADMIN], "catalog.policy.severity_set")
    assert (audit.payload["before"], audit.payload["after"]) == ("high", "critical")


def test_approvers_look_at_policies_only(approver, users):
    with acting_as(users[Role.ADMIN]):
        policy, _ = make_case(0)
    assert approver.get(f"{POLICIES}{policy.pk}/change/").status_code == 200
    assert approver.post(f"{POLICIES}{policy.pk}/change/", {"severity": "low"}).status_code == 403
    approver.post(POLICIES, {"action": "disable", "index": "0", "_selected_action": [policy.pk]})
    with acting_as(users[Role.ADMIN]):
        assert (Policy.objects.get().severity, Policy.objects.get().status) == ("high", "active")


def test_of_the_organisation_the_name_alone_changes(admin, tenant, users):
    url = f"/admin/tenancy/tenant/{tenant.pk}/change/"
    admin.post(url, {"name": "Acme Ltd", "slug": "other", "status": "suspended"})
    with acting_as(users[Role.ADMIN]):
        changed = Tenant.objects.get()
    assert (changed.name, changed.slug, changed.status) == ("Acme Ltd", tenant.slug, "active")
    assert audited(users[Role.ADMIN], "tenancy.tenant.renamed")[0].payload["after"] == "Acme Ltd"
    assert admin.get("/admin/tenancy/tenant/add/").status_code == 403


def test_history_is_the_audit_trail_of_the_object(admin, users):
    target = users[Role.VIEWER]
    admin.post(f"{USERS}{target.pk}/change/", {"role": "operator", "is_active": "on"})
    page = admin.get(f"{USERS}{target.pk}/history/").content.decode()
    assert "tenancy.user.changed" in page
    assert str(users[Role.ADMIN]) in page
