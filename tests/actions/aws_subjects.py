"""For each kind of action on AWS: something in moto's cloud that it is about, made by plain boto3."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3

from apps.actions.executors.base import Target
from tests.fixtures.clouds import HOME_ACCOUNT

REGION = "us-east-1"
Client = Callable[[str], Any]
_numbers = itertools.count(1)


def fresh(stem: str) -> str:
    return f"{stem}-{next(_numbers)}"


@dataclass(frozen=True)
class Subject:
    """`make` builds it and returns (catalog type, native id); `end` takes it away, where something can."""

    make: Callable[[Client], tuple[str, str]]
    params: dict[str, Any] = field(default_factory=dict)
    end: Callable[[Client, str], Any] | None = None
    saves: bool = False


def clients(endpoint: str) -> Client:
    @cache
    def client(service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id="AKIATRIAL",
            aws_secret_access_key="trial",
        )

    return client


def target(type_: str, native_id: str) -> Target:
    return Target("r-1", "aws", type_, native_id, native_id.rsplit("/", 1)[-1], HOME_ACCOUNT, REGION)


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:ec2:{REGION}:{HOME_ACCOUNT}:{kind}/{name}"


def _bucket(client: Client) -> tuple[str, str]:
    name = fresh("papers")
    client("s3").create_bucket(Bucket=name)
    client("s3").put_bucket_tagging(
        Bucket=name,
        Tagging={"TagSet": [{"Key": "team", "Value": "red"}, {"Key": "keep", "Value": "yes"}]},
    )
    return "aws.s3", f"arn:aws:s3:::{name}"


def _drop_bucket(client: Client, native_id: str) -> None:
    client("s3").delete_bucket(Bucket=native_id.rsplit(":", 1)[-1])


# One of those that moto comes with.
IMAGE = "ami-12c6146b"


def _instance(client: Client) -> tuple[str, str]:
    ec2 = client("ec2")
    made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType="t3.large")
    name = made["Instances"][0]["InstanceId"]
    ec2.create_tags(Resources=[name], Tags=[{"Key": "team", "Value": "red"}])
    return "aws.ec2", _arn("instance", name)


def _stopped_instance(client: Client) -> tuple[str, str]:
    type_, native_id = _instance(client)
    client("ec2").stop_instances(InstanceIds=[native_id.rsplit("/", 1)[-1]])
    return type_, native_id


def _end_instance(client: Client, native_id: str) -> None:
    client("ec2").terminate_instances(InstanceIds=[native_id.rsplit("/", 1)[-1]])


def _group(client: Client) -> tuple[str, str]:
    ec2 = client("ec2")
    group = ec2.create_security_group(GroupName=fresh("open"), Description="open")["GroupId"]
    world = [{"CidrIp": "0.0.0.0/0", "Description": "for the vendor"}]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": world},
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": world},
            {"IpProtocol": "tcp", "FromPort": 3000, "ToPort": 4000, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        ],
    )
    return "aws.security-group", _arn("security-group", group)


def _end_group(client: Client, native_id: str) -> None:
    client("ec2").delete_security_group(GroupId=native_id.rsplit("/", 1)[-1])


def _volume(client: Client) -> tuple[str, str]:
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "team", "Value": "red"}]}]
    made = client("ec2").create_volume(
        AvailabilityZone=f"{REGION}a", Size=100, VolumeType="gp2", TagSpecifications=tags
    )
    return "aws.ebs", _arn("volume", made["VolumeId"])


def _end_volume(client: Client, native_id: str) -> None:
    client("ec2").delete_volume(VolumeId=native_id.rsplit("/", 1)[-1])


def _database(client: Client) -> tuple[str, str]:
    made = client("rds").create_db_instance(
        DBInstanceIdentifier=fresh("ledger"),
        DBInstanceClass="db.t3.medium",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="boss",
        MasterUserPassword="not-a-secret",
        PubliclyAccessible=True,
        Tags=[{"Key": "team", "Value": "red"}],
    )
    return "aws.rds", made["DBInstance"]["DBInstanceArn"]


def _end_database(client: Client, native_id: str) -> None:
    client("rds").delete_db_instance(
        DBInstanceIdentifier=native_id.rsplit(":", 1)[-1], SkipFinalSnapshot=True
    )


def _user(client: Client) -> tuple[str, str]:
    iam, name = client("iam"), fresh("robot")
    made = iam.create_user(UserName=name, Tags=[{"Key": "team", "Value": "red"}])
    iam.create_access_key(UserName=name)
    iam.create_access_key(UserName=name)
    return "aws.iam-user", made["User"]["Arn"]


def _end_user(client: Client, native_id: str) -> None:
    iam, name = client("iam"), native_id.rsplit("/", 1)[-1]
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def _key(client: Client) -> tuple[str, str]:
    made = client("kms").create_key(Tags=[{"TagKey": "team", "TagValue": "red"}])["KeyMetadata"]
    return "aws.kms-key", made["Arn"]


def _region_without(client: Client) -> tuple[str, str]:
    client("ec2").disable_ebs_encryption_by_default()
    return _volume(client)


SUBJECTS: dict[str, list[Subject]] = {
    "aws.tag": [
        Subject(make, {"tags": {"owner": "ada", "team": "blue"}}, end)
        for make, end in (
            (_bucket, _drop_bucket),
            (_instance, None),
            (_volume, _end_volume),
            (_database, _end_database),
            (_user, _end_user),
            (_key, None),
        )
    ],
    "aws.untag": [
        Subject(make, {"keys": ["team", "never-there"]}, end)
        for make, end in ((_bucket, _drop_bucket), (_instance, None), (_user, _end_user), (_key, None))
    ],
    "aws.s3.block_public_access": [Subject(_bucket, end=_drop_bucket)],
    "aws.s3.default_encryption": [
        Subject(_bucket, end=_drop_bucket),
        Subject(_bucket, {"algorithm": "aws:kms", "kms_key": "alias/papers"}, _drop_bucket),
    ],
    "aws.s3.versioning": [Subject(_bucket, end=_drop_bucket)],
    "aws.security_group.revoke_world_open": [
        Subject(_group, end=_end_group),
        Subject(_group, {"ports": [22, 3389]}, _end_group),
    ],
    "aws.ec2.stop": [Subject(_instance, end=_end_instance, saves=True)],
    "aws.ec2.start": [Subject(_stopped_instance, end=_end_instance)],
    "aws.ec2.resize": [
        Subject(_instance, {"instance_type": "t3.small"}, _end_instance, saves=True),
        Subject(_stopped_instance, {"instance_type": "t3.small"}, _end_instance),
    ],
    "aws.ec2.require_imdsv2": [Subject(_instance, end=_end_instance)],
    "aws.ebs.snapshot_and_delete": [Subject(_volume, end=_end_volume, saves=True)],
    "aws.ebs.encryption_by_default": [Subject(_region_without)],
    "aws.rds.make_private": [Subject(_database, end=_end_database)],
    "aws.rds.stop": [Subject(_database, end=_end_database, saves=True)],
    "aws.iam.deactivate_access_key": [Subject(_user, {"older_than_days": 30}, _end_user)],
}
