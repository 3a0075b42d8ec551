"""IBM Cloud: a bucket of Object Storage closed to the public, by its ACLs and by the Public Access group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.calls import Made
from apps.connectors.clouds import Cloud
from apps.connectors.ibm import changes

from .base import Change, Kind, Receipt, State, Target, Verdict, compare
from .tagging import calls_of

BLOCK, IGNORE, POLICIES = "block_public_acls", "ignore_public_acls", "public_policies"


class BlockPublicAccess:
    """Public ACLs are refused and ignored; policies that let everybody into this bucket are deleted."""

    kind = Kind(
        type="ibm.cos.block_public_access",
        title="Block public access",
        provider="ibm",
        resource_types=("ibm.cloud-object-storage-bucket",),
        risk="medium",
        reversible=True,
        description="Refuse and ignore public ACLs of a bucket, and delete the policies of the account's Public "
        "Access group that name it. Policies for all buckets of an instance are not the bucket's and stay.",
    )

    def read(self, cloud: Cloud, target: Target, params: Mapping[str, Any]) -> State:
        at: Any = cloud
        return changes.read_bucket(at, target.native_id, target.location)

    def plan(self, target: Target, state: State, params: Mapping[str, Any]) -> Change:
        after = {BLOCK: True, IGNORE: True, POLICIES: []}
        count = len(state[POLICIES])
        policies = (
            f" {count} {'policy lets' if count == 1 else 'policies let'} everybody in now." if count else ""
        )
        return Change(
            before=dict(state),
            after=after,
            summary=f"{target.name}: nobody of the public gets in.{policies}",
            undo="The settings are put back, and the policies made again with the same roles; their ids are new.",
            disruption=(
                "Whoever reads the bucket without signing in no longer can: websites and downloads that link "
                "to it break."
                if dict(state) != after
                else ""
            ),
        )

    def apply(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], key: str
    ) -> Receipt:
        at: Any = cloud
        live = self.read(cloud, target, params)
        made = self._acls(at, target, live, change.after)
        if live[POLICIES]:
            made += changes.delete_public_policies(at, target.native_id)
        return Receipt(calls_of(made))

    def verify(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], receipt: Receipt
    ) -> Verdict:
        state = self.read(cloud, target, params)
        return Verdict(state, compare(state, change.after))

    def rollback(
        self,
        cloud: Cloud,
        target: Target,
        change: Change,
        params: Mapping[str, Any],
        receipt: Receipt,
        key: str,
    ) -> Receipt:
        at: Any = cloud
        live = self.read(cloud, target, params)
        made = self._acls(at, target, live, change.before)
        made += changes.create_public_policies(at, target.native_id, list(change.before[POLICIES]))
        return Receipt(calls_of(made))

    def _acls(self, cloud: Any, target: Target, live: State, wanted: State) -> list[Made]:
        if (live[BLOCK], live[IGNORE]) == (wanted[BLOCK], wanted[IGNORE]):
            return []
        return [
            changes.set_acl_block(
                cloud, target.native_id, target.location, block=wanted[BLOCK], ignore=wanted[IGNORE]
            )
        ]


BLOCK_PUBLIC = BlockPublicAccess()
