"""Who gets into the admin, what he finds there, and what he never does."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.contrib import admin as django_admin
from django.test import Client
from django.utils import timezone

from apps.findings.models import PolicyException, Violation
from apps.tenancy.models import ApiToken
from apps.tenancy.roles import Role
from apps.tenancy.services import create_token
from tests.fixtures.estate import acting_as

from .conftest import QUEUE, decide_url, make_case, sign_in

pytestmark = pytest.mark.django_db

MANAGED = ["/admin/tenancy/user/", "/admin/tenancy/apitoken/", "/admin/tenancy/tenant/"]
LISTS = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in django_admin.site._registry]


def test_signed_out_people_come_back_to_where_they_wanted_to_go(tenant, users, make_exceptions):
    (exception,) = make_exceptions(1)
    wanted = decide_url(exception, "approve") + "?_changelist_filters=status%3Dpending"
    client = Client()
    response = client.get(wanted)
    assert response["Location"] == f"/sign-in/?next={quote(wanted, safe='/')}"
    signed_in = sign_in(users[Role.APPROVER], tenant)
    assert signed_in.get(wanted).status_code == 200


def test_the_admins_own_login_leads_to_ours(client):
    response = client.get("/admin/login/?next=/admin/jobs/job/")
    assert response["Location"] == "/sign-in/?next=/admin/jobs/job/"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("url", ["/admin/", QUEUE, "/admin/search/?s=x", "/admin/login/"])
def test_other_roles_are_refused(tenant, users, role, url):
    response = sign_in(users[role], tenant).get(url)
    assert response.status_code == (302 if url == "/admin/login/" else 403)


@pytest.mark.parametrize("url", ["/admin/", *LISTS])
def test_admins_may_open_every_list(admin, make_exceptions, url):
    make_exceptions(1)
    assert admin.get(url).status_code == 200


@pytest.mark.parametrize("url", MANAGED)
def test_approvers_do_not_manage(approver, url):
    assert approver.get(url).status_code == 403
    assert approver.get(url + "add/").status_code == 403


@pytest.mark.parametrize("model", list(django_admin.site._registry), ids=lambda m: m._meta.label_lower)
def test_nothing_is_deleted(admin, tenant, users, make_exceptions, model):
    make_exceptions(1)
    with acting_as(users[Role.ADMIN]):
        token = create_token(
            user=users[Role.ADMIN], name="t", scopes=["read"], expires_at=timezone.now() + timedelta(days=1)
        ).token if model is ApiToken else None  # fmt: skip
        row = token or model.objects.first()
    url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    if row is not None:
        assert admin.post(f"{url}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert b"delete_selected" not in admin.get(url).content


@pytest.mark.parametrize("page", ["change/", "history/", "approve/", "reject/", "revoke/", ""])
def test_a_foreign_tenants_exception_is_not_there(tenant, approver, other_tenant, other_users, page):
    with acting_as(other_users[Role.OPERATOR]):
        policy, resource = make_case(0)
        foreign = PolicyException(
            policy=policy,
            resource=resource,
            reason="x",
            status="pending",
            created_by=other_users[Role.OPERATOR],
        )
        foreign.save()
    response = approver.get(f"{QUEUE}{foreign.pk}/{page}", follow=True)
    assert response.status_code == 404
    if page in ("approve/", "reject/", "revoke/"):
        assert approver.post(f"{QUEUE}{foreign.pk}/{page}", {"reason": "x", "digest": "y"}).status_code == 404
    with acting_as(other_users[Role.APPROVER]):
        assert PolicyException.objects.get().status == "pending"


def test_a_foreign_tenants_rows_are_in_no_list(admin, other_tenant, other_users, make_exceptions):
    with acting_as(other_users[Role.OPERATOR]):
        make_case(77)
    for url in LISTS:
        page = admin.get(url).content
        assert b"Case 77" not in page
        assert other_users[Role.ADMIN].upn.encode() not in page
    with acting_as(other_users[Role.OPERATOR]):
        foreign = Violation.objects.get()
    assert admin.get(f"/admin/findings/violation/{foreign.pk}/change/").status_code == 404


@pytest.mark.parametrize(
    "url",
    ["/admin/password_change/", "/admin/r/1/1/", "/admin/auth/", "/admin/tenancy/user/1/password/"],
)
def test_pages_of_djangos_that_work_past_our_services_are_not_there(admin, url):
    assert admin.get(url, follow=True).status_code == 404


def test_sign_out_ends_the_session(admin):
    assert admin.post("/admin/logout/")["Location"] == "/sign-in/"
    assert admin.get("/admin/")["Location"].startswith("/sign-in/")


def test_only_the_admin_relaxes_the_content_security_policy(admin):
    relaxed, strict = admin.get("/admin/"), admin.get("/health/live")
    assert "'unsafe-eval'" in relaxed["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in relaxed["Content-Security-Policy"]
    assert "unsafe" not in strict["Content-Security-Policy"]
    assert relaxed["X-Frame-Options"] == strict["X-Frame-Options"] == "DENY"


def test_the_badge_says_how_many_wait(approver, make_exceptions):
    make_exceptions(3)
    item = next(
        item
        for group in approver.get("/admin/").context["sidebar_navigation"]
        for item in group["items"]
        if item["title"] == "Exceptions"
    )
    assert item["badge"] == "3"


@pytest.mark.parametrize("query", ["?s=exc", "?s=exc&extended=1", "?s=exc&page=x", ""])
def test_palette_finds_lists_and_no_rows(approver, make_exceptions, query):
    make_exceptions(1)
    page = approver.get(f"/admin/search/{query}")
    assert page.status_code == 200
    assert b"Reason 0" not in page.content
    assert (QUEUE.encode() in page.content) == bool(query)


def test_columns_that_are_no_filter_can_not_be_asked_by_address(admin):
    """Else an admin could guess a hash letter by letter, or make the database scan."""
    response = admin.get("/admin/tenancy/user/?password__startswith=a")
    assert response.status_code in (302, 400)
