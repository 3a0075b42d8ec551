"""What is read and changed of database instances."""

from __future__ import annotations

from typing import Any

from apps.connectors.aws.cloud import Call
from apps.connectors.errors import CloudGone


def database(call: Call, region: str | None, name: str) -> dict[str, Any]:
    answer = call("rds", "describe_db_instances", region, DBInstanceIdentifier=name)
    if not answer["DBInstances"]:
        raise CloudGone(f"There is no database {name} (any more).", operation="rds:DescribeDBInstances")
    one: dict[str, Any] = answer["DBInstances"][0]
    return one


def set_public(call: Call, region: str | None, name: str, public: bool) -> None:
    call(
        "rds",
        "modify_db_instance",
        region,
        DBInstanceIdentifier=name,
        PubliclyAccessible=public,
        ApplyImmediately=True,
    )


def stop(call: Call, region: str | None, name: str) -> None:
    call("rds", "stop_db_instance", region, DBInstanceIdentifier=name)


def start(call: Call, region: str | None, name: str) -> None:
    call("rds", "start_db_instance", region, DBInstanceIdentifier=name)
