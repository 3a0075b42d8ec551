"""The pages of an action: what they show, and what their buttons do."""

from __future__ import annotations

import urllib.request

import pytest
from django.test import Client

from apps.actions.models import Action
from apps.audit.models import Audit
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as

from .conftest import Desk


def test_the_plan_and_its_diff(desk: Desk) -> None:
    action = desk.planned()
    html = browser(desk.users[Role.VIEWER]).get(f"/actions/{action.pk}/").content.decode()
    for text in (
        "Close public access",
        "bucket-0",
        "Waits for approval",
        "0 of 1",
        "Anonymous readers",
        "By setting it back.",
    ):
        assert text in html
    assert "Ask to roll back" not in html


def test_the_whole_way_by_buttons(desk: Desk) -> None:
    action = desk.done()
    client = browser(desk.operator)
    html = client.get(f"/actions/{action.pk}/").content.decode()
    assert "Ask to roll back" in html
    back = client.post(f"/actions/{action.pk}/roll-back/")["Location"]
    assert client.get(back).status_code == 200
    with acting_as(desk.operator):
        reversal = Action.objects.get(reverses=action)
    assert client.post(f"/actions/{reversal.pk}/cancel/").status_code == 302
    assert desk.now(reversal).result["outcome"] == "cancelled"


def test_a_dead_letter_has_its_reason_and_a_button(desk: Desk) -> None:
    action = desk.approve(desk.planned())
    desk.cloud.trouble("away", times=-1)
    action = desk.run_until(action, "failed")
    client = browser(desk.operator)
    html = client.get(f"/actions/{action.pk}/").content.decode()
    assert "Given up after 6 attempts" in html
    assert "Try again" in html
    client.post(f"/actions/{action.pk}/retry/")
    assert desk.now(action).status == "queued"


def test_only_who_is_involved_cancels(desk: Desk) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        from apps.tenancy.services import create_user

        stranger = create_user(upn="stranger@example.org", role=Role.OPERATOR, password=None)
    action = desk.planned()
    browser(stranger).post(f"/actions/{action.pk}/cancel/")
    assert (
        browser(stranger)
        .post(f"/api/v1/actions/{action.pk}/cancel/", {}, content_type="application/json")
        .status_code
        == 403
    )
    assert desk.now(action).status == "preflight"
    browser(desk.operator).post(f"/actions/{action.pk}/cancel/")
    assert desk.now(action).status == "failed"


def test_progress_polls_only_while_it_moves(desk: Desk) -> None:
    action = desk.propose()
    client = browser(desk.operator)
    path = f"/actions/{action.pk}/progress/"
    moving = client.get(path, {"status": "queued"})
    assert (moving.status_code, "hx-get" in moving.content.decode()) == (200, True)
    desk.run(action)
    still = client.get(path, {"status": "queued"})
    assert still.status_code == 286
    assert still["HX-Refresh"] == "true"


def test_evidence_is_downloaded_by_a_short_lived_address_and_audited(desk: Desk) -> None:
    action = desk.done()
    client = browser(desk.users[Role.VIEWER])
    answer = client.get(f"/actions/{action.pk}/evidence/2/")
    assert answer.status_code == 302
    assert "X-Amz-Expires=120" in answer["Location"]
    with urllib.request.urlopen(answer["Location"]) as body:
        assert action.plan_sha256 in body.read().decode()
    assert client.get(f"/actions/{action.pk}/evidence/99/").status_code == 404
    api = client.get(f"/api/v1/actions/{action.pk}/evidence/2/")
    assert "X-Amz-Expires=120" in api.json()["url"]
    with acting_as(desk.operator):
        assert Audit.objects.filter(action="actions.evidence.downloaded").count() == 2
    listed = client.get(f"/api/v1/actions/{action.pk}/evidence/").json()
    assert [e["number"] for e in listed] == [1, 2, 3, 4, 5]


def test_damaged_evidence_is_handed_to_nobody(desk: Desk) -> None:
    from django.db import transaction

    action = desk.done()
    client = browser(desk.operator)
    good = client.post(f"/actions/{action.pk}/evidence/verify/", follow=True).content.decode()
    assert "All 5 artifacts have the SHA-256" in good
    with desk.inside(), transaction.atomic():
        result = desk.now(action).result
        result["manifest"][1]["sha256"] = "0" * 64
        Action.objects.filter(pk=action.pk).update(result=result)
    answer = client.get(f"/actions/{action.pk}/evidence/2/")
    assert answer["Location"] == f"/actions/{action.pk}/"
    assert client.get(f"/api/v1/actions/{action.pk}/evidence/2/").status_code == 400
    bad = client.post(f"/actions/{action.pk}/evidence/verify/", follow=True).content.decode()
    assert "is not what was recorded" in bad
    with acting_as(desk.operator):
        assert Audit.objects.filter(action="actions.evidence.damaged").count() == 2


