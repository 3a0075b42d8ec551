"""AWS Config's aggregator as the inventory: what it holds of the account, by advanced queries, in Config's documents.

A scope is a type in a region where a recorder records that type: only there does absence mean that a thing is gone.
What Config does not record is left alone.
"""

from __future__ import annotations

from typing import Any

from apps.connectors.aws.cloud import AwsCloud
from apps.connectors.errors import CloudUnsupported
from apps.connectors.files.aws_config import record_of_item
from apps.connectors.files.aws_config_types import CONFIG_TYPES
from apps.connectors.files.row import converted
from apps.connectors.listing import Page, patiently

from .rows import GLOBAL, token_request

PAGE = 100  # the most that a query gives
_SELECT = (
    "SELECT resourceId, resourceName, resourceType, arn, accountId, awsRegion, availabilityZone, tags, configuration, "
    "supplementaryConfiguration, configurationItemStatus"
)
# Recorded in any region, and then for all of them.
_GLOBAL_TYPES = ("AWS::IAM::Group", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::User")
_CONFIG_NAMES = {ours: theirs for theirs, ours in CONFIG_TYPES.items()}


def scopes_of(cloud: AwsCloud) -> tuple[tuple[str, str], ...]:
    """(type, region) of what Config records of the account. Raises CloudError, CloudUnsupported where it is nothing."""
    _, _, regions = _aggregator(cloud)
    found: set[tuple[str, str]] = set()
    for region in regions:
        for type_ in _recorded(cloud, region):
            found.add((CONFIG_TYPES[type_], GLOBAL if type_ in _GLOBAL_TYPES else region))
    if not found:
        raise CloudUnsupported(f"AWS Config records nothing of this account in {', '.join(regions)}.")
    return tuple(sorted(found, key=lambda scope: (scope[1], scope[0])))


def page_of(cloud: AwsCloud, type_: str, region: str, token: str | None) -> Page:
    """A page of the type's configuration items. Raises CloudError."""
    if type_ not in _CONFIG_NAMES:
        raise CloudUnsupported(f"AWS Config has no items of {type_}.")
    home, name, _ = _aggregator(cloud)
    where = [f"accountId = '{cloud.access.account}'", f"resourceType = '{_CONFIG_NAMES[type_]}'"]
    if region != GLOBAL:
        where.append(f"awsRegion = '{region}'")
    told = patiently(
        lambda: cloud.call(
            "config",
            "select_aggregate_resource_config",
            home,
            ConfigurationAggregatorName=name,
            Expression=f"{_SELECT} WHERE {' AND '.join(where)}",
            Limit=PAGE,
            **token_request("NextToken", token),
        )
    )
    items = enumerate((item.encode() for item in told.get("Results", [])), 1)
    return Page(tuple(converted(items, record_of_item)), told.get("NextToken") or None)


def _aggregator(cloud: AwsCloud) -> tuple[str, str, tuple[str, ...]]:
    """(region, name, regions of the account that it covers) of the first aggregator that holds this account."""
    if "config" not in cloud.remembered:
        cloud.remembered["config"] = _find_aggregator(cloud)
    found: tuple[str, str, tuple[str, ...]] = cloud.remembered["config"]
    return found


def _find_aggregator(cloud: AwsCloud) -> tuple[str, str, tuple[str, ...]]:
    regions = patiently(cloud.regions)
    for region in regions:
        token: str | None = None
        while True:
            told = _described(cloud, region, token)
            for one in told["ConfigurationAggregators"]:
                covered = _covered(one, cloud.access.account, regions)
                if covered:
                    return region, one["ConfigurationAggregatorName"], covered
            token = told.get("NextToken") or None
            if token is None:
                break
    raise CloudUnsupported(
        f"No aggregator of AWS Config in {', '.join(regions)} holds the account {cloud.access.account}: "
        "make one, or choose another listing for this account."
    )


def _described(cloud: AwsCloud, region: str, token: str | None) -> dict[str, Any]:
    asked = token_request("NextToken", token)
    return patiently(lambda: cloud.call("config", "describe_configuration_aggregators", region, **asked))


def _covered(one: dict[str, Any], account: str, regions: tuple[str, ...]) -> tuple[str, ...]:
    sources = [s for s in one.get("AccountAggregationSources", []) if account in s.get("AccountIds", [])]
    if "OrganizationAggregationSource" in one:
        sources.append(one["OrganizationAggregationSource"])
    if any(source.get("AllAwsRegions") for source in sources):
        return regions
    named = {region for source in sources for region in source.get("AwsRegions", [])}
    return tuple(region for region in regions if region in named)


def _recorded(cloud: AwsCloud, region: str) -> set[str]:
    """Config's types that a recorder is recording in the region, of those that we know."""
    states = patiently(lambda: cloud.call("config", "describe_configuration_recorder_status", region))
    running = {one["name"] for one in states["ConfigurationRecordersStatus"] if one.get("recording")}
    told = patiently(lambda: cloud.call("config", "describe_configuration_recorders", region))
    found: set[str] = set()
    for recorder in told["ConfigurationRecorders"]:
        if recorder["name"] in running:
            found |= _types_of(recorder.get("recordingGroup", {}))
    return found & CONFIG_TYPES.keys()


def _types_of(group: dict[str, Any]) -> set[str]:
    excluded = set(group.get("exclusionByResourceTypes", {}).get("resourceTypes", []))
    if group.get("recordingStrategy", {}).get("useOnly") == "EXCLUSION_BY_RESOURCE_TYPES":
        return set(CONFIG_TYPES) - excluded
    if group.get("allSupported"):
        world = set() if group.get("includeGlobalResourceTypes") else set(_GLOBAL_TYPES)
        return set(CONFIG_TYPES) - world
    return set(group.get("resourceTypes", []))
