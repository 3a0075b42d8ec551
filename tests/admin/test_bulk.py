"""Deciding on many: the page that lists them, one savepoint a row, a result for each."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from apps.audit.models import Audit
from apps.findings.models import PolicyException
from apps.tenancy import admin_bulk as bulk
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as

from .conftest import QUEUE, decide_url, make_case, reread, shown_form

pytestmark = pytest.mark.django_db


def confirmation(
    client: Client, exceptions: list[PolicyException], action: str = "approve_selected", **more: Any
):
    data = {"action": action, "index": "0", ACTION_CHECKBOX_NAME: [str(e.pk) for e in exceptions], **more}
    return client.post(QUEUE + more.pop("query", ""), {k: v for k, v in data.items() if k != "query"})


def confirm(client: Client, page: Any, **more: str):
    """Send the confirmation's form as a browser would: every hidden field of it."""
    rows = page.context["rows"]
    return client.post(
        QUEUE,
        {
            "action": page.context["action"],
            "confirm": "yes",
            "reason": "",
            ACTION_CHECKBOX_NAME: [str(row.pk) for row in rows],
            **{f"digest_{row.pk}": row.digest for row in rows},
            **more,
        },
    )


def statuses(exceptions: list[PolicyException], user: Any) -> list[str]:
    return [reread(exception, user).status for exception in exceptions]


def test_confirmation_lists_each_with_its_digest_and_decides_nothing(approver, users, make_exceptions):
    exceptions = make_exceptions(3)
    page = confirmation(approver, exceptions)
    html = page.content.decode()
    for row in page.context["rows"]:
        assert len(row.digest) == 64
        assert f'name="digest_{row.pk}" value="{row.digest}"' in html
        assert f'title="{row.digest}"' in html
    assert len({row.digest for row in page.context["rows"]}) == 3
    assert statuses(exceptions, users[Role.APPROVER]) == ["pending"] * 3


def test_confirmed_ones_are_approved(approver, users, make_exceptions):
    exceptions = make_exceptions(3)
    page = confirm(approver, confirmation(approver, exceptions))
    assert b"3 approved, 0 skipped" in page.content
    assert statuses(exceptions, users[Role.APPROVER]) == ["approved"] * 3


def test_own_requests_are_left_out_and_said_so(approver, users, make_exceptions):
    theirs, own = make_exceptions(1), make_exceptions(1, by=Role.APPROVER, start=1)
    page = confirmation(approver, theirs + own)
    assert [row.pk for row in page.context["rows"]] == [theirs[0].pk]
    assert b"you asked for it yourself" in page.content


def test_own_request_smuggled_into_the_confirmation_is_refused(approver, users, make_exceptions):
    theirs, own = make_exceptions(1), make_exceptions(1, by=Role.APPROVER, start=1)
    page = confirmation(approver, theirs)
    digest = approver.get(decide_url(own[0], "approve")).context["digest"]
    ids = [str(theirs[0].pk), str(own[0].pk)]
    result = confirm(approver, page, **{ACTION_CHECKBOX_NAME: ids, f"digest_{own[0].pk}": digest})
    assert "1 approved, 1 skipped" in result.content.decode()
    assert "somebody else has to decide" in unescape(result.content.decode())
    assert statuses(theirs + own, users[Role.APPROVER]) == ["approved", "pending"]


def test_a_row_that_changed_or_was_decided_is_skipped_and_the_others_are_not(
    approver, users, make_exceptions
):
    exceptions = make_exceptions(3)
    page = confirmation(approver, exceptions)
    with acting_as(users[Role.ADMIN]):
        policy, _ = make_case(0)
        policy.current_version = 7
        policy.save()
    form = shown_form(approver, exceptions[1], "reject") | {"reason": "no"}
    approver.post(decide_url(exceptions[1], "reject"), form)
    result = unescape(confirm(approver, page).content.decode())
    assert "1 approved, 2 skipped" in result
    assert "changed since the page was made" in result
    assert "it was rejected by" in result
    assert statuses(exceptions, users[Role.APPROVER]) == ["pending", "rejected", "approved"]


def test_a_row_that_fails_keeps_what_was_decided_before_it(approver, users, make_exceptions, monkeypatch):
    """One savepoint a row: what a failing row has written is gone, the others' rows stay."""
    exceptions = sorted(make_exceptions(3), key=lambda e: e.pk)
    page = confirmation(approver, exceptions)
    with acting_as(users[Role.ADMIN]):
        PolicyException.objects.filter(pk=exceptions[1].pk).update(created_by=users[Role.OPERATOR])
        over = exceptions[1].created_at
        PolicyException.objects.filter(pk=exceptions[1].pk).update(expires_at=over)
    digest = approver.get(decide_url(exceptions[1], "approve")).context["digest"]
    result = confirm(approver, page, **{f"digest_{exceptions[1].pk}": digest}).content.decode()
    assert "2 approved, 1 skipped" in result
    assert "already over" in result
    assert statuses(exceptions, users[Role.APPROVER]) == ["approved", "pending", "approved"]
    with acting_as(users[Role.APPROVER]):
        assert Audit.objects.filter(action="findings.exception.approved").count() == 2


def test_select_all_matching_takes_what_the_filter_shows(approver, users, make_exceptions):
    low, high = make_exceptions(2, severity="low"), make_exceptions(2, start=2, severity="high")
    page = approver.post(
        f"{QUEUE}?risk=high",
        {
            "action": "approve_selected",
            "index": "0",
            "select_across": "1",
            ACTION_CHECKBOX_NAME: [str(high[0].pk)],
        },
    )
    assert {row.pk for row in page.context["rows"]} == {e.pk for e in high}
    confirm(approver, page)
    assert statuses(low + high, users[Role.APPROVER]) == ["pending", "pending", "approved", "approved"]


def test_what_came_after_the_confirmation_is_not_swept_along(approver, users, make_exceptions):
    page = approver.post(
        QUEUE,
        {
            "action": "approve_selected",
            "index": "0",
            "select_across": "1",
            ACTION_CHECKBOX_NAME: [str(make_exceptions(1)[0].pk)],
        },
    )
    late = make_exceptions(1, start=1)
    confirm(approver, page)
    assert statuses(late, users[Role.APPROVER]) == ["pending"]


def test_more_than_a_person_reads_is_refused(approver, users, make_exceptions, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_ITEMS", 2)
    exceptions = make_exceptions(3)
    response = confirmation(approver, exceptions)
    assert response.status_code == 302
    assert b"More than 2 exceptions match" in approver.get(response["Location"]).content
    assert statuses(exceptions, users[Role.APPROVER]) == ["pending"] * 3


def test_bulk_rejection_needs_a_reason(approver, users, make_exceptions):
    exceptions = make_exceptions(2)
    page = confirmation(approver, exceptions, "reject_selected")
    again = confirm(approver, page)
    assert b"To reject needs a reason." in again.content
    assert statuses(exceptions, users[Role.APPROVER]) == ["pending"] * 2
    confirm(approver, again, reason="not now")
    assert statuses(exceptions, users[Role.APPROVER]) == ["rejected"] * 2


def test_admins_have_no_bulk_decision(admin, users, make_exceptions):
    exceptions = make_exceptions(1)
    assert b"approve_selected" not in admin.get(QUEUE).content
    confirmation(admin, exceptions)
    data = {"action": "approve_selected", "confirm": "yes", ACTION_CHECKBOX_NAME: [str(exceptions[0].pk)]}
    admin.post(QUEUE, data)
    assert statuses(exceptions, users[Role.ADMIN]) == ["pending"]
