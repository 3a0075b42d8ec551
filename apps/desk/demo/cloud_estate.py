"""The demo's estate in its own AWS account: made by plain boto3, as a team would, and not as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

HOME = "us-east-1"
SECOND = "eu-west-1"
REGIONS = (HOME, SECOND)
Client = Callable[..., Any]
_TAGS = {"Environment": "prod", "CostCenter": "CC-104", "Application": "payments"}


def clients(endpoint: str, key: str, secret: str) -> Client:
    """`client("s3")`, `client("ec2", "eu-west-1")`; with `days_ago` what is made is made so long ago."""

    def client(service: str, region: str = HOME, *, days_ago: int = 0) -> Any:
        made = boto3.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )
        if days_ago:
            moment = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()

            def date_it(request: Any, **more: Any) -> None:
                request.headers["X-Demo-At"] = moment

            made.meta.events.register("before-send", date_it)
        return made

    return client


def make_estate(client: Client) -> None:
    """All of it; a call that was made before is left alone, so that a killed filling goes on."""
    if _is_there(client):
        return
    _buckets(client)
    _network(client)
    _machines(client)
    _databases(client)
    _people(client)
    _rest(client)
    client("s3").put_bucket_tagging(
        Bucket="nw-payments-archive", Tagging={"TagSet": _listed(Owner="ada", **_TAGS)}
    )


def _is_there(client: Client) -> bool:
    names = {bucket["Name"] for bucket in client("s3").list_buckets().get("Buckets", [])}
    if "nw-payments-archive" not in names:
        return False
    answer = client("s3").list_buckets()
    return bool(answer) and _has_tags(client("s3"), "nw-payments-archive")


def _has_tags(s3: Any, bucket: str) -> bool:
    try:
        return bool(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except s3.exceptions.ClientError:
        return False


def _listed(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _named(name: str, tags: Mapping[str, str] = _TAGS) -> list[dict[str, str]]:
    return _listed(Name=name, **tags)


def _tagged(kind: str, name: str, tags: Mapping[str, str] = _TAGS) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": _named(name, tags)}]


def _buckets(client: Client) -> None:
    """A public one, one without anything, a good one."""
    s3 = client("s3", days_ago=400)
    for name in ("nw-brand-downloads", "nw-exports", "nw-payments-archive"):
        s3.create_bucket(Bucket=name)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [{**everybody, "Resource": "arn:aws:s3:::nw-brand-downloads/*"}],
    }
    s3.put_bucket_policy(Bucket="nw-brand-downloads", Policy=json.dumps(policy))
    s3.put_bucket_acl(Bucket="nw-brand-downloads", ACL="public-read")
    s3.put_bucket_tagging(Bucket="nw-brand-downloads", Tagging={"TagSet": _listed(Application="brand")})
    s3.put_object(
        Bucket="nw-brand-downloads", Key="logo.svg", Body=b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    )
    closed = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    good = "nw-payments-archive"
    s3.put_public_access_block(Bucket=good, PublicAccessBlockConfiguration=closed)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=good, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_versioning(Bucket=good, VersioningConfiguration={"Status": "Enabled"})


def _network(client: Client) -> None:
    """Groups that let the world in to SSH and to a database, and a good one."""
    for region, name, ports in (
        (HOME, "bastion", (22,)),
        (HOME, "reporting-db", (5432,)),
        (HOME, "web", (443,)),
        (SECOND, "legacy-rdp", (3389,)),
    ):
        ec2 = client("ec2", region)
        group = ec2.create_security_group(
            GroupName=name, Description=f"Access to {name}", TagSpecifications=_tagged("security-group", name)
        )["GroupId"]
        world = [{"CidrIp": "0.0.0.0/0", "Description": "temporary"}]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": world} for port in ports
            ],
        )


def _machines(client: Client) -> None:
    """Machines whose metadata answers anybody, one that is stopped; volumes and addresses that nobody uses."""
    for region, name, size, required in (
        (HOME, "payments-1", "m5.large", True),
        (HOME, "payments-2", "m5.large", False),
        (HOME, "batch-1", "m4.large", False),
        (SECOND, "legacy-1", "t2.medium", False),
    ):
        ec2 = client("ec2", region, days_ago=200)
        image = ec2.register_image(Name=f"base-{name}", RootDeviceName="/dev/xvda", Architecture="x86_64")
        made = ec2.run_instances(
            ImageId=image["ImageId"],
            MinCount=1,
            MaxCount=1,
            InstanceType=size,
            TagSpecifications=_tagged("instance", name),
            MetadataOptions={"HttpTokens": "required" if required else "optional", "HttpEndpoint": "enabled"},
        )
        if name == "legacy-1":
            ec2.stop_instances(InstanceIds=[made["Instances"][0]["InstanceId"]])
    ec2 = client("ec2", days_ago=120)
    for name, gib, encrypted in (("old-payments-data", 500, False), ("scratch", 100, True)):
        ec2.create_volume(
            AvailabilityZone=f"{HOME}a",
            Size=gib,
            VolumeType="gp2",
            Encrypted=encrypted,
            TagSpecifications=_tagged("volume", name),
        )
    old = client("ec2", days_ago=500)
    volume = old.create_volume(AvailabilityZone=f"{HOME}b", Size=80, VolumeType="gp3", Encrypted=True)[
        "VolumeId"
    ]
    old.create_snapshot(
        VolumeId=volume,
        Description="before the migration",
        TagSpecifications=_tagged("snapshot", "migration"),
    )
    ec2.allocate_address(Domain="vpc", TagSpecifications=_tagged("elastic-ip", "former-vpn"))


def _databases(client: Client) -> None:
    for name, public, encrypted in (("reporting", True, False), ("ledger", False, True)):
        client("rds", days_ago=300).create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.medium",
            Engine="postgres",
            AllocatedStorage=100,
            MasterUsername="postgres",
            MasterUserPassword="a-demo-password",
            PubliclyAccessible=public,
            StorageEncrypted=encrypted,
            MultiAZ=not public,
            BackupRetentionPeriod=1 if public else 14,
            Tags=_named(name),
        )


def _people(client: Client) -> None:
    """A robot with a key that is over a year old, an administrator without a second factor, a role."""
    iam = client("iam", days_ago=430)
    iam.create_user(UserName="ci-deploy", Tags=_listed(Application="payments"))
    iam.create_access_key(UserName="ci-deploy")
    client("iam", days_ago=20).create_access_key(UserName="ci-deploy")
    iam.create_user(UserName="walter")
    iam.create_login_profile(UserName="walter", Password="A-demo-password-1")  # noqa: S106
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="payments-server",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def _rest(client: Client) -> None:
    kms = client("kms", days_ago=250)
    kms.create_key(Description="payments", Tags=[{"TagKey": "Application", "TagValue": "payments"}])
    turning = kms.create_key(Description="ledger")["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=turning)
    client("logs", days_ago=250).create_log_group(logGroupName="/payments/app")
    client("sqs", days_ago=250).create_queue(
        QueueName="payments-events", Attributes={"SqsManagedSseEnabled": "false"}
    )
    client("secretsmanager", days_ago=250).create_secret(Name="payments/partner-key", SecretString="demo")
