"""A stateful Google Cloud: Cloud Asset search, Compute Engine and Cloud Storage of one project.

Shaped by the public recordings of Cloud Custodian; `tests/connectors/test_fake_shapes.py` compares. Instances
take `slow` looks to get from one state to the next; a request_id seen before gives its first operation back.
"""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.gcp_storage import NUMBER, Buckets, fingerprint
from tests.fakes.server import Answer, Request

PROJECT = "webshop-prod"
_ZONED = (
    r"/compute/v1/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/(?P<kind>instances|disks)/(?P<name>[^/]+)"
)
_GLOBAL = r"/compute/v1/projects/(?P<project>[^/]+)/global/(?P<kind>snapshots|images)/(?P<name>[^/]+)"
_TYPES = {"instances": "Instance", "disks": "Disk", "snapshots": "Snapshot", "images": "Image"}


class FakeGcp(Buckets):
    """`things` by their path below `projects/P/`, `buckets` by name, each as its API shows it."""

    def __init__(self, project: str = PROJECT, slow: int = 1) -> None:
        super().__init__()
        self.project, self.slow = project, slow
        self.things: dict[str, dict[str, Any]] = {}
        self.buckets: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.forgotten_tokens: set[str] = set()
        self.seen: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, tuple[int, str]] = {}

    # --- filling

    def add(self, kind: str, name: str, place: str = "zones/europe-west1-b", **fields: Any) -> str:
        """An instance, a disk, a snapshot or an image; its asset name."""
        path = f"{place}/{kind}/{name}"
        where = f"https://www.googleapis.com/compute/v1/projects/{self.project}/{path}"
        shown = {"kind": f"compute#{kind[:-1]}", "id": "6624228363236670454", "name": name, "selfLink": where}
        if place.startswith("zones/"):
            shown["zone"] = where.split(f"/{kind}/")[0]
        labels = fields.pop("labels", {})
        self.things[path] = {**shown, **copy.deepcopy(fields)}
        self._label(self.things[path], labels)
        return f"//compute.googleapis.com/projects/{self.project}/{path}"

    def add_machine(
        self, name: str, power: str = "RUNNING", *, ssds: int = 0, group: str = "", **fields: Any
    ) -> str:
        disks = [{"kind": "compute#attachedDisk", "index": 0, "boot": True, "type": "PERSISTENT"}]
        disks += [{"kind": "compute#attachedDisk", "index": n + 1, "type": "SCRATCH"} for n in range(ssds)]
        items = [{"key": "created-by", "value": group}] if group else []
        metadata = {"kind": "compute#metadata", "fingerprint": "yKr6py6Xll8=", "items": items}
        return self.add("instances", name, status=power, disks=disks, metadata=metadata, **fields)

    def lose(self, native_id: str) -> None:
        bucket = native_id.removeprefix("//storage.googleapis.com/")
        if self.buckets.pop(bucket, None) is None:
            del self.things[native_id.split(f"projects/{self.project}/")[1]]
        self.policies.pop(bucket, None)

    @staticmethod
    def _label(thing: dict[str, Any], labels: dict[str, str]) -> None:
        if labels:
            thing["labels"] = dict(labels)
        else:
            thing.pop("labels", None)
        thing["labelFingerprint"] = fingerprint(labels)

    # --- answering
    def error(self, status: int, code: str, message: str) -> Answer:
        inner = {"message": message, "domain": "global", "reason": code}
        return Answer(status, {"error": {"code": status, "message": message, "errors": [inner]}})

    def denied(self) -> Answer:
        return self.error(403, "forbidden", "Required permission is missing for the resource")

    def routes(self) -> Any:
        scope = r"/v1/projects/(?P<project>[^/]+)"
        return [
            ("GET", scope + ":searchAllResources", self._resources),
            ("GET", scope + ":searchAllIamPolicies", self._iam_policies),
            ("GET", _ZONED, self._get),
            ("GET", _GLOBAL, self._get),
            ("POST", _ZONED + "/(?P<verb>start|stop)", self._power),
            ("POST", _ZONED + "/setLabels", self._set_labels),
            ("POST", _GLOBAL + "/setLabels", self._set_labels),
            *self.bucket_routes(),
        ]

    def _page(self, request: Request, results: list[dict[str, Any]]) -> Answer:
        if request.found["project"] != self.project:
            return self.denied()
        token, offset = request.query.get("pageToken", ""), 0
        if token:
            if token in self.forgotten_tokens:
                self.forgotten_tokens.discard(token)
                return self.error(400, "badRequest", "The page token is expired or invalid.")
            offset = int(token.rpartition("-")[2])
        size = min(int(request.query.get("pageSize", "100")), 500)
        body: dict[str, Any] = {"results": results[offset : offset + size]}
        if offset + size < len(results):
            body["nextPageToken"] = f"{request.path.rpartition(':')[2]}-{offset + size}"
        return Answer(200, body)

    def _resources(self, request: Request) -> Answer:
        results = [self._project_result()]
        whole = request.query.get("readMask") == "*"
        for path, thing in self.things.items():
            kind = _TYPES[path.split("/")[-2]]
            result = {
                "name": f"//compute.googleapis.com/projects/{self.project}/{path}",
                "assetType": f"compute.googleapis.com/{kind}",
                "project": f"projects/{NUMBER}",
                "displayName": thing["name"],
                "location": path.split("/")[1] if path.startswith("zones/") else "global",
                "state": thing.get("status", ""),
            }
            results.append(self._finish(result, thing, whole))
        for name, bucket in self.buckets.items():
            result = {
                "name": f"//storage.googleapis.com/{name}",
                "assetType": "storage.googleapis.com/Bucket",
                "project": f"projects/{NUMBER}",
                "displayName": name,
                "location": "eu",
                "additionalAttributes": {"storageClass": bucket["storageClass"]},
            }
            results.append(self._finish(result, bucket, whole))
        wanted = request.query.get("assetTypes")
        if wanted:
            results = [result for result in results if result["assetType"] == wanted]
        return self._page(request, sorted(results, key=lambda result: result["name"]))

    def _finish(self, result: dict[str, Any], document: dict[str, Any], whole: bool) -> dict[str, Any]:
        if document.get("labels"):
            result["labels"] = document["labels"]
        if whole:
            result["versionedResources"] = [{"version": "v1", "resource": document}]
        return result

    def _project_result(self) -> dict[str, Any]:
        return {
            "name": f"//cloudresourcemanager.googleapis.com/projects/{self.project}",
            "assetType": "cloudresourcemanager.googleapis.com/Project",
            "project": f"projects/{NUMBER}",
            "displayName": "Web shop",
            "location": "global",
            "state": "ACTIVE",
            "additionalAttributes": {"projectId": self.project},
        }

    def _iam_policies(self, request: Request) -> Answer:
        results = [
            {
                "resource": f"//storage.googleapis.com/{name}",
                "assetType": "storage.googleapis.com/Bucket",
                "project": f"projects/{NUMBER}",
                "policy": {"bindings": policy["bindings"]},
            }
            for name, policy in sorted(self.policies.items())
        ]
        return self._page(request, results)

    def _thing(self, request: Request) -> tuple[str, dict[str, Any] | None]:
        found = request.found
        place = f"zones/{found['zone']}" if "zone" in found else "global"
        path = f"{place}/{found['kind']}/{found['name']}"
        return path, self.things.get(path) if found["project"] == self.project else None

    def _gone(self, path: str) -> Answer:
        return self.error(404, "notFound", f"The resource 'projects/{self.project}/{path}' was not found")

    def _get(self, request: Request) -> Answer:
        path, thing = self._thing(request)
        if thing is None:
            return self._gone(path)
        left, target = self._looks.get(path, (0, ""))
        if target and left <= 0:
            thing["status"] = target
            del self._looks[path]
        elif target:
            self._looks[path] = (left - 1, target)
        return Answer(200, thing)

    def _operation(self, thing: dict[str, Any], kind: str) -> dict[str, Any]:
        return {
            "kind": "compute#operation",
            "id": "8654252554135926378",
            "name": f"operation-{len(self.seen) + 1}",
            "operationType": kind,
            "targetLink": thing["selfLink"],
            "targetId": thing["id"],
            "status": "RUNNING",
            "user": "desk@northwind.example",
            "progress": 0,
            "insertTime": "2026-11-14T02:16:30.654-08:00",
        }

    def _power(self, request: Request) -> Answer:
        path, thing = self._thing(request)
        if thing is None:
            return self._gone(path)
        key = request.query.get("requestId", "")
        if key in self.seen:
            return Answer(200, self.seen[key])
        on_the_way, target = {"stop": ("STOPPING", "TERMINATED"), "start": ("STAGING", "RUNNING")}[
            request.found["verb"]
        ]
        if thing["status"] != target:
            thing["status"] = on_the_way
            self._looks[path] = (self.slow, target)
        operation = self._operation(thing, request.found["verb"])
        self.seen[key or f"none-{len(self.seen)}"] = operation
        return Answer(200, operation)

    def _set_labels(self, request: Request) -> Answer:
        path, thing = self._thing(request)
        if thing is None:
            return self._gone(path)
        if request.body.get("labelFingerprint") != thing["labelFingerprint"]:
            return self.error(
                412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed"
            )
        self._label(thing, request.body.get("labels", {}))
        return Answer(200, self._operation(thing, "setLabels"))
