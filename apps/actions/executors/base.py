"""The contract of an executor. The runner alone decides when which of its functions is called.

    read  → live state        (cloud, no change)
    plan  → Change            (pure: from the live state, says before → after)
    apply → Receipt           (cloud; safe to repeat with the same key)
    verify → Verdict          (cloud, no change)
    rollback → Receipt        (cloud; after → before, where the kind can)

No function touches the database, and none is called inside a transaction. Cloud errors come as
`apps.connectors.errors.CloudError`, whose type says whether trying again may help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from apps.connectors.clouds import Cloud

# A JSON-ready projection of the live state: just what the kind reads and changes, so that drift elsewhere
# does not send an approval back. Keys are stable, values comparable with ==. It never holds a secret.
State = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """The resource to change, as the catalog knows it. `native_id` is the cloud's own id."""

    resource_id: str
    provider: str
    type: str
    native_id: str
    name: str
    account: str | None
    location: str | None
    tags: Mapping[str, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What would become of one resource. `before` and `after` are states of the same keys.

    `undo` says in words how it is undone or, with `reversible` false, why it can't be. `disruption` says
    what users of the resource notice, empty where nothing. `monthly_saving` is in the account's currency as
    a decimal text, None where it is not about money.
    """

    before: State
    after: State
    summary: str
    undo: str
    reversible: bool = True
    disruption: str = ""
    monthly_saving: str | None = None

    @property
    def is_nothing(self) -> bool:
        """The resource is already as it should be."""
        return self.before == self.after


@dataclass(frozen=True)
class Call:
    """One API call that was made: `response` as the cloud gave it, without secrets, JSON-ready."""

    operation: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]


@dataclass(frozen=True)
class Receipt:
    """What was called, for evidence, and what a rollback must know beyond `before` (a snapshot's id, say)."""

    calls: tuple[Call, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Whether the live state is what the plan promised; `differences` names each key that is not."""

    state: State
    differences: tuple[str, ...] = ()
    # Not there yet, but on its way (an instance that is stopping): look again.
    pending: bool = False

    @property
    def holds(self) -> bool:
        return not self.differences and not self.pending


@dataclass(frozen=True)
class Kind:
    """A kind of action: `type` is what `actions.type` holds, e.g. `aws.s3.block_public_access`.

    `resource_types` are catalog types (lower-case). `params` is a JSON Schema (an object, no additional
    properties) of what a requester gives. `risk` is low, medium, high: what the approval rule begins with.
    """

    type: str
    title: str
    provider: str
    resource_types: tuple[str, ...]
    risk: str
    reversible: bool
    description: str
    params: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "additionalProperties": False}
    )


class CannotPlan(Exception):
    """The live state forbids this kind (an attached volume can't be deleted); the message says why."""


class Executor(Protocol):
    """One kind of action. Instances hold no state: one of them serves every tenant and thread."""

    @property
    def kind(self) -> Kind:
        """What it does; an attribute will do."""
        ...

    def read(self, cloud: Cloud, target: Target, params: Mapping[str, Any]) -> State:
        """The live state. Raises CloudGone where the resource is not there, and other CloudErrors."""
        ...

    def plan(self, target: Target, state: State, params: Mapping[str, Any]) -> Change:
        """Pure. Raises CannotPlan."""
        ...

    def apply(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], key: str
    ) -> Receipt:
        """Bring it about. Called again with the same `key` after a kill: it must find what the first call
        has done and do only the rest. `key` goes to the cloud where the cloud takes one."""
        ...

    def verify(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], receipt: Receipt
    ) -> Verdict:
        """Read again and compare with `change.after`."""
        ...

    def rollback(
        self,
        cloud: Cloud,
        target: Target,
        change: Change,
        params: Mapping[str, Any],
        receipt: Receipt,
        key: str,
    ) -> Receipt:
        """Bring `change.before` back; repeatable as `apply`. Raises CannotPlan where the kind can't."""
        ...


def compare(state: State, wanted: State) -> tuple[str, ...]:
    """The keys of `wanted` that `state` does not hold: what `Verdict.differences` names."""
    return tuple(sorted(key for key, value in wanted.items() if state.get(key) != value))
