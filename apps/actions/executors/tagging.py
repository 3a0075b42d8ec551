"""Tags (Azure, IBM) and labels (Google): one way of planning for all, the calls are each cloud's own.

A state has a key for each tag that is asked for, whose value is the tag's, None where it is not there. Other
tags are nobody's business here: they may change meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from apps.connectors.calls import Made
from apps.connectors.clouds import Cloud

from .base import Call, CannotPlan, Change, Kind, Receipt, State, Target, Verdict, compare


class TagCalls(Protocol):
    """What a cloud's module offers."""

    def read(self, cloud: Any, target: Target) -> Mapping[str, str]:
        """Every tag of the resource."""
        ...

    def change(
        self, cloud: Any, target: Target, put: Mapping[str, str], drop: Mapping[str, str], key: str
    ) -> Sequence[Made]:
        """Set `put`, remove `drop` (with the values that they are thought to have); others stay."""
        ...


@dataclass(frozen=True)
class TagWords:
    """A cloud's word for it, and what it allows."""

    one: str = "tag"
    case_matters: bool = True
    name_pattern: str = r"^[^\s].*$"
    value_pattern: str = r"^.*$"
    longest_name: int = 128
    longest_value: int = 256
    most: int = 50


def set_params(words: TagWords) -> dict[str, Any]:
    """JSON Schema: `tags`, an object of texts."""
    names = {"pattern": words.name_pattern, "maxLength": words.longest_name, "minLength": 1}
    values = {"type": "string", "pattern": words.value_pattern, "maxLength": words.longest_value}
    tags = {
        "type": "object",
        "title": f"The {words.one}s to set",
        "minProperties": 1,
        "maxProperties": words.most,
        "propertyNames": names,
        "additionalProperties": values,
    }
    return _object({"tags": tags})


def remove_params(words: TagWords) -> dict[str, Any]:
    """JSON Schema: `keys`, a list of texts."""
    item = {"type": "string", "minLength": 1, "maxLength": words.longest_name}
    keys = {
        "type": "array",
        "title": f"The {words.one}s to remove",
        "minItems": 1,
        "maxItems": words.most,
        "uniqueItems": True,
        "items": item,
    }
    return _object({"keys": keys})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


@dataclass(frozen=True)
class TagExecutor:
    """Sets tags where the parameters have `tags`, removes them where they have `keys`."""

    kind: Kind
    calls: TagCalls
    words: TagWords

    def read(self, cloud: Cloud, target: Target, params: Mapping[str, Any]) -> State:
        found = self.calls.read(cloud, target)
        if not self.words.case_matters:
            found = {name.lower(): value for name, value in found.items()}
        names = params["tags"] if "tags" in params else params["keys"]
        return {name: found.get(self._known_as(name)) for name in sorted(names)}

    def _known_as(self, name: str) -> str:
        return name if self.words.case_matters else name.lower()

    def plan(self, target: Target, state: State, params: Mapping[str, Any]) -> Change:
        if len({self._known_as(name) for name in state}) < len(state):
            raise CannotPlan(f"Two of these {self.words.one}s differ in case only, and are one to the cloud.")
        wanted: Mapping[str, str] = params.get("tags", {})
        after = {key: wanted.get(key) for key in state}
        return Change(
            before=dict(state),
            after=after,
            summary=self._summary(target, state, after),
            undo=f"The {self.words.one}s get the values back that they had; those that were not there are removed.",
            disruption=self._disruption(state, after),
        )

    def _disruption(self, before: State, after: State) -> str:
        if all(before[name] is None or before[name] == after[name] for name in before):
            return ""
        return f"What goes by these {self.words.one}s (cost reports, schedules, access, policies) changes with them."

    def _summary(self, target: Target, before: State, after: State) -> str:
        said = []
        for name, new in after.items():
            old = before[name]
            if new == old:
                continue
            if new is None:
                said.append(f"remove {name} (was {old!r})")
            else:
                said.append(f"set {name} to {new!r}" + (f" (was {old!r})" if old is not None else ""))
        return f"{target.name}: {'; '.join(said) or f'its {self.words.one}s are as they should be'}."

    def apply(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], key: str
    ) -> Receipt:
        return self._bring(cloud, target, change.before, change.after, key)

    def verify(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], receipt: Receipt
    ) -> Verdict:
        state = self.read(cloud, target, params)
        return Verdict(state, compare(state, change.after))

    def rollback(
        self,
        cloud: Cloud,
        target: Target,
        change: Change,
        params: Mapping[str, Any],
        receipt: Receipt,
        key: str,
    ) -> Receipt:
        return self._bring(cloud, target, change.after, change.before, f"{key}:rollback")

    def _bring(self, cloud: Cloud, target: Target, old: State, new: State, key: str) -> Receipt:
        """Setting what is set and removing what is gone change nothing, so this is safe to repeat."""
        put = {name: value for name, value in new.items() if value is not None and value != old[name]}
        drop = {name: old[name] for name, value in new.items() if value is None and old[name] is not None}
        if not (put or drop):
            return Receipt()
        return Receipt(calls_of(self.calls.change(cloud, target, put, drop, key)))


def calls_of(made: Sequence[Made]) -> tuple[Call, ...]:
    """What connectors tell of their calls, as evidence keeps it."""
    return tuple(Call(each.operation, each.request, each.response) for each in made)
