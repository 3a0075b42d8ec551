"""Changes of single resources: tags, machines, storage accounts. No call waits for a long operation to end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..calls import Made
from ..errors import CloudInvalid

if TYPE_CHECKING:
    from .cloud import AzureCloud

# Ids come from files too: what goes into a URL is held to what ARM allows in an id.
_SEGMENT = r"[\w.()-]*[\w()-]"
_ARM_ID = re.compile(rf"^/subscriptions/(?P<subscription>[0-9a-f-]{{36}})(?:/{_SEGMENT})*$", re.IGNORECASE)
_NAMED = re.compile(
    r"/resourceGroups/(?P<group>[^/]+)/providers/(?P<type>[^/]+/[^/]+)/(?P<name>[^/]+)$", re.IGNORECASE
)
# Headers that Azure's support asks for; nothing secret is in them.
_KEPT_HEADERS = ("x-ms-request-id", "x-ms-correlation-request-id")


class _Heard:
    """The answer as it came, for evidence."""

    def __init__(self) -> None:
        self.response: dict[str, Any] = {}

    def __call__(self, pipeline: Any) -> None:
        answer = pipeline.http_response
        kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        self.response = {"status": answer.status_code, **kept}


def scope_of(cloud: AzureCloud, native_id: str) -> str:
    """The id, if it is one of this subscription. Raises CloudInvalid for any other."""
    found = _ARM_ID.match(native_id)
    if found is None or ".." in native_id:
        raise CloudInvalid(f"{native_id[:200]!r} is not the id of an Azure resource.")
    if found["subscription"].lower() != cloud.access.account.lower():
        raise CloudInvalid(f"{native_id[:200]!r} is not of subscription {cloud.access.account}.")
    return native_id.lstrip("/")


def split_id(cloud: AzureCloud, native_id: str, type_: str) -> tuple[str, str]:
    """(resource group, name) of an id of this subscription and type. Raises CloudInvalid for another one."""
    found = _NAMED.search(scope_of(cloud, native_id))
    if found is None or found["type"].lower() != type_:
        raise CloudInvalid(f"{native_id[:200]!r} is not the id of a {type_}.")
    return found["group"], found["name"]


def read_tags(cloud: AzureCloud, native_id: str) -> dict[str, str]:
    """The tags of anything that has an ARM id."""
    scope = scope_of(cloud, native_id)
    with cloud.calling("read tags"):
        found = cloud.resources.tags.get_at_scope(scope)
    return dict(found.properties.tags or {})


def merge_tags(cloud: AzureCloud, native_id: str, tags: Mapping[str, str]) -> Made:
    """Set these tags and leave the others."""
    return _patch_tags(cloud, native_id, "Merge", tags)


def delete_tags(cloud: AzureCloud, native_id: str, tags: Mapping[str, str]) -> Made:
    """Remove these tags, each only while it has the given value."""
    return _patch_tags(cloud, native_id, "Delete", tags)


def _patch_tags(cloud: AzureCloud, native_id: str, operation: str, tags: Mapping[str, str]) -> Made:
    from azure.mgmt.resource.resources.models import Tags, TagsPatchResource

    heard, scope = _Heard(), scope_of(cloud, native_id)
    patch = TagsPatchResource(operation=operation, properties=Tags(tags=dict(tags)))
    with cloud.calling("set tags" if operation == "Merge" else "remove tags"):
        cloud.resources.tags.begin_update_at_scope(scope, patch, polling=False, raw_response_hook=heard)
    request = {"scope": native_id, "operation": operation, "tags": dict(tags)}
    return Made("Microsoft.Resources/tags/write", request, heard.response)


def read_machine(cloud: AzureCloud, native_id: str) -> dict[str, Any]:
    """`power` (running, stopped, deallocated, starting, …; unknown where Azure tells none), `ephemeral_disk`."""
    group, name = split_id(cloud, native_id, "microsoft.compute/virtualmachines")
    with cloud.calling("read the machine"):
        found = cloud.compute.virtual_machines.get(group, name, expand="instanceView")
    view, storage = found.instance_view, found.storage_profile
    codes = [status.code or "" for status in (view.statuses or [])] if view else []
    power = next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "unknown")
    disk = storage.os_disk if storage else None
    ephemeral = bool(disk and disk.diff_disk_settings and disk.diff_disk_settings.option)
    return {"power": power.lower(), "ephemeral_disk": ephemeral}


def deallocate_machine(cloud: AzureCloud, native_id: str) -> Made:
    """Ask for it to be shut down and given back, so that it costs nothing."""
    return _machine(cloud, native_id, "deallocate", "stop the machine")


def start_machine(cloud: AzureCloud, native_id: str) -> Made:
    """Ask for it to be started."""
    return _machine(cloud, native_id, "start", "start the machine")


def _machine(cloud: AzureCloud, native_id: str, verb: str, doing: str) -> Made:
    group, name = split_id(cloud, native_id, "microsoft.compute/virtualmachines")
    heard = _Heard()
    with cloud.calling(doing):
        begin = getattr(cloud.compute.virtual_machines, f"begin_{verb}")
        begin(group, name, polling=False, raw_response_hook=heard)
    return Made(f"Microsoft.Compute/virtualMachines/{verb}/action", {"id": native_id}, heard.response)


def read_storage(cloud: AzureCloud, native_id: str) -> dict[str, Any]:
    """`allow_blob_public_access` (None: never set) and `default_action` (Allow, Deny) of its network rules."""
    group, name = split_id(cloud, native_id, "microsoft.storage/storageaccounts")
    with cloud.calling("read the storage account"):
        found = cloud.storage.storage_accounts.get_properties(group, name)
    rules = found.network_rule_set
    action = str(getattr(rules.default_action, "value", rules.default_action)) if rules else "Allow"
    return {"allow_blob_public_access": found.allow_blob_public_access, "default_action": action}


def set_blob_public_access(cloud: AzureCloud, native_id: str, allowed: bool) -> Made:
    """Whether containers of the account may be opened to the public at all."""
    return _patch_storage(cloud, native_id, {"allowBlobPublicAccess": allowed}, "set public access of blobs")


def set_default_action(cloud: AzureCloud, native_id: str, action: str) -> Made:
    """What becomes of callers that no network rule names. The account's own rules and bypasses stay."""
    group, name = split_id(cloud, native_id, "microsoft.storage/storageaccounts")
    with cloud.calling("read the storage account"):
        rules = cloud.storage.storage_accounts.get_properties(group, name).network_rule_set
    kept = _plain(rules) if rules else {"bypass": "AzureServices"}
    return _patch_storage(
        cloud, native_id, {"networkAcls": {**kept, "defaultAction": action}}, "set the network rules"
    )


def _patch_storage(cloud: AzureCloud, native_id: str, properties: dict[str, Any], doing: str) -> Made:
    group, name = split_id(cloud, native_id, "microsoft.storage/storageaccounts")
    heard = _Heard()
    with cloud.calling(doing):
        cloud.storage.storage_accounts.update(
            group, name, {"properties": properties}, raw_response_hook=heard
        )
    request = {"id": native_id, "properties": properties}
    return Made("Microsoft.Storage/storageAccounts/write", request, heard.response)


def _plain(model: Any) -> dict[str, Any]:
    """An SDK model by the names of the wire."""
    return dict(model.as_dict())
