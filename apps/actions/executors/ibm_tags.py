"""IBM Cloud: user tags of whatever has a CRN. IBM's tags are words; `name:value` is how we write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.calls import Made
from apps.connectors.ibm import TAGGED_TYPES, changes

from .base import Kind, Target
from .tagging import TagExecutor, TagWords, remove_params, set_params

# IBM Cloud, "Working with tags": 128 characters for the whole, letters, digits, blanks, _ - . and one colon;
# no difference of case.
_TEXT = r"[A-Za-z0-9_.-](?:[A-Za-z0-9_. -]*[A-Za-z0-9_.-])?"
WORDS = TagWords(
    case_matters=False,
    name_pattern=f"^{_TEXT}$",
    value_pattern=f"^(?:{_TEXT})?$",
    longest_name=63,
    longest_value=64,
    most=100,
)


class _Calls:
    def read(self, cloud: Any, target: Target) -> Mapping[str, str]:
        return changes.read_tags(cloud, target.native_id)

    def change(
        self, cloud: Any, target: Target, put: Mapping[str, str], drop: Mapping[str, str], key: str
    ) -> list[Made]:
        made = [changes.attach_tags(cloud, target.native_id, put)] if put else []
        return made + ([changes.detach_tags(cloud, target.native_id, drop)] if drop else [])


SET = TagExecutor(
    Kind(
        type="ibm.tag",
        title="Set tags",
        provider="ibm",
        resource_types=TAGGED_TYPES,
        risk="low",
        reversible=True,
        description="Set user tags on a resource and leave its others as they are.",
        params=set_params(WORDS),
    ),
    _Calls(),
    WORDS,
)
REMOVE = TagExecutor(
    Kind(
        type="ibm.untag",
        title="Remove tags",
        provider="ibm",
        resource_types=TAGGED_TYPES,
        risk="low",
        reversible=True,
        description="Remove user tags from a resource and leave its others as they are.",
        params=remove_params(WORDS),
    ),
    _Calls(),
    WORDS,
)
