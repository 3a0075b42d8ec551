"""The columns that mean the same for every cloud."""

from __future__ import annotations

from typing import Any

import pytest

from apps.connectors.normalise import (
    account_of,
    document_location,
    group_of,
    normalise_location,
    normalise_tags,
    normalise_type,
    status_of,
)
from apps.connectors.records import Rejected, region_of

ARM = "/subscriptions/AB-12/resourceGroups/Web-RG/providers/Microsoft.Web/sites/a"
CRN = "crn:v1:bluemix:public:is:us-south-1:a/0123abcd::instance:x"


def test_types_are_lower_case() -> None:
    assert normalise_type(" Microsoft.Compute/virtualMachines ") == "microsoft.compute/virtualmachines"


@pytest.mark.parametrize(
    ("provider", "given", "location"),
    [
        ("azure", "East US 2", "eastus2"),
        ("azure", "global", "global"),
        ("aws", "us-east-1", "us-east-1"),
        ("gcp", "https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a", "us-central1-a"),
        ("gcp", "US", "us"),
        ("ibm", "us-south", "us-south"),
        ("aws", " ", None),
        ("aws", None, None),
    ],
)
def test_locations_are_one_word_in_lower_case(provider: str, given: str | None, location: str | None) -> None:
    assert normalise_location(provider, given) == location


@pytest.mark.parametrize(
    ("provider", "location", "region"),
    [
        ("aws", "us-east-1a", "us-east-1"),
        ("aws", "us-gov-west-1b", "us-gov-west-1"),
        ("aws", "us-west-2-lax-1a", "us-west-2"),
        ("aws", "eu-central-1", "eu-central-1"),
        ("gcp", "europe-west1-b", "europe-west1"),
        ("gcp", "us", "us"),
        ("ibm", "eu-de-2", "eu-de"),
        ("azure", "eastus2", "eastus2"),
        ("aws", None, None),
    ],
)
def test_a_region_is_found_in_a_zone(provider: str, location: str | None, region: str | None) -> None:
    assert region_of(provider, location) == region


@pytest.mark.parametrize(
    ("provider", "native_id", "document", "account", "group"),
    [
        ("azure", ARM, {}, "ab-12", "web-rg"),
        ("azure", "/subscriptions/AB-12", {}, "ab-12", None),
        ("aws", "arn:aws:rds:us-east-1:111122223333:db:x", {}, "111122223333", None),
        (
            "aws",
            "fn",
            {"FunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:fn"},
            "111122223333",
            None,
        ),
        ("aws", "fn", {"RoleArn": "arn:aws:iam::999999999999:role/x"}, None, None),
        ("aws", "sg-1", {"OwnerId": "111122223333"}, "111122223333", None),
        ("aws", "arn:aws:s3:::b", {}, None, None),
        ("gcp", "projects/p1/topics/t", {}, "p1", "p1"),
        (
            "gcp",
            "x",
            {"selfLink": "https://www.googleapis.com/compute/v1/projects/p2/zones/z/disks/d"},
            "p2",
            "p2",
        ),
        ("ibm", CRN, {"resource_group_id": "rg"}, "0123abcd", "rg"),
    ],
)
def test_account_and_group_are_found_in_the_id_or_the_document(
    provider: str, native_id: str, document: dict[str, Any], account: str | None, group: str | None
) -> None:
    assert account_of(provider, native_id, document) == account
    assert group_of(provider, native_id, document) == group


@pytest.mark.parametrize(
    ("provider", "native_id", "document", "location"),
    [
        ("aws", "i-1", {"Placement": {"AvailabilityZone": "us-east-1a"}}, "us-east-1a"),
        ("aws", "x", {"DBInstanceArn": "arn:aws:rds:eu-west-1:111122223333:db:x"}, "eu-west-1"),
        ("gcp", "projects/p/locations/us-east4/functions/f", {}, "us-east4"),
        ("ibm", CRN, {}, "us-south-1"),
        ("aws", "arn:aws:iam::111122223333:user/x", {}, None),
    ],
)
def test_a_row_without_a_location_lies_where_its_document_says(
    provider: str, native_id: str, document: dict[str, Any], location: str | None
) -> None:
    assert document_location(provider, native_id, document) == location


@pytest.mark.parametrize(
    ("provider", "document", "status"),
    [
        (
            "azure",
            {"properties": {"extended": {"instanceView": {"powerState": {"code": "PowerState/running"}}}}},
            "running",
        ),
        ("azure", {"properties": {"provisioningState": "Succeeded"}}, "succeeded"),
        ("aws", {"State": {"Code": 16, "Name": "running"}}, "running"),
        ("aws", {"State": "in-use"}, "in-use"),
        ("gcp", {"status": "TERMINATED"}, "terminated"),
        ("ibm", {"doc": {"status": "stopped"}}, "stopped"),
        ("aws", {"Status": 5}, None),
        ("gcp", {"status": "x" * 65}, None),
    ],
)
def test_a_status_is_read_where_the_cloud_keeps_it(
    provider: str, document: dict[str, Any], status: str | None
) -> None:
    assert status_of(provider, document) == status


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (None, {}),
        (
            {"Env": "prod", "n": 5, "b": True, "f": 1.5, "none": None},
            {"Env": "prod", "n": "5", "b": "true", "f": "1.5", "none": ""},
        ),
        ([{"Key": "a", "Value": "b"}, {"key": "c", "value": "d"}], {"a": "b", "c": "d"}),
        ([{"TagKey": "a", "TagValue": "b"}], {"a": "b"}),
        ([{"Key": "a"}], {"a": ""}),
        (["env:prod", "old", "url:http://x"], {"env": "prod", "old": "", "url": "http://x"}),
    ],
)
def test_tags_become_a_flat_object_of_texts(given: Any, tags: dict[str, str]) -> None:
    assert normalise_tags(given) == tags


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("env", "tags"),
        ([5], "tags[0]"),
        ([{"Value": "b"}], "tags[0]"),
        ({"a": {"b": 1}}, "tags.a"),
        ({"a": ["b"]}, "tags.a"),
        ({"k" * 1025: ""}, "tags"),
        ({"a": "é" * 2049}, "tags.a"),
        ({str(n): "" for n in range(1025)}, "tags"),
    ],
)
def test_tags_that_cannot_be_kept_are_refused_by_name(given: Any, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        normalise_tags(given)
    assert caught.value.field == field
