"""Resource Explorer for what the describe calls do not know: every other resource, with its tags and nothing more.

Such a resource keeps Resource Explorer's own type (`sns:topic`), for which no policy on properties is written: what is
not known of it is not judged. `ListResources` is asked, for `Search` ends after a thousand.
"""

from __future__ import annotations

from typing import Any

from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.files.ndjson import record_of_row
from apps.connectors.listing import Page, patiently, records_of

from .rows import GLOBAL, Ask, Row, row, token_request

# The type of a scope that lists what has a type of the form service:kind.
ANY_OTHER = "*:*"
PAGE = 1_000
# Where Resource Explorer indexes what has no region.
_HOME_OF_GLOBAL = "us-east-1"
# What the describe calls list in depth, under types of their own.
_DESCRIBED = frozenset({
    "ec2:instance", "ec2:volume", "ec2:snapshot", "ec2:security-group", "ec2:elastic-ip", "ec2:image",
    "lambda:function", "s3:bucket", "rds:db", "kms:key", "cloudtrail:trail", "dynamodb:table", "sqs:queue",
    "logs:log-group", "secretsmanager:secret", "iam:user", "iam:role", "elasticloadbalancing:loadbalancer",
    "elasticloadbalancing:loadbalancer/app", "elasticloadbalancing:loadbalancer/net",
    "elasticloadbalancing:loadbalancer/gwy",
})  # fmt: skip


def scopes_of(cloud: AwsCloud) -> tuple[tuple[str, str], ...]:
    return ((ANY_OTHER, GLOBAL), *((ANY_OTHER, region) for region in patiently(cloud.regions)))


def page_of(cloud: AwsCloud, region: str, token: str | None) -> Page:
    """A page of a region by its default view. Raises CloudError: also where the region has no index or view."""
    ask = Ask(cloud, _HOME_OF_GLOBAL if region == GLOBAL else region)
    told = patiently(
        lambda: ask(
            "resource-explorer-2",
            "list_resources",
            Filters={"FilterString": f"region:{region}"},
            MaxResults=PAGE,
            **token_request("NextToken", token),
        )
    )
    rows = [
        _row(ask, one, region)
        for one in told["Resources"]
        if one["OwningAccountId"] == cloud.access.account and one["ResourceType"] not in _DESCRIBED
    ]
    return Page(records_of(rows, record_of_row), told.get("NextToken") or None)


def _row(ask: Ask, one: dict[str, Any], region: str) -> Row:
    # `LastReportedAt` is left out: each discovery would find the resource changed.
    document: dict[str, Any] = {
        key: one[key] for key in ("Arn", "ResourceType", "Service", "Region") if key in one
    }
    tags = next((p["Data"] for p in one.get("Properties", []) if p["Name"] == "tags"), None) or []
    return row(
        ask, one["ResourceType"], one["Arn"], document, tags=tags, location=one.get("Region") or region
    )
