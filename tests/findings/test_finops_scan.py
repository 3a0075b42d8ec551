"""The savings scan: what detectors find, priced by the bills that followed, and what people decided stays."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.actions.ports import all_executors
from apps.audit.models import Audit
from apps.core.context import tenant_scope
from apps.core.errors import IllegalTransition, InvalidInput
from apps.costs.services.importing import import_costs
from apps.findings.models import Recommendation
from apps.findings.savings.deciding import decide_recommendation
from apps.findings.savings.detectors import detectors
from apps.findings.savings.scanning import start_finops_scan
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.costs import focus_csv, focus_row
from tests.fixtures.estate import import_rows

pytestmark = pytest.mark.django_db


def thing(type_: str, name: str, tags: dict[str, str] | None = None, **properties: Any) -> dict[str, Any]:
    provider = "azure" if type_.startswith("Microsoft") else type_.partition(".")[0]
    return {
        "id": f"arn:x:{name}" if provider != "azure" else f"/subscriptions/s/{type_}/{name}",
        "provider": provider,
        "type": type_,
        "name": name,
        "location": "eu-west-1",
        "tags": tags or {},
        "properties": properties,
    }


VOLUME = thing("aws.ebs", "vol-1", VolumeId="vol-1", State="available", Attachments=[], VolumeType="gp3")
ATTACHED = thing("aws.ebs", "vol-2", State="in-use", Attachments=[{"InstanceId": "i-1"}], VolumeType="gp3")


def bill(*charges: tuple[str, int, str], **cells: Any) -> None:
    """(resource's native id, day of May, amount)."""
    rows = [
        focus_row(
            number,
            ResourceId=native_id,
            ChargePeriodStart=f"2026-05-{day:02}T00:00:00Z",
            BilledCost=amount,
            EffectiveCost=amount,
            **{"ServiceCategory": "Storage", **cells},
        )
        for number, (native_id, day, amount) in enumerate(charges)
    ]
    import_costs(source=io.BytesIO(focus_csv(rows)), name="bill.csv")


def scan(tenant: Tenant) -> dict[str, Any]:
    job = start_finops_scan(send=False)
    run_job(tenant.id, job.pk)
    job.refresh_from_db()
    assert job.status == "succeeded", job.error
    return dict(job.result or {})


def by_rule(rule: str) -> Recommendation:
    return Recommendation.objects.get(rule=f"finops/{rule}")


def test_an_unattached_volume_is_priced_by_its_own_bill(in_tenant: Tenant) -> None:
    import_rows([VOLUME, ATTACHED])
    bill(*[("arn:x:vol-1", day, "0.333333") for day in range(1, 31)], ("arn:x:vol-2", 30, "5"))
    result = scan(in_tenant)
    found = Recommendation.objects.get()
    assert (found.rule, found.status, found.remedy) == (
        "finops/aws-volume-unattached", "open", "aws.ebs.snapshot_and_delete",
    )  # fmt: skip
    assert (found.savings, found.currency) == (Decimal("10.00"), "USD")
    assert found.evidence["costs"] == {
        "amount": "9.999990", "currency": "USD", "from": "2026-05-01", "to": "2026-05-30",
    }  # fmt: skip
    assert "State" in found.evidence["why"]
    assert (result["found"], result["opened"], result["gone"]) == (1, 1, 0)


def test_only_a_part_is_saved_by_a_schedule_and_the_assumption_is_told(in_tenant: Tenant) -> None:
    running = {"InstanceType": "m6i.large", "State": {"Name": "running"}}
    import_rows(
        [
            thing(
                "aws.ec2",
                "i-test",
                {"Environment": "test"},
                Tags=[{"Key": "Environment", "Value": "Test"}],
                **running,
            ),
            thing(
                "aws.ec2",
                "i-prod",
                {"Environment": "prod"},
                Tags=[{"Key": "Environment", "Value": "prod"}],
                **running,
            ),
        ]
    )
    bill(*[("arn:x:i-test", day, "10") for day in range(1, 31)])
    scan(in_tenant)
    found = by_rule("aws-instance-schedule")
    assert (found.savings, found.title) == (
        Decimal("192.00"), "Instance of a test environment runs around the clock: i-test",
    )  # fmt: skip
    assert "60 of 168 hours" in found.evidence["assumes"]


def test_without_a_bill_it_says_what_to_do_and_no_amount(in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    scan(in_tenant)
    found = Recommendation.objects.get()
    assert (found.savings, found.currency, "costs" in found.evidence) == (None, "", False)
    assert found.description


def test_a_resource_of_a_few_days_is_not_scaled_beyond_a_week(in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    bill(("arn:x:vol-1", 30, "7"))
    scan(in_tenant)
    assert Recommendation.objects.get().savings == Decimal("30.00")


def test_a_second_scan_writes_nothing_and_a_restated_bill_changes_the_amount(in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    bill(*[("arn:x:vol-1", day, "1") for day in range(1, 31)])
    scan(in_tenant)
    before = list(Recommendation.objects.values())
    again = scan(in_tenant)
    assert (again["opened"], again["changed"], again["gone"]) == (0, 0, 0)
    assert list(Recommendation.objects.values()) == before
    bill(*[("arn:x:vol-1", day, "2") for day in range(1, 31)])
    assert scan(in_tenant)["changed"] == 1
    assert Recommendation.objects.get().savings == Decimal("60.00")


def test_what_is_mended_is_gone_and_comes_back_open(in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    scan(in_tenant)
    mended = {**VOLUME, "properties": {**VOLUME["properties"], "State": "in-use", "Attachments": [{"x": 1}]}}
    import_rows([mended])
    assert scan(in_tenant)["gone"] == 1
    assert Recommendation.objects.get().status == "gone"
    import_rows([VOLUME])
    scan(in_tenant)
    assert Recommendation.objects.get().status == "open"


@pytest.mark.parametrize("decided", ["accepted", "dismissed"])
def test_a_decision_outlives_the_next_scan(decided: str, in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    scan(in_tenant)
    Recommendation.objects.update(status=decided)
    scan(in_tenant)
    assert Recommendation.objects.get().status == decided


def test_the_same_type_under_another_name_takes_nothing_away(in_tenant: Tenant) -> None:
    """AWS Config calls a volume otherwise than a describe call; each name has a statement of its own."""
    config = {**VOLUME, "id": "arn:x:vol-9", "name": "vol-9", "type": "AWS::EC2::Volume"}
    import_rows([VOLUME, config])
    scan(in_tenant)
    assert scan(in_tenant)["gone"] == 0


def test_other_tools_recommendations_are_left_alone(in_tenant: Tenant) -> None:
    Recommendation.objects.create(
        kind="security", severity="low", title="x", rule="r", source="prowler", key="k"
    )
    scan(in_tenant)
    assert Recommendation.objects.get().status == "open"


def test_steady_usage_without_a_commitment(in_tenant: Tenant) -> None:
    cells = {"PricingCategory": "Standard", "ServiceCategory": "Compute"}
    bill(*[(f"arn:{day}", day, "100" if day != 9 else "50") for day in range(1, 31)], **cells)
    scan(in_tenant)
    found = by_rule("commitment-coverage")
    assert (found.savings, found.title) == (
        Decimal("300.00"),
        "Amazon EC2 runs on demand without a commitment",
    )
    assert "at least 50.00 USD" in found.evidence["why"]


def test_usage_that_pauses_is_not_steady(in_tenant: Tenant) -> None:
    bill(*[(f"arn:{day}", day, "100") for day in range(1, 31) if day != 9], ServiceCategory="Compute")
    scan(in_tenant)
    assert not Recommendation.objects.exists()


def test_another_tenants_bill_and_estate_are_not_seen(in_tenant: Tenant, other_tenant: Tenant) -> None:
    import_rows([VOLUME])
    with tenant_scope(other_tenant.id):
        scan(other_tenant)
        assert not Recommendation.objects.exists()


def test_the_command_prints_the_counts(in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    out = io.StringIO()
    call_command("scan", "finops", "--tenant", str(in_tenant.id), "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert (said["status"], said["found"], said["opened"]) == ("succeeded", 1, 1)


def test_every_detector_compiles_for_one_cloud_and_names_a_kind_of_action_for_its_types() -> None:
    executors = all_executors()
    keys = [d.key for d in detectors()]
    assert len(keys) == len(set(keys)) and len(keys) >= 25
    for detector in detectors():
        rule = detector.compiled(timezone.now())
        assert rule.runs and rule.resource_types, detector.key
        assert 0 < detector.share <= 1 and (detector.share == 1) == (not detector.assumes), detector.key
        if detector.remedy:
            types = {t.lower() for t in executors[detector.remedy].kind.resource_types}
            assert types & set(rule.resource_types), detector.key


def accepted(in_tenant: Tenant) -> Recommendation:
    import_rows([VOLUME])
    bill(*[("arn:x:vol-1", day, "2") for day in range(1, 31)])
    scan(in_tenant)
    return decide_recommendation(recommendation=Recommendation.objects.get(), status="accepted")


def later_bill(*amounts: str) -> None:
    """June, day by day, for another resource too: a day is known once any bill speaks of it."""
    days = range(1, len(amounts) + 1)
    rows = [
        focus_row(
            day + offset,
            ResourceId=native_id,
            ChargePeriodStart=f"2026-06-{day:02}T00:00:00Z",
            BillingPeriodStart="2026-06-01T00:00:00Z",
            BillingPeriodEnd="2026-07-01T00:00:00Z",
            BilledCost=amount,
            EffectiveCost=amount,
            ServiceCategory="Storage",
        )
        for offset, native_id in ((0, "arn:x:vol-1"), (100, "arn:x:other"))
        for day, amount in zip(days, amounts, strict=True)
        if offset or amount != "0"
    ]
    import_costs(source=io.BytesIO(focus_csv(rows)), name="june.csv")


def gone_on(day: str) -> None:
    Recommendation.objects.update(gone_at=f"{day}T12:00:00Z")


@pytest.mark.parametrize(
    ("amounts", "realised"),
    [(["0"] * 10, (Decimal("60.00"), 10)), (["1"] * 10, (Decimal("30.00"), 10)), (["0"] * 6, (None, None))],
    ids=["all of it", "half of it", "too few days"],
)
def test_what_was_realised_is_told_by_the_bills_that_followed(
    amounts: list[str], realised: tuple[Any, Any], in_tenant: Tenant
) -> None:
    accepted(in_tenant)
    import_rows([{**VOLUME, "properties": {**VOLUME["properties"], "State": "in-use"}}])
    later_bill(*[amount if amount != "0" else "0" for amount in amounts])
    scan(in_tenant)
    gone_on("2026-05-31")
    scan(in_tenant)
    found = Recommendation.objects.get()
    assert (found.status, found.savings) == ("accepted", Decimal("60.00"))
    assert (found.realised, found.realised_days) == realised


def test_deciding_leaves_its_row_in_the_audit_trail_and_dismissing_takes_a_reason(in_tenant: Tenant) -> None:
    found = accepted(in_tenant)
    assert Audit.objects.filter(action="findings.recommendation.accepted", target_id=str(found.pk)).exists()
    with pytest.raises(InvalidInput, match="Say why"):
        decide_recommendation(recommendation=found, status="dismissed")
    decide_recommendation(recommendation=found, status="dismissed", reason="It is a spare.")
    assert (found.status, found.decision_reason) == ("dismissed", "It is a spare.")


def test_nothing_is_decided_of_what_is_gone(in_tenant: Tenant) -> None:
    import_rows([VOLUME])
    scan(in_tenant)
    import_rows([{**VOLUME, "properties": {**VOLUME["properties"], "State": "in-use"}}])
    scan(in_tenant)
    with pytest.raises(IllegalTransition):
        decide_recommendation(recommendation=Recommendation.objects.get(), status="accepted")


def test_the_board_and_the_page_show_the_money(in_tenant: Tenant, users: dict[Role, User]) -> None:
    found = accepted(in_tenant)
    board = browser(users[Role.VIEWER]).get("/recommendations/").content.decode()
    assert "60.00" in board and "accepted, not yet seen on a bill (1)" in board
    page = browser(users[Role.OPERATOR]).get(f"/recommendations/{found.pk}/").content.decode()
    assert "60.00 USD" in page and "type=aws.ebs.snapshot_and_delete" in page