@pytest.fixture
def approver(desk: Desk) -> Client:
    return browser(desk.approver)


QUEUE = "/admin/actions/action/"


def test_the_queue_has_mine_first_high_risk_and_longest_wait_on_top(desk: Desk, approver: Client) -> None:
    own = desk.planned(by=desk.approver)
    older = desk.planned(desk.buckets[1:2])
    newer = desk.planned(desk.buckets[2:3])
    risky = desk.planned([desk.add_bucket(4)], type="test.destroy")
    ended = desk.planned([desk.add_bucket(5)])
    with acting_as(desk.operator):
        from apps.actions.services import cancel_action

        cancel_action(action=ended)
    rows = approver.get(QUEUE).context["cl"].result_list
    assert [row.pk for row in rows] == [risky.pk, older.pk, newer.pk, own.pk, ended.pk]
    mine = approver.get(QUEUE, {"approval": "mine"}).context["cl"].result_list
    assert [row.pk for row in mine] == [risky.pk, older.pk, newer.pk]


def test_the_diff_opens_in_the_row(desk: Desk, approver: Client) -> None:
    action = desk.planned()
    html = approver.get(QUEUE).content.decode()
    for text in (
        action.plan_sha256,
        "Anonymous readers lose access",
        "one person for any action",
        "By setting it back.",
    ):
        assert text in html


def test_approve_and_reject_on_a_page_with_the_digest(desk: Desk, approver: Client) -> None:
    first, second = desk.planned(), desk.planned(desk.buckets[1:2])
    page = approver.get(f"{QUEUE}{first.pk}/approve/")
    assert page.context["digest"] == first.plan_sha256
    approver.post(f"{QUEUE}{first.pk}/approve/", {"digest": first.plan_sha256, "reason": ""})
    assert desk.now(first).status == "in_progress"
    assert (
        approver.post(f"{QUEUE}{second.pk}/reject/", {"digest": second.plan_sha256, "reason": ""}).status_code
        == 200
    )
    approver.post(f"{QUEUE}{second.pk}/reject/", {"digest": second.plan_sha256, "reason": "no"})
    assert desk.now(second).result["outcome"] == "rejected"


def test_bulk_lists_each_with_its_digest_and_gives_each_a_result(desk: Desk, approver: Client) -> None:
    own = desk.planned(by=desk.approver)
    theirs = [desk.planned([bucket]) for bucket in desk.buckets[1:]]
    everything = [own, *theirs]
    data = {"action": "approve_selected", "_selected_action": [str(a.pk) for a in everything]}
    page = approver.post(QUEUE, data)
    html = page.content.decode()
    assert {row.pk for row in page.context["rows"]} == {a.pk for a in theirs}
    assert "you asked for it yourself" in html
    for action in theirs:
        assert f'value="{action.plan_sha256}"' in html
    with acting_as(desk.second):
        from apps.actions.services import reject_action

        reject_action(action=theirs[0], plan_sha256=theirs[0].plan_sha256, reason="meanwhile")
    digests = {f"digest_{a.pk}": a.plan_sha256 for a in everything}
    done = approver.post(QUEUE, {**data, **digests, "confirm": "yes", "reason": ""})
    outcomes = {o.row.pk: o for o in done.context["outcomes"]}
    assert outcomes[theirs[1].pk].decided
    assert "It was rejected by" in outcomes[theirs[0].pk].message
    assert not outcomes[own.pk].decided
    assert [desk.now(a).status for a in everything] == ["preflight", "failed", "in_progress"]


def test_rules_are_edited_by_admins_in_the_admin(desk: Desk, users: dict[Role, User]) -> None:
    from apps.actions.models import ActionRule
    from apps.actions.rules import SAFE

    assert browser(users[Role.APPROVER]).get("/admin/actions/actionrule/").status_code == 403
    client = browser(users[Role.ADMIN])
    form = {**SAFE, "kind": "test.set_public", "environment_tags": "env, stage", "production_values": "prod"}
    form |= {"enabled": "on", "blast_limit": "7"}
    page = client.get("/admin/actions/actionrule/add/")
    assert page.status_code == 200
    wrong = client.post("/admin/actions/actionrule/add/", {**form, "blast_limit": "0"})
    assert wrong.status_code == 200
    answer = client.post("/admin/actions/actionrule/add/", form)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    with acting_as(users[Role.ADMIN]):
        rule = ActionRule.objects.get()
        assert (rule.kind, rule.blast_limit, rule.environment_tags) == (
            "test.set_public",
            7,
            ["env", "stage"],
        )
    path = f"/admin/actions/actionrule/{rule.pk}/change/"
    assert client.get(path).status_code == 200
    assert client.post(path, {**form, "approvals": "2"}).status_code == 302
    with acting_as(users[Role.ADMIN]):
        rule.refresh_from_db()
        assert rule.approvals == 2
