"""The policies that are measured: ten mixed ones, each in c7n's words too, and any number about one type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apps.rules.compile import CompiledRule, compile_policy

NOW = datetime.now(UTC)  # c7n asks the clock too
STORAGE = "Microsoft.Storage/storageAccounts"

Policies = list[tuple[str, CompiledRule]]

_VALUE = {"type": "value"}
# Four about every Azure resource (ours in Azure's language, theirs in c7n's), six about one type in Custodian's.
ANYWHERE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"field": "tags.Owner", "exists": False}, {"tag:Owner": "absent"}),
    ({"field": "tags.env", "exists": False}, {"tag:env": "absent"}),
    (
        {"field": "location", "notIn": ["westeurope", "northeurope", "uksouth"]},
        {**_VALUE, "key": "location", "op": "not-in", "value": ["westeurope", "northeurope", "uksouth"]},
    ),
    ({"field": "name", "like": "vm-*"}, {**_VALUE, "key": "name", "op": "glob", "value": "vm-*"}),
]
ONE_TYPE: list[dict[str, Any]] = [
    {"resource": "azure.storage", "filters": [{"or": [
        {**_VALUE, "key": "properties.allowBlobPublicAccess", "value": True},
        {**_VALUE, "key": "properties.minimumTlsVersion", "op": "ne", "value": "TLS1_2"}]}]},
    {"resource": "azure.networksecuritygroup", "filters": [
        {"type": "list-item", "key": "properties.securityRules", "attrs": [
        {**_VALUE, "key": "properties.access", "value": "Allow"},
        {**_VALUE, "key": "properties.direction", "value": "Inbound"},
        {**_VALUE, "key": "properties.destinationPortRange", "op": "in", "value": ["22", "3389", "*"]}]}]},
    {"resource": "azure.disk", "filters": [
        {**_VALUE, "key": "properties.diskState", "value": "Unattached"},
        {**_VALUE, "key": "properties.timeCreated", "value_type": "age", "op": "gt", "value": 90}]},
    {"resource": "aws.ec2", "filters": [
        {**_VALUE, "key": "MetadataOptions.HttpTokens", "op": "ne", "value": "required"},
        {**_VALUE, "key": "InstanceType", "op": "glob", "value": "p3.*"}]},
    {"resource": "aws.rds", "filters": [
        {"or": [
            {**_VALUE, "key": "StorageEncrypted", "value": False},
            {**_VALUE, "key": "PubliclyAccessible", "value": True}]},
        {**_VALUE, "key": "BackupRetentionPeriod", "op": "lt", "value": 7}]},
    {"resource": "aws.security-group", "filters": [
        {**_VALUE, "key": "IpPermissions[].IpRanges[].CidrIp", "op": "contains", "value": "0.0.0.0/0"}]},
]  # fmt: skip

_FIELDS = [
    "allowBlobPublicAccess", "minimumTlsVersion", "supportsHttpsTrafficOnly", "allowSharedKeyAccess", "accessTier",
    "publicNetworkAccess", "isHnsEnabled", "isNfsV3Enabled", "networkAcls.defaultAction", "networkAcls.bypass",
    "encryption.keySource", "encryption.services.blob.enabled",
]  # fmt: skip


def mixed_documents() -> list[tuple[dict[str, Any], str]]:
    """(document, language) of ten policies: four about every resource of a cloud, six about one type each."""
    documents: list[tuple[dict[str, Any], str]] = [
        ({"if": ours, "then": {"effect": "audit"}}, "azure") for ours, _ in ANYWHERE
    ]
    documents += [({"name": f"mixed-{i}", **each}, "custodian") for i, each in enumerate(ONE_TYPE)]
    return documents


def mixed_policies() -> Policies:
    return [
        (f"mixed-{i}", compile_policy(document, language=language, now=NOW))
        for i, (document, language) in enumerate(mixed_documents())
    ]


def storage_policies(count: int) -> Policies:
    """Policies on one type; each reads two of twelve places."""
    made = []
    for i in range(count):
        first, second = _FIELDS[i % len(_FIELDS)], _FIELDS[(i * 5 + 1) % len(_FIELDS)]
        one = {"field": f"{STORAGE}/{first}", "equals": f"v{i}"}
        other = {"field": f"{STORAGE}/{second}", "equals": f"w{i}"}
        condition = {"allOf": [{"field": "type", "equals": STORAGE}, {"anyOf": [one, other]}]}
        made.append(
            (
                f"storage-{i}",
                compile_policy({"if": condition, "then": {"effect": "audit"}}, language="azure", now=NOW),
            )
        )
    return made
