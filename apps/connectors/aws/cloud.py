"""An AWS account that can be called."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from apps.connectors.access import AccountAccess
from apps.connectors.aws.credentials import CONFIG, FALLBACK_REGION, session_for
from apps.connectors.aws.errors import translate

Answer = dict[str, Any]


class Call(Protocol):
    """`AwsCloud.call`, or what stands before it to keep a record."""

    def __call__(self, service: str, method: str, region: str | None = None, /, **request: Any) -> Answer: ...


class AwsCloud:
    """The account of `access`. `call` is the one way to AWS: it names the operation and translates errors.

    One instance may serve several threads; a client is made once for each service and region.
    """

    provider = "aws"

    def __init__(self, access: AccountAccess) -> None:
        self.access = access
        self._session = session_for(access)
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._making = threading.Lock()
        # What listers ask once for all of their pages.
        self.remembered: dict[str, Any] = {}
        self._config = CONFIG
        if access.endpoint_url:  # no names of buckets before a loopback address
            self._config = CONFIG.merge(Config(s3={"addressing_style": "path"}))

    @property
    def home(self) -> str:
        """The region for what has none: the first of the account's."""
        return self.access.regions[0] if self.access.regions else FALLBACK_REGION

    def client(self, service: str, region: str | None = None) -> BaseClient:
        key = (service, region or self.home)
        with self._making:  # a session makes one client at a time
            if key not in self._clients:
                self._clients[key] = self._session.create_client(
                    service, region_name=key[1], endpoint_url=self.access.endpoint_url, config=self._config
                )
            return self._clients[key]

    def call(self, service: str, method: str, region: str | None = None, /, **request: Any) -> Answer:
        """Make one API call (`call("s3", "get_bucket_policy", Bucket=…)`). Raises CloudError."""
        operation = operation_name(service, method)
        try:
            client = self.client(service, region)
            answer: Answer = getattr(client, method)(**request)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            raise translate(error, operation) from error
        return answer

    def identity(self) -> str:
        """The account number that STS says these credentials are of."""
        return str(self.call("sts", "get_caller_identity")["Account"])

    def regions(self) -> tuple[str, ...]:
        """The account's regions: those it was connected with, else all that are enabled for it."""
        if self.access.regions:
            return self.access.regions
        told = self.call("ec2", "describe_regions")["Regions"]
        return tuple(sorted(region["RegionName"] for region in told))


def operation_name(service: str, method: str) -> str:
    """`s3`, `put_public_access_block` → `s3:PutPublicAccessBlock`, as IAM policies and CloudTrail name it."""
    return f"{service}:{''.join(part.capitalize() for part in method.split('_'))}"


def without_metadata(answer: Mapping[str, Any]) -> Answer:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
