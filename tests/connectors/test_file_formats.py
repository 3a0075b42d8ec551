"""Each cloud's own export: what becomes of its rows, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from apps.connectors.files import FORMATS, detect, read
from apps.connectors.records import Refusal, ResourceRecord, merge_documents


def records(content: str, format: str | None = None) -> list[ResourceRecord]:
    """Everything a file holds; fails where something is refused."""
    found = list(read(io.BytesIO(content.encode()), format))
    assert not [item for item in found if isinstance(item, Refusal)]
    return found  # type: ignore[return-value]


def refusals(content: str, format: str | None = None) -> list[Refusal]:
    return [item for item in read(io.BytesIO(content.encode()), format) if isinstance(item, Refusal)]


def config_item(**changes: Any) -> dict[str, Any]:
    return {
        "configurationItemVersion": "1.3",
        "configurationItemStatus": "OK",
        "awsAccountId": "111122223333",
        "resourceType": "AWS::EC2::Instance",
        "resourceId": "i-1",
        "ARN": "arn:aws:ec2:us-east-1:111122223333:instance/i-1",
        "awsRegion": "us-east-1",
        "availabilityZone": "us-east-1b",
        "tags": {"env": "prod"},
        "relationships": [],
        "configuration": {
            "instanceId": "i-1",
            "state": {"name": "running"},
            "tags": [{"key": "env", "value": "prod"}],
        },
        "supplementaryConfiguration": {},
        **changes,
    }


def snapshot(*items: dict[str, Any]) -> str:
    return json.dumps({"fileVersion": "1.0", "configSnapshotId": "x", "configurationItems": items}, indent=1)


def asset(content: dict[str, Any], name: str = "//storage.googleapis.com/b1") -> str:
    return json.dumps({"name": name, "asset_type": "storage.googleapis.com/Bucket", **content})


BUCKET = {
    "resource": {
        "parent": "//cloudresourcemanager.googleapis.com/projects/42",
        "data": {"name": "b1", "location": "US-EAST1", "labels": {"team": "web"}},
    }
}
GRANT = {"iam_policy": {"bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]}}


def test_a_config_item_takes_the_shape_of_the_service() -> None:
    (record,) = records(snapshot(config_item()))
    assert record.document == {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "Tags": [{"Key": "env", "Value": "prod"}],
    }
    assert (record.type, record.status, record.account) == ("aws.ec2", "running", "111122223333")
    assert (record.location, record.region, record.tags) == ("us-east-1b", "us-east-1", {"env": "prod"})
    assert record.native_id == "arn:aws:ec2:us-east-1:111122223333:instance/i-1"


def test_a_configuration_that_is_a_string_is_opened() -> None:
    (record,) = records(snapshot(config_item(configuration='{"instanceId": "i-1"}')))
    assert record.document == {"InstanceId": "i-1"}
    (refusal,) = refusals(snapshot(config_item(configuration='{"instanceId": ')))
    assert refusal.field == "configuration"
    assert refusal.native_id == "arn:aws:ec2:us-east-1:111122223333:instance/i-1"


def test_a_deleted_item_is_a_deleted_resource() -> None:
    (record,) = records(snapshot(config_item(configurationItemStatus="ResourceDeleted", configuration=None)))
    assert record.status == "deleted"


def test_a_type_without_a_known_shape_keeps_configs_own_document() -> None:
    (record,) = records(snapshot(config_item(resourceType="AWS::Foo::Bar")))
    assert record.type == "aws::foo::bar"
    assert record.document == config_item()["configuration"]


def test_a_buckets_supplement_becomes_the_answers_of_the_s3_calls() -> None:
    supplement = {
        "PublicAccessBlockConfiguration": json.dumps({"blockPublicAcls": True}),
        "ServerSideEncryptionConfiguration": {
            "rules": [
                {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyID": None}}
            ]
        },
        "BucketVersioningConfiguration": json.dumps({"status": "Enabled"}),
        "BucketLoggingConfiguration": json.dumps({"destinationBucketName": "logs", "logFilePrefix": None}),
    }
    item = config_item(
        resourceType="AWS::S3::Bucket", configuration={"name": "b"}, supplementaryConfiguration=supplement
    )
    (record,) = records(snapshot(item))
    assert record.document["PublicAccessBlockConfiguration"] == {"BlockPublicAcls": True}
    assert record.document["ServerSideEncryptionConfiguration"]["Rules"] == [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": None}}
    ]
    assert record.document["Versioning"] == {"Status": "Enabled"}
    assert record.document["Logging"] == {"TargetBucket": "logs", "TargetPrefix": ""}


def test_a_security_groups_ranges_and_a_functions_variables_keep_their_names() -> None:
    rule = {
        "ipProtocol": "tcp",
        "fromPort": None,
        "ipv4Ranges": [{"cidrIp": "0.0.0.0/0"}],
        "ipRanges": ["0.0.0.0/0"],
    }
    group = config_item(resourceType="AWS::EC2::SecurityGroup", configuration={"ipPermissions": [rule]})
    function = config_item(
        resourceType="AWS::Lambda::Function", configuration={"environment": {"variables": {"stage": "x"}}}
    )
    first, second = records(snapshot(group, function))
    assert first.document["IpPermissions"] == [
        {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": []}
    ]
    assert second.document == {"Environment": {"Variables": {"stage": "x"}}}


def test_the_parts_of_an_asset_merge_in_either_order() -> None:
    resource, policy = records(asset(BUCKET) + "\n" + asset(GRANT))
    assert (resource.part, policy.part) == ("resource", "iam_policy")
    assert resource.key == policy.key
    merged = {**BUCKET["resource"]["data"], "iamPolicy": GRANT["iam_policy"]}
    assert merge_documents(merge_documents({}, resource), policy) == merged
    assert merge_documents(merge_documents({}, policy), resource) == merged


def test_a_new_resource_part_replaces_the_resource_and_keeps_the_policy() -> None:
    resource, policy = records(asset(BUCKET) + "\n" + asset(GRANT))
    stored = {"gone": 1, "iamPolicy": GRANT["iam_policy"]}
    assert "gone" not in merge_documents(stored, resource)
    assert merge_documents(stored, resource)["iamPolicy"] == policy.document["iamPolicy"]


def test_an_assets_columns_come_from_the_line_and_the_document() -> None:
    (record,) = records(asset(BUCKET))
    assert (record.type, record.name) == ("storage.googleapis.com/bucket", "b1")
    assert (record.account, record.location, record.tags) == ("42", "us-east1", {"team": "web"})


def test_camel_case_assets_and_deleted_ones_are_read() -> None:
    line = {"name": "//x.googleapis.com/projects/p/a/1", "assetType": "x.googleapis.com/A", "deleted": True}
    (record,) = records(json.dumps(line))
    assert (record.part, record.status, record.account) == ("listing", "deleted", "p")
    assert merge_documents({"kept": 1}, record) == {"kept": 1}


def test_an_access_level_is_a_resource_of_its_own() -> None:
    (record,) = records(asset({"access_level": {"name": "accessPolicies/1/accessLevels/x", "title": "x"}}))
    assert record.native_id == "//accesscontextmanager.googleapis.com/accessPolicies/1/accessLevels/x"
    assert (record.type, record.part) == ("accesscontextmanager.googleapis.com/accesslevel", "whole")


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"iam_policy": "x"}, "iam_policy"),
        ({"resource": []}, "resource"),
        ({"resource": {"data": 1}}, "resource.data"),
    ],
)
def test_a_bad_asset_is_refused_by_its_field(content: dict[str, Any], field: str) -> None:
    (refusal,) = refusals(asset(content))
    assert (refusal.field, refusal.native_id) == (field, "//storage.googleapis.com/b1")


CRN = "crn:v1:bluemix:public:is:us-south-2:a/0123456789abcdef::instance:0717_x"


def test_an_ibm_item_is_kept_whole_and_its_tags_are_split() -> None:
    item = {
        "crn": CRN,
        "name": "vm1",
        "region": "us-south",
        "tags": ["env:prod", "old"],
        "doc": {"status": "running"},
    }
    (record,) = records(json.dumps({"items": [item], "search_cursor": "c"}))
    assert record.document == item
    assert (record.type, record.account) == ("ibm.is-instance", "0123456789abcdef")
    assert (record.location, record.status) == ("us-south", "running")
    assert record.tags == {"env": "prod", "old": ""}


def test_an_ibm_item_without_a_region_lies_where_its_crn_says() -> None:
    (record,) = records(json.dumps([{"crn": CRN}]))
    assert (record.location, record.region) == ("us-south-2", "us-south")


@pytest.mark.parametrize("crn", [None, 5, "", "crn:v1:too:short"])
def test_an_ibm_item_without_a_crn_is_refused(crn: object) -> None:
    (refusal,) = refusals(json.dumps({"items": [{"crn": crn}]}))
    assert refusal.field == "crn"


CSV = """\
id,provider,type,name,location,tags,tag:Owner,properties
vol-1,aws,aws.ebs,disk,us-east-1a,env=prod;team=web,ann,"{""Encrypted"": false}"

