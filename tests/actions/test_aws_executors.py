"""Every kind of action on AWS against moto, by the same rules: repeatable, killable, undone, honest errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import time_machine
import yaml
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError
from django.conf import settings

from apps.actions.executors.aws_table import AWS_EXECUTORS
from apps.actions.executors.base import CannotPlan, Change, Executor, Receipt, Target
from apps.actions.executors.table import EXECUTORS
from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.errors import (
    CloudAway,
    CloudConflict,
    CloudDenied,
    CloudGone,
    CloudThrottled,
)
from tests.actions.aws_subjects import REGION, SUBJECTS, Client, Subject, clients, target
from tests.fixtures.clouds import open_aws

KEY = "0198-action"


class Killed(BaseException):
    """The worker dies here."""


def cases() -> Iterator[Any]:
    for type_, subjects in SUBJECTS.items():
        for number, subject in enumerate(subjects):
            yield pytest.param(EXECUTORS[type_], subject, id=f"{type_}-{number}")


every_case = pytest.mark.parametrize(("executor", "subject"), list(cases()))


@cache
def _opened(endpoint: str) -> tuple[Client, AwsCloud]:
    return clients(endpoint), open_aws(endpoint, REGION)


class Trial:
    """A kind and a new thing to try it on, in a cloud that other trials use as well."""

    def __init__(self, endpoint: str, executor: Executor, subject: Subject) -> None:
        self.client, self.cloud = _opened(endpoint)
        self.executor, self.subject = executor, subject
        self.revive()
        self.target: Target = target(*subject.make(self.client))
        self.params = subject.params

    def read(self) -> Any:
        return self.executor.read(self.cloud, self.target, self.params)

    def plan(self) -> Change:
        state = self.read()
        # moto's access keys are made now: they are old in a year.
        years = 1 if self.target.type == "aws.iam-user" else 0
        with time_machine.travel(datetime.now(UTC) + timedelta(days=365 * years)):
            return self.executor.plan(self.target, state, self.params)

    def apply(self, change: Change) -> Receipt:
        return self.executor.apply(self.cloud, self.target, change, self.params, KEY)

    def holds(self, change: Change, receipt: Receipt) -> bool:
        return self.executor.verify(self.cloud, self.target, change, self.params, receipt).holds

    def rollback(self, change: Change, receipt: Receipt) -> Receipt:
        return self.executor.rollback(self.cloud, self.target, change, self.params, receipt, f"{KEY}-back")

    def kill_after(self, calls: int) -> list[str]:
        """Let the cloud take so many more calls, then die; returns the list that calls are noted in."""
        made: list[str] = []
        send = type(self.cloud).call

        def call(service: str, method: str, region: str | None = None, /, **request: Any) -> Any:
            if len(made) >= calls:
                raise Killed
            made.append(method)
            return send(self.cloud, service, method, region, **request)

        self.cloud.call = call  # type: ignore[method-assign]
        return made

    def revive(self) -> None:
        self.cloud.__dict__.pop("call", None)


@pytest.fixture
def trial(moto_endpoint: str, executor: Executor, subject: Subject) -> Trial:
    return Trial(moto_endpoint, executor, subject)


def test_every_kind_has_a_trial() -> None:
    assert set(SUBJECTS) == {executor.kind.type for executor in AWS_EXECUTORS}
    assert all(executor.kind.type.startswith("aws.") for executor in AWS_EXECUTORS)
    for executor in AWS_EXECUTORS:
        assert executor.kind.params["additionalProperties"] is False
        json.dumps(executor.kind.params)


@every_case
def test_there_and_back_again(trial: Trial) -> None:
    start = trial.read()
    change = trial.plan()
    assert change.before == start
    assert not change.is_nothing
    assert change.summary and change.undo
    assert change.reversible == trial.executor.kind.reversible
    assert (change.monthly_saving is not None) == trial.subject.saves
    assert not trial.subject.saves or Decimal(change.monthly_saving or 0) > 0
    receipt = trial.apply(change)
    assert receipt.calls
    json.dumps(
        [start, change.after, receipt.made, [(c.operation, c.request, c.response) for c in receipt.calls]]
    )
    assert "not-a-secret" not in str(receipt)
    assert trial.holds(change, receipt)
    if not change.reversible:
        with pytest.raises(CannotPlan, match="can't be brought back"):
            trial.rollback(change, receipt)
        return
    assert trial.plan().is_nothing
    trial.rollback(change, receipt)
    assert trial.read() == start


@every_case
def test_a_second_apply_with_the_same_key_changes_nothing(trial: Trial) -> None:
    change = trial.plan()
    first = trial.apply(change)
    second = trial.apply(change)
    assert second.calls == ()
    assert second.made == first.made
    assert trial.holds(change, second)


@every_case
def test_killed_between_any_two_calls_it_ends_the_same(
    moto_endpoint: str, executor: Executor, subject: Subject, trial: Trial
) -> None:
    change = trial.plan()
    made = trial.kill_after(1_000)
    expected = trial.apply(change)
    steps = len(made)
    assert steps >= 2
    for calls in range(steps):
        again = Trial(moto_endpoint, executor, subject)
        change = again.plan()
        again.kill_after(calls)
        with pytest.raises(Killed):
            again.apply(change)
        again.revive()
        receipt = again.apply(change)
        assert again.holds(change, receipt), f"killed after {calls} calls"
        assert receipt.made.keys() == expected.made.keys()
        if executor.kind.type == "aws.ebs.snapshot_and_delete":
            snapshots = again.client("ec2").describe_snapshots(
                Filters=[{"Name": "volume-id", "Values": [again.target.native_id.rsplit("/", 1)[-1]]}]
            )["Snapshots"]
            assert [s["SnapshotId"] for s in snapshots] == [receipt.made["snapshot_id"]]
        if change.reversible:
            again.kill_after(calls)
            with contextlib.suppress(Killed):  # it may need fewer calls than the way there
                again.rollback(change, receipt)
            again.revive()
            again.rollback(change, receipt)
            assert again.read() == change.before, f"rollback killed after {calls} calls"


@every_case
def test_gone(trial: Trial) -> None:
    if trial.subject.end is None:
        pytest.skip("nothing ends it")
    change = trial.plan()
    trial.subject.end(trial.client, trial.target.native_id)
    with pytest.raises(CloudGone, match=r"not there|There is no") as gone:
        trial.apply(change)
    assert not gone.value.retryable
    assert gone.value.operation


def _answer(code: str, status: int) -> ClientError:
    meta = {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": "7"}}
    said = {"Code": code, "Message": "no. Encoded authorization failure message: AAAA"}
    return ClientError({"Error": said, "ResponseMetadata": meta}, "Op")  # type: ignore[arg-type]


NOES = (
    (_answer("AccessDenied", 403), CloudDenied, "does not allow"),
    (_answer("UnauthorizedOperation", 403), CloudDenied, "does not allow"),
    (_answer("RequestLimitExceeded", 503), CloudThrottled, "asked too often"),
    (_answer("InternalError", 500), CloudAway, "just now"),
    (_answer("IncorrectState", 400), CloudConflict, "state"),
    (EndpointConnectionError(endpoint_url="http://x"), CloudAway, "may or may not"),
)


@every_case
def test_a_no_comes_in_words(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    change = trial.plan()
    send = BaseClient._make_api_call
    for raised, becomes, words in NOES:

        def refuse_changes(self: Any, name: str, request: Any, no: Exception = raised) -> Any:
            if name.startswith(("Describe", "Get", "List")):
                return send(self, name, request)
            raise no

        monkeypatch.setattr(BaseClient, "_make_api_call", refuse_changes)
        with pytest.raises(becomes, match=words) as no:
            trial.apply(change)
        assert no.value.retryable == (becomes in (CloudThrottled, CloudAway))
        assert ":" in no.value.operation
        assert "AAAA" not in str(no.value)
        if isinstance(no.value, CloudThrottled):
            assert no.value.retry_after == 7.0


def test_an_attached_volume_is_not_deleted(moto_endpoint: str) -> None:
    trial = Trial(
        moto_endpoint, EXECUTORS["aws.ebs.snapshot_and_delete"], SUBJECTS["aws.ebs.snapshot_and_delete"][0]
    )
    change = trial.plan()
    _, instance = SUBJECTS["aws.ec2.stop"][0].make(trial.client)
    name = trial.target.native_id.rsplit("/", 1)[-1]
    trial.client("ec2").attach_volume(
        VolumeId=name, InstanceId=instance.rsplit("/", 1)[-1], Device="/dev/sdf"
    )
    with pytest.raises(CannotPlan, match="attached to i-"):
        trial.plan()
    with pytest.raises(CloudConflict, match="left alone"):
        trial.apply(change)
    assert trial.client("ec2").describe_volumes(VolumeIds=[name])["Volumes"][0]["State"] == "in-use"


def test_only_rules_that_reach_the_ports_are_closed(moto_endpoint: str) -> None:
    kind = "aws.security_group.revoke_world_open"
    trial = Trial(moto_endpoint, EXECUTORS[kind], Subject(SUBJECTS[kind][0].make, {"ports": [3389, 3500]}))
    change = trial.plan()
    assert [rule["to"] for rule in change.after["world_open"]] == [22, 443]
    trial.apply(change)
    group = trial.client("ec2").describe_security_groups(GroupIds=[trial.target.native_id.rsplit("/", 1)[-1]])
    left = {
        (p["FromPort"], r["CidrIp"])
        for p in group["SecurityGroups"][0]["IpPermissions"]
        for r in p["IpRanges"]
    }
    assert left == {(22, "0.0.0.0/0"), (443, "0.0.0.0/0"), (22, "10.0.0.0/8")}
    assert trial.plan().is_nothing


def test_a_price_that_is_not_known_is_no_saving() -> None:
    executor = EXECUTORS["aws.ec2.stop"]
    state = {"state": "running", "instance_type": "t3.large", "root_device": "ebs"}
    here = target("aws.ec2", f"arn:aws:ec2:{REGION}:1:instance/i-1")
    there = target("aws.ec2", "arn:aws:ec2:eu-north-1:1:instance/i-1")
    assert executor.plan(here, state, {}).monthly_saving == "60.74"
    assert executor.plan(there, state, {}).monthly_saving is None
    with pytest.raises(CannotPlan, match="instance storage"):
        executor.plan(here, {**state, "root_device": "instance-store"}, {})
    with pytest.raises(CannotPlan, match="stopping"):
        executor.plan(here, {**state, "state": "stopping"}, {})


def test_the_starter_policies_name_kinds_that_there_are_for_their_type() -> None:
    starter = Path(settings.BASE_DIR) / "apps" / "catalog" / "starter" / "aws"
    policies = [p for path in starter.glob("*.yml") for p in yaml.safe_load(path.read_text())["policies"]]
    named = {p["name"]: p for p in policies if "action" in p["metadata"]}
    assert len(named) == 12
    for name, policy in named.items():
        action = policy["metadata"]["action"]
        kind = EXECUTORS[action["type"]].kind
        assert policy["resource"] in kind.resource_types, name
        assert set(action["params"]) <= set(kind.params.get("properties", {})), name
