"""A stateful Azure: Resource Graph, tags, virtual machines and storage accounts of one subscription.

Shaped by the public recordings of Cloud Custodian and the REST examples; `tests/connectors/test_fake_shapes.py`
compares. Machines take `slow` looks to get from one power state to the next.
"""

from __future__ import annotations

import base64
import copy
import re
import uuid
from typing import Any

from tests.fakes.server import Answer, Fake, Request

SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
TENANT = "99999999-8888-4777-8666-555555555555"
VM, STORAGE = "Microsoft.Compute/virtualMachines", "Microsoft.Storage/storageAccounts"
_ID = r"(?P<id>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/{type}/[^/]+)"
_TYPE_FILTER = re.compile(r"where type =~ '([^']+)'")


class FakeAzure(Fake):
    """`resources` by lower-case id, as ARM would give them."""

    def __init__(self, subscription: str = SUBSCRIPTION, slow: int = 1) -> None:
        super().__init__()
        self.subscription, self.slow = subscription, slow
        self.resources: dict[str, dict[str, Any]] = {}
        self.quota: list[tuple[str, str]] = []  # (remaining, resets after) of the next answers
        self.forgotten_tokens: set[str] = set()
        self._looks: dict[str, tuple[int, str]] = {}

    # --- filling

    def add(self, type_: str, name: str, group: str = "rg-web", **fields: Any) -> str:
        """A resource; its id."""
        native_id = f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/{type_}/{name}"
        known = {"id": native_id, "name": name, "type": type_, "location": "westeurope", "tags": {}}
        self.resources[native_id.lower()] = {**known, "properties": {}, **copy.deepcopy(fields)}
        return native_id

    def add_machine(
        self, name: str, power: str = "running", *, ephemeral: bool = False, **fields: Any
    ) -> str:
        disk: dict[str, Any] = {"osType": "Linux", "createOption": "FromImage", "caching": "ReadWrite"}
        if ephemeral:
            disk["diffDiskSettings"] = {"option": "Local"}
        properties = {
            "hardwareProfile": {"vmSize": "Standard_B1s"},
            "provisioningState": "Succeeded",
            "vmId": str(uuid.uuid4()),
            "storageProfile": {"osDisk": disk, "dataDisks": []},
        }
        native_id = self.add(VM, name, properties=properties, **fields)
        self.resources[native_id.lower()]["power"] = power
        return native_id

    def add_storage(
        self, name: str, *, public: bool | None = True, action: str = "Allow", **fields: Any
    ) -> str:
        rules = {"bypass": "AzureServices", "virtualNetworkRules": [], "defaultAction": action}
        properties: dict[str, Any] = {
            "networkAcls": {**rules, "ipRules": [{"value": "203.0.113.7", "action": "Allow"}]},
            "supportsHttpsTrafficOnly": True,
            "provisioningState": "Succeeded",
        }
        if public is not None:
            properties["allowBlobPublicAccess"] = public
        sku = {"name": "Standard_LRS", "tier": "Standard"}
        return self.add(STORAGE, name, properties=properties, sku=sku, kind="StorageV2", **fields)

    def lose(self, native_id: str) -> None:
        del self.resources[native_id.lower()]

    # --- answering

    def error(self, status: int, code: str, message: str) -> Answer:
        return Answer(status, {"error": {"code": code, "message": message}})

    def denied(self) -> Answer:
        return self.error(
            403,
            "AuthorizationFailed",
            "The client does not have authorization to perform the action over the scope.",
        )

    def routes(self) -> Any:
        machine, storage = _ID.format(type=re.escape(VM)), _ID.format(type=re.escape(STORAGE))
        tags = r"(?P<id>/subscriptions/.+)/providers/Microsoft\.Resources/tags/default"
        return [
            ("POST", r"/providers/Microsoft\.ResourceGraph/resources", self._graph),
            ("GET", tags, self._tags),
            ("PATCH", tags, self._patch_tags),
            ("GET", machine, self._machine),
            ("POST", machine + r"/(?P<verb>deallocate|start|powerOff)", self._power),
            ("GET", storage, self._get),
            ("PATCH", storage, self._patch_storage),
        ]

    def _of(self, request: Request) -> dict[str, Any] | None:
        return self.resources.get(request.found["id"].lower())

    def _gone(self, request: Request) -> Answer:
        name = request.found["id"].rsplit("/", 1)[-1]
        return self.error(404, "ResourceNotFound", f"The Resource '{name}' was not found.")

    def _graph(self, request: Request) -> Answer:
        body = request.body
        options = body.get("options", {})
        if self.subscription not in body["subscriptions"]:
            return self.error(403, "AuthorizationFailed", "no access to the subscriptions")
        rows = self._rows(body["query"])
        offset = 0
        token = options.get("$skipToken")
        if token:
            if token in self.forgotten_tokens:
                self.forgotten_tokens.discard(token)
                return self.error(400, "BadRequest", "The skip token is invalid or has expired.")
            offset = int(base64.b64decode(token).decode().split(":")[1])
        top = min(int(options.get("$top", 100)), 1000)
        page = rows[offset : offset + top]
        answer: dict[str, Any] = {
            "totalRecords": len(rows),
            "count": len(page),
            "data": page,
            "facets": [],
            "resultTruncated": "false",
        }
        if offset + top < len(rows):
            answer["$skipToken"] = base64.b64encode(f"skip:{offset + top}".encode()).decode()
        remaining, resets = self.quota.pop(0) if self.quota else ("14", "00:00:05")
        return Answer(
            200,
            answer,
            {"x-ms-user-quota-remaining": remaining, "x-ms-user-quota-resets-after": resets},
        )

    def _rows(self, query: str) -> list[dict[str, Any]]:
        """Only what the connector asks: a table, perhaps of one type, in the order of ids."""
        if query.split()[0] == "resourcecontainers":
            rows = self._containers()
        else:
            rows = [self._row(resource) for resource in self.resources.values()]
        wanted = _TYPE_FILTER.search(query)
        if wanted:
            rows = [row for row in rows if row["type"].lower() == wanted[1].lower()]
        return sorted(rows, key=lambda row: row["id"])

    def _row(self, resource: dict[str, Any]) -> dict[str, Any]:
        parts = resource["id"].split("/")
        properties = copy.deepcopy(resource["properties"])
        if "power" in resource:
            code = f"PowerState/{resource['power']}"
            properties["extended"] = {"instanceView": {"powerState": {"code": code}}}
        return {
            "id": resource["id"],
            "name": resource["name"],
            "type": resource["type"].lower(),
            "tenantId": TENANT,
            "kind": resource.get("kind", ""),
            "location": resource["location"],
            "resourceGroup": parts[4].lower() if len(parts) > 4 else "",
            "subscriptionId": self.subscription,
            "managedBy": "",
            "sku": resource.get("sku"),
            "plan": None,
            "properties": properties,
            "tags": resource["tags"] or None,
            "identity": None,
            "zones": None,
        }

    def _containers(self) -> list[dict[str, Any]]:
        groups = sorted({resource["id"].split("/")[4] for resource in self.resources.values()})
        whole = f"/subscriptions/{self.subscription}"
        base = {"location": "westeurope", "tags": {}, "properties": {"provisioningState": "Succeeded"}}
        rows = [
            {
                **base,
                "id": whole,
                "name": "Web shop",
                "type": "microsoft.resources/subscriptions",
                "location": "",
            }
        ]
        for group in groups:
            kind = "microsoft.resources/subscriptions/resourcegroups"
            rows.append({**base, "id": f"{whole}/resourceGroups/{group}", "name": group, "type": kind})
        return [self._row(row) for row in rows]

    def _tags(self, request: Request) -> Answer:
        resource = self._of(request)
        if resource is None:
            return self._gone(request)
        scope = f"{resource['id']}/providers/Microsoft.Resources/tags/default"
        body = {"id": scope, "name": "default", "type": "Microsoft.Resources/tags"}
        return Answer(200, {**body, "properties": {"tags": dict(resource["tags"])}})

    def _patch_tags(self, request: Request) -> Answer:
        resource = self._of(request)
        if resource is None:
            return self._gone(request)
        tags, given = resource["tags"], request.body["properties"].get("tags") or {}
        for key, value in given.items():
            there = next((name for name in tags if name.lower() == key.lower()), None)
            if request.body["operation"] == "Merge":
                tags[there or key] = value
            elif there is not None and value in ("", tags[there]):
                del tags[there]
        return self._tags(request)

    def _machine(self, request: Request) -> Answer:
        resource = self._of(request)
        if resource is None:
            return self._gone(request)
        self._step(resource)
        shown = {key: value for key, value in resource.items() if key != "power"}
        if request.query.get("$expand") == "instanceView":
            statuses = [
                {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Succeeded"},
                {
                    "code": f"PowerState/{resource['power']}",
                    "level": "Info",
                    "displayStatus": f"VM {resource['power']}",
                },
            ]
            shown["properties"] = {**shown["properties"], "instanceView": {"statuses": statuses}}
        return Answer(200, shown)

    def _step(self, resource: dict[str, Any]) -> None:
        left, target = self._looks.get(resource["id"], (0, ""))
        if not target:
            return
        if left <= 0:
            resource["power"] = target
            del self._looks[resource["id"]]
        else:
            self._looks[resource["id"]] = (left - 1, target)

    def _power(self, request: Request) -> Answer:
        resource = self._of(request)
        if resource is None:
            return self._gone(request)
        on_the_way, target = {
            "deallocate": ("deallocating", "deallocated"),
            "start": ("starting", "running"),
            "poweroff": ("stopping", "stopped"),
        }[request.found["verb"].lower()]
        if resource["power"] != target:
            resource["power"] = on_the_way
            self._looks[resource["id"]] = (self.slow, target)
        where = f"{self.url}/subscriptions/{self.subscription}/providers/Microsoft.Compute/operations/{uuid.uuid4()}"
        return Answer(202, None, {"Azure-AsyncOperation": where, "Location": where, "x-ms-request-id": "r-1"})

    def _get(self, request: Request) -> Answer:
        resource = self._of(request)
        return Answer(200, resource) if resource else self._gone(request)

    def _patch_storage(self, request: Request) -> Answer:
        resource = self._of(request)
        if resource is None:
            return self._gone(request)
        for key, value in request.body.get("properties", {}).items():
            if key == "allowBlobPublicAccess" and value is None:
                continue
            resource["properties"][key] = value
        return Answer(200, resource, {"x-ms-request-id": "r-2"})
