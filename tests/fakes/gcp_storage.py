"""The fake Google Cloud's Cloud Storage: buckets, their settings and their policies."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from tests.fakes.server import Answer, Fake, Request

NUMBER = "123456789012"
BUCKET = r"/storage/v1/b/(?P<name>[^/]+)"


def fingerprint(value: Any) -> str:
    return base64.b64encode(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:8]).decode()


class Buckets(Fake):
    """`buckets` and `policies` by the bucket's name, each as its API shows it."""

    project: str
    buckets: dict[str, dict[str, Any]]
    policies: dict[str, dict[str, Any]]

    def bucket_routes(self) -> Any:
        return [
            ("GET", BUCKET, self._bucket),
            ("PATCH", BUCKET, self._patch_bucket),
            ("GET", BUCKET + "/iam", self._policy),
            ("PUT", BUCKET + "/iam", self._put_policy),
        ]

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

    @staticmethod
    def _etag(policy: dict[str, Any]) -> None:
        policy["etag"] = fingerprint(policy["bindings"])

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
