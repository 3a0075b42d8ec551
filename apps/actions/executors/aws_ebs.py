"""Volumes: snapshot and delete one that is attached to nothing; encrypt new ones of a region by default."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.connectors.aws import ebs
from apps.connectors.aws.names import region_in
from apps.connectors.clouds import Cloud
from apps.connectors.errors import CloudConflict, CloudGone

from .aws_base import AwsExecutor, Params, Recording, name_of
from .base import CannotPlan, Change, Kind, Receipt, State, Target, Verdict
from .prices import aws_price, cents

_DELETED = {"volume": "deleted"}


class SnapshotAndDelete(AwsExecutor):
    kind = Kind(
        type="aws.ebs.snapshot_and_delete",
        title="Snapshot and delete an unattached volume",
        provider="aws",
        resource_types=("aws.ebs",),
        risk="high",
        reversible=False,
        description="Takes a snapshot, waits until it is complete, and only then deletes the volume.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        one = ebs.volume(aws, aws.region, name_of(target))
        return {
            "volume": one["State"],
            "attached_to": sorted(a["InstanceId"] for a in one.get("Attachments", [])),
            "size_gib": one["Size"],
            "volume_type": one["VolumeType"],
            "encrypted": bool(one.get("Encrypted")),
            "zone": one["AvailabilityZone"],
            "tags": {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])},
        }

    def plan(self, target: Target, state: State, params: Params) -> Change:
        if state["attached_to"]:
            raise CannotPlan(f"The volume is attached to {', '.join(state['attached_to'])}.")
        if state["volume"] != "available":
            raise CannotPlan(f"The volume is {state['volume']}, not available.")
        return Change(
            before=state,
            after=_DELETED,
            summary=f"Take a snapshot of {name_of(target)} ({state['size_gib']} GiB, {state['volume_type']}), then "
            "delete the volume.",
            undo="A deleted volume can't be brought back. From the snapshot a new volume with the same data can be "
            f"made in {state['zone']}, under a new id.",
            reversible=False,
            disruption="None now: it is attached to nothing. What names the volume by its id finds it no more.",
            monthly_saving=cents(_saving(state, region_in(target.native_id, target.location))),
        )

    def apply(self, cloud: Cloud, target: Target, change: Change, params: Params, key: str) -> Receipt:
        """The snapshot carries `key`: an attempt that comes after finds it, also when the volume is gone."""
        aws, name = self._recording(cloud, target), name_of(target)
        try:
            now = self.read_state(aws, target, params)
        except CloudGone:
            made = ebs.snapshot_made_for(aws, aws.region, name, key)
            if made is None:
                raise  # somebody else has deleted it, and there is no snapshot of ours
            return Receipt((), {"snapshot_id": made["SnapshotId"]})
        if now["attached_to"] or now["volume"] not in ("available", "deleting"):
            raise CloudConflict(f"The volume {name} is {now['volume']} by now: it was left alone.")
        snapshot = ebs.make_snapshot(aws, aws.region, name, key, _own_tags(now["tags"]))
        ebs.wait_for_snapshot(aws, aws.region, snapshot["SnapshotId"])
        ebs.delete_volume(aws, aws.region, name)
        return Receipt(tuple(aws.calls), {"snapshot_id": snapshot["SnapshotId"]})

    def verify(
        self, cloud: Cloud, target: Target, change: Change, params: Params, receipt: Receipt
    ) -> Verdict:
        try:
            state = self.read(cloud, target, params)
        except CloudGone:
            return Verdict(_DELETED)
        return Verdict(state, pending=True) if state["volume"] == "deleting" else Verdict(state, ("volume",))

    def rollback(
        self, cloud: Cloud, target: Target, change: Change, params: Params, receipt: Receipt, key: str
    ) -> Receipt:
        snapshot = receipt.made.get("snapshot_id", "the snapshot")
        raise CannotPlan(
            f"A deleted volume can't be brought back. From {snapshot} a new volume with the same data can be made in "
            f"{change.before['zone']}, under a new id."
        )


class EncryptionByDefault(AwsExecutor):
    kind = Kind(
        type="aws.ebs.encryption_by_default",
        title="Encrypt new volumes of a region",
        provider="aws",
        resource_types=("aws.ebs", "aws.account"),
        risk="medium",
        reversible=True,
        description="In the resource's region, new volumes and copies of snapshots are encrypted from now on. Volumes "
        "that are there stay as they are.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        return {"encrypted_by_default": ebs.is_encrypted_by_default(aws, aws.region)}

    def plan(self, target: Target, state: State, params: Params) -> Change:
        region = region_in(target.native_id, target.location)
        if region is None:
            raise CannotPlan("The resource names no region.")
        return Change(
            before=state,
            after={"encrypted_by_default": True},
            summary=f"Encrypt new volumes in {region} by default.",
            undo="The default is switched off again; volumes made meanwhile stay encrypted.",
            disruption="Instance types that can't use encrypted volumes no longer start in this region.",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        ebs.set_encrypted_by_default(aws, aws.region, wanted["encrypted_by_default"])
        return {}


def _saving(state: State, region: str | None) -> Decimal | None:
    volume = aws_price("volume_month", state["volume_type"], region)
    snapshot = aws_price("volume_month", "snapshot", region)
    # The snapshot holds at most the whole volume: the saving is at least this.
    return (
        None if volume is None or snapshot is None else max(volume - snapshot, Decimal(0)) * state["size_gib"]
    )


def _own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}
