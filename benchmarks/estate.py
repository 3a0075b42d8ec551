"""A made-up estate of four clouds, row by row, as large as asked for; the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Row = dict[str, Any]

_REGIONS = {
    "azure": ["westeurope", "northeurope", "eastus", "eastus2", "westus", "uksouth", "brazilsouth"],
    "aws": ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-south-1"],
    "gcp": ["europe-west1", "us-central1", "asia-east1"],
    "ibm": ["eu-de", "us-south"],
}
_ENVIRONMENTS = ["prod", "Prod", "PROD", "dev", "test", "staging", "qa", " prod "]


def _hex(dice: random.Random, length: int) -> str:
    return f"{dice.getrandbits(length * 4):0{length}x}"


def _moment(dice: random.Random) -> str:
    month, day, hour = dice.randint(1, 12), dice.randint(1, 28), dice.randint(0, 23)
    return f"{dice.randint(2023, 2026)}-{month:02d}-{day:02d}T{hour:02d}:00:00Z"


def _arm(dice: random.Random, name: str, arm_type: str, properties: Row, **more: Any) -> Row:
    """An ARM resource around its inner properties."""
    return {
        "id": f"/subscriptions/{_hex(dice, 8)}/resourceGroups/rg-{dice.randint(1, 300)}/providers/{arm_type}/{name}",
        "name": name,
        "type": arm_type,
        "etag": _hex(dice, 32),
        "properties": properties,
        "systemData": {"createdAt": _moment(dice), "lastModifiedAt": _moment(dice)},
        **more,
    }


def _storage(dice: random.Random, name: str) -> Row:
    endpoints = {
        part: f"https://{name}.{part}.core.windows.net/"
        for part in ("blob", "dfs", "file", "queue", "table", "web")
    }
    inner: Row = {
        "allowBlobPublicAccess": dice.random() < 0.2,
        "supportsHttpsTrafficOnly": dice.random() < 0.9,
        "allowSharedKeyAccess": dice.random() < 0.5,
        "publicNetworkAccess": dice.choice(["Enabled", "Disabled"]),
        "accessTier": dice.choice(["Hot", "Cool"]),
        "isHnsEnabled": dice.random() < 0.1,
        "isNfsV3Enabled": False,
        "primaryLocation": "westeurope",
        "statusOfPrimary": "available",
        "provisioningState": "Succeeded",
        "creationTime": _moment(dice),
        "primaryEndpoints": endpoints,
        "secondaryEndpoints": endpoints,
        "encryption": {
            "keySource": dice.choice(["Microsoft.Storage", "Microsoft.Keyvault"]),
            "services": {
                s: {"enabled": True, "keyType": "Account", "lastEnabledTime": _moment(dice)}
                for s in ("blob", "file")
            },
        },
        "networkAcls": {
            "bypass": "AzureServices",
            "defaultAction": dice.choice(["Allow", "Deny"]),
            "ipRules": [{"value": f"10.0.{i}.0/24", "action": "Allow"} for i in range(dice.randint(0, 3))],
            "virtualNetworkRules": [],
        },
    }
    if dice.random() < 0.9:
        inner["minimumTlsVersion"] = dice.choice(["TLS1_2"] * 7 + ["TLS1_0", "TLS1_1"])
    return _arm(
        dice, name, "Microsoft.Storage/storageAccounts", inner, kind="StorageV2", sku={"name": "Standard_LRS"}
    )


def _machine(dice: random.Random, name: str) -> Row:
    disk = {
        "name": f"{name}-os",
        "osType": "Linux",
        "caching": "ReadWrite",
        "managedDisk": {"storageAccountType": "Premium_LRS"},
    }
    inner = {
        "vmId": _hex(dice, 32),
        "hardwareProfile": {"vmSize": dice.choice(["Standard_D2s_v3", "Standard_B2ms", "Standard_E8s_v5"])},
        "storageProfile": {
            "imageReference": {
                "publisher": "canonical",
                "offer": "ubuntu-24_04-lts",
                "sku": "server",
                "version": "latest",
            },
            "osDisk": disk,
            "dataDisks": [
                {"lun": lun, "diskSizeGB": 128, "name": f"{name}-{lun}"} for lun in range(dice.randint(0, 3))
            ],
        },
        "osProfile": {
            "computerName": name,
            "linuxConfiguration": {"disablePasswordAuthentication": dice.random() < 0.8},
        },
        "networkProfile": {"networkInterfaces": [{"id": f"/subscriptions/x/networkInterfaces/{name}-nic"}]},
        "securityProfile": {"securityType": "TrustedLaunch", "encryptionAtHost": dice.random() < 0.4},
        "provisioningState": "Succeeded",
        "timeCreated": _moment(dice),
    }
    return _arm(dice, name, "Microsoft.Compute/virtualMachines", inner, zones=["1"])


def _managed_disk(dice: random.Random, name: str) -> Row:
    inner = {
        "diskSizeGB": dice.choice([32, 64, 128, 512, 2048, 4096]),
        "diskState": dice.choice(["Attached", "Unattached", "Reserved"]),
        "timeCreated": _moment(dice),
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "creationData": {"createOption": "Empty"},
        "provisioningState": "Succeeded",
    }
    return _arm(dice, name, "Microsoft.Compute/disks", inner, sku={"name": "Premium_LRS"})


def _security_group(dice: random.Random, name: str) -> Row:
    rules = [
        {
            "name": f"rule{i}",
            "id": f"/subscriptions/x/networkSecurityGroups/{name}/securityRules/rule{i}",
            "properties": {
                "access": dice.choice(["Allow", "Deny", "allow"]),
                "direction": dice.choice(["Inbound", "Outbound"]),
                "destinationPortRange": dice.choice(["22", "3389", "443", "*", "8080"]),
                "sourceAddressPrefix": dice.choice(["*", "10.0.0.0/8", "Internet", "VirtualNetwork"]),
                "protocol": "Tcp",
                "priority": 100 + i,
            },
        }
        for i in range(dice.randint(0, 6))
    ]
    return _arm(
        dice,
        name,
        "Microsoft.Network/networkSecurityGroups",
        {"securityRules": rules, "provisioningState": "Succeeded"},
    )


def _instance(dice: random.Random, name: str) -> Row:
    return {
        "InstanceId": f"i-{_hex(dice, 17)}",
        "ImageId": f"ami-{_hex(dice, 17)}",
        "InstanceType": dice.choice(["t3.micro", "m5.large", "c5.4xlarge", "p3.16xlarge"]),
        "LaunchTime": _moment(dice),
        "State": {"Code": 16, "Name": dice.choice(["running", "running", "stopped"])},
        "Placement": {"AvailabilityZone": "eu-west-1a", "Tenancy": "default"},
        "SecurityGroups": [{"GroupId": f"sg-{_hex(dice, 17)}", "GroupName": "default"}],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"VolumeId": f"vol-{_hex(dice, 17)}", "DeleteOnTermination": True},
            }
        ],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": f"eni-{_hex(dice, 17)}",
                "PrivateIpAddress": "10.0.0.5",
                "Status": "in-use",
            }
        ],
        "MetadataOptions": {"HttpTokens": dice.choice(["optional", "required"]), "HttpEndpoint": "enabled"},
        "Monitoring": {"State": "disabled"},
        "EbsOptimized": dice.random() < 0.5,
        "Architecture": "x86_64",
        "Tags": [{"Key": "Name", "Value": name}],
    }


def _volume(dice: random.Random, name: str) -> Row:
    return {
        "VolumeId": f"vol-{_hex(dice, 17)}",
        "Size": dice.choice([8, 20, 100, 500, 2000]),
        "Encrypted": dice.random() < 0.7,
        "State": dice.choice(["available", "in-use"]),
        "CreateTime": _moment(dice),
        "VolumeType": "gp3",
        "Iops": 3000,
        "Attachments": [],
        "AvailabilityZone": "eu-west-1a",
        "Tags": [{"Key": "Name", "Value": name}],
    }


def _bucket(dice: random.Random, name: str) -> Row:
    return {
        "Name": name,
        "CreationDate": _moment(dice),
        "Location": {"LocationConstraint": "eu-west-1"},
        "Versioning": {"Status": dice.choice(["Enabled", "Suspended"])},
        "Acl": {
            "Grants": [
                {"Grantee": {"ID": _hex(dice, 64), "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
            ]
        },
        "Policy": json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}] * 3,
            }
        ),
        "Lifecycle": {"Rules": [{"ID": "expire", "Status": "Enabled", "Expiration": {"Days": 90}}]},
    }


def _vpc_group(dice: random.Random, name: str) -> Row:
    permissions = [
        {
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "IpRanges": [
                {"CidrIp": dice.choice(["0.0.0.0/0", "10.0.0.0/8", "192.168.1.0/24"])} for _ in range(2)
            ],
            "Ipv6Ranges": [],
            "UserIdGroupPairs": [],
        }
        for port in (22, 443, 5432)[: dice.randint(0, 3)]
    ]
    return {
        "GroupId": f"sg-{_hex(dice, 17)}",
        "GroupName": name,
        "IpPermissions": permissions,
        "IpPermissionsEgress": [],
        "VpcId": "vpc-1",
    }


def _database(dice: random.Random, name: str) -> Row:
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.m5.large",
        "Engine": "postgres",
        "StorageEncrypted": dice.random() < 0.7,
        "PubliclyAccessible": dice.random() < 0.2,
        "BackupRetentionPeriod": dice.choice([0, 1, 7, 30]),
        "MultiAZ": dice.random() < 0.4,
        "Endpoint": {"Address": f"{name}.rds.amazonaws.com", "Port": 5432},
        "DBSubnetGroup": {"Subnets": [{"SubnetIdentifier": f"subnet-{_hex(dice, 17)}"} for _ in range(3)]},
        "DBParameterGroups": [{"DBParameterGroupName": "default", "ParameterApplyStatus": "in-sync"}],
        "InstanceCreateTime": _moment(dice),
    }


def _gce(dice: random.Random, name: str) -> Row:
    return {
        "name": name,
        "machineType": f"zones/europe-west1-b/machineTypes/{dice.choice(['n1-standard-1', 'e2-medium'])}",
        "status": "RUNNING",
        "creationTimestamp": _moment(dice),
        "canIpForward": dice.random() < 0.1,
        "disks": [{"boot": True, "autoDelete": True, "diskSizeGb": "10", "source": f"disks/{name}"}],
        "networkInterfaces": [
            {"network": "default", "accessConfigs": [{"natIP": "34.1.2.3"}] if dice.random() < 0.3 else []}
        ],
        "serviceAccounts": [
            {
                "email": "default@developer.gserviceaccount.com",
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            }
        ],
        "shieldedInstanceConfig": {"enableSecureBoot": dice.random() < 0.5, "enableVtpm": True},
    }


def _vpc_instance(dice: random.Random, name: str) -> Row:
    return {
        "name": name,
        "profile": {"name": "bx2-2x8"},
        "zone": {"name": "eu-de-1"},
        "status": "running",
        "vcpu": {"count": 2},
        "memory": 8,
    }


KINDS: list[tuple[str, str, int, Callable[[random.Random, str], Row]]] = [
    ("azure", "microsoft.storage/storageaccounts", 12, _storage),
    ("azure", "microsoft.compute/virtualmachines", 14, _machine),
    ("azure", "microsoft.compute/disks", 10, _managed_disk),
    ("azure", "microsoft.network/networksecuritygroups", 8, _security_group),
    ("aws", "aws.ec2", 12, _instance),
    ("aws", "aws.ebs", 9, _volume),
    ("aws", "aws.s3", 8, _bucket),
    ("aws", "aws.security-group", 6, _vpc_group),
    ("aws", "aws.rds", 5, _database),
    ("gcp", "gcp.instance", 12, _gce),
    ("ibm", "is.instance", 4, _vpc_instance),
]


def rows(count: int, seed: int = 7) -> Iterator[Row]:
    """`count` rows: the columns of `resources`, and `properties`."""
    dice = random.Random(seed)
    weights = [weight for _, _, weight, _ in KINDS]
    for number in range(count):
        provider, kind, _, make = dice.choices(KINDS, weights)[0]
        role, place = dice.choice(["vm", "srv", "web", "db"]), dice.choice(["alpha", "beta", "Gamma"])
        name = f"{role}-{place}-{dice.randint(0, 1200):03d}"
        yield {
            "id": f"r{number:08d}",
            "native_id": f"/{provider}/{kind}/{name}/{number}",
            "provider": provider,
            "type": kind,
            "name": name,
            "group_name": f"rg-{dice.randint(1, 300)}",
            "location": dice.choice(_REGIONS[provider]),
            "account": f"account-{dice.randint(1, 40)}",
            "tags": _tags(dice),
            "status": dice.choice(["active", "active", "active", "deleted"]),
            "properties": make(dice, name),
        }


def _tags(dice: random.Random) -> Row:
    tags = {}
    if dice.random() < 0.85:
        tags["Owner"] = f"u{dice.randint(1, 400)}@example.org"
    if dice.random() < 0.8:
        tags["env"] = dice.choice(_ENVIRONMENTS)
    if dice.random() < 0.6:
        tags["CostCenter"] = dice.choice(["CC-100", "cc-100", "CC-200 ", "CC-300"])
    if dice.random() < 0.3:
        tags["app"] = f"app{dice.randint(1, 50)}"
    return tags
