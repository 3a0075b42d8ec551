"""What is read and changed of volumes, their snapshots, and a region's default."""

from __future__ import annotations

import time
from typing import Any

from apps.connectors.aws.cloud import Call
from apps.connectors.errors import CloudAway, CloudConflict, CloudGone

# CreateSnapshot takes no token: the snapshot carries the key, and a second call finds it by that.
KEY_TAG = "governance:key"
POLL_SECONDS = 3.0
PATIENCE_SECONDS = 120.0


def volume(call: Call, region: str | None, volume_id: str) -> dict[str, Any]:
    answer = call("ec2", "describe_volumes", region, VolumeIds=[volume_id])
    if not answer["Volumes"]:
        raise CloudGone(f"There is no volume {volume_id} (any more).", operation="ec2:DescribeVolumes")
    one: dict[str, Any] = answer["Volumes"][0]
    return one


def snapshot_made_for(call: Call, region: str | None, volume_id: str, key: str) -> dict[str, Any] | None:
    """The snapshot of the volume that was made under `key`, if there is one."""
    filters = [
        {"Name": "volume-id", "Values": [volume_id]},
        {"Name": f"tag:{KEY_TAG}", "Values": [key]},
    ]
    found = call("ec2", "describe_snapshots", region, OwnerIds=["self"], Filters=filters)["Snapshots"]
    usable = [one for one in found if one.get("State") != "error"]
    return sorted(usable, key=lambda one: one["SnapshotId"])[0] if usable else None


def make_snapshot(
    call: Call, region: str | None, volume_id: str, key: str, tags: dict[str, str]
) -> dict[str, Any]:
    """A snapshot of the volume, once for each `key`, with the volume's tags."""
    there = snapshot_made_for(call, region, volume_id, key)
    if there is not None:
        return there
    marked = [{"Key": name, "Value": value} for name, value in ({**tags, KEY_TAG: key}).items()]
    return call(
        "ec2",
        "create_snapshot",
        region,
        VolumeId=volume_id,
        Description=f"Of {volume_id}, before it was deleted",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": marked}],
    )


def wait_for_snapshot(call: Call, region: str | None, snapshot_id: str) -> None:
    """Until it is complete. Raises CloudAway where it takes longer: look again, it goes on by itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        one = call("ec2", "describe_snapshots", region, SnapshotIds=[snapshot_id])["Snapshots"][0]
        if one["State"] == "completed":
            return
        if one["State"] == "error":
            raise CloudConflict(
                f"The snapshot {snapshot_id} failed: {one.get('StateMessage', 'AWS does not say why')}. "
                "The volume was left alone.",
                operation="ec2:DescribeSnapshots",
            )
        if time.monotonic() > deadline:
            raise CloudAway(
                f"The snapshot {snapshot_id} is at {one.get('Progress') or 'its beginning'} and goes on by itself; "
                "the volume is deleted once it is complete.",
                operation="ec2:DescribeSnapshots",
            )
        time.sleep(POLL_SECONDS)


def delete_volume(call: Call, region: str | None, volume_id: str) -> None:
    """Gone already is as good as deleted."""
    try:
        call("ec2", "delete_volume", region, VolumeId=volume_id)
    except CloudGone:
        return


def is_encrypted_by_default(call: Call, region: str | None) -> bool:
    return bool(call("ec2", "get_ebs_encryption_by_default", region)["EbsEncryptionByDefault"])


def set_encrypted_by_default(call: Call, region: str | None, on: bool) -> None:
    verb = "enable" if on else "disable"
    call("ec2", f"{verb}_ebs_encryption_by_default", region)
