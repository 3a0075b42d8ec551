"""Amazon: rows in the shape of the services' describe and list calls.

What takes a further call stands under the key that the call answers with: `PublicAccessBlockConfiguration`,
`ServerSideEncryptionConfiguration`, `AccessKeyMetadata`, `MFADevices`, `KeyRotationEnabled`, `IsLogging`.
"""

from __future__ import annotations

from typing import Any

from apps.connectors.sample.aws_services import SERVICES
from apps.connectors.sample.aws_shape import Builder, arn, row, tag_list
from apps.connectors.sample.dice import Dice, Owner, Row

ACCOUNTS = ("210000000011", "210000000022", "210000000033")
REGIONS = ("us-east-1", "us-east-1", "eu-west-1", "eu-central-1")
_SIZES = ("t3.small", "t3.medium", "m6i.large", "m6i.xlarge", "c6i.large", "r6i.large", "m4.large")
_OPEN = ((22, 22), (3389, 3389), (5432, 5432), (0, 65535))
_INSIDE = ((443, 443), (8443, 8443), (5432, 5432))


def ec2(dice: Dice, owner: Owner) -> Row:
    """An instance; some are stopped, public, or answer metadata requests without a token."""
    name = "i-0" + dice.hex(16)
    stopped = dice.fault(0.2)
    tags = dice.tags(owner, ("Environment", "Owner", "CostCenter", "Application"))
    document: dict[str, Any] = {
        "InstanceId": name,
        "ImageId": "ami-0" + dice.hex(16),
        "InstanceType": dice.choice(_SIZES),
        "LaunchTime": dice.moment(1, 900),
        "State": {"Code": 80, "Name": "stopped"} if stopped else {"Code": 16, "Name": "running"},
        "StateTransitionReason": "User initiated" if stopped else "",
        "Placement": {"AvailabilityZone": owner.region + dice.choice("abc"), "Tenancy": "default"},
        "Monitoring": {"State": "disabled" if dice.fault(0.4) else "enabled"},
        "MetadataOptions": {
            "State": "applied",
            "HttpTokens": "optional" if dice.fault() else "required",
            "HttpEndpoint": "enabled",
            "HttpPutResponseHopLimit": 2,
        },
        "EbsOptimized": not dice.fault(0.3),
        "PrivateIpAddress": f"10.{dice.randint(0, 40)}.{dice.randint(0, 255)}.{dice.randint(4, 250)}",
        "VpcId": "vpc-0" + dice.hex(16),
        "SubnetId": "subnet-0" + dice.hex(16),
        "SecurityGroups": [{"GroupId": "sg-0" + dice.hex(16), "GroupName": owner.stem}],
        "Tags": tag_list({"Name": f"{owner.stem}-{owner.number:03}", **tags}),
    }
    if not dice.fault(0.2):
        profile = arn("iam", "", owner.account, f"instance-profile/{owner.stem}")
        document["IamInstanceProfile"] = {"Arn": profile, "Id": "AIPA" + dice.hex(16).upper()}
    if dice.fault(0.25):
        document["PublicIpAddress"] = dice.address()
    return row(owner, "aws.ec2", arn("ec2", owner.region, owner.account, f"instance/{name}"), document)


def ebs(dice: Dice, owner: Owner) -> Row:
    """A volume; some are unencrypted, unattached or of an old kind."""
    name = "vol-0" + dice.hex(16)
    loose = dice.fault(0.2)
    kind = dice.choice(("gp2", "gp3", "gp3", "io1"))
    document: dict[str, Any] = {
        "VolumeId": name,
        "Size": dice.choice((8, 20, 50, 100, 500)),
        "State": "available" if loose else "in-use",
        "Encrypted": not dice.fault(0.25),
        "VolumeType": kind,
        "Iops": 3000,
        "AvailabilityZone": owner.region + dice.choice("abc"),
        "CreateTime": dice.moment(1, 900),
        "MultiAttachEnabled": False,
        "Attachments": [],
        "Tags": tag_list(dice.tags(owner, ("Environment", "Owner", "CostCenter", "Application"))),
    }
    if not loose:
        document["Attachments"] = [
            {"InstanceId": "i-0" + dice.hex(16), "Device": "/dev/xvda", "State": "attached"}
        ]
    if document["Encrypted"]:
        document["KmsKeyId"] = arn("kms", owner.region, owner.account, f"key/{dice.guid()}")
    return row(owner, "aws.ebs", arn("ec2", owner.region, owner.account, f"volume/{name}"), document)


def ebs_snapshot(dice: Dice, owner: Owner) -> Row:
    """A snapshot; many are old, some unencrypted."""
    name = "snap-0" + dice.hex(16)
    document = {
        "SnapshotId": name,
        "VolumeId": "vol-0" + dice.hex(16),
        "VolumeSize": dice.choice((8, 20, 100, 500)),
        "StartTime": dice.moment(1, 700),
        "State": "completed",
        "Progress": "100%",
        "OwnerId": owner.account,
        "Encrypted": not dice.fault(0.3),
        "StorageTier": "standard",
        "Tags": tag_list(dice.tags(owner, ("Environment", "Owner", "CostCenter", "Application"))),
    }
    return row(
        owner, "aws.ebs-snapshot", arn("ec2", owner.region, owner.account, f"snapshot/{name}"), document
    )


