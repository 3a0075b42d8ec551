"""Object Storage's S3 API by botocore, signed with IBM's bearer token instead of a pair of keys."""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from ibm_cloud_sdk_core.authenticators import Authenticator

CONNECT_SECONDS, READ_SECONDS = 10, 60


@functools.cache
def _loader() -> Loader:
    """S3's description takes a quarter of a second to read: once a process."""
    return create_loader(botocore.session.Session().get_config_variable("data_path"))


def storage_client(endpoint: str, region: str, authenticator: Authenticator) -> Any:
    """A client of one region. Raises nothing: the token is asked for at each call, which may raise.

    Its session knows no profile and no key of AWS: an unsigned request can't carry the platform's own.
    """
    config = Config(
        signature_version=UNSIGNED,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
    )
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    client = session.create_client("s3", endpoint_url=endpoint, region_name=region, config=config)

    def authorise(request: Any, **_: Any) -> None:
        held: dict[str, Any] = {"headers": {}}
        authenticator.authenticate(held)
        for name, value in held["headers"].items():
            request.headers[name] = value
        if isinstance(request.body, bytes) and request.body:
            # Configurations of a bucket want this one; newer boto3 sends other checksums in its place.
            digest = hashlib.md5(request.body, usedforsecurity=False).digest()
            request.headers["Content-MD5"] = base64.b64encode(digest).decode()

    client.meta.events.register("before-send.s3", authorise)
    return client
