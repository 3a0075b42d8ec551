"""Access keys: switch old ones off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from apps.connectors.aws import iam

from .aws_base import AwsExecutor, Params, Recording, name_of, object_schema
from .base import CannotPlan, Change, Kind, State, Target

DEFAULT_DAYS = 90


class DeactivateOldKeys(AwsExecutor):
    kind = Kind(
        type="aws.iam.deactivate_access_key",
        title="Switch off old access keys",
        provider="aws",
        resource_types=("aws.iam-user",),
        risk="high",
        reversible=True,
        description="Makes the user's active keys inactive that are older than so many days, or a given one.",
        params=object_schema(
            older_than_days={"type": "integer", "minimum": 1, "maximum": 3650, "default": DEFAULT_DAYS},
            access_key_id={"type": "string", "pattern": r"^[A-Z0-9]{16,128}$"},
        ),
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        keys = iam.access_keys(aws, name_of(target))
        return {
            "keys": {
                key["AccessKeyId"]: {"status": key["Status"], "created": key["CreateDate"].date().isoformat()}
                for key in keys
            }
        }

    def plan(self, target: Target, state: State, params: Params) -> Change:
        keys: Mapping[str, Mapping[str, str]] = state["keys"]
        chosen = [name for name, key in keys.items() if _is_meant(name, key, params)]
        if params.get("access_key_id") and params["access_key_id"] not in keys:
            raise CannotPlan("The user has no such access key.")
        after = {
            name: {**key, "status": "Inactive"} if name in chosen else dict(key) for name, key in keys.items()
        }
        told = ", ".join(f"{name} of {keys[name]['created']}" for name in chosen) or "none"
        return Change(
            before=state,
            after={"keys": after},
            summary=f"Switch off access keys of {name_of(target)}: {told}.",
            undo="The same keys are made active again; their secrets are unchanged.",
            disruption="Whatever still signs with these keys is refused at once.",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        for name, one in wanted["keys"].items():
            if name in now["keys"] and now["keys"][name]["status"] != one["status"]:
                iam.set_key_status(aws, name_of(target), name, one["status"])
        return {}


def _is_meant(name: str, key: Mapping[str, str], params: Params) -> bool:
    if key["status"] != "Active":
        return False
    if params.get("access_key_id"):
        return bool(name == params["access_key_id"])
    age = dt.datetime.now(dt.UTC).date() - dt.date.fromisoformat(key["created"])
    return bool(age.days > params.get("older_than_days", DEFAULT_DAYS))
