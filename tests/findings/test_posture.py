"""What is said of controls: never passing without a judgment, and the numbers of what was looked at."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.catalog.models import Control, Policy, PolicyControl
from apps.catalog.services import import_policies, set_policy_status
from apps.catalog.services.mappings import map_policy
from apps.core.context import tenant_transaction
from apps.findings.history import database_now
from apps.findings.models import PolicyEvaluation, Violation
from apps.findings.posture import control_postures, framework_postures, trend_of
from apps.findings.posture.facts import Evaluation, Facts, PolicyFacts
from apps.findings.posture.judging import judge_control, judge_policy
from apps.findings.services.scanning import start_policy_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant
from tests.findings.test_the_loop import scan
from tests.fixtures.estate import bucket, import_rows
from tests.fixtures.rows import make_policy

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def facts(status: str = "active", *, evaluated: int = 4, open_: int = 0, excepted: int = 0, undecided: int = 0,
          outcome: str = "judged", ruled: int = -1) -> Facts:  # fmt: skip
    seen = Evaluation(outcome, "aws", frozenset({"aws.s3"}), evaluated, undecided, NOW)
    known = PolicyFacts(status, NOW + timedelta(days=ruled), seen)
    return Facts({"p": known}, {"p": (open_, excepted)}, {("aws", "aws.s3"): 4, ("gcp", "x"): 9})


@pytest.mark.parametrize(
    ("known", "state"),
    [
        (facts(), "satisfied"),
        (facts(open_=1), "not_satisfied"),
        (facts(excepted=1), "excepted"),
        (facts(open_=1, excepted=1), "not_satisfied"),
        (facts(evaluated=0), "not_assessed"),
        (facts(undecided=1), "not_assessed"),
        (facts("unsupported"), "not_assessed"),
        (facts("disabled"), "not_assessed"),
        (facts("disabled", excepted=1), "not_assessed"),
        (facts(outcome="failed"), "not_assessed"),
        (facts(ruled=1), "not_assessed"),
        (Facts({"p": PolicyFacts("active", NOW)}), "not_assessed"),
        (Facts(), "not_assessed"),
    ],
)
def test_what_is_not_known_is_never_passing(known: Facts, state: str) -> None:
    posture = judge_control([judge_policy("p", known)], known.population)
    assert posture.state == state
    assert (posture.reason != "") == (state == "not_assessed")


def test_a_control_without_a_policy_is_not_assessed() -> None:
    assert judge_control([], {}).state == "not_assessed"


def test_one_policy_that_is_not_assessed_keeps_a_control_from_being_satisfied() -> None:
    known = facts()
    found = judge_control([judge_policy("p", known), judge_policy("unknown", known)], known.population)
    assert found.state == "not_assessed"
    assert found.reason.startswith("1 of 2 policies")


def test_policies_of_a_cloud_that_is_not_there_do_not_hinder() -> None:
    known = facts()
    other = Evaluation("judged", "gcp", frozenset({"none"}), 0, 0, NOW)
    both = Facts({**known.policies, "q": PolicyFacts("active", NOW, other)}, known.counts, known.population)
    found = judge_control([judge_policy("p", both), judge_policy("q", both)], both.population)
    assert (found.state, found.resources, found.checks) == ("satisfied", 4, 4)


def policies(*names: str) -> None:
    listed = [
        {
            "name": n,
            "resource": "aws.s3",
            "metadata": {"controls": {"own": ["OWN-1"]}},
            "filters": [{"tag:owner": "absent"}],
        }
        for n in names
    ]
    import_policies(source=io.BytesIO(json.dumps({"policies": listed}).encode()), name="p.json")


def posture(code: str = "own-1") -> Any:
    control = Control.objects.get(code=code)
    return control_postures([control], database_now() + timedelta(microseconds=1), is_now=True)[control.pk]


def test_a_scan_keeps_over_how_many_resources_it_held_each_policy(in_tenant: Tenant) -> None:
    import_rows([bucket(n) for n in range(6)])
    policies("one")
    make_policy("broken", status="active")
    run = scan(in_tenant)
    assert run.population == {"aws": {"aws.s3": 6}}
    rows = {
        e.policy_id: (e.outcome, e.evaluated, e.open, e.excepted, e.types)
        for e in PolicyEvaluation.objects.filter(scan=run)
    }
    one, broken = Policy.objects.get(name="one"), Policy.objects.get(name="broken")
    assert rows == {
        one.pk: ("judged", 6, 3, 0, ["aws.s3", "aws::s3::bucket"]),
        broken.pk: ("failed", 0, 0, 0, None),
    }


def test_posture_follows_scans_exceptions_and_switches(in_tenant: Tenant) -> None:
    import_rows([bucket(n) for n in range(6)])
    policies("one")
    assert (posture().state, posture().reason) == ("not_assessed", "its policy has not been scanned yet")
    scan(in_tenant)
    found = posture()
    assert (found.state, found.resources, found.checks, found.failing) == ("not_satisfied", 6, 6, 3)
    Violation.objects.update(status="suppressed")
    assert (posture().state, posture().excepted) == ("excepted", 3)
    import_rows([bucket(n) | {"tags": {"owner": "ada"}} for n in range(6)])
    scan(in_tenant)
    assert (posture().state, posture().passing) == ("satisfied", 6)
    set_policy_status(policy=Policy.objects.get(), status="disabled")
    assert (posture().state, posture().reason) == ("not_assessed", "its policy is disabled")


def test_an_incremental_scan_keeps_the_whole_population(in_tenant: Tenant) -> None:
    import_rows([bucket(n) for n in range(6)])
    policies("one")
    scan(in_tenant)
    run = scan(in_tenant, "incremental")
    assert (run.mode, run.population) == ("incremental", {"aws": {"aws.s3": 6}})
    assert PolicyEvaluation.objects.get(scan=run).evaluated == 6


def test_a_mapping_ended_or_begun_later_does_not_change_the_days_before(
    tenant: Tenant, transactional_db: None
) -> None:
    with tenant_transaction(tenant.id):
        import_rows([bucket(n) for n in range(4)])
        policies("one")
    run_scan(tenant)
    with tenant_transaction(tenant.id):
        then = database_now()
        control = Control.objects.get(code="own-1")
    with tenant_transaction(tenant.id):
        map_policy(control=control, policy=make_policy("later"))
    with tenant_transaction(tenant.id):
        assert posture().policies == 2
        before = control_postures([control], then, is_now=False)[control.pk]
        assert (before.state, before.policies, before.failing) == ("not_satisfied", 1, 2)
        assert [p.by_state["not_satisfied"] for p in framework_postures(then, is_now=False)] == [1]
        today = database_now().date()
        days = trend_of([control], today - timedelta(days=1), today)
        assert [day.by_state["not_satisfied"] for day in days] == [0, 1]
        assert days[-1].failing == 2


def run_scan(tenant: Tenant) -> None:
    """A scan that commits as it goes."""
    with tenant_transaction(tenant.id):
        job = start_policy_scan(send=False)
    run_job(tenant.id, job.pk)


def test_the_app_role_can_not_date_a_mapping_or_take_back_its_end(in_tenant: Tenant) -> None:
    policies("one")
    mapping = PolicyControl.objects.get()
    early = datetime(2001, 1, 1, tzinfo=UTC)
    PolicyControl.objects.filter(pk=mapping.pk).update(removed_at=early)
    mapping.refresh_from_db()
    assert mapping.removed_at is not None and mapping.removed_at > early
