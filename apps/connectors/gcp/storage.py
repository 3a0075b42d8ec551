"""Cloud Storage: a bucket's labels, and who of the public may read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..calls import Made
from ..errors import CloudInvalid
from . import ONCE
from .compute import again_on_conflict

if TYPE_CHECKING:
    from .cloud import GcpCloud

PUBLIC = ("allUsers", "allAuthenticatedUsers")
Binding = dict[str, Any]
_BUCKET = re.compile(r"^[a-z0-9](?:[a-z0-9._-]{1,220})[a-z0-9]$")


def bucket_of(native_id: str) -> str:
    """The bucket's name in an asset's name, a self link or itself. Raises CloudInvalid."""
    name = native_id.rsplit("/", 1)[-1]
    if not _BUCKET.match(name):
        raise CloudInvalid(f"{native_id[:200]!r} is not the name of a bucket.")
    return name


def read_labels(cloud: GcpCloud, native_id: str) -> dict[str, str]:
    return dict(_bucket(cloud, native_id).labels)


def change_labels(
    cloud: GcpCloud, native_id: str, put: Mapping[str, str], drop: Mapping[str, str], key: str
) -> Made:
    """Set `put`, drop the keys of `drop`, leave the others."""

    def change(bucket: Any) -> dict[str, Any]:
        kept = {name: value for name, value in bucket.labels.items() if name not in drop}
        bucket.labels = {**kept, **put}
        return {"labels": {**kept, **put}}

    return _patch(cloud, native_id, change, "set labels")


def read_access(cloud: GcpCloud, native_id: str) -> dict[str, Any]:
    """`public_access_prevention` (enforced, inherited), `uniform_access`, `public_bindings` (role, members)."""
    bucket = _bucket(cloud, native_id)
    with cloud.calling("read the bucket's policy"):
        policy = bucket.get_iam_policy(requested_policy_version=3, **ONCE)
    configured = bucket.iam_configuration
    return {
        "public_access_prevention": configured.public_access_prevention or "inherited",
        "uniform_access": bool(configured.uniform_bucket_level_access_enabled),
        "public_bindings": public_bindings(policy.bindings),
    }


def public_bindings(bindings: Any) -> list[Binding]:
    """Of each binding what it grants to the public, in a stable order."""
    found = []
    for binding in bindings:
        members = sorted(set(binding["members"]) & set(PUBLIC))
        if members:
            condition = {"condition": dict(binding["condition"])} if binding.get("condition") else {}
            found.append({"role": binding["role"], "members": members, **condition})
    return sorted(found, key=lambda binding: (binding["role"], str(binding.get("condition", ""))))


def set_prevention(cloud: GcpCloud, native_id: str, value: str) -> Made:
    """`enforced`: nobody of the public gets in, whatever ACLs and policies say; `inherited`: as they say."""

    def change(bucket: Any) -> dict[str, Any]:
        bucket.iam_configuration.public_access_prevention = value
        return {"publicAccessPrevention": value}

    return _patch(cloud, native_id, change, "set public access prevention")


def set_uniform(cloud: GcpCloud, native_id: str, enabled: bool) -> Made:
    """Whether the bucket's policy alone decides, and ACLs count for nothing."""

    def change(bucket: Any) -> dict[str, Any]:
        bucket.iam_configuration.uniform_bucket_level_access_enabled = enabled
        return {"uniformBucketLevelAccess": enabled}

    return _patch(cloud, native_id, change, "set uniform access")


def remove_public(cloud: GcpCloud, native_id: str) -> Made:
    """Take the public out of every binding; others' bindings and conditions stay."""

    def change(bindings: list[Binding]) -> list[Binding]:
        kept = [{**binding, "members": set(binding["members"]) - set(PUBLIC)} for binding in bindings]
        return [binding for binding in kept if binding["members"]]

    return _set_policy(cloud, native_id, change, "remove the public from the bucket's policy")


def add_public(cloud: GcpCloud, native_id: str, wanted: list[Binding]) -> Made:
    """Put bindings of `public_bindings` back."""

    def change(bindings: list[Binding]) -> list[Binding]:
        held = public_bindings(bindings)
        return bindings + [binding for binding in wanted if binding not in held]

    return _set_policy(cloud, native_id, change, "let the public into the bucket again")


def _bucket(cloud: GcpCloud, native_id: str) -> Any:
    bucket = cloud.storage.bucket(bucket_of(native_id))
    with cloud.calling("read the bucket"):
        bucket.reload(**ONCE)
    return bucket


def _patch(cloud: GcpCloud, native_id: str, change: Callable[[Any], dict[str, Any]], doing: str) -> Made:
    def attempt() -> Made:
        bucket = _bucket(cloud, native_id)
        given = change(bucket)
        with cloud.calling(doing):
            bucket.patch(if_metageneration_match=bucket.metageneration, **ONCE)
        answer = {"metageneration": bucket.metageneration, "etag": bucket.etag}
        return Made("storage.buckets.patch", {"bucket": bucket.name, **given}, answer)

    return again_on_conflict(attempt)


def _set_policy(
    cloud: GcpCloud, native_id: str, change: Callable[[list[Binding]], list[Binding]], doing: str
) -> Made:
    bucket = cloud.storage.bucket(bucket_of(native_id))

    def attempt() -> Made:
        with cloud.calling(doing):
            policy = bucket.get_iam_policy(requested_policy_version=3, **ONCE)
            policy.bindings = change([dict(binding) for binding in policy.bindings])
            written = bucket.set_iam_policy(policy, **ONCE)
        request = {"bucket": bucket.name, "public": public_bindings(policy.bindings)}
        return Made("storage.buckets.setIamPolicy", request, {"etag": str(written.etag)})

    return again_on_conflict(attempt)
