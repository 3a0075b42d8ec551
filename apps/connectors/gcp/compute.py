"""Compute Engine: labels of instances, disks, snapshots and images; instances stopped and started."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..calls import Made
from ..errors import CloudConflict, CloudInvalid
from . import ONCE

if TYPE_CHECKING:
    from .cloud import GcpCloud

T = TypeVar("T")
# Names come from files too: what goes into a URL is held to what Google allows in a name.
_WORD = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAME = re.compile(
    rf"(?:^|/)projects/(?P<project>[a-z0-9.:-]+)/(?:zones/(?P<zone>{_WORD})|regions/(?P<region>{_WORD})|global)"
    rf"/(?P<collection>instances|disks|snapshots|images)/(?P<name>{_WORD})$"
)
_SINGULAR = {"instances": "instance", "disks": "disk"}
_CLIENTS = {"instances": "instances", "disks": "disks", "snapshots": "snapshots", "images": "images"}
_TRIES = 3  # of a change that rests on a fingerprint which somebody else may change


@dataclass(frozen=True)
class Place:
    """Where a thing of Compute Engine is."""

    project: str
    collection: str
    name: str
    zone: str | None
    region: str | None

    @property
    def request(self) -> dict[str, str]:
        """What every call about it begins with."""
        where = {"zone": self.zone} if self.zone else {}
        singular = _SINGULAR.get(self.collection, self.collection[:-1])
        return {"project": self.project, **where, singular: self.name}


def place_of(cloud: GcpCloud, native_id: str) -> Place:
    """From an asset's name or a self link. Raises CloudInvalid for another project's, or another kind of thing."""
    found = _NAME.search(native_id)
    if found is None or (found["region"] and found["collection"] == "disks"):
        raise CloudInvalid(
            f"{native_id[:200]!r} is not the name of an instance, zonal disk, snapshot or image."
        )
    if found["project"] != cloud.access.account:
        raise CloudInvalid(f"{native_id[:200]!r} is not of project {cloud.access.account}.")
    return Place(found["project"], found["collection"], found["name"], found["zone"], found["region"])


def read_labels(cloud: GcpCloud, native_id: str) -> dict[str, str]:
    return dict(_get(cloud, place_of(cloud, native_id)).labels)


def change_labels(
    cloud: GcpCloud, native_id: str, put: Mapping[str, str], drop: Mapping[str, str], key: str
) -> Made:
    """Set `put`, drop the keys of `drop`, leave the others: on the labels as they are, else from the start."""
    from google.cloud import compute_v1

    place = place_of(cloud, native_id)
    kind = "Instances" if place.collection == "instances" else "Zone" if place.zone else "Global"

    def attempt() -> Made:
        found = _get(cloud, place)
        labels = {name: value for name, value in found.labels.items() if name not in drop} | dict(put)
        body = getattr(compute_v1, f"{kind}SetLabelsRequest")(
            label_fingerprint=found.label_fingerprint, labels=labels
        )
        request = _labelling(place, kind, body)
        if kind != "Global":
            request["request_id"] = _request_id(key, found.label_fingerprint)
        with cloud.calling("set labels"):
            made = _client(cloud, place).set_labels_unary(request=request, **ONCE)
        return Made(f"compute.{place.collection}.setLabels", {"id": native_id, "labels": labels}, _told(made))

    return again_on_conflict(attempt)


def again_on_conflict(attempt: Callable[[], T]) -> T:
    """A read and a write that rests on it, from the start where somebody else came between."""
    for left in reversed(range(_TRIES)):
        try:
            return attempt()
        except CloudConflict:
            if not left:
                raise
    raise AssertionError("a loop of no attempts")


def _labelling(place: Place, kind: str, body: Any) -> dict[str, Any]:
    field = {"Instances": "instances", "Zone": "zone", "Global": "global"}[kind]
    where = {"project": place.project, **({"zone": place.zone} if place.zone else {})}
    what = {"instance": place.name} if kind == "Instances" else {"resource": place.name}
    return {**where, **what, f"{field}_set_labels_request_resource": body}


def read_instance(cloud: GcpCloud, native_id: str) -> dict[str, Any]:
    """`power` (running, terminated, stopping, …), `local_ssds` (a number), `group` (that manages it, or None)."""
    found = _get(cloud, _instance(cloud, native_id))
    items = {item.key: item.value for item in found.metadata.items} if found.metadata else {}
    group = items.get("created-by", "")
    return {
        "power": str(found.status).lower(),
        "local_ssds": sum(1 for disk in found.disks if disk.type_ == "SCRATCH"),
        "group": group.rsplit("/", 1)[-1] if "instanceGroupManagers" in group else None,
    }


def stop_instance(cloud: GcpCloud, native_id: str, key: str) -> Made:
    return _power(cloud, native_id, "stop", key)


def start_instance(cloud: GcpCloud, native_id: str, key: str) -> Made:
    return _power(cloud, native_id, "start", key)


def _power(cloud: GcpCloud, native_id: str, verb: str, key: str) -> Made:
    place = _instance(cloud, native_id)
    request = {**place.request, "request_id": _request_id(key, verb)}
    with cloud.calling(f"{verb} the instance"):
        made = getattr(cloud.instances, f"{verb}_unary")(request=request, **ONCE)
    return Made(f"compute.instances.{verb}", {"id": native_id}, _told(made))


def _instance(cloud: GcpCloud, native_id: str) -> Place:
    place = place_of(cloud, native_id)
    if place.collection != "instances":
        raise CloudInvalid(f"{native_id[:200]!r} is not the name of an instance.")
    return place


def _client(cloud: GcpCloud, place: Place) -> Any:
    return getattr(cloud, _CLIENTS[place.collection])


def _get(cloud: GcpCloud, place: Place) -> Any:
    with cloud.calling(f"read the {place.collection[:-1]}"):
        return _client(cloud, place).get(request=place.request, **ONCE)


def _request_id(key: str, salt: str) -> str:
    """Google takes a UUID and answers a second request of the same one with the first one's operation."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key}:{salt}"))


def _told(operation: Any) -> dict[str, Any]:
    return {"operation": operation.name, "status": str(getattr(operation.status, "name", operation.status))}
