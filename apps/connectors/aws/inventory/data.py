"""Where data lies: buckets, databases, tables, queues, secrets; keys, trails and log groups."""

from __future__ import annotations

import json
from typing import Any

from apps.connectors.aws import s3

from .rows import GLOBAL, Ask, Listed, Lister, Row, row, token_request, with_details

BUCKETS_A_PAGE = 100


def _buckets(ask: Ask, token: str | None) -> Listed:
    told = ask("s3", "list_buckets", MaxBuckets=BUCKETS_A_PAGE, **token_request("ContinuationToken", token))
    rows = [
        row(ask, "aws.s3", f"arn:aws:s3:::{one['Name']}", one, name=one["Name"], location=GLOBAL)
        for one in told.get("Buckets", [])
    ]
    return Listed(rows, told.get("ContinuationToken") or None)


def _bucket(ask: Ask, found: Row) -> Row:
    """What takes a call each: Custodian keeps them under these names."""
    name = found["properties"]["Name"]

    def told(method: str, key: str | None = None) -> Any:
        answer = s3.unless_unset(ask.cloud.call, method, name)
        if answer is None:
            return None
        answer = {k: v for k, v in answer.items() if k != "ResponseMetadata"}
        return answer.get(key) if key else answer

    place = (told("get_bucket_location") or {}).get("LocationConstraint")
    tags = told("get_bucket_tagging", "TagSet") or []
    detailed = with_details(
        found,
        tags,
        Location={"LocationConstraint": place} if place else {},
        PublicAccessBlockConfiguration=told("get_public_access_block", "PublicAccessBlockConfiguration"),
        Policy=told("get_bucket_policy", "Policy"),
        ServerSideEncryptionConfiguration=told("get_bucket_encryption", "ServerSideEncryptionConfiguration"),
        Versioning=told("get_bucket_versioning"),
        Logging=told("get_bucket_logging", "LoggingEnabled") or {},
        Acl=_in_order(told("get_bucket_acl")),
        Lifecycle=told("get_bucket_lifecycle_configuration"),
    )
    # The oldest buckets of Ireland say EU; those of Virginia say nothing.
    return {**detailed, "name": name, "location": {"EU": "eu-west-1", None: "us-east-1"}.get(place, place)}


def _in_order(acl: dict[str, Any] | None) -> dict[str, Any] | None:
    """Grants are a set: in whatever order they come, the bucket is the same."""
    if acl is None:
        return None
    return {
        **acl,
        "Grants": sorted(acl.get("Grants", []), key=lambda grant: json.dumps(grant, sort_keys=True)),
    }


def _databases(ask: Ask, token: str | None) -> Listed:
    told = ask("rds", "describe_db_instances", MaxRecords=100, **token_request("Marker", token))
    rows = [
        row(
            ask,
            "aws.rds",
            one["DBInstanceArn"],
            # Another value every five minutes: each discovery would find the database changed.
            {key: value for key, value in one.items() if key != "LatestRestorableTime"},
            name=one["DBInstanceIdentifier"],
            tags=one.get("TagList") or [],
            location=one.get("AvailabilityZone") or ask.region,
        )
        for one in told["DBInstances"]
    ]
    return Listed(rows, told.get("Marker") or None)


def _keys(ask: Ask, token: str | None) -> Listed:
    told = ask("kms", "list_keys", Limit=100, **token_request("Marker", token))
    rows = [row(ask, "aws.kms-key", one["KeyArn"], one, location=ask.region) for one in told["Keys"]]
    return Listed(rows, told.get("NextMarker") or None)


def _key(ask: Ask, found: Row) -> Row:
    key_id = found["properties"]["KeyId"]
    about = ask("kms", "describe_key", KeyId=key_id)["KeyMetadata"]
    ours = about.get("KeyManager") == "CUSTOMER"
    tags = ask("kms", "list_resource_tags", KeyId=key_id).get("Tags", []) if ours else []
    rotates = None
    if ours and about.get("KeySpec") == "SYMMETRIC_DEFAULT" and about.get("KeyState") == "Enabled":
        rotates = ask("kms", "get_key_rotation_status", KeyId=key_id)["KeyRotationEnabled"]
    return with_details(found, tags, **about, KeyRotationEnabled=rotates)


