"""How many approvals an action needs, how much it may touch, and who says so."""

from __future__ import annotations

from typing import Any

import pytest

from apps.actions.models import ActionRule
from apps.actions.rules import SAFE, Asked, judge
from apps.actions.services import propose_action, set_rule
from apps.audit.models import Audit
from apps.core.errors import InvalidInput
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as

from .conftest import KIND, Desk


@pytest.mark.parametrize(
    ("asked", "approvals"),
    [
        ({}, 1),
        ({"risk": "high"}, 2),
        ({"resources": 10}, 1),
        ({"resources": 11}, 2),
        ({"tags": [{"env": "test"}]}, 1),
        ({"tags": [{"env": "test"}, {"ENV": " Prod "}]}, 2),
        ({"severity": "critical"}, 1),
        ({"rule": {"severe_from": "high"}, "severity": "critical"}, 2),
        ({"rule": {"severe_from": "high"}, "severity": "medium"}, 1),
        ({"rule": {"approvals": 0}}, 0),
        ({"rule": {"approvals": 0}, "tags": [{"stage": "live"}]}, 2),
        ({"rule": {"approvals": 0, "risky_approvals": 0}, "risk": "high"}, 0),
        ({"rule": {"over_limit": "second_approver", "blast_limit": 3}, "resources": 4}, 2),
    ],
)
def test_of_the_numbers_that_apply_the_greatest_counts(asked: dict[str, Any], approvals: int) -> None:
    rule = ActionRule(**{**SAFE, **asked.pop("rule", {})})
    verdict = judge(rule, Asked(**{"type": KIND, "risk": "medium", "resources": 1, **asked}))
    assert verdict.approvals == approvals
    assert verdict.because
    assert not verdict.refused


def test_above_the_limit_is_refused() -> None:
    verdict = judge(ActionRule(**{**SAFE, "blast_limit": 3}), Asked(KIND, "low", 4))
    assert "more than one such action may touch (3)" in verdict.refused


def test_the_safe_rule_is_the_databases_default(desk: Desk) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        rule = ActionRule.objects.create(kind="")
        rule.refresh_from_db()
        assert {name: getattr(rule, name) for name in SAFE} == SAFE


def test_a_proposal_above_the_limit_names_the_field(desk: Desk) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        set_rule(kind=KIND, values={"blast_limit": 2})
    with acting_as(desk.operator), pytest.raises(InvalidInput) as error:
        propose_action(type=KIND, resources=desk.buckets)
    assert error.value.field == "resource_ids"


def test_a_rule_of_a_kind_stands_instead_of_the_one_for_all(desk: Desk) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        set_rule(kind="", values={"approvals": 2})
        set_rule(kind=KIND, values={"approvals": 0})
    action = desk.planned()
    assert action.status == "completed", desk.events(action)  # nobody had to approve
    assert action.params["requires_approval"] is False


def test_a_rule_without_approvals_that_is_switched_off_does_not_count(desk: Desk) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        set_rule(kind=KIND, values={"approvals": 0, "enabled": False})
    assert desk.planned().status == "preflight"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"approvals": 3}, "approvals"),
        ({"approvals": True}, "approvals"),
        ({"blast_limit": 0}, "blast_limit"),
        ({"blast_limit": 201}, "blast_limit"),
        ({"many_from": 0}, "many_from"),
        ({"over_limit": "shrug"}, "over_limit"),
        ({"severe_from": "awful"}, "severe_from"),
        ({"environment_tags": [""]}, "environment_tags"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_wrong_rule_names_the_field_and_changes_nothing(
    desk: Desk, values: dict[str, Any], field: str
) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        with pytest.raises(InvalidInput) as error:
            set_rule(kind=KIND, values=values)
        assert error.value.field == field
        assert not ActionRule.objects.exists()


def test_a_rule_is_audited_with_both_states(desk: Desk) -> None:
    with acting_as(desk.users[Role.ADMIN]):
        set_rule(kind=KIND, values={"approvals": 2})
        set_rule(kind=KIND, values={"approvals": 1, "blast_limit": 5})
        first, second = Audit.objects.filter(action="actions.rule.set").order_by("created_at", "id")
    assert first.payload["before"] is None
    assert second.payload["before"]["approvals"] == 2
    assert (second.payload["after"]["approvals"], second.payload["after"]["blast_limit"]) == (1, 5)
