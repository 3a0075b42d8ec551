"""Azure: storage accounts closed to the public, in two ways: anonymous reading, and any network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.connectors.azure import changes
from apps.connectors.calls import Made
from apps.connectors.clouds import Cloud

from .base import CannotPlan, Change, Kind, Receipt, State, Target, Verdict, compare
from .tagging import calls_of

TYPES = ("microsoft.storage/storageaccounts",)


@dataclass(frozen=True)
class StorageSetting:
    """One setting of an account, brought to `wanted`. `write` sets it; `disruption` is said where it changes."""

    kind: Kind
    key: str
    wanted: Any
    write: Callable[[Any, str, Any], Made]
    what: str
    disruption: str

    def read(self, cloud: Cloud, target: Target, params: Mapping[str, Any]) -> State:
        return {self.key: changes.read_storage(cloud, target.native_id)[self.key]}  # type: ignore[arg-type]

    def plan(self, target: Target, state: State, params: Mapping[str, Any]) -> Change:
        before, never_set = state[self.key], state[self.key] is None
        return Change(
            before=dict(state),
            after={self.key: self.wanted},
            summary=f"{target.name}: {self.what} ({'never set' if never_set else before} → {self.wanted}).",
            undo=(
                "The account never had this setting, and a setting can't be unset: it could be set to true by hand."
                if never_set
                else f"The setting is put back to {before}."
            ),
            reversible=not never_set,
            disruption=self.disruption if before != self.wanted else "",
        )

    def apply(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], key: str
    ) -> Receipt:
        return self._bring(cloud, target, change.after[self.key])

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
        if not change.reversible:
            raise CannotPlan(change.undo)
        return self._bring(cloud, target, change.before[self.key])

    def _bring(self, cloud: Cloud, target: Target, value: Any) -> Receipt:
        if self.read(cloud, target, {})[self.key] == value:
            return Receipt()
        return Receipt(calls_of([self.write(cloud, target.native_id, value)]))


PUBLIC_BLOBS = StorageSetting(
    Kind(
        type="azure.storage.disable_public_blobs",
        title="Disable anonymous blob access",
        provider="azure",
        resource_types=TYPES,
        risk="medium",
        reversible=True,
        description="No container of the storage account can be read without signing in, whatever it says itself.",
    ),
    key="allow_blob_public_access",
    wanted=False,
    write=changes.set_blob_public_access,
    what="forbid anonymous reading of its blobs",
    disruption="Whoever reads blobs of this account without signing in no longer can: "
    "websites and downloads that link to them break.",
)
NETWORK = StorageSetting(
    Kind(
        type="azure.storage.deny_network_access",
        title="Deny network access by default",
        provider="azure",
        resource_types=TYPES,
        risk="high",
        reversible=True,
        description="Only networks, addresses and services that the account's own rules name reach it.",
    ),
    key="default_action",
    wanted="Deny",
    write=changes.set_default_action,
    what="let in only networks that its rules name",
    disruption="Every program that reaches this account from a network which its rules don't name is cut off.",
)
