"""Policies as people keep them: our own writing, built as the packs in use are built. Each hits what it is to hit and no more,
by SQL, by the evaluator, and the Custodian ones by c7n.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
import yaml

from apps.rules.compile import compile_policy
from apps.rules.evaluate import Resource, evaluate
from tests.rules import database
from tests.rules.conftest import NOW as AZURE_NOW
from tests.rules.custodian_oracle import ACCOUNT, NOW, by_c7n, by_reference, by_sql

# name: (policy, documents that it hits, documents that it leaves alone)
Cases = dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key.replace("__", ":"), "Value": value} for key, value in pairs.items()]


def group(port: int, cidr: str) -> dict[str, Any]:
    """A security group, as EC2 describes it."""
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
    rest: dict[str, Any] = {"Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}
    return {
        "GroupId": "sg-1",
        "OwnerId": ACCOUNT,
        "IpPermissions": [permission | rest],
        "IpPermissionsEgress": [],
    }


CUSTODIAN: Cases = {
    "ec2-tag-compliance-any-missing": (
        """
        resource: aws.ec2
        filters:
          - or: ["tag:Owner": absent, "tag:CostCenter": empty, "tag:Environment": absent]
        """,
        [
            {},
            {"Tags": tags(Owner="a", Environment="dev")},
            {"Tags": tags(Owner="a", Environment="dev", CostCenter="")},
        ],
        [{"Tags": tags(Owner="a", Environment="dev", CostCenter="7")}],
    ),
    "ec2-tag-values-allowed": (
        """
        resource: aws.ec2
        filters:
          - "tag:Environment": present
          - not: [{type: value, key: "tag:Environment", op: in, value: [dev, test, prod]}]
        """,
        [{"Tags": tags(Environment="production")}],
        [{"Tags": tags(Environment="prod")}, {}],
    ),
    "ec2-owner-is-an-address": (
        """
        resource: aws.ec2
        filters:
          - not: [{type: value, key: "tag:Owner", op: regex, value: '^[^@ ]+@example\\.com$'}]
        """,
        [{}, {"Tags": tags(Owner="ada")}, {"Tags": tags(Owner="ada@example.org")}],
        [{"Tags": tags(Owner="ADA@example.com")}],
    ),
    "ec2-imdsv1-allowed": (
        """
        resource: aws.ec2
        filters:
          - {type: value, key: MetadataOptions.HttpTokens, op: ne, value: required}
          - {type: value, key: MetadataOptions.HttpEndpoint, value: enabled}
        """,
        [{"MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"}}],
        [
            {"MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"}},
            {"MetadataOptions": {"HttpEndpoint": "disabled"}},
        ],
    ),
    "ec2-stopped-for-a-month": (
        """
        resource: aws.ec2
        filters:
          - State.Name: stopped
          - {type: value, key: LaunchTime, value_type: age, op: ge, value: 30}
        """,
        [{"State": {"Name": "stopped"}, "LaunchTime": "2026-09-01T00:00:00+00:00"}],
        [
            {"State": {"Name": "stopped"}, "LaunchTime": "2026-11-20T00:00:00+00:00"},
            {"State": {"Name": "running"}, "LaunchTime": "2026-09-01T00:00:00+00:00"},
        ],
    ),
    "ec2-public-and-not-behind-a-balancer": (
        """
        resource: aws.ec2
        filters:
          - PublicIpAddress: not-null
          - "tag:Exposed": absent
          - {type: value, key: "SecurityGroups[].GroupName", op: intersect, value: [default, launch-wizard-1]}
        """,
        [{"PublicIpAddress": "1.2.3.4", "SecurityGroups": [{"GroupName": "default"}]}],
        [
            {"PublicIpAddress": "1.2.3.4", "SecurityGroups": [{"GroupName": "web"}]},
            {"PublicIpAddress": None, "SecurityGroups": [{"GroupName": "default"}]},
        ],
    ),
    "ec2-marked-and-due": (
        """
        resource: aws.ec2
        filters:
          - {type: marked-for-op, tag: custodian_cleanup, op: terminate}
        """,
        [{"Tags": tags(custodian_cleanup="Resource does not meet policy: terminate@2026/11/20")}],
        [
            {"Tags": tags(custodian_cleanup="Resource does not meet policy: terminate@2026/12/24")},
            {"Tags": tags(custodian_cleanup="Resource does not meet policy: stop@2026/11/20")},
            {},
        ],
    ),
    "ec2-previous-generations": (
        """
        resource: aws.ec2
        filters:
          - {type: value, key: InstanceType, op: regex, value: '^(t1|m1|m2|m3|c1|c3|r3)\\.'}
          - not: [{"tag:Exempt": "true"}]
        """,
        [{"InstanceType": "m3.large"}, {"InstanceType": "c1.medium", "Tags": tags(Exempt="false")}],
        [{"InstanceType": "m5.large"}, {"InstanceType": "m3.large", "Tags": tags(Exempt="true")}],
    ),
    "ec2-autoscaled-left-out": (
        """
        resource: aws.ec2
        filters:
          - "tag:aws:autoscaling:groupName": absent
          - or:
              - {type: value, key: EbsOptimized, value: false}
              - and: [{Monitoring.State: disabled}, {type: value, key: InstanceType, op: glob, value: "*.metal"}]
        """,
        [
            {"EbsOptimized": False},
            {"EbsOptimized": True, "Monitoring": {"State": "disabled"}, "InstanceType": "m5.metal"},
        ],
        [{"EbsOptimized": False, "Tags": tags(aws__autoscaling__groupName="g")}, {"EbsOptimized": True}],
    ),
    "ebs-unattached": (
        """
        resource: aws.ebs
        filters:
          - Attachments: []
          - {type: value, key: Size, op: gte, value: 100}
        """,
        [{"Attachments": [], "Size": 500}],
        [{"Attachments": [], "Size": 8}, {"Attachments": [{"InstanceId": "i-1"}], "Size": 500}],
    ),
    "ebs-unencrypted-in-use": (
        """
        resource: aws.ebs
        filters: [Encrypted: false, State: in-use]
        """,
        [{"Encrypted": False, "State": "in-use"}],
        [{"Encrypted": True, "State": "in-use"}, {"State": "in-use"}],
    ),
    "snapshot-older-than-a-quarter": (
        """
        resource: aws.ebs-snapshot
        filters:
          - {type: age, days: 90, op: ge}
          - {type: value, key: Description, op: not-equal, value: golden}
        """,
        [{"StartTime": "2026-06-01T00:00:00+00:00", "Description": "x"}],
        [
            {"StartTime": "2026-11-01T00:00:00+00:00"},
            {"StartTime": "2026-06-01T00:00:00+00:00", "Description": "golden"},
        ],
    ),
    "sg-open-to-the-world": (
        """
        resource: aws.security-group
        filters:
          - {type: ingress, Ports: [22, 3389], Cidr: {value: "0.0.0.0/0"}}
        """,
        [group(22, "0.0.0.0/0")],
        [group(443, "0.0.0.0/0"), group(22, "10.0.0.0/8")],
    ),
    "rds-public-unencrypted-or-short-backups": (
        """
        resource: aws.rds
        filters:
          - or:
              - PubliclyAccessible: true
              - StorageEncrypted: false
              - {type: value, key: BackupRetentionPeriod, op: lt, value: 7}
        """,
        [
            {"PubliclyAccessible": True, "StorageEncrypted": True, "BackupRetentionPeriod": 30},
            {"PubliclyAccessible": False, "StorageEncrypted": True, "BackupRetentionPeriod": 1},
        ],
        [{"PubliclyAccessible": False, "StorageEncrypted": True, "BackupRetentionPeriod": 7}],
    ),
    "rds-engine-major-old": (
        """
        resource: aws.rds
        filters:
          - {type: value, key: Engine, op: in, value: [postgres, aurora-postgresql]}
          - {type: value, key: EngineVersion, op: regex, value: '^(9|10|11|12)\\.'}
        """,
        [{"Engine": "postgres", "EngineVersion": "11.22"}],
        [{"Engine": "postgres", "EngineVersion": "17.2"}, {"Engine": "mysql", "EngineVersion": "11.1"}],
    ),
    "lambda-runtimes-out-of-support": (
        """
        resource: aws.lambda
        filters:
          - {type: value, key: Runtime, op: in, value: [python2.7, python3.6, nodejs12.x, dotnetcore3.1]}
          - {type: value, key: MemorySize, op: gt, value: 128}
        """,
        [{"Runtime": "nodejs12.x", "MemorySize": 512}],
        [{"Runtime": "python3.12", "MemorySize": 512}, {"Runtime": "nodejs12.x", "MemorySize": 128}],
    ),
    "lambda-secret-names-in-environment": (
        """
        resource: aws.lambda
        filters:
          - {type: value, key: "keys(Environment.Variables)", op: intersect, value: [PASSWORD, SECRET, API_KEY]}
        """,
        [{"Environment": {"Variables": {"API_KEY": "x", "A": "b"}}}],
        [{"Environment": {"Variables": {"A": "b"}}}],
    ),
    "kms-key-rotation": (
        """
        resource: aws.kms-key
        filters:
          - {type: value, key: KeyManager, value: CUSTOMER}
          - {type: value, key: KeyRotationEnabled, op: ne, value: true}
        """,
        [{"KeyManager": "CUSTOMER", "KeyRotationEnabled": False}, {"KeyManager": "CUSTOMER"}],
        [{"KeyManager": "CUSTOMER", "KeyRotationEnabled": True}, {"KeyManager": "AWS"}],
    ),
    "azure-storage-hardening": (
        """
        resource: azure.storage
        filters:
          - or:
              - {type: value, key: properties.supportsHttpsTrafficOnly, value: false}
              - {type: value, key: properties.minimumTlsVersion, op: not-in, value: [TLS1_2, TLS1_3]}
              - {type: value, key: properties.networkAcls.defaultAction, op: eq, value: Allow}
        """,
        [
            {"properties": {"supportsHttpsTrafficOnly": True, "minimumTlsVersion": "TLS1_0"}},
            {
                "properties": {
                    "supportsHttpsTrafficOnly": True,
                    "minimumTlsVersion": "TLS1_2",
                    "networkAcls": {"defaultAction": "Allow"},
                }
            },
        ],
        [
            {
                "properties": {
                    "supportsHttpsTrafficOnly": True,
                    "minimumTlsVersion": "TLS1_3",
                    "networkAcls": {"defaultAction": "Deny"},
                }
            }
        ],
    ),
    "azure-nsg-any-source": (
        """
        resource: azure.networksecuritygroup
        filters:
          - type: list-item
            key: properties.securityRules
            attrs:
              - properties.direction: Inbound
              - properties.access: Allow
              - {type: value, key: properties.sourceAddressPrefix, op: in, value: ["*", Internet, 0.0.0.0/0]}
        """,
        [
            {
                "properties": {
                    "securityRules": [
                        {
                            "properties": {
                                "direction": "Inbound",
                                "access": "Allow",
                                "sourceAddressPrefix": "*",
                            }
                        }
                    ]
                }
            }
        ],
        [
            {
                "properties": {
                    "securityRules": [
                        {
                            "properties": {
                                "direction": "Outbound",
                                "access": "Allow",
                                "sourceAddressPrefix": "*",
                            }
                        },
                        {
                            "properties": {
                                "direction": "Inbound",
                                "access": "Allow",
                                "sourceAddressPrefix": "10.0.0.0/8",
                            }
                        },
                    ]
                }
            }
        ],
    ),
    "azure-vm-name-and-size": (
        """
        resource: azure.vm
        filters:
          - {type: value, key: name, op: glob, value: "tmp-*"}
          - {type: value, key: properties.hardwareProfile.vmSize, value_type: normalize, op: contains, value: _n}
        """,
        [{"name": "tmp-1", "properties": {"hardwareProfile": {"vmSize": "Standard_NC6"}}}],
        [{"name": "web-1", "properties": {"hardwareProfile": {"vmSize": "Standard_NC6"}}}],
    ),
    "gcp-bucket-without-uniform-access": (
        """
        resource: gcp.bucket
        filters:
          - {type: value, key: iamConfiguration.uniformBucketLevelAccess.enabled, op: ne, value: true}
          - {type: value, key: labels.public, value: absent}
        """,
        [{"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}}}, {}],
        [
            {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}},
            {"labels": {"public": "yes"}},
        ],
    ),
    "gcp-instance-serial-port-or-default-account": (
        """
        resource: gcp.instance
        filters:
          - or:
              - type: list-item
                key: metadata.items
                attrs: [{key: serial-port-enable}, {type: value, key: value, op: in, value: ["true", "1"]}]
              - {type: value, key: "serviceAccounts[].email", op: regex, value: ".*-compute@developer.*"}
        """,
        [{"metadata": {"items": [{"key": "serial-port-enable", "value": "true"}]}}],
        [{"metadata": {"items": [{"key": "serial-port-enable", "value": "false"}]}}],
    ),
    "many-tags": (
        """
        resource: aws.ec2
        filters: [{type: tag-count, count: 3, op: gte}]
        """,
        [{"Tags": tags(a="1", b="2", c="3")}],
        [{"Tags": tags(a="1", b="2", aws__x="3")}],
    ),
}


@pytest.mark.parametrize("name", CUSTODIAN)
def test_a_custodian_policy_hits_what_it_is_to_hit(rules_connection: psycopg.Connection, name: str) -> None:
    text, hits, misses = CUSTODIAN[name]
    policy = {"name": name, **yaml.safe_load(text)}
    rule = compile_policy(policy, language="custodian", now=NOW)
    documents = [json.dumps(document) for document in [*hits, *misses]]
    wanted = ["true"] * len(hits) + ["false"] * len(misses)
    assert rule.resource_types is not None
    for kind in rule.resource_types:
        assert by_sql(rules_connection, rule.tree, documents, type=kind, provider=rule.provider) == wanted
        assert by_reference(rule.tree, documents, type=kind, provider=rule.provider) == wanted
    assert by_c7n(policy["filters"], documents) == wanted


def one(type_: str, /, **columns: Any) -> dict[str, Any]:
    """An Azure resource: columns of the inventory, the rest in its document's `properties`."""
    return {"type": type_, **columns}


