"""Tags: set some, take some away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.aws import tags

from .aws_base import AwsExecutor, Params, Recording, object_schema
from .base import CannotPlan, Change, Kind, State, Target

_KEY = {"type": "string", "minLength": 1, "maxLength": 128}


class _Tags(AwsExecutor):
    """The state holds the keys that are asked about alone; None for one that is not set."""

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        tags.require_there(aws, target.type, target.native_id, aws.region)
        told = tags.read_tags(aws, target.type, target.native_id, aws.region)
        return {key: told.get(key) for key in self.keys(params)}

    def keys(self, params: Params) -> list[str]:
        return sorted(params["tags"])

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        put = {k: v for k, v in wanted.items() if v is not None and now.get(k) != v}
        gone = [k for k, v in wanted.items() if v is None and now.get(k) is not None]
        if put:
            tags.put_tags(aws, target.type, target.native_id, aws.region, put)
        if gone:
            tags.remove_tags(aws, target.type, target.native_id, aws.region, gone)
        return {}


class SetTags(_Tags):
    kind = Kind(
        type="aws.tag",
        title="Set tags",
        provider="aws",
        resource_types=tags.TYPES,
        risk="low",
        reversible=True,
        description="Sets these tags and leaves all others.",
        params=object_schema(
            ("tags",),
            tags={
                "type": "object",
                "minProperties": 1,
                "maxProperties": 50,
                "propertyNames": _KEY,
                "additionalProperties": {"type": "string", "maxLength": 256},
            },
        ),
    )

    def plan(self, target: Target, state: State, params: Params) -> Change:
        _refuse_reserved(self.keys(params))
        told = ", ".join(f"{key}={value}" for key, value in sorted(params["tags"].items()))
        return Change(
            before=state,
            after=dict(sorted(params["tags"].items())),
            summary=f"Set {told} on {target.name}.",
            undo="The values that were there are set again; tags that were not there are taken away.",
        )


class RemoveTags(_Tags):
    kind = Kind(
        type="aws.untag",
        title="Take tags away",
        provider="aws",
        resource_types=tags.TYPES,
        risk="low",
        reversible=True,
        description="Takes these tags away and leaves all others.",
        params=object_schema(
            ("keys",),
            keys={"type": "array", "minItems": 1, "maxItems": 50, "uniqueItems": True, "items": _KEY},
        ),
    )

    def keys(self, params: Params) -> list[str]:
        return sorted(params["keys"])

    def plan(self, target: Target, state: State, params: Params) -> Change:
        _refuse_reserved(self.keys(params))
        return Change(
            before=state,
            after=dict.fromkeys(self.keys(params)),
            summary=f"Take {', '.join(self.keys(params))} away from {target.name}.",
            undo="The tags are set again with the values they had.",
            disruption="What is granted, billed or switched by these tags changes.",
        )


def _refuse_reserved(keys: list[str]) -> None:
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise CannotPlan(f"Tags that begin with aws: are AWS's own: {', '.join(reserved)}.")
