"""What is read and changed of users' access keys."""

from __future__ import annotations

from typing import Any

from apps.connectors.aws.cloud import Call


def access_keys(call: Call, user: str) -> list[dict[str, Any]]:
    """The user's keys, a user has two at most: {AccessKeyId, Status, CreateDate, …}."""
    keys: list[dict[str, Any]] = call("iam", "list_access_keys", UserName=user)["AccessKeyMetadata"]
    return sorted(keys, key=lambda key: key["AccessKeyId"])


def set_key_status(call: Call, user: str, key_id: str, status: str) -> None:
    """`Active` or `Inactive`."""
    call("iam", "update_access_key", UserName=user, AccessKeyId=key_id, Status=status)
