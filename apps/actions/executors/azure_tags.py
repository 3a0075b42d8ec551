"""Azure: tags of whatever has an ARM id, by the Tags API, which leaves the resource itself alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.azure import TAGGED_TYPES, changes
from apps.connectors.calls import Made

from .base import Kind, Target
from .tagging import TagExecutor, TagWords, remove_params, set_params

# Azure: 50 tags; names up to 512 characters (128 on storage accounts) without <>%&\\?/, values up to 256.
WORDS = TagWords(case_matters=False, name_pattern=r"^[^<>%&\\?/\s][^<>%&\\?/]*$", longest_name=128)


class _Calls:
    def read(self, cloud: Any, target: Target) -> Mapping[str, str]:
        return changes.read_tags(cloud, target.native_id)

    def change(
        self, cloud: Any, target: Target, put: Mapping[str, str], drop: Mapping[str, str], key: str
    ) -> list[Made]:
        made = [changes.merge_tags(cloud, target.native_id, put)] if put else []
        return made + ([changes.delete_tags(cloud, target.native_id, drop)] if drop else [])


SET = TagExecutor(
    Kind(
        type="azure.tag",
        title="Set tags",
        provider="azure",
        resource_types=TAGGED_TYPES,
        risk="low",
        reversible=True,
        description="Set tags on a resource and leave its others as they are.",
        params=set_params(WORDS),
    ),
    _Calls(),
    WORDS,
)
REMOVE = TagExecutor(
    Kind(
        type="azure.untag",
        title="Remove tags",
        provider="azure",
        resource_types=TAGGED_TYPES,
        risk="low",
        reversible=True,
        description="Remove tags from a resource and leave its others as they are.",
        params=remove_params(WORDS),
    ),
    _Calls(),
    WORDS,
)
