"""Google Cloud: labels of instances, disks, snapshots, images and buckets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.calls import Made
from apps.connectors.gcp import compute, storage

from .base import Kind, Target
from .tagging import TagExecutor, TagWords, remove_params, set_params

# By Cloud Asset's names, and by those that rows of the plain format have.
BUCKETS = ("gcp.bucket", "storage.googleapis.com/bucket")
TYPES = (
    "compute.googleapis.com/disk",
    "compute.googleapis.com/image",
    "compute.googleapis.com/instance",
    "compute.googleapis.com/snapshot",
    "gcp.disk",
    "gcp.image",
    "gcp.instance",
    "gcp.snapshot",
    *BUCKETS,
)
# Google Cloud, "Requirements for labels": lower-case letters of any script, digits, _ and -; 64 of them.
WORDS = TagWords(
    one="label",
    name_pattern=r"^[^\WA-Z\d_][^\WA-Z]*(?:-[^\WA-Z]*)*$",
    value_pattern=r"^[^\WA-Z]*(?:-[^\WA-Z]*)*$",
    longest_name=63,
    longest_value=63,
    most=64,
)


class _Calls:
    def read(self, cloud: Any, target: Target) -> Mapping[str, str]:
        read = storage.read_labels if target.type in BUCKETS else compute.read_labels
        return read(cloud, target.native_id)

    def change(
        self, cloud: Any, target: Target, put: Mapping[str, str], drop: Mapping[str, str], key: str
    ) -> list[Made]:
        change = storage.change_labels if target.type in BUCKETS else compute.change_labels
        return [change(cloud, target.native_id, put, drop, key)]


SET = TagExecutor(
    Kind(
        type="gcp.label",
        title="Set labels",
        provider="gcp",
        resource_types=TYPES,
        risk="low",
        reversible=True,
        description="Set labels on a resource and leave its others as they are.",
        params=set_params(WORDS),
    ),
    _Calls(),
    WORDS,
)
REMOVE = TagExecutor(
    Kind(
        type="gcp.unlabel",
        title="Remove labels",
        provider="gcp",
        resource_types=TYPES,
        risk="low",
        reversible=True,
        description="Remove labels from a resource and leave its others as they are.",
        params=remove_params(WORDS),
    ),
    _Calls(),
    WORDS,
)
