"""Deciding on one exception in the admin: four eyes, what was shown, who was first."""

from __future__ import annotations

import threading
from html import unescape

import pytest
from django.db import connections
from django.http import HttpResponse
from django.test import Client

from apps.audit.models import Audit
from apps.findings.models import Violation
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from apps.tenancy.services import change_user, create_user
from tests.fixtures.estate import PASSWORD, acting_as

from .conftest import QUEUE, MakeExceptions, decide_url, make_case, reread, shown_form, sign_in

pytestmark = pytest.mark.django_db


def messages_of(client: Client, response: HttpResponse) -> str:
    """What the next page tells. Read from its text: Django's `response.context` mixes up threads."""
    page = unescape(client.get(response["Location"]).content.decode())
    return page[page.index('id="main"') : page.index('id="changelist"')]


def test_get_shows_what_is_decided_on_and_changes_nothing(approver, users, make_exceptions: MakeExceptions):
    (exception,) = make_exceptions(1)
    page = approver.get(decide_url(exception, "approve")).content.decode()
    for shown in ("Case 0", "case-0000", "Reason 0", "case-0 is public", exception.subject_sha256):
        assert shown in page
    assert reread(exception, users[Role.APPROVER]).status == "pending"


def test_approval_suppresses_the_violation_and_names_the_decider(approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    form = shown_form(approver, exception, "approve") | {"reason": "until the migration"}
    response = approver.post(decide_url(exception, "approve"), form)
    assert response["Location"] == QUEUE
    decided = reread(exception, users[Role.APPROVER])
    assert (decided.status, decided.decided_by, decided.decision_reason) == (
        "approved", users[Role.APPROVER], "until the migration",
    )  # fmt: skip
    with acting_as(users[Role.APPROVER]):
        assert Violation.objects.get().status == "suppressed"


def test_requester_is_refused_in_words_and_on_record(tenant, approver, users, make_exceptions):
    (exception,) = make_exceptions(1, by=Role.APPROVER)
    page = approver.get(decide_url(exception, "approve"))
    assert b"somebody else must decide" in page.content
    response = approver.post(
        decide_url(exception, "approve"), {"digest": page.context["digest"], "reason": ""}
    )
    assert response.status_code == 302
    assert "somebody else has to decide" in messages_of(approver, response)
    assert reread(exception, users[Role.APPROVER]).status == "pending"
    with acting_as(users[Role.APPROVER]):
        refusal = Audit.objects.get(action="findings.exception.decision_refused")
    assert refusal.target_id == str(exception.pk)


def test_rejection_needs_a_reason(approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    form = shown_form(approver, exception, "reject")
    page = approver.post(decide_url(exception, "reject"), form | {"reason": "   "})
    assert page.status_code == 200
    assert b"To reject needs a reason." in page.content
    approver.post(decide_url(exception, "reject"), form | {"reason": "not while it is public"})
    assert reread(exception, users[Role.APPROVER]).status == "rejected"


def test_revoking_opens_the_violation_again(approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    approver.post(decide_url(exception, "approve"), shown_form(approver, exception, "approve"))
    form = shown_form(approver, exception, "revoke") | {"reason": "it leaked"}
    approver.post(decide_url(exception, "revoke"), form)
    assert reread(exception, users[Role.APPROVER]).status == "expired"
    with acting_as(users[Role.APPROVER]):
        assert Violation.objects.get().status == "open"


def test_what_changed_since_it_was_shown_is_not_decided(approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    form = shown_form(approver, exception, "approve")
    with acting_as(users[Role.ADMIN]):
        policy, _ = make_case(0)
        policy.current_version = 2
        policy.save()
    response = approver.post(decide_url(exception, "approve"), form)
    assert "changed since the page was made" in messages_of(approver, response)
    assert reread(exception, users[Role.APPROVER]).status == "pending"


def test_post_without_the_pages_digest_decides_nothing(approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    approver.post(decide_url(exception, "approve"), {"reason": ""})
    assert reread(exception, users[Role.APPROVER]).status == "pending"


def test_post_without_csrf_token_is_refused(tenant, users, make_exceptions):
    (exception,) = make_exceptions(1)
    client = sign_in(users[Role.APPROVER], tenant)
    client.handler.enforce_csrf_checks = True
    form = shown_form(client, exception, "approve")
    assert client.post(decide_url(exception, "approve"), form).status_code == 403
    assert reread(exception, users[Role.APPROVER]).status == "pending"


def test_after_a_decision_the_queue_keeps_its_filter(approver, make_exceptions):
    (exception,) = make_exceptions(1)
    url = decide_url(exception, "approve") + "?_changelist_filters=status%3Dpending"
    response = approver.post(url, shown_form(approver, exception, "approve"))
    assert response["Location"] == f"{QUEUE}?status=pending"


@pytest.mark.parametrize("verb", ["approve", "reject", "revoke"])
def test_admins_see_the_queue_and_do_not_decide(admin, make_exceptions, verb):
    (exception,) = make_exceptions(1)
    assert b"Reason 0" in admin.get(QUEUE).content
    assert admin.get(decide_url(exception, verb)).status_code == 403
    assert admin.post(decide_url(exception, verb), {"reason": "x", "digest": ""}).status_code == 403


def second_approver(tenant: Tenant, users: dict[Role, User]) -> User:
    with acting_as(users[Role.ADMIN]):
        return create_user(upn="second@approver", role=Role.APPROVER, password=PASSWORD, display_name="Ben")


def test_who_comes_second_is_told_who_was_first(tenant, approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    other = sign_in(second_approver(tenant, users), tenant)
    form = shown_form(approver, exception, "reject") | {"reason": "no"}
    other.post(decide_url(exception, "approve"), shown_form(other, exception, "approve"))
    response = approver.post(decide_url(exception, "reject"), form)
    assert "approved by Ben" in messages_of(approver, response)
    assert reread(exception, users[Role.APPROVER]).status == "approved"


@pytest.mark.django_db(transaction=True)
def test_of_two_approvers_at_once_one_wins_and_the_other_is_told(tenant, users, make_exceptions):
    (exception,) = make_exceptions(1)
    people = [users[Role.APPROVER], second_approver(tenant, users)]
    clients = [sign_in(person, tenant) for person in people]
    forms = [shown_form(client, exception, "approve") for client in clients]
    barrier, said = threading.Barrier(2), {}

    def approve(index: int) -> None:
        try:
            barrier.wait(10)
            response = clients[index].post(decide_url(exception, "approve"), forms[index])
            said[index] = messages_of(clients[index], response)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=approve, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    won = [index for index in said if "Approved: Reason 0" in said[index]]
    assert len(won) == 1, said
    assert "Not approved. It is no longer open to this: it was approved by" in said[1 - won[0]]
    assert reread(exception, people[0]).decided_by == people[won[0]]
    with acting_as(people[0]):
        assert Audit.objects.filter(action="findings.exception.approved").count() == 1


def test_a_role_taken_away_is_taken_away_at_once(approver, users, make_exceptions):
    (exception,) = make_exceptions(1)
    form = shown_form(approver, exception, "approve")
    with acting_as(users[Role.ADMIN]):
        change_user(user=User.objects.get(pk=users[Role.APPROVER].pk), role=Role.VIEWER)
    assert approver.post(decide_url(exception, "approve"), form).status_code == 403
    assert reread(exception, users[Role.ADMIN]).status == "pending"
