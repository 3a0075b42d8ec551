"""Amazon's managed services: storage, databases, functions, keys, trails, queues."""

from __future__ import annotations

from typing import Any

from apps.connectors.sample.aws_shape import Builder, arn, row, tag_list
from apps.connectors.sample.dice import Dice, Owner, Row

_TAGS = ("Environment", "Owner", "CostCenter", "Application")


def s3(dice: Dice, owner: Owner) -> Row:
    """A bucket; some without a public access block, versioning, logging or a lifecycle."""
    name = f"{owner.stem}-{owner.application}-data-{dice.hex(6)}"
    blocked = not dice.fault(0.25)
    algorithm = dice.choice(("AES256", "aws:kms", "aws:kms"))
    document: dict[str, Any] = {
        "Name": name,
        "CreationDate": dice.moment(20, 1500),
        "Location": {} if owner.region == "us-east-1" else {"LocationConstraint": owner.region},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": blocked,
            "IgnorePublicAcls": blocked,
            "BlockPublicPolicy": blocked or dice.fault(0.5),
            "RestrictPublicBuckets": blocked,
        },
        "Versioning": {} if dice.fault(0.3) else {"Status": "Enabled"},
        "Logging": {} if dice.fault(0.3) else {"TargetBucket": f"logs-{owner.account}", "TargetPrefix": name},
        "Acl": {"Owner": {"ID": dice.hex(32)}, "Grants": [_grant(dice)]},
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.15):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": True}
        document["ServerSideEncryptionConfiguration"] = {"Rules": [rule]}
    if not dice.fault(0.4):
        document["Lifecycle"] = {"Rules": [{"ID": "age", "Status": "Enabled", "Expiration": {"Days": 365}}]}
    made = row(owner, "aws.s3", f"arn:aws:s3:::{name}", document, name)
    return {**made, "location": owner.region}


def _grant(dice: Dice) -> dict[str, Any]:
    if dice.fault(0.1):
        everyone = "http://acs.amazonaws.com/groups/global/AllUsers"
        return {"Grantee": {"Type": "Group", "URI": everyone}, "Permission": "READ"}
    return {"Grantee": {"Type": "CanonicalUser", "ID": dice.hex(32)}, "Permission": "FULL_CONTROL"}


def rds(dice: Dice, owner: Owner) -> Row:
    """A database; some are public, unencrypted or hardly backed up."""
    name = f"{owner.stem}-db-{owner.number:03}"
    made_arn = arn("rds", owner.region, owner.account, f"db:{name}")
    tags = tag_list(dice.tags(owner, _TAGS))
    document = {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": made_arn,
        "DBInstanceClass": dice.choice(("db.t3.medium", "db.m6g.large", "db.r6g.xlarge")),
        "Engine": dice.choice(("postgres", "mysql", "sqlserver-se")),
        "DBInstanceStatus": "stopped" if dice.fault(0.1) else "available",
        "MasterUsername": dice.choice(("dbadmin", "postgres", "admin")),
        "AllocatedStorage": dice.choice((20, 100, 500)),
        "InstanceCreateTime": dice.moment(10, 1200),
        "BackupRetentionPeriod": dice.choice((0, 1, 7, 14, 30)),
        "AvailabilityZone": owner.region + dice.choice("abc"),
        "MultiAZ": not dice.fault(0.4),
        "PubliclyAccessible": dice.fault(0.2),
        "StorageEncrypted": not dice.fault(0.25),
        "StorageType": "gp3",
        "AutoMinorVersionUpgrade": not dice.fault(0.25),
        "DeletionProtection": not dice.fault(0.3),
        "IAMDatabaseAuthenticationEnabled": not dice.fault(0.5),
        "CopyTagsToSnapshot": True,
        "EnabledCloudwatchLogsExports": [] if dice.fault(0.3) else ["error"],
        "PerformanceInsightsEnabled": True,
        "CACertificateIdentifier": "rds-ca-2019" if dice.fault(0.15) else "rds-ca-rsa2048-g1",
        "TagList": tags,
        "Tags": tags,
    }
    return row(owner, "aws.rds", made_arn, document, name)


def function(dice: Dice, owner: Owner) -> Row:
    """A function; some on a runtime that is no longer kept, or with open environment variables."""
    name = f"{owner.stem}-{dice.choice(('resize', 'notify', 'import', 'report'))}-{owner.number:03}"
    made_arn = arn("lambda", owner.region, owner.account, f"function:{name}")
    document: dict[str, Any] = {
        "FunctionName": name,
        "FunctionArn": made_arn,
        "Runtime": dice.choice(("python3.7", "nodejs14.x", "python3.12", "python3.13", "nodejs22.x")),
        "Role": arn("iam", "", owner.account, f"role/{name}"),
        "Handler": "main.handle",
        "CodeSize": dice.randint(1_000, 4_000_000),
        "Timeout": dice.choice((10, 60, 900)),
        "MemorySize": dice.choice((128, 512, 3008)),
        "LastModified": dice.moment(1, 800, ".000+0000"),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough" if dice.fault(0.5) else "Active"},
        "Environment": {"Variables": {"STAGE": owner.environment}},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.4):
        document["KMSKeyArn"] = arn("kms", owner.region, owner.account, f"key/{dice.guid()}")
    if not dice.fault(0.4):
        document["VpcConfig"] = {"VpcId": "vpc-0" + dice.hex(16), "SubnetIds": ["subnet-0" + dice.hex(16)]}
    if not dice.fault(0.5):
        queue = arn("sqs", owner.region, owner.account, f"{name}-dead")
        document["DeadLetterConfig"] = {"TargetArn": queue}
    return row(owner, "aws.lambda", made_arn, document, name)


