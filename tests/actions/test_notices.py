"""Who is told what, in the transaction of what happened."""

from __future__ import annotations

from apps.notices.models import Delivery, Notice
from tests.fixtures.estate import acting_as

from .conftest import Desk


def told(desk: Desk) -> list[tuple[str, str]]:
    with acting_as(desk.operator):
        rows = Delivery.objects.filter(channel="email").select_related("notice", "user")
        return sorted((row.notice.code, row.user.upn.partition("@")[0]) for row in rows)


def test_approvers_of_what_waits_and_the_requester_of_what_became_of_it(desk: Desk) -> None:
    with acting_as(desk.operator):
        for user in (desk.operator, desk.approver, desk.second):
            user.email = f"{user.upn.partition('@')[0]}@example.org"
            user.save(update_fields=["email"])
    action = desk.planned(by=desk.approver)
    assert told(desk) == [("actions.waiting", "second")]  # not who asked
    with acting_as(desk.operator):
        notice = Notice.objects.get()
        assert notice.path == f"/admin/actions/action/{action.pk}/change/"
        assert action.plan_sha256 in notice.text
    desk.run(desk.approve(action, desk.second))
    assert told(desk) == [
        ("actions.decided", "approver"),
        ("actions.ended", "approver"),
        ("actions.waiting", "second"),
    ]
