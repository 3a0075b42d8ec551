"""Every kind on Azure, Google Cloud and IBM Cloud, by the clouds' own SDKs against stateful fakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import jsonschema
import pytest

from apps.actions.executors.base import CannotPlan
from tests.actions import executor_conformance as conformance
from tests.actions.executor_conformance import Rig
from tests.actions.rigs import FAKES, KINDS, rig_for
from tests.fakes.azure import FakeAzure
from tests.fakes.gcp import FakeGcp

GROUP = "projects/123/zones/europe-west1-b/instanceGroupManagers/web"

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _rig(stack: ExitStack, kind: str) -> Rig:
    return rig_for(kind, stack.enter_context(FAKES[kind.split(".")[0]]()))


@each_kind
def test_a_kind_is_well_formed(kind: str, stack: ExitStack) -> None:
    conformance.check_kind_is_well_formed(_rig(stack, kind))


@each_kind
def test_what_is_applied_is_verified_and_rolled_back(kind: str, stack: ExitStack) -> None:
    conformance.check_round_trip(_rig(stack, kind))


@each_kind
def test_twice_with_the_same_key_is_once(kind: str, stack: ExitStack) -> None:
    conformance.check_twice_with_the_same_key(_rig(stack, kind))


@pytest.mark.parametrize("done", [True, False], ids=["done", "undone"])
@each_kind
def test_a_kill_between_any_two_calls_is_gone_on_from(kind: str, done: bool, stack: ExitStack) -> None:
    conformance.check_killed_between_any_two_calls(lambda: _rig(stack, kind), done)


@each_kind
def test_refusals_are_said_in_words(kind: str, stack: ExitStack) -> None:
    conformance.check_refusals_are_said_in_words(lambda: _rig(stack, kind))


def test_what_a_machine_says_forbids_stopping_it(stack: ExitStack) -> None:
    """Each cloud's own: a disk that would be lost, a group that would start it again, a change under way."""
    google, azure = stack.enter_context(FakeGcp()), stack.enter_context(FakeAzure())
    for kind, fake, native_id, words in (
        ("gcp.compute.stop_instance", google, google.add_machine("a", ssds=2), "2 local SSDs"),
        ("gcp.compute.stop_instance", google, google.add_machine("b", group=GROUP), "would start it again"),
        ("gcp.compute.stop_instance", google, google.add_machine("c", "SUSPENDED"), "suspended"),
        ("azure.compute.stop_machine", azure, azure.add_machine("d", ephemeral=True), "would be lost"),
        ("azure.compute.stop_machine", azure, azure.add_machine("e", "starting"), "plan again"),
    ):
        rig = rig_for(kind, fake)
        rig.target = replace(rig.target, native_id=native_id)
        with pytest.raises(CannotPlan, match=words):
            rig.plan()


def test_what_cant_be_undone_says_so_in_the_plan(stack: ExitStack) -> None:
    azure = stack.enter_context(FakeAzure())
    for kind, native_id in (
        ("azure.compute.stop_machine", azure.add_machine("a", "stopped")),
        ("azure.storage.disable_public_blobs", azure.add_storage("b", public=None)),
    ):
        rig = rig_for(kind, azure)
        rig.target = replace(rig.target, native_id=native_id)
        change = rig.plan()
        assert not change.reversible
        receipt = rig.apply(change)
        assert rig.settled(change, receipt)
        with pytest.raises(CannotPlan):
            rig.rollback(change, receipt)


def test_tags_that_differ_in_case_only_are_refused_where_the_cloud_makes_no_difference(
    stack: ExitStack,
) -> None:
    rig = _rig(stack, "ibm.tag")
    rig.params = {"tags": {"env": "a", "Env": "b"}}
    with pytest.raises(CannotPlan, match="case only"):
        rig.plan()
    google = _rig(stack, "gcp.label")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"tags": {"Env": "b"}}, dict(google.executor.kind.params))


def test_a_machine_that_stops_is_pending_until_it_has(stack: ExitStack) -> None:
    fake = stack.enter_context(FakeAzure(slow=2))
    rig = rig_for("azure.compute.stop_machine", fake)
    change = rig.plan()
    receipt = rig.apply(change)
    looks = [rig.executor.verify(rig.cloud, rig.target, change, {}, receipt) for _ in range(4)]
    assert [look.pending for look in looks] == [True, True, False, False]
    assert looks[0].state["power"] == "deallocating"
    assert looks[-1].holds


def test_what_happens_behind_its_back_is_seen(stack: ExitStack) -> None:
    rig = _rig(stack, "gcp.storage.prevent_public_access")
    conformance.check_a_change_behind_its_back_is_seen(
        rig, lambda: rig.faults.buckets["web1"]["iamConfiguration"].update(publicAccessPrevention="enforced")
    )


def test_googles_things_are_known_by_both_their_names(stack: ExitStack) -> None:
    """Cloud Asset says //storage.googleapis.com/b; rows of the plain format say projects/p/buckets/b."""
    google = stack.enter_context(FakeGcp())
    google.add_bucket("plain", labels={"env": "dev"})
    google.add_machine("web2", labels={"env": "dev"})
    for type_, native_id in (
        ("gcp.bucket", "projects/webshop-prod/buckets/plain"),
        ("gcp.instance", "projects/webshop-prod/zones/europe-west1-b/instances/web2"),
    ):
        rig = rig_for("gcp.label", google)
        rig.target = replace(rig.target, type=type_, native_id=native_id)
        assert rig.target.type in rig.executor.kind.resource_types
        assert rig.read() == {"env": "dev", "owner": None}
        assert rig.settled(rig.plan(), rig.apply(rig.plan()))