STORAGE, VM, NSG = (
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Network/networkSecurityGroups",
)
VAULT, SQL, WEB = "Microsoft.KeyVault/vaults", "Microsoft.Sql/servers", "Microsoft.Web/sites"
DISK, COSMOS, AKS = (
    "Microsoft.Compute/disks",
    "Microsoft.DocumentDB/databaseAccounts",
    "Microsoft.ContainerService/managedClusters",
)
SSH = {
    "count": {
        "field": f"{NSG}/securityRules[*]",
        "where": {
            "allOf": [
                {"field": f"{NSG}/securityRules[*].access", "equals": "Allow"},
                {"field": f"{NSG}/securityRules[*].direction", "equals": "Inbound"},
                {
                    "field": f"{NSG}/securityRules[*].sourceAddressPrefix",
                    "in": ["*", "Internet", "0.0.0.0/0"],
                },
                {
                    "anyOf": [
                        {"field": f"{NSG}/securityRules[*].destinationPortRange", "in": ["22", "3389", "*"]},
                        {
                            "value": "[if(contains(current('"
                            + NSG
                            + "/securityRules[*].destinationPortRange'), '-'),"
                            " and(lessOrEquals(int(first(split(current('"
                            + NSG
                            + "/securityRules[*].destinationPortRange'), '-'))), 22),"
                            " greaterOrEquals(int(last(split(current('"
                            + NSG
                            + "/securityRules[*].destinationPortRange'), '-'))), 22)), false)]",
                            "equals": True,
                        },
                    ]
                },
            ]
        },
    },
    "greater": 0,
}