def _trails(ask: Ask, token: str | None) -> Listed:
    told = ask("cloudtrail", "describe_trails", includeShadowTrails=False)["trailList"]
    rows = [
        row(ask, "aws.cloudtrail", one["TrailARN"], one, name=one["Name"], location=ask.region)
        for one in told
        if one.get("HomeRegion", ask.region) == ask.region
    ]
    return Listed(rows, None)


def _trail(ask: Ask, found: Row) -> Row:
    status = ask("cloudtrail", "get_trail_status", Name=found["id"])
    tags = ask("cloudtrail", "list_tags", ResourceIdList=[found["id"]])["ResourceTagList"]
    return with_details(
        found, tags[0].get("TagsList", []) if tags else [], IsLogging=status.get("IsLogging", False)
    )


def _tables(ask: Ask, token: str | None) -> Listed:
    told = ask("dynamodb", "list_tables", **token_request("ExclusiveStartTableName", token))
    rows = [
        row(ask, "aws.dynamodb-table", ask.arn("dynamodb", f"table/{name}"), {"TableName": name}, name=name,
            location=ask.region)
        for name in told["TableNames"]
    ]  # fmt: skip
    return Listed(rows, told.get("LastEvaluatedTableName") or None)


def _table(ask: Ask, found: Row) -> Row:
    about = ask("dynamodb", "describe_table", TableName=found["name"])["Table"]
    tags = ask("dynamodb", "list_tags_of_resource", ResourceArn=about["TableArn"]).get("Tags", [])
    return with_details(found, tags, **about)


def _queues(ask: Ask, token: str | None) -> Listed:
    told = ask("sqs", "list_queues", MaxResults=1000, **token_request("NextToken", token))
    rows = []
    for url in told.get("QueueUrls", []):
        name = url.rsplit("/", 1)[-1]
        rows.append(
            row(ask, "aws.sqs", ask.arn("sqs", name), {"QueueUrl": url}, name=name, location=ask.region)
        )
    return Listed(rows, told.get("NextToken") or None)


def _queue(ask: Ask, found: Row) -> Row:
    url = found["properties"]["QueueUrl"]
    about = ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"]).get("Attributes", {})
    about = {key: value for key, value in about.items() if not key.startswith("Approximate")}  # as above
    tags = ask("sqs", "list_queue_tags", QueueUrl=url).get("Tags", {})
    return with_details(found, [{"Key": k, "Value": v} for k, v in sorted(tags.items())], **about)


def _log_groups(ask: Ask, token: str | None) -> Listed:
    told = ask("logs", "describe_log_groups", limit=50, **token_request("nextToken", token))
    rows = [
        row(
            ask,
            "aws.log-group",
            one["arn"].removesuffix(":*"),
            one,
            name=one["logGroupName"],
            location=ask.region,
        )
        for one in told["logGroups"]
    ]
    return Listed(rows, told.get("nextToken") or None)


def _log_group(ask: Ask, found: Row) -> Row:
    tags = ask("logs", "list_tags_log_group", logGroupName=found["name"]).get("tags", {})
    return with_details(found, [{"Key": k, "Value": v} for k, v in sorted(tags.items())])


def _secrets(ask: Ask, token: str | None) -> Listed:
    told = ask("secretsmanager", "list_secrets", MaxResults=100, **token_request("NextToken", token))
    rows = [
        row(ask, "aws.secrets-manager", one["ARN"], one, name=one["Name"], location=ask.region)
        for one in told["SecretList"]
    ]
    return Listed(rows, told.get("NextToken") or None)


DATA: dict[str, Lister] = {
    "aws.s3": Lister(_buckets, _bucket, is_global=True),
    "aws.rds": Lister(_databases),
    "aws.kms-key": Lister(_keys, _key),
    "aws.cloudtrail": Lister(_trails, _trail),
    "aws.dynamodb-table": Lister(_tables, _table),
    "aws.sqs": Lister(_queues, _queue),
    "aws.log-group": Lister(_log_groups, _log_group),
    "aws.secrets-manager": Lister(_secrets),
}
