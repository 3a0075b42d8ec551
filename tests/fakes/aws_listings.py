"""AWS Config's aggregator and Resource Explorer on loopback; whatever else is asked goes on to moto.

moto has neither. The forms are those of AWS's API references: Config speaks JSON 1.1 and names its operation in
`X-Amz-Target`, its advanced queries give each item as a JSON text; Resource Explorer is REST with JSON. Config's items
are small-lettered, as its snapshots in the public recordings are.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

from .server import Answer, Fake, Request

_WHERE = re.compile(r"(\w+) = '([^']*)'")


class FakeListings(Fake):
    """`items` are Config's, `resources` Resource Explorer's; `page` is the most that a page holds."""

    def __init__(self, moto: str, account: str) -> None:
        super().__init__()
        self.moto, self.account = moto, account
        self.page = 100
        self.items: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.aggregators: list[dict[str, Any]] = [
            {
                "ConfigurationAggregatorName": "all",
                "AccountAggregationSources": [{"AccountIds": [account], "AllAwsRegions": True}],
            }
        ]
        # Region → its recorder's group; a region without one records nothing.
        self.recorders: dict[str, dict[str, Any]] = {}
        self.indexed: set[str] = set()

    # --- what there is
    def add_item(self, type_: str, name: str, region: str, configuration: dict[str, Any], **more: Any) -> str:
        arn = more.pop("arn", f"arn:aws:{type_.split('::')[1].lower()}:{region}:{self.account}:{name}")
        self.items[arn] = {
            "resourceId": name, "resourceName": name, "resourceType": type_, "arn": arn, "accountId": self.account,
            "awsRegion": region, "availabilityZone": "Not Applicable", "tags": [], "configuration": configuration,
            "supplementaryConfiguration": {}, "configurationItemStatus": "OK", **more,
        }  # fmt: skip
        return str(arn)

    def add_resource(self, type_: str, arn: str, region: str, **tags: str) -> None:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.resources[arn] = {
            "Arn": arn, "OwningAccountId": self.account, "Region": region, "ResourceType": type_,
            "Service": type_.split(":")[0], "LastReportedAt": "2026-11-01T00:00:00Z",
            "Properties": [{"Name": "tags", "LastReportedAt": "2026-11-01T00:00:00Z", "Data": listed}] if listed else [],
        }  # fmt: skip

    # --- the wire
    def routes(self) -> list[tuple[str, str, Any]]:
        return [("POST", "/ListResources", self._explore), ("POST", "/", self._post)] + [
            (method, ".*", self._forward) for method in ("GET", "POST", "PUT", "DELETE", "HEAD")
        ]

    def error(self, status: int, code: str, message: str) -> Answer:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
        return Answer(status, {"__type": code, "message": message}, headers)

    def _post(self, request: Request) -> Answer:
        target = request.headers.get("x-amz-target", "")
        if not target.startswith("StarlingDoveService."):
            return self._forward(request)
        region = request.headers["authorization"].split("/")[2]
        return getattr(self, f"_{target.partition('.')[2]}")(request.body, region)  # type: ignore[no-any-return]

    def _DescribeConfigurationAggregators(self, body: Any, region: str) -> Answer:
        return Answer(200, {"ConfigurationAggregators": self.aggregators})

    def _DescribeConfigurationRecorders(self, body: Any, region: str) -> Answer:
        group = self.recorders.get(region)
        found = [] if group is None else [{"name": "default", "recordingGroup": group}]
        return Answer(200, {"ConfigurationRecorders": found})

    def _DescribeConfigurationRecorderStatus(self, body: Any, region: str) -> Answer:
        group = self.recorders.get(region)
        found = [] if group is None else [{"name": "default", "recording": not group.get("stopped", False)}]
        return Answer(200, {"ConfigurationRecordersStatus": found})

    def _SelectAggregateResourceConfig(self, body: Any, region: str) -> Answer:
        if body["ConfigurationAggregatorName"] not in [
            a["ConfigurationAggregatorName"] for a in self.aggregators
        ]:
            return self.error(400, "NoSuchConfigurationAggregatorException", "there is none")
        fields, _, where = body["Expression"].removeprefix("SELECT ").partition(" WHERE ")
        asked = dict(_WHERE.findall(where))
        found = [i for _, i in sorted(self.items.items()) if all(i[k] == v for k, v in asked.items())]
        start = self._start(body.get("NextToken"), len(found))
        if start is None:
            return self.error(400, "InvalidNextTokenException", "the token is not ours")
        end = start + min(self.page, body.get("Limit", 25))
        named = [name.strip() for name in fields.split(",")]
        told = [json.dumps({name: item[name] for name in named if name in item}) for item in found[start:end]]
        more = {"NextToken": f"t{end}"} if end < len(found) else {}
        return Answer(200, {"Results": told, "QueryInfo": {}, **more})

    def _explore(self, request: Request) -> Answer:
        body, region = request.body, request.headers["authorization"].split("/")[2]
        if region not in self.indexed:
            return self.error(
                401, "UnauthorizedException", "there is no index or default view in this region"
            )
        asked = body["Filters"]["FilterString"].removeprefix("region:")
        found = [r for _, r in sorted(self.resources.items()) if r["Region"] == asked]
        start = self._start(body.get("NextToken"), len(found))
        if start is None:
            return self.error(400, "ValidationException", "the token is not ours")
        end = start + min(self.page, body["MaxResults"])
        more = {"NextToken": f"t{end}"} if end < len(found) else {}
        return Answer(
            200, {"Resources": found[start:end], "ViewArn": "arn:aws:resource-explorer-2:::view/v", **more}
        )

    @staticmethod
    def _start(token: str | None, length: int) -> int | None:
        if token is None:
            return 0
        return int(token[1:]) if token[1:].isdigit() and int(token[1:]) <= length else None

    def _forward(self, request: Request) -> Answer:
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        url = f"{self.moto}{request.path}{'?' + query if query else ''}"
        kept = {
            k: v for k, v in request.headers.items() if k not in ("host", "content-length", "accept-encoding")
        }
        asked = urllib.request.Request(url, request.raw or None, kept, method=request.method)
        try:
            with urllib.request.urlopen(asked) as told:
                return Answer(
                    told.status, told.read(), {"Content-Type": told.headers.get("Content-Type", "")}
                )
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), {"Content-Type": error.headers.get("Content-Type", "")})