def kms_key(dice: Dice, owner: Owner) -> Row:
    """A key; some don't rotate, some wait to be deleted."""
    name = dice.guid()
    made_arn = arn("kms", owner.region, owner.account, f"key/{name}")
    document = {
        "KeyId": name,
        "Arn": made_arn,
        "CreationDate": dice.moment(10, 1200),
        "Description": f"{owner.application} data",
        "Enabled": True,
        "KeyState": "PendingDeletion" if dice.fault(0.12) else "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": "CUSTOMER",
        "Origin": "AWS_KMS",
        "MultiRegion": False,
        "KeyRotationEnabled": not dice.fault(0.3),
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    return row(owner, "aws.kms-key", made_arn, document, name)


def cloudtrail(dice: Dice, owner: Owner) -> Row:
    """A trail; some cover one region, some are off."""
    name = f"{owner.stem}-trail-{owner.number:03}"
    made_arn = arn("cloudtrail", owner.region, owner.account, f"trail/{name}")
    document: dict[str, Any] = {
        "Name": name,
        "TrailARN": made_arn,
        "S3BucketName": f"logs-{owner.account}",
        "HomeRegion": owner.region,
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": not dice.fault(0.3),
        "IsOrganizationTrail": False,
        "LogFileValidationEnabled": not dice.fault(0.3),
        "HasCustomEventSelectors": False,
        "IsLogging": not dice.fault(0.2),
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.35):
        document["KmsKeyId"] = arn("kms", owner.region, owner.account, f"key/{dice.guid()}")
    if not dice.fault(0.35):
        document["CloudWatchLogsLogGroupArn"] = arn(
            "logs", owner.region, owner.account, f"log-group:{name}:*"
        )
    return row(owner, "aws.cloudtrail", made_arn, document, name)


def secret(dice: Dice, owner: Owner) -> Row:
    """A secret; some never rotate."""
    name = f"{owner.stem}/db-password-{owner.number:03}"
    made_arn = arn("secretsmanager", owner.region, owner.account, f"secret:{name}-{dice.hex(6)}")
    document: dict[str, Any] = {
        "ARN": made_arn,
        "Name": name,
        "CreatedDate": dice.moment(10, 900),
        "LastChangedDate": dice.moment(1, 400),
        "RotationEnabled": not dice.fault(0.4),
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.4):
        document["KmsKeyId"] = arn("kms", owner.region, owner.account, f"key/{dice.guid()}")
    return row(owner, "aws.secrets-manager", made_arn, document, name)


def queue(dice: Dice, owner: Owner) -> Row:
    """A queue; some are unencrypted. The service answers its attributes as text."""
    name = f"{owner.stem}-jobs-{owner.number:03}"
    made_arn = arn("sqs", owner.region, owner.account, name)
    document: dict[str, Any] = {
        "QueueUrl": f"https://sqs.{owner.region}.amazonaws.com/{owner.account}/{name}",
        "QueueArn": made_arn,
        "MessageRetentionPeriod": "345600",
        "VisibilityTimeout": "30",
        "SqsManagedSseEnabled": "false" if dice.fault(0.3) else "true",
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.4):
        document["RedrivePolicy"] = f'{{"deadLetterTargetArn":"{made_arn}-dead","maxReceiveCount":5}}'
    return row(owner, "aws.sqs", made_arn, document, name)


def table(dice: Dice, owner: Owner) -> Row:
    """A DynamoDB table; some can be deleted by accident."""
    name = f"{owner.stem}-items-{owner.number:03}"
    made_arn = arn("dynamodb", owner.region, owner.account, f"table/{name}")
    document: dict[str, Any] = {
        "TableName": name,
        "TableArn": made_arn,
        "TableStatus": "ACTIVE",
        "CreationDateTime": dice.moment(10, 900),
        "ItemCount": 0 if dice.fault(0.15) else dice.randint(1, 5_000_000),
        "TableSizeBytes": dice.randint(0, 10**10),
        "DeletionProtectionEnabled": not dice.fault(0.4),
        "BillingModeSummary": {"BillingMode": "PROVISIONED" if dice.fault(0.4) else "PAY_PER_REQUEST"},
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.4):
        document["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS"}
    return row(owner, "aws.dynamodb-table", made_arn, document, name)


def log_group(dice: Dice, owner: Owner) -> Row:
    """A log group; some are kept for ever. This service answers with small first letters."""
    name = f"/{owner.application}/{owner.environment}/{owner.number:03}"
    made_arn = arn("logs", owner.region, owner.account, f"log-group:{name}")
    document: dict[str, Any] = {
        "logGroupName": name,
        "arn": made_arn + ":*",
        "creationTime": 1_700_000_000_000 + dice.randint(0, 10**10),
        "metricFilterCount": 0,
        "storedBytes": dice.randint(0, 10**11),
        "Tags": tag_list(dice.tags(owner, _TAGS)),
    }
    if not dice.fault(0.35):
        document["retentionInDays"] = dice.choice((7, 30, 90, 365, 731))
    if not dice.fault(0.4):
        document["kmsKeyId"] = arn("kms", owner.region, owner.account, f"key/{dice.guid()}")
    return row(owner, "aws.log-group", made_arn, document, name)


SERVICES: tuple[Builder, ...] = (
    s3, rds, function, s3, kms_key, cloudtrail, secret, queue, table, log_group,
)  # fmt: skip