def security_group(dice: Dice, owner: Owner) -> Row:
    """A security group; some let the world in."""
    name = "sg-0" + dice.hex(16)
    low, high = dice.choice(_INSIDE)
    rules = [_rule("tcp", low, high, f"10.{dice.randint(0, 40)}.0.0/16")]
    if dice.fault(0.3):
        low, high = dice.choice(_OPEN)
        rules.append(_rule("tcp", low, high, "0.0.0.0/0"))
    if dice.fault(0.06):
        rules.append(
            {
                "IpProtocol": "-1",
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "Ipv6Ranges": [],
                "UserIdGroupPairs": [],
            }
        )
    default = dice.fault(0.15)
    document = {
        "GroupId": name,
        "GroupName": "default" if default else f"{owner.stem}-{owner.number:03}",
        "Description": "default VPC security group" if default else f"Access to {owner.application}",
        "OwnerId": owner.account,
        "VpcId": "vpc-0" + dice.hex(16),
        "IpPermissions": [] if default and dice.fault(0.5) else rules,
        "IpPermissionsEgress": [_rule("tcp", 443, 443, "0.0.0.0/0")],
        "Tags": tag_list(dice.tags(owner, ("Environment", "Owner", "CostCenter", "Application"))),
    }
    return row(
        owner,
        "aws.security-group",
        arn("ec2", owner.region, owner.account, f"security-group/{name}"),
        document,
    )


def elastic_ip(dice: Dice, owner: Owner) -> Row:
    """An elastic address; some belong to nothing."""
    name = "eipalloc-0" + dice.hex(16)
    document = {
        "AllocationId": name,
        "PublicIp": dice.address(),
        "Domain": "vpc",
        "NetworkBorderGroup": owner.region,
        "Tags": tag_list(dice.tags(owner, ("Environment", "Owner", "CostCenter", "Application"))),
    }
    if not dice.fault(0.35):
        document["AssociationId"] = "eipassoc-0" + dice.hex(16)
        document["InstanceId"] = "i-0" + dice.hex(16)
    return row(
        owner, "aws.elastic-ip", arn("ec2", owner.region, owner.account, f"elastic-ip/{name}"), document
    )


def iam_user(dice: Dice, owner: Owner) -> Row:
    """A person or a robot; some without a second factor, some with old keys."""
    name = (
        f"{dice.choice(('ana', 'ben', 'chen', 'dora', 'emil', 'ci-deploy', 'backup-job'))}-{owner.number:03}"
    )
    keys = [
        {
            "UserName": name,
            "AccessKeyId": "AKIAEXAMPLE" + dice.hex(9).upper(),
            "Status": "Inactive" if dice.fault(0.25) else "Active",
            "CreateDate": dice.moment(1, 600),
        }
        for _ in range(dice.choice((0, 1, 1, 2)))
    ]
    document: dict[str, Any] = {
        "UserName": name,
        "UserId": "AIDA" + dice.hex(16).upper(),
        "Path": "/",
        "Arn": arn("iam", "", owner.account, f"user/{name}"),
        "CreateDate": dice.moment(30, 1500),
        "GroupList": [] if dice.fault(0.2) else [owner.team],
        "AttachedManagedPolicies": [],
        "UserPolicyList": [],
        "AccessKeyMetadata": keys,
        "MFADevices": [],
        "Tags": tag_list(dice.tags(owner, ("Environment", "Owner", "CostCenter", "Application"))),
    }
    if not dice.fault(0.3):
        document["LoginProfile"] = {"UserName": name, "CreateDate": document["CreateDate"]}
        document["PasswordLastUsed"] = dice.moment(0, 300)
        if not dice.fault(0.3):
            document["MFADevices"] = [
                {"UserName": name, "SerialNumber": arn("iam", "", owner.account, f"mfa/{name}")}
            ]
    if dice.fault(0.2):
        policy = dice.choice(("AdministratorAccess", "ReadOnlyAccess"))
        document["AttachedManagedPolicies"] = [
            {"PolicyName": policy, "PolicyArn": f"arn:aws:iam::aws:policy/{policy}"}
        ]
    if dice.fault(0.15):
        document["UserPolicyList"] = [
            {"PolicyName": "inline", "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
        ]
    return row(owner, "aws.iam-user", document["Arn"], document, name)


def _rule(protocol: str, low: int, high: int, source: str) -> dict[str, Any]:
    return {
        "IpProtocol": protocol,
        "FromPort": low,
        "ToPort": high,
        "IpRanges": [{"CidrIp": source}],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    }


BUILDERS: tuple[Builder, ...] = (ec2, ebs, ec2, security_group, ebs_snapshot, iam_user, elastic_ip, *SERVICES)
