"""Google Cloud: a bucket closed to the public, whatever its ACLs and policies say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.calls import Made
from apps.connectors.clouds import Cloud
from apps.connectors.gcp import storage

from .base import Change, Kind, Receipt, State, Target, Verdict, compare
from .tagging import calls_of

PREVENTION, UNIFORM, PUBLIC = "public_access_prevention", "uniform_access", "public_bindings"


class PreventPublicAccess:
    """Enforce public access prevention first: it closes the bucket in one call. Then tidy what let people in."""

    kind = Kind(
        type="gcp.storage.prevent_public_access",
        title="Prevent public access",
        provider="gcp",
        resource_types=("gcp.bucket", "storage.googleapis.com/bucket"),
        risk="medium",
        reversible=True,
        description="Enforce public access prevention on a bucket and take allUsers and allAuthenticatedUsers "
        "out of its policy.",
        params={
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "uniform_access": {
                    "type": "boolean",
                    "title": "Let the bucket's policy alone decide (ACLs count for nothing)",
                    "default": False,
                }
            },
        },
    )

    def read(self, cloud: Cloud, target: Target, params: Mapping[str, Any]) -> State:
        return storage.read_access(cloud, target.native_id)  # type: ignore[arg-type]

    def plan(self, target: Target, state: State, params: Mapping[str, Any]) -> Change:
        uniform = bool(params.get("uniform_access")) or state[UNIFORM]
        after: dict[str, Any] = {PREVENTION: "enforced", UNIFORM: uniform, PUBLIC: []}
        roles = ", ".join(binding["role"] for binding in state[PUBLIC])
        public = f" The public has {roles} now." if roles else ""
        return Change(
            before=dict(state),
            after=after,
            summary=f"{target.name}: nobody of the public gets in.{public}",
            undo="Prevention, uniform access and the public's roles are put back as they were, unless an "
            "organisation policy forbids it"
            + (
                ", or uniform access was kept for 90 days, which locks it."
                if uniform and not state[UNIFORM]
                else "."
            ),
            disruption=self._disruption(state, uniform) if dict(state) != after else "",
        )

    def _disruption(self, state: State, uniform: bool) -> str:
        said = []
        if state[PREVENTION] != "enforced":
            said.append(
                "Whoever reads the bucket without a role of his own no longer can: websites and downloads "
                "that link to it break."
            )
        if uniform and not state[UNIFORM]:
            said.append("ACLs count for nothing: whoever had access by them alone loses it.")
        return " ".join(said)

    def apply(
        self, cloud: Cloud, target: Target, change: Change, params: Mapping[str, Any], key: str
    ) -> Receipt:
        live, wanted, made = self.read(cloud, target, params), change.after, list[Made]()
        at: Any = cloud
        if live[PREVENTION] != wanted[PREVENTION]:
            made.append(storage.set_prevention(at, target.native_id, wanted[PREVENTION]))
        if live[UNIFORM] != wanted[UNIFORM]:
            made.append(storage.set_uniform(at, target.native_id, wanted[UNIFORM]))
        if live[PUBLIC]:
            made.append(storage.remove_public(at, target.native_id))
        return Receipt(calls_of(made))

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
        """Prevention first: while it is enforced the public can't be let in."""
        live, wanted, made = self.read(cloud, target, params), change.before, list[Made]()
        at: Any = cloud
        if live[PREVENTION] != wanted[PREVENTION]:
            made.append(storage.set_prevention(at, target.native_id, wanted[PREVENTION]))
        if live[UNIFORM] != wanted[UNIFORM]:
            made.append(storage.set_uniform(at, target.native_id, wanted[UNIFORM]))
        if live[PUBLIC] != wanted[PUBLIC]:
            made.append(storage.add_public(at, target.native_id, list(wanted[PUBLIC])))
        return Receipt(calls_of(made))


PREVENT = PreventPublicAccess()
