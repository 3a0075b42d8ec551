"""What `notify` writes: in the caller's transaction, once a key, for those who want it, and never at his cost."""

from __future__ import annotations

import pytest
from django.db import transaction

from apps.jobs.models import Job
from apps.notices.models import EMAIL, WEBHOOK, Delivery, Notice, WebhookEndpoint
from apps.notices.services import notify
from apps.notices.services.preferences import set_muted
from apps.tenancy.models import User
from apps.tenancy.roles import Role

pytestmark = pytest.mark.django_db
Users = dict[Role, User]


def tell(**given: object) -> int:
    told = {"code": "jobs.failed", "title": "A scan failed", "text": "It broke.", "path": "/jobs/"} | given
    return notify(**told)  # type: ignore[arg-type]


def addresses() -> list[str]:
    return sorted(Delivery.objects.values_list("address", flat=True))


def test_one_row_for_each_person_and_endpoint(people: Users) -> None:
    WebhookEndpoint.objects.create(name="all", url="https://a.example.org/")
    WebhookEndpoint.objects.create(name="these", url="https://b.example.org/", codes=["jobs.failed"])
    WebhookEndpoint.objects.create(name="others", url="https://c.example.org/", codes=["reports.ready"])
    WebhookEndpoint.objects.create(name="off", url="https://d.example.org/", is_active=False)
    written = tell(users=[people[Role.VIEWER].pk, people[Role.APPROVER].pk], roles=["approver", "admin"])
    assert written == 5
    assert addresses() == [
        "admin@example.org", "approver@example.org", "https://a.example.org/", "https://b.example.org/",
        "viewer@example.org",
    ]  # fmt: skip
    assert set(Delivery.objects.values_list("channel", "status")) == {
        (EMAIL, "pending"),
        (WEBHOOK, "pending"),
    }
    job = Job.objects.get(type="notices.deliver")
    assert job.params == {"notice_id": str(Notice.objects.get().pk)}


def test_a_key_is_told_once(people: Users) -> None:
    assert tell(roles=["admin"], key="exception-1") == 1
    assert tell(roles=["admin"], key="exception-1") == 0
    assert tell(roles=["admin"], key="exception-2") == 1
    assert tell(roles=["admin"], key="exception-1", code="jobs.other") == 1
    assert Delivery.objects.count() == 3


def test_without_a_key_it_is_told_each_time(people: Users) -> None:
    assert (tell(roles=["admin"]), tell(roles=["admin"])) == (1, 1)


def test_it_is_told_only_if_what_it_tells_was_committed(people: Users) -> None:
    with pytest.raises(ValueError, match="undone"), transaction.atomic():
        tell(roles=["admin"])
        raise ValueError("undone")
    assert not Notice.objects.exists()
    assert not Job.objects.filter(type="notices.deliver").exists()


def test_a_failure_of_ours_costs_the_caller_nothing(people: Users) -> None:
    with transaction.atomic():
        user = people[Role.ADMIN]
        user.display_name = "Ada"
        user.save(update_fields=["display_name"])
        assert tell(roles=["admin"], payload={"not": object()}) == 0
        assert tell(users=["no uuid"]) == 0
        assert tell(roles=["admin"], text="a\x00b") == 0
    user.refresh_from_db()
    assert user.display_name == "Ada"


def test_mail_of_a_muted_family_is_not_written_and_other_mail_is(people: Users) -> None:
    set_muted(user=people[Role.ADMIN], muted=["jobs"])
    assert tell(roles=["admin", "viewer"]) == 1
    assert tell(roles=["admin"], code="notices.test") == 1
    set_muted(user=people[Role.ADMIN], muted=[])
    assert tell(roles=["admin"]) == 1


def test_who_is_switched_off_or_left_out_gets_none(people: Users) -> None:
    people[Role.VIEWER].is_active = False
    people[Role.VIEWER].save(update_fields=["is_active"])
    assert tell(roles=["viewer", "admin", "operator"], besides=[people[Role.ADMIN].pk]) == 1
    assert addresses() == ["operator@example.org"]


def test_who_has_no_address_gets_none_and_a_user_name_that_is_one_serves(people: Users) -> None:
    people[Role.VIEWER].email = ""
    people[Role.VIEWER].save(update_fields=["email"])  # its upn is viewer@acme-…, which is no address
    people[Role.ADMIN].email, people[Role.ADMIN].upn = "", "ada@example.com"
    people[Role.ADMIN].save(update_fields=["email", "upn"])
    assert tell(roles=["viewer", "admin"]) == 1
    assert addresses() == ["ada@example.com"]


@pytest.mark.parametrize("path", ["//evil.example.org/", "https://evil.example.org/", "evil"])
def test_a_path_off_this_site_becomes_the_home_page(people: Users, path: str) -> None:
    tell(roles=["admin"], path=path)
    assert Notice.objects.get().path == "/"


def test_a_title_is_one_line(people: Users) -> None:
    tell(roles=["admin"], title="A policy\r\nBcc: all@example.org")
    assert Notice.objects.get().title == "A policy Bcc: all@example.org"
