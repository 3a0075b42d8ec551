"""One rig for each kind of Azure, Google Cloud and IBM Cloud."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from apps.actions.executors.base import Target
from apps.actions.executors.table import EXECUTORS
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.clouds import connect
from tests.actions.executor_conformance import Rig
from tests.fakes import azure, gcp, ibm
from tests.fakes.server import Fake

NOBODY = CredentialReference("environment", {"prefix": "NOBODY"})
ACCOUNTS = {"azure": azure.SUBSCRIPTION, "gcp": gcp.PROJECT, "ibm": ibm.ACCOUNT}
FAKES: dict[str, Callable[[], Fake]] = {"azure": azure.FakeAzure, "gcp": gcp.FakeGcp, "ibm": ibm.FakeIbm}
TAGS = {"tags": {"env": "prod", "owner": "ada"}}
KEYS = {"keys": ["env", "nothing"]}
HAD = {"env": "dev", "team": "web"}


def _azure(kind: str, fake: azure.FakeAzure) -> tuple[str, str, dict[str, Any]]:
    machine, account = "microsoft.compute/virtualmachines", "microsoft.storage/storageaccounts"
    if kind == "azure.tag":
        return machine, fake.add_machine("web1", tags=dict(HAD)), TAGS
    if kind == "azure.untag":
        return account, fake.add_storage("web1", tags=dict(HAD)), KEYS
    if kind.startswith("azure.compute."):
        return machine, fake.add_machine("web1", "deallocated" if "start" in kind else "running"), {}
    return account, fake.add_storage("web1"), {}


def _gcp(kind: str, fake: gcp.FakeGcp) -> tuple[str, str, dict[str, Any]]:
    if kind == "gcp.label":
        return "compute.googleapis.com/instance", fake.add_machine("web1", labels=dict(HAD)), TAGS
    if kind == "gcp.unlabel":
        return "storage.googleapis.com/bucket", fake.add_bucket("web1", labels=dict(HAD)), KEYS
    if kind.startswith("gcp.compute."):
        power = "TERMINATED" if "start" in kind else "RUNNING"
        return "compute.googleapis.com/instance", fake.add_machine("web1", power), {}
    both = ("allAuthenticatedUsers", "allUsers")
    return "storage.googleapis.com/bucket", fake.add_bucket("web1", public=both), {"uniform_access": True}


def _ibm(kind: str, fake: ibm.FakeIbm) -> tuple[str, str, dict[str, Any]]:
    if kind == "ibm.tag":
        return "ibm.is-instance", fake.add_machine("web1", tags=HAD), TAGS
    if kind == "ibm.untag":
        return "ibm.cloud-object-storage-bucket", fake.add_bucket("web1", tags=HAD), KEYS
    if kind.startswith("ibm.vpc."):
        return "ibm.is-instance", fake.add_machine("web1", "stopped" if "start" in kind else "running"), {}
    crn = fake.add_bucket("web1", blocked=False)
    fake.add_policy(crn)
    return "ibm.cloud-object-storage-bucket", crn, {}


_BUILD: dict[str, Any] = {"azure": _azure, "gcp": _gcp, "ibm": _ibm}
KINDS = sorted(kind for kind in EXECUTORS if kind.split(".")[0] in FAKES)


def snapshot_of(fake: Any) -> Any:
    """The fake's state without what no rollback brings back: counters, fingerprints, ids and dates."""
    if isinstance(fake, azure.FakeAzure):
        return copy.deepcopy(fake.resources)
    if isinstance(fake, gcp.FakeGcp):
        buckets = {name: {**held, "metageneration": ""} for name, held in fake.buckets.items()}
        bindings = {
            name: sorted((b["role"], sorted(b["members"])) for b in policy["bindings"])
            for name, policy in fake.policies.items()
        }
        # A role's members may be split over two bindings: that grants the same.
        merged = {
            name: sorted({(role, member) for role, members in held for member in members})
            for name, held in bindings.items()
        }
        return copy.deepcopy([fake.things, buckets, merged])
    policies = sorted(
        str([policy["subjects"], policy["roles"], sorted(map(str, policy["resources"][0]["attributes"]))])
        for policy in fake.policies.values()
    )
    tags = {crn: sorted(held) for crn, held in fake.tags.items()}
    return copy.deepcopy([fake.servers, fake.buckets, policies, tags])


def rig_for(kind: str, fake: Any) -> Rig:
    """One resource on this fake that the kind can change."""
    provider = kind.split(".")[0]
    fake.heal()
    type_, native_id, params = _BUILD[provider](kind, fake)
    access = AccountAccess(provider, ACCOUNTS[provider], NOBODY, endpoint_url=fake.url)
    return Rig(
        executor=EXECUTORS[kind],
        cloud=connect(access),
        target=Target("r-1", provider, type_, native_id, "web1", ACCOUNTS[provider], "eu-de"),
        faults=fake,
        lose=lambda: fake.lose(native_id),
        snapshot=lambda: snapshot_of(fake),
        params=params,
    )