def security_rule(port: str, source: str = "*", access: str = "Allow") -> dict[str, Any]:
    return {
        "properties": {
            "access": access,
            "direction": "Inbound",
            "sourceAddressPrefix": source,
            "destinationPortRange": port,
        }
    }


def of_type(type_: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {"allOf": [{"field": "type", "equals": type_}, *more]}


# name: (if, parameters with their defaults, what is hit, what is not)
Azure = dict[str, tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]
AZURE: Azure = {
    "allowed-locations": (
        {
            "allOf": [
                {"field": "location", "notIn": "[parameters('listOfAllowedLocations')]"},
                {"field": "location", "notEquals": "global"},
                {"field": "type", "notEquals": "Microsoft.AzureActiveDirectory/b2cDirectories"},
            ]
        },
        {"listOfAllowedLocations": ["westeurope", "northeurope"]},
        [one(VM, location="eastus")],
        [one(VM, location="westeurope"), one("Microsoft.Network/trafficManagerProfiles", location="global")],
    ),
    "allowed-machine-sizes": (
        of_type(VM, {"not": {"field": f"{VM}/sku.name", "in": "[parameters('sizes')]"}}),
        {"sizes": ["Standard_B2s", "Standard_D2s_v5"]},
        [one(VM, hardwareProfile={"vmSize": "Standard_E64s_v5"})],
        [one(VM, hardwareProfile={"vmSize": "standard_b2s"}), one(DISK)],
    ),
    "require-a-tag": (
        {"field": "[concat('tags[', parameters('tagName'), ']')]", "exists": "false"},
        {"tagName": "CostCenter"},
        [one(VM), one(VM, tags={"Owner": "a"})],
        [one(VM, tags={"costcenter": ""}), one(DISK, tags={"CostCenter": "7"})],
    ),
    "require-a-tag-and-its-value": (
        {
            "not": {
                "field": "[concat('tags[', parameters('tagName'), ']')]",
                "equals": "[parameters('tagValue')]",
            }
        },
        {"tagName": "Environment", "tagValue": "prod"},
        [one(VM), one(VM, tags={"Environment": "dev"})],
        [one(VM, tags={"environment": "PROD"})],
    ),
    "inherit-the-groups-tag": (
        {
            "allOf": [
                {
                    "field": "[concat('tags[', parameters('tagName'), ']')]",
                    "notEquals": "[resourceGroup().tags[parameters('tagName')]]",
                },
                {"value": "[resourceGroup().tags[parameters('tagName')]]", "notEquals": ""},
            ]
        },
        {"tagName": "Team"},
        [
            one(VM, group_name="rg", account="sub"),
            one(VM, group_name="rg", account="sub", tags={"Team": "blue"}),
        ],
        [one(VM, group_name="rg", account="sub", tags={"Team": "red"})],
    ),
    "name-pattern": (
        of_type(
            VM,
            {"not": {"anyOf": [{"field": "name", "match": "vm-???-##"}, {"field": "name", "like": "aks-*"}]}},
        ),
        {},
        [one(VM, name="web1")],
        [one(VM, name="vm-web-01"), one(VM, name="aks-pool-1")],
    ),
    "storage-over-https-only": (
        of_type(
            STORAGE,
            {
                "anyOf": [
                    {"field": f"{STORAGE}/supportsHttpsTrafficOnly", "exists": "false"},
                    {"field": f"{STORAGE}/supportsHttpsTrafficOnly", "equals": "false"},
                ]
            },
        ),
        {},
        [one(STORAGE), one(STORAGE, supportsHttpsTrafficOnly=False)],
        [one(STORAGE, supportsHttpsTrafficOnly=True)],
    ),
    "storage-public-network": (
        of_type(
            STORAGE,
            {"field": f"{STORAGE}/networkAcls.defaultAction", "notEquals": "Deny"},
            {"field": f"{STORAGE}/publicNetworkAccess", "notEquals": "Disabled"},
        ),
        {},
        [one(STORAGE), one(STORAGE, networkAcls={"defaultAction": "Allow"})],
        [one(STORAGE, publicNetworkAccess="Disabled"), one(STORAGE, networkAcls={"defaultAction": "deny"})],
    ),
    "storage-firewall-holds-no-wide-range": (
        of_type(
            STORAGE,
            {
                "count": {
                    "field": f"{STORAGE}/networkAcls.ipRules[*]",
                    "where": {
                        "value": f"[ipRangeContains(parameters('office'), current('{STORAGE}/networkAcls.ipRules[*].value'))]",
                        "equals": False,
                    },
                },
                "greaterOrEquals": 1,
            },
        ),
        {"office": "203.0.113.0/24"},
        [one(STORAGE, networkAcls={"ipRules": [{"value": "203.0.113.7"}, {"value": "203.0.0.0/16"}]})],
        [one(STORAGE, networkAcls={"ipRules": [{"value": "203.0.113.7"}]}), one(STORAGE)],
    ),
    "storage-replication": (
        of_type(STORAGE, {"field": f"{STORAGE}/sku.name", "in": ["Standard_LRS", "Premium_LRS"]}),
        {},
        [one(STORAGE, sku={"name": "standard_lrs"})],
        [one(STORAGE, sku={"name": "Standard_GRS"})],
    ),
    "nsg-management-ports": (
        of_type(NSG, SSH),
        {},
        [
            one(NSG, securityRules=[security_rule("22")]),
            one(NSG, securityRules=[security_rule("20-30", "Internet")]),
        ],
        [
            one(NSG, securityRules=[security_rule("443")]),
            one(NSG, securityRules=[security_rule("22", "10.0.0.0/8"), security_rule("22", access="Deny")]),
            one(NSG),
        ],
    ),
    "every-rule-has-a-description": (
        of_type(NSG, {"not": {"field": f"{NSG}/securityRules[*].description", "exists": "true"}}),
        {},
        [one(NSG, securityRules=[{"properties": {"description": "a"}}, {"properties": {}}])],
        [one(NSG, securityRules=[{"properties": {"description": "a"}}])],
    ),
    "vault-recovery": (
        of_type(
            VAULT,
            {
                "anyOf": [
                    {"field": f"{VAULT}/enableSoftDelete", "notEquals": "true"},
                    {"field": f"{VAULT}/enablePurgeProtection", "notEquals": "true"},
                    {"field": f"{VAULT}/softDeleteRetentionInDays", "less": "[parameters('days')]"},
                ]
            },
        ),
        {"days": 30},
        [
            one(VAULT, enableSoftDelete=True, enablePurgeProtection=None, softDeleteRetentionInDays=90),
            one(VAULT, enableSoftDelete=True, enablePurgeProtection=True, softDeleteRetentionInDays=7),
        ],
        [one(VAULT, enableSoftDelete=True, enablePurgeProtection=True, softDeleteRetentionInDays=30)],
    ),
    "vault-policies-grant-no-purge": (
        of_type(
            VAULT,
            {
                "count": {
                    "field": f"{VAULT}/accessPolicies[*]",
                    "where": {"field": f"{VAULT}/accessPolicies[*].permissions.keys[*]", "contains": "purge"},
                },
                "greater": 0,
            },
        ),
        {},
        [one(VAULT, accessPolicies=[{"permissions": {"keys": ["Purge"]}}])],
        [one(VAULT, accessPolicies=[{"permissions": {"keys": ["get"]}}]), one(VAULT, accessPolicies=[])],
    ),
    "sql-public-or-old-tls": (
        of_type(
            SQL,
            {
                "anyOf": [
                    {"field": f"{SQL}/publicNetworkAccess", "notEquals": "Disabled"},
                    {"field": f"{SQL}/minimalTlsVersion", "notIn": ["1.2", "1.3"]},
                ]
            },
        ),
        {},
        [
            one(SQL, publicNetworkAccess="Disabled"),
            one(SQL, publicNetworkAccess="Enabled", minimalTlsVersion="1.2"),
        ],
        [one(SQL, publicNetworkAccess="Disabled", minimalTlsVersion="1.2")],
    ),
    "web-app-kinds": (
        {
            "allOf": [
                {"field": "type", "equals": WEB},
                {"field": "kind", "contains": "functionapp"},
                {"field": "kind", "notContains": "workflowapp"},
                {"field": f"{WEB}/httpsOnly", "notEquals": True},
            ]
        },
        {},
        [one(WEB, kind="functionapp,linux")],
        [
            one(WEB, kind="functionapp,workflowapp"),
            one(WEB, kind="app"),
            one(WEB, kind="functionapp", httpsOnly=True),
        ],
    ),
    "disk-export-and-own-keys": (
        of_type(
            DISK,
            {"field": f"{DISK}/networkAccessPolicy", "notIn": ["DenyAll", "AllowPrivate"]},
            {"field": f"{DISK}/encryption.type", "notLike": "*CustomerKey"},
        ),
        {},
        [one(DISK), one(DISK, networkAccessPolicy="AllowAll")],
        [one(DISK, networkAccessPolicy="denyall")],
    ),
    "cosmos-firewall-empty": (
        of_type(
            COSMOS,
            {"field": f"{COSMOS}/publicNetworkAccess", "notEquals": "Disabled"},
            {"field": f"{COSMOS}/isVirtualNetworkFilterEnabled", "notEquals": "true"},
            {"count": {"field": f"{COSMOS}/ipRules[*]"}, "equals": 0},
        ),
        {},
        [one(COSMOS), one(COSMOS, ipRules=[])],
        [
            one(COSMOS, ipRules=[{"ipAddressOrRange": "1.2.3.4"}]),
            one(COSMOS, isVirtualNetworkFilterEnabled=True),
        ],
    ),
    "cluster-api-and-accounts": (
        of_type(
            AKS,
            {
                "anyOf": [
                    {"field": f"{AKS}/disableLocalAccounts", "notEquals": True},
                    {
                        "allOf": [
                            {
                                "field": f"{AKS}/apiServerAccessProfile.enablePrivateCluster",
                                "notEquals": "true",
                            },
                            {
                                "value": f"[length(field('{AKS}/apiServerAccessProfile.authorizedIPRanges[*]'))]",
                                "equals": 0,
                            },
                        ]
                    },
                ]
            },
        ),
        {},
        [one(AKS), one(AKS, disableLocalAccounts=True)],
        [one(AKS, disableLocalAccounts=True, apiServerAccessProfile={"authorizedIPRanges": ["1.2.3.4/32"]})],
    ),
    "machine-images-of-known-publishers": (
        of_type(
            VM,
            {
                "not": {
                    "anyOf": [
                        {"field": "Microsoft.Compute/imagePublisher", "in": "[parameters('publishers')]"},
                        {
                            "value": "[contains(field('Microsoft.Compute/imageId'), '/galleries/golden/')]",
                            "equals": True,
                        },
                    ]
                }
            },
        ),
        {"publishers": ["Canonical", "RedHat"]},
        [one(VM, storageProfile={"imageReference": {"publisher": "other"}})],
        [
            one(VM, storageProfile={"imageReference": {"publisher": "canonical"}}),
            one(VM, storageProfile={"imageReference": {"id": "/subscriptions/s/galleries/golden/images/1"}}),
        ],
    ),
    "environment-from-the-name": (
        {
            "allOf": [
                {"value": "[length(field('name'))]", "greaterOrEquals": 3},
                {"value": "[toLower(substring(field('name'), 0, 3))]", "equals": "prd"},
                {"field": "tags['Environment']", "notEquals": "prod"},
            ]
        },
        {},
        [one(VM, name="PRD-web")],
        [one(VM, name="prd-web", tags={"Environment": "prod"}), one(VM, name="dev-web"), one(VM, name="ab")],
    ),
    "subscription-and-group": (
        {
            "allOf": [
                {"value": "[resourceGroup().name]", "like": "rg-*"},
                {"value": "[subscription().subscriptionId]", "notIn": "[parameters('known')]"},
            ]
        },
        {"known": ["sub"]},
        [one(VM, group_name="rg-a", account="other")],
        [one(VM, group_name="rg-a", account="sub"), one(VM, group_name="a", account="other")],
    ),
    "expires-within-the-notice": (
        of_type(
            VM,
            {"field": "tags['expires']", "exists": True},
            {"value": "[field('tags[''expires'']')]", "lessOrEquals": "[addDays(utcNow(), 14)]"},
        ),
        {},
        [one(VM, tags={"expires": "2020-01-01"})],
        [one(VM, tags={"expires": "2999-01-01"}), one(VM)],
    ),
}
GROUP = Resource(
    id="group",
    native_id="/subscriptions/sub/resourceGroups/rg",
    provider="azure",
    type="microsoft.resources/subscriptions/resourcegroups",
    name="rg",
    account="sub",
    tags={"Team": "red"},
    properties={},
)


def resource(number: int, spec: dict[str, Any]) -> Resource:
    columns = {key: spec[key] for key in ("name", "location", "tags", "group_name", "account") if key in spec}
    top = {key: spec[key] for key in ("kind", "sku") if key in spec}
    rest = {key: value for key, value in spec.items() if key not in {"type", *columns, *top}}
    return Resource(
        id=f"r{number}", provider="azure", type=spec["type"].lower(), **{"name": f"r{number}", **columns},
        properties={**top, "properties": rest},
    )  # fmt: skip


@pytest.mark.parametrize("name", AZURE)
def test_an_azure_policy_hits_what_it_is_to_hit(inventory: psycopg.Connection, name: str) -> None:
    condition, parameters, hits, misses = AZURE[name]
    declared = {
        key: {"type": {list: "Array", int: "Integer"}.get(type(value), "String"), "defaultValue": value}
        for key, value in parameters.items()
    }
    document = {
        "name": name,
        "properties": {
            "displayName": name,
            "mode": "All",
            "parameters": {**declared, "effect": {"type": "String", "defaultValue": "Audit"}},
            "policyRule": {"if": condition, "then": {"effect": "[parameters('effect')]"}},
        },
    }
    rule = compile_policy(document, language="azure", now=AZURE_NOW)
    assert rule.runs, rule.missing_parameters
    rows = [*(resource(number, spec) for number, spec in enumerate([*hits, *misses])), GROUP]
    database.empty(inventory)
    database.fill(inventory, rows)
    wanted = {("p", f"r{number}"): "hit" for number in range(len(hits))}
    found = {
        key: said[0] for key, said in database.ask(inventory, [("p", rule)]).items() if key[1] != "group"
    }
    assert found == wanted
    assert [evaluate(rule.tree, row, rows) for row in rows[:-1]] == [True] * len(hits) + [False] * len(misses)
    # As one of many: the same in one statement with all the others of its type.
    assert all(said[1] for said in database.ask(inventory, [("p", rule)]).values())


def test_there_are_forty_of_them() -> None:
    assert len(CUSTODIAN) >= 20
    assert len(AZURE) >= 20
