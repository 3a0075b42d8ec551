"""What may be asked for, and how: freely, from a violation, by the API with a key."""

from __future__ import annotations

from typing import Any

import pytest

from apps.actions.models import Action
from apps.actions.services import propose_action
from apps.actions.services.remediations import proposal_for, propose_for, set_remediation
from apps.catalog.models import Policy
from apps.core.errors import InvalidInput, KeyReused, Refused, StaleState
from apps.findings.models import Violation
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as, import_policy
from tests.fixtures.rows import make_policy, make_violation

from .conftest import KIND, Desk

JSON = "application/json"
NAMED = {"type": KIND, "params": {"public": False}}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"type": "no.such"}, "type"),
        ({"params": {"public": "yes"}}, "params.public"),
        ({"params": {"pubic": True}}, "params.pubic"),
        ({"params": {"tags": {"a": 1}}}, "params.tags.a"),
        ({"params": []}, "params"),
        ({"resources": []}, "resource_ids"),
        ({"reason": "x" * 5000}, "reason"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(desk: Desk, asked: dict[str, Any], field: str) -> None:
    with acting_as(desk.operator):
        with pytest.raises(InvalidInput) as error:
            propose_action(**{"type": KIND, "resources": desk.buckets, **asked})
        assert error.value.field == field
        assert not Action.objects.exists()


def test_a_resource_of_another_type_is_refused(desk: Desk) -> None:
    other = desk.add_bucket(5, type="aws.ec2")
    with acting_as(desk.operator), pytest.raises(InvalidInput, match="is for aws"):
        propose_action(type=KIND, resources=[other])


def test_requires_approval_is_the_servers(desk: Desk) -> None:
    action = desk.propose(params={"public": False, "requires_approval": False})
    assert desk.now(action).params == {"public": False}
    assert desk.run(action).params["requires_approval"] is True


def test_the_same_key_gives_the_first_action_back(desk: Desk) -> None:
    first = desk.propose(idempotency_key="k")
    assert desk.propose(idempotency_key="k").pk == first.pk
    with pytest.raises(KeyReused):
        desk.propose(desk.buckets[1:2], idempotency_key="k")


def test_a_second_one_on_the_same_resource_is_refused_while_one_is_under_way(desk: Desk) -> None:
    desk.propose()
    with pytest.raises(StaleState, match="already under way"):
        desk.propose()
    assert desk.propose(desk.buckets[1:2]).pk


def test_nobody_asks_in_no_ones_name(desk: Desk) -> None:
    from django.db import transaction

    with desk.inside(), transaction.atomic(), pytest.raises(Refused):
        propose_action(type=KIND, resources=desk.buckets)


# --- from violations ----------------------------------------------------------------------------------
@pytest.fixture
def found(desk: Desk) -> list[Violation]:
    with acting_as(desk.operator):
        policy = make_policy("public", metadata={"action": NAMED})
        silent = make_policy("silent")
        return [*(make_violation(b, policy) for b in desk.buckets), make_violation(desk.buckets[0], silent)]


def test_a_policy_names_the_remediation_of_its_violation(desk: Desk, found: list[Violation]) -> None:
    with acting_as(desk.operator):
        (action,) = propose_for(found[:1], send=False)
    action = desk.run(action)
    assert action.status == "preflight"
    assert desk.targets(action)[0].violation_id == found[0].pk


def test_one_click_on_the_page(desk: Desk, found: list[Violation]) -> None:
    client = browser(desk.operator)
    page = client.get(f"/violations/{found[0].pk}/").content.decode()
    assert f"/actions/new/for-violation/{found[0].pk}/" in page
    answer = client.post(f"/actions/new/for-violation/{found[0].pk}/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/actions/")
    silent = client.get(f"/violations/{found[3].pk}/").content.decode()
    assert "/actions/new/for-violation/" not in silent


def test_a_filtered_set_is_listed_before_it_is_asked_for(desk: Desk, found: list[Violation]) -> None:
    client = browser(desk.operator)
    page = client.get("/actions/new/for-violations/", {"shown_status": "open"})
    html = page.content.decode()
    for bucket in desk.buckets:
        assert bucket.native_id in html
    assert "its policy names no action" in html
    with acting_as(desk.operator):
        assert not Action.objects.exists()
    form = {"violations": page.context["form"]["violations"].value(), "reason": "audit"}
    answer = client.post("/actions/new/for-violations/", form)
    assert answer.status_code == 302, answer.content
    with acting_as(desk.operator):
        action = Action.objects.get()
        assert action.targets.count() == 3
        assert action.reason == "audit"


def test_without_a_filter_nothing_is_listed(desk: Desk, found: list[Violation]) -> None:
    page = browser(desk.operator).get("/actions/new/for-violations/")
    assert page.context["proposal"].groups == []


def test_different_remediations_are_different_actions(desk: Desk, found: list[Violation]) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        set_remediation(policy=found[3].policy, type=KIND, params={"public": True})
    with acting_as(desk.operator):
        rows = list(Violation.objects.select_related("policy", "resource"))
        groups = proposal_for(rows).groups
        assert sorted(len(group.violations) for group in groups) == [1, 3]


def test_what_an_admin_named_outlives_an_import(desk: Desk) -> None:
    text = """
policies:
  - name: bucket-closed
    resource: aws.s3
    metadata: {action: {type: test.set_public, params: {public: false}}}
    filters: [{"tag:owner": absent}]
"""
    with acting_as(desk.users[Role.ADMIN]):
        import_policy(text)
        policy = Policy.objects.get(name="bucket-closed")
        assert policy.metadata["action"] == NAMED
        set_remediation(policy=policy, type="test.destroy")
        import_policy(text.replace("owner", "team"))
        policy.refresh_from_db()
        assert policy.metadata["action_override"] == {"type": "test.destroy", "params": {}}
        set_remediation(policy=policy, type="")
        assert "action_override" not in policy.metadata


def test_an_azure_policys_metadata_names_it_too(desk: Desk) -> None:
    import json

    definition = {
        "name": "closed",
        "properties": {
            "displayName": "Closed", "metadata": {"action": NAMED},
            "policyRule": {
                "if": {"field": "type", "equals": "Microsoft.Storage/storageAccounts"},
                "then": {"effect": "audit"},
            },
        },
    }  # fmt: skip
    with acting_as(desk.users[Role.ADMIN]):
        import_policy(json.dumps(definition))
        assert Policy.objects.get(name="Closed").metadata["action"] == NAMED


def test_the_page_of_a_policys_remediation(
    desk: Desk, found: list[Violation], users: dict[Role, User]
) -> None:
    client, policy = browser(users[Role.ADMIN]), found[3].policy
    path = f"/policies/{policy.pk}/remediation/"
    wrong = client.post(path, {"type": KIND, "params": '{"public": 1}'})
    assert wrong.status_code == 422
    assert "params.public" in wrong.content.decode()
    assert client.post(path, {"type": KIND, "params": '{"public": false}'}).status_code == 302
    with acting_as(users[Role.ADMIN]):
        policy.refresh_from_db()
        assert policy.metadata["action_override"] == NAMED


# --- the API ------------------------------------------------------------------------------------------
def test_by_api_with_a_key(desk: Desk, found: list[Violation]) -> None:
    client = browser(desk.operator)
    body = {"violation_ids": [str(v.pk) for v in found[:3]]}
    first = client.post("/api/v1/actions/", body, content_type=JSON, headers={"Idempotency-Key": "once"})
    again = client.post("/api/v1/actions/", body, content_type=JSON, headers={"Idempotency-Key": "once"})
    assert first.status_code == again.status_code == 201, first.content
    assert again["Idempotency-Replayed"] == "true"
    assert first.json() == again.json()
    with acting_as(desk.operator):
        assert Action.objects.count() == 1


def test_by_api_freely_and_what_is_wrong_by_field(desk: Desk) -> None:
    client = browser(desk.operator)
    ids = [b.pk for b in desk.buckets]
    wrong = client.post(
        "/api/v1/actions/", {"type": KIND, "resource_ids": ids, "params": {"x": 1}}, content_type=JSON
    )
    assert wrong.status_code == 400
    assert list(wrong.json()["errors"]) == ["params.x"]
    missing = client.post("/api/v1/actions/", {"type": KIND, "resource_ids": ["r-none"]}, content_type=JSON)
    assert list(missing.json()["errors"]) == ["resource_ids"]
    made = client.post("/api/v1/actions/", {"type": KIND, "resource_ids": ids}, content_type=JSON)
    assert made.status_code == 201
    (action,) = made.json()["actions"]
    targets = client.get(f"/api/v1/actions/{action['id']}/targets/").json()["results"]
    assert [t["name"] for t in targets] == ["bucket-0", "bucket-1", "bucket-2"]


def test_the_kinds_tell_their_parameters(desk: Desk) -> None:
    kinds = {k["type"]: k for k in browser(desk.operator).get("/api/v1/actions/kinds/").json()}
    assert kinds[KIND]["params"]["properties"]["public"] == {"type": "boolean"}
    assert kinds["test.destroy"]["reversible"] is False
