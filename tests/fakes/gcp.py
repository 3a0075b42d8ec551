"""A stateful Google Cloud: Cloud Asset search, Compute Engine and Cloud Storage of one project.

Shaped by the public recordings of Cloud Custodian; `tests/connectors/test_fake_shapes.py` compares. Instances
take `slow` looks to get from one state to the next; a request_id seen before gives its first operation back.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from typing import Any

from tests.fakes.server import Answer, Fake, Request

PROJECT, NUMBER = "webshop-prod", "123456789012"
_ZONED = (
    r"/compute/v1/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/(?P<kind>instances|disks)/(?P<name>[^/]+)"
)
_GLOBAL = r"/compute/v1/projects/(?P<project>[^/]+)/global/(?P<kind>snapshots|images)/(?P<name>[^/]+)"
_BUCKET = r"/storage/v1/b/(?P<name>[^/]+)"
_TYPES = {"instances": "Instance", "disks": "Disk", "snapshots": "Snapshot", "images": "Image"}


def fingerprint(value: Any) -> str:
    return base64.b64encode(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:8]).decode()


class FakeGcp(Fake):
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

    def add_bucket(
        self,
        name: str,
        *,
        public: tuple[str, ...] = ("allUsers",),
        prevention: str = "inherited",
        uniform: bool = False,
        labels: dict[str, str] | None = None,
    ) -> str:
        self.buckets[name] = {
            "kind": "storage#bucket",
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
            "id": name,
            "name": name,
            "projectNumber": NUMBER,
            "generation": "1770390779058662020",
            "metageneration": "1",
            "location": "EU",
            "storageClass": "STANDARD",
            "etag": "CAE=",
            "timeCreated": "2026-02-06T15:12:59.596Z",
            "updated": "2026-02-06T15:15:47.537Z",
            "iamConfiguration": {
                "bucketPolicyOnly": {"enabled": uniform},
                "uniformBucketLevelAccess": {"enabled": uniform},
                "publicAccessPrevention": prevention,
            },
            "locationType": "multi-region",
        }
        if labels:
            self.buckets[name]["labels"] = labels
        bindings = [{"role": "roles/storage.legacyBucketOwner", "members": [f"projectOwner:{self.project}"]}]
        if public:
            members = [*public, "user:ada@northwind.example"]
            bindings.append({"role": "roles/storage.objectViewer", "members": members})
        self.policies[name] = {"kind": "storage#policy", "version": 1, "bindings": bindings}
        self._etag(self.policies[name])
        return f"//storage.googleapis.com/{name}"

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

    @staticmethod
    def _etag(policy: dict[str, Any]) -> None:
        policy["etag"] = fingerprint(policy["bindings"])

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
            ("GET", _BUCKET, self._bucket),
            ("PATCH", _BUCKET, self._patch_bucket),
            ("GET", _BUCKET + "/iam", self._policy),
            ("PUT", _BUCKET + "/iam", self._put_policy),
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

    def _bucket(self, request: Request) -> Answer:
        bucket = self.buckets.get(request.found["name"])
        return Answer(200, bucket) if bucket else self._no_bucket()

    def _no_bucket(self) -> Answer:
        return self.error(404, "notFound", "The specified bucket does not exist.")

    def _patch_bucket(self, request: Request) -> Answer:
        bucket = self.buckets.get(request.found["name"])
        if bucket is None:
            return self._no_bucket()
        wanted = request.query.get("ifMetagenerationMatch")
        if wanted and wanted != bucket["metageneration"]:
            return self.error(
                412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."
            )
        for key, value in request.body.items():
            if key == "labels":
                labels = {**bucket.get("labels", {}), **value}
                bucket["labels"] = {name: text for name, text in labels.items() if text is not None}
            elif key == "iamConfiguration":
                uniform = value.get("uniformBucketLevelAccess")
                if uniform is not None:
                    bucket[key]["bucketPolicyOnly"] = dict(uniform)
                bucket[key].update(value)
            else:
                bucket[key] = value
        bucket["metageneration"] = str(int(bucket["metageneration"]) + 1)
        return Answer(200, bucket)

    def _policy(self, request: Request) -> Answer:
        policy = self.policies.get(request.found["name"])
        if policy is None:
            return self._no_bucket()
        version = 3 if any("condition" in binding for binding in policy["bindings"]) else 1
        return Answer(
            200, {**policy, "version": version, "resourceId": f"projects/_/buckets/{request.found['name']}"}
        )

    def _put_policy(self, request: Request) -> Answer:
        name = request.found["name"]
        if name not in self.policies:
            return self._no_bucket()
        body = request.body
        if body.get("etag") not in (None, "", self.policies[name]["etag"]):
            return self.error(412, "conditionNotMet", "The policy's etag does not match.")
        public = any(
            member in ("allUsers", "allAuthenticatedUsers")
            for binding in body["bindings"]
            for member in binding["members"]
        )
        prevented = self.buckets[name]["iamConfiguration"]["publicAccessPrevention"] == "enforced"
        if public and prevented:
            return self.error(
                412,
                "conditionNotMet",
                "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.",
            )
        self.policies[name]["bindings"] = body["bindings"]
        self._etag(self.policies[name])
        return self._policy(request)
