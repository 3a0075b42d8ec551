"""A stateful IBM Cloud: Global Search and Tagging, VPC, Object Storage's public access, IAM policies.

Shaped by the mock responses of IBM's own SDK tests; `tests/connectors/test_fake_shapes.py` compares. Virtual
servers take `slow` looks to get from one state to the next.
"""

from __future__ import annotations

import copy
import re
import uuid
from typing import Any

from tests.fakes.server import Answer, Fake, Request

ACCOUNT = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
PUBLIC_GROUP = "AccessGroupId-PublicAccess"
READER = "crn:v1:bluemix:public:cloud-object-storage::::serviceRole:ObjectReader"
_XML = {"Content-Type": "application/xml"}


class FakeIbm(Fake):
    """`items` by CRN, as Global Search shows them, without tags, which are in `tags`."""

    def __init__(self, account: str = ACCOUNT, slow: int = 1) -> None:
        super().__init__()
        self.account, self.slow = account, slow
        self.items: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[str]] = {}
        self.servers: dict[str, dict[str, Any]] = {}
        self.buckets: dict[str, dict[str, bool] | None] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.forgotten_cursors: set[str] = set()
        self._looks: dict[str, tuple[int, str]] = {}

    # --- filling

    def add(
        self, service: str, kind: str, name: str, resource: str, place: str, tags: Any = None, **doc: Any
    ) -> str:
        instance = "" if service == "is" else str(uuid.uuid5(uuid.NAMESPACE_URL, service))
        crn = f"crn:v1:bluemix:public:{service}:{place}:a/{self.account}:{instance}:{kind}:{resource}"
        self.items[crn] = {
            "crn": crn,
            "name": name,
            "family": "is" if service == "is" else "resource_controller",
            "type": kind,
            "region": re.sub(r"-\d+$", "", place) if service == "is" else "eu-de",
            "account_id": self.account,
            "service_name": service,
            "resource_group_id": "rg-web",
            "doc": doc,
        }
        self.tags[crn] = [f"{key}:{value}" if value else key for key, value in (tags or {}).items()]
        return crn

    def add_machine(self, name: str, power: str = "running", **fields: Any) -> str:
        guid = f"0717_{uuid.uuid5(uuid.NAMESPACE_URL, name)}"
        crn = self.add("is", "instance", name, guid, "eu-de-1", status=power, **fields)
        self.servers[guid] = {
            "id": guid,
            "crn": crn,
            "name": name,
            "status": power,
            "resource_type": "instance",
        }
        return crn

    def add_bucket(
        self, name: str, *, public: bool = True, blocked: bool | None = None, **fields: Any
    ) -> str:
        crn = self.add("cloud-object-storage", "bucket", name, name, "global", **fields)
        self.buckets[name] = (
            None if blocked is None else {"BlockPublicAcls": blocked, "IgnorePublicAcls": blocked}
        )
        if public:
            self.add_policy(crn)
        return crn

    def add_policy(self, crn: str) -> str:
        """Everybody may read the bucket."""
        parts = crn.split(":", 9)
        attributes = {
            "serviceName": "cloud-object-storage",
            "accountId": self.account,
            "serviceInstance": parts[7],
            "resourceType": "bucket",
            "resource": parts[9],
        }
        return self._keep_policy(
            {
                "type": "access",
                "subjects": [{"attributes": [{"name": "access_group_id", "value": PUBLIC_GROUP}]}],
                "roles": [{"role_id": READER}],
                "resources": [
                    {"attributes": [{"name": name, "value": value} for name, value in attributes.items()]}
                ],
            }
        )

    def _keep_policy(self, policy: dict[str, Any]) -> str:
        made = str(uuid.uuid4())
        dates = {
            "created_at": "2026-11-01T00:00:00.000Z",
            "created_by_id": "iam-ServiceId-1",
            "state": "active",
        }
        self.policies[made] = {"id": made, **copy.deepcopy(policy), **dates}
        return made

    def lose(self, native_id: str) -> None:
        resource = native_id.split(":", 9)[9]
        del self.items[native_id]
        self.servers.pop(resource, None)
        self.buckets.pop(resource, None)
        self.tags.pop(native_id, None)

    # --- answering

    def error(self, status: int, code: str, message: str) -> Answer:
        return Answer(
            status, {"errors": [{"code": code, "message": message}], "trace": "t-1", "status_code": status}
        )

    def denied(self) -> Answer:
        return self.error(403, "not_authorized", "The request is not authorized.")

    def answer(self, request: Request) -> Answer | None:
        """Object Storage says no in XML."""
        given = super().answer(request)
        if given is None or not request.path.startswith("/cos/") or not isinstance(given.body, dict):
            return given
        first = given.body["errors"][0]
        codes = {403: "AccessDenied", 429: "SlowDown", 503: "ServiceUnavailable", 404: "NoSuchBucket"}
        code = codes.get(given.status, first["code"])
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{first['message']}</Message></Error>"
        return Answer(given.status, body.encode(), {**given.headers, **_XML})

    def routes(self) -> Any:
        return [
            ("POST", r"/v3/resources/search", self._search),
            ("GET", r"/v2/resource_groups", self._groups),
            ("GET", r"/v3/tags", self._tags),
            ("POST", r"/v3/tags/(?P<verb>attach|detach)", self._change_tags),
            ("GET", r"/v1/instances/(?P<id>[^/]+)", self._server),
            ("POST", r"/v1/instances/(?P<id>[^/]+)/actions", self._act),
            ("GET", r"/v1/policies", self._policies),
            ("POST", r"/v1/policies", self._create_policy),
            ("DELETE", r"/v1/policies/(?P<id>[^/]+)", self._delete_policy),
            ("GET", r"/cos/(?P<name>[^/]+)", self._block),
            ("PUT", r"/cos/(?P<name>[^/]+)", self._put_block),
        ]

    def _search(self, request: Request) -> Answer:
        body = request.body
        cursor, limit = body.get("search_cursor"), int(request.query.get("limit", "10"))
        if request.query.get("account_id") not in (None, self.account):
            return self.denied()
        if cursor in self.forgotten_cursors:
            self.forgotten_cursors.discard(cursor)
            return self.error(400, "bad_request", "The search cursor has expired.")
        offset = int(cursor.removeprefix("cursor-")) if cursor else 0
        items = [self._item(crn) for crn in sorted(self.items)]
        page = items[offset : offset + limit]
        return Answer(200, {"search_cursor": f"cursor-{offset + len(page)}", "limit": limit, "items": page})

    def _item(self, crn: str) -> dict[str, Any]:
        item = copy.deepcopy(self.items[crn])
        server = self.servers.get(crn.split(":", 9)[9])
        if server:
            item["doc"]["status"] = server["status"]
        return {**item, "tags": list(self.tags[crn])}

    def _groups(self, request: Request) -> Answer:
        group = {"id": "rg-1", "crn": "crn", "account_id": self.account, "name": "Default", "default": True}
        return Answer(200, {"resources": [{**group, "state": "ACTIVE"}]})

    def _tags(self, request: Request) -> Answer:
        crn = request.query.get("attached_to", "")
        if crn not in self.tags:
            return self.error(404, "not_found", "The resource was not found.")
        names = [{"name": name} for name in sorted(self.tags[crn])]
        limit = int(request.query.get("limit", "100"))
        return Answer(200, {"total_count": len(names), "offset": 0, "limit": limit, "items": names[:limit]})

    def _change_tags(self, request: Request) -> Answer:
        results = []
        for resource in request.body["resources"]:
            crn = resource["resource_id"]
            if crn not in self.tags:
                results.append(
                    {"resource_id": crn, "is_error": True, "message": "the resource does not exist"}
                )
                continue
            for name in request.body["tag_names"]:
                self._change_tag(crn, name, request)
            results.append({"resource_id": crn, "is_error": False})
        return Answer(200, {"results": results})

    def _change_tag(self, crn: str, name: str, request: Request) -> None:
        kept = [tag for tag in self.tags[crn] if tag.lower() != name.lower()]
        if request.found["verb"] == "attach":
            if request.query.get("update") == "true" and ":" in name:
                prefix = name.partition(":")[0].lower() + ":"
                kept = [tag for tag in kept if not tag.lower().startswith(prefix)]
            kept.append(name)
        self.tags[crn] = kept

    def _server(self, request: Request) -> Answer:
        server = self.servers.get(request.found["id"])
        if server is None:
            return self.error(404, "instance_not_found", "The instance was not found.")
        left, target = self._looks.get(server["id"], (0, ""))
        if target and left <= 0:
            server["status"] = target
            del self._looks[server["id"]]
        elif target:
            self._looks[server["id"]] = (left - 1, target)
        return Answer(200, server)

    def _act(self, request: Request) -> Answer:
        server = self.servers.get(request.found["id"])
        if server is None:
            return self.error(404, "instance_not_found", "The instance was not found.")
        verb = request.body["type"]
        on_the_way, target = {"stop": ("stopping", "stopped"), "start": ("starting", "running")}[verb]
        if server["status"] != target:
            server["status"] = on_the_way
            self._looks[server["id"]] = (self.slow, target)
        made = {
            "id": str(uuid.uuid4()),
            "type": verb,
            "status": "running",
            "created_at": "2026-11-14T02:16:30.000Z",
        }
        return Answer(201, made)

    def _policies(self, request: Request) -> Answer:
        group = request.query.get("access_group_id")
        found = [policy for policy in self.policies.values() if _group_of(policy) == group]
        return Answer(200, {"policies": found})

    def _create_policy(self, request: Request) -> Answer:
        return Answer(201, self.policies[self._keep_policy(request.body)])

    def _delete_policy(self, request: Request) -> Answer:
        if self.policies.pop(request.found["id"], None) is None:
            return self.error(404, "policy_not_found", "The policy was not found.")
        return Answer(204)

    def _block(self, request: Request) -> Answer:
        name = request.found["name"]
        if name not in self.buckets:
            return self.error(404, "NoSuchBucket", "The specified bucket does not exist.")
        held = self.buckets[name]
        if held is None:
            text = "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code><Message>none</Message></Error>"
            return Answer(404, text.encode(), _XML)
        inner = "".join(f"<{key}>{str(value).lower()}</{key}>" for key, value in held.items())
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        body = f"<PublicAccessBlockConfiguration {space}>{inner}</PublicAccessBlockConfiguration>"
        return Answer(200, body.encode(), _XML)

    def _put_block(self, request: Request) -> Answer:
        name = request.found["name"]
        if name not in self.buckets:
            return self.error(404, "NoSuchBucket", "The specified bucket does not exist.")
        if "content-md5" not in request.headers:
            return self.error(400, "InvalidRequest", "Missing required header for this request: Content-MD5")
        found = re.findall(r"<(BlockPublicAcls|IgnorePublicAcls)>(true|false)<", request.raw.decode())
        self.buckets[name] = {key: value == "true" for key, value in found}
        return Answer(200)


def _group_of(policy: dict[str, Any]) -> str | None:
    attributes = [item for subject in policy["subjects"] for item in subject["attributes"]]
    return next((item["value"] for item in attributes if item["name"] == "access_group_id"), None)