vol-2,aws,aws.ebs,"two
lines",us-east-1a,"{""env"": ""dev""}",,
vol-3,aws,aws.ebs,,,,,
"""


def test_csv_rows_become_records_with_the_line_they_begin_on() -> None:
    first, second, third = records(CSV)
    assert first.tags == {"env": "prod", "team": "web", "Owner": "ann"}
    assert first.document == {"Encrypted": False}
    assert (second.name, second.tags) == ("two\nlines", {"env": "dev"})
    assert [first.line, second.line, third.line] == [2, 4, 6]
    assert third.location is None


@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_takes_other_separators(separator: str) -> None:
    (record,) = records(f"id{separator}provider{separator}type\nvol-1{separator}aws{separator}aws.ebs\n")
    assert record.native_id == "vol-1"


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        ("vol-9,aws,aws.ebs,x", None, "4 cells, where the header has 8"),
        (",aws,aws.ebs,,,,,", "id", "id is missing"),
        ("vol-9,oracle,x,,,,,", "provider", "oracle"),
        ('vol-9,aws,aws.ebs,,,,,"{""a"": NaN}"', "properties", "NaN"),
        ("vol-9,aws,aws.ebs,,,{,,", "tags", "not JSON"),
        ('vol-9,aws,aws.ebs,"x"y,,,,', None, "not CSV"),
        ("vol-9,aws,aws.ebs,a\x00b,,,,", None, "NUL"),
    ],
)
def test_a_bad_csv_row_is_refused_and_its_neighbours_land(bad: str, field: str | None, reason: str) -> None:
    good, refusal, last = read(io.BytesIO((CSV[:138] + bad + "\nvol-7,aws,aws.ebs,,,,,\n").encode()))
    assert isinstance(good, ResourceRecord)
    assert isinstance(last, ResourceRecord)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.field) == (3, field)
    assert reason in refusal.reason


def test_csv_in_latin_1_refuses_the_row_that_shows_it() -> None:
    content = "id,provider,type,name\nv1,aws,aws.ebs,caf\xe9\nv2,aws,aws.ebs,tea\n".encode("latin-1")
    refusal, record = read(io.BytesIO(content))
    assert isinstance(refusal, Refusal)
    assert (refusal.line, refusal.reason[:9]) == (2, "not UTF-8")
    assert isinstance(record, ResourceRecord)


def test_csv_without_a_needed_column_is_refused_by_its_name() -> None:
    assert refusals("id,provider,name\n1,aws,x\n", "csv")[0].field == "type"


def test_csv_with_a_column_twice_is_refused_by_its_name() -> None:
    (refusal,) = refusals("id,provider,type,Name,name\n1,aws,x,a,b\n")
    assert (refusal.line, refusal.field) == (1, "name")


def test_a_quote_that_never_closes_is_refused_where_it_begins() -> None:
    rows = "vol-1,aws,aws.ebs,x\n" * 20_000
    first = next(iter(refusals('id,provider,type,name\nvol-0,aws,aws.ebs,"x\n' + rows, "csv")))
    assert first.line == 2
    assert "not CSV" in first.reason


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (snapshot(config_item()), "aws-config"),
        (json.dumps(config_item()).join("[]"), "aws-config"),
        (asset(BUCKET), "gcp-asset"),
        (asset(GRANT), "gcp-asset"),
        ('{"items": [{"crn": "x"}]}', "ibm-search"),
        ('[{"name": "x", "crn": "x"}]', "ibm-search"),
        (CSV, "csv"),
        ('{"count": 1, "data": [', "azure-resource-graph"),
        ('{"provider": "aws", "id": "x"', "ndjson"),
    ],
)
def test_the_format_is_told_from_the_first_bytes(content: str, format: str) -> None:
    assert detect(io.BytesIO(content.encode())) == format
    assert format in FORMATS
