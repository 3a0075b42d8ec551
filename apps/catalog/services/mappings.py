"""Which policies serve which controls: said by definitions and the library, and by administrators.

What a definition or the library says is followed whenever either changes; what an administrator has taken away is
not brought back by that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.audit.services import record
from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, StaleState

from ..framework_drafts import control_code, framework_key
from ..models import Control, Framework, Policy, PolicyControl
from .controls import INITIATIVE, controls_by_framework
from .framework_files import library
from .framework_rows import write_named_framework

FOLLOWED = ("definition", "library")
# So many pairs are told in one audit row.
TOLD = 500
Pair = tuple[UUID, str]


def map_policy(*, control: Control, policy: Policy, source: str = "manual") -> PolicyControl:
    """Say that `policy` serves `control`. Raises InvalidInput for a group, StaleState where it does already."""
    if control.is_group:
        raise InvalidInput("A group has no policies of its own: name one of its controls.", field="control")
    mapping = PolicyControl(control=control, policy=policy, source=source, added_by=str(current().actor))
    try:
        with transaction.atomic():
            mapping.save(force_insert=True)
            record("catalog.mapping.added", mapping, _told(control, policy, source))
    except IntegrityError as error:
        if "policy_controls_in_force" in str(error):
            raise StaleState("This policy serves the control already.") from error
        raise
    return mapping


def unmap_policy(*, mapping: PolicyControl) -> None:
    """End a mapping; later imports don't bring it back. Raises StaleState for one that has ended."""
    with transaction.atomic():
        ended = PolicyControl.objects.filter(pk=mapping.pk, removed_at=None).update(
            removed_at=TransactionNow(), removed_by=str(current().actor), removal="manual"
        )
        if not ended:
            raise StaleState("This mapping has ended already.")
        told = _told(mapping.control, mapping.policy, mapping.source)
        record("catalog.mapping.removed", mapping, told)


def _told(control: Control, policy: Policy, source: str) -> dict[str, Any]:
    return {
        "framework": control.framework.key,
        "control": control.code,
        "policy": policy.pk,
        "source": source,
    }


@dataclass
class _Wanted:
    """What definitions and the library say: pair → who says it."""

    pairs: dict[Pair, str] = field(default_factory=dict)

    def add(self, control: Control | None, policy_id: str, source: str) -> None:
        if control is not None and not control.is_group:
            self.pairs.setdefault((control.pk, policy_id), source)


def sync_mappings() -> tuple[int, int]:
    """Bring the mappings that are followed to what definitions and the library say; (added, ended).

    A framework that definitions name and that is not there yet comes from the library, or is made bare.
    """
    with transaction.atomic():
        wanted = _wanted()
        rows = list(
            PolicyControl.objects.order_by("added_at", "id").values_list(
                "control_id", "policy_id", "source", "removed_at", "removal"
            )
        )
        active = {(c, p): source for c, p, source, removed_at, _ in rows if removed_at is None}
        last = {(c, p): removal for c, p, _, removed_at, removal in rows if removed_at is not None}
        by_hand = {pair for pair, removal in last.items() if removal == "manual"}
        added = {p: s for p, s in wanted.pairs.items() if p not in active and p not in by_hand}
        ended = [p for p, source in active.items() if source in FOLLOWED and p not in wanted.pairs]
        _add(added)
        _end(ended)
    return len(added), len(ended)


def _wanted() -> _Wanted:
    policies = list(
        Policy.objects.order_by("id").values_list("id", "metadata__provider_id", "metadata__controls")
    )
    catalogue = _Catalogue()
    found = _Wanted()
    by_provider_id: dict[str, list[str]] = {}
    for policy_id, provider_id, said in policies:
        by_provider_id.setdefault(str(provider_id), []).append(policy_id)
        for name, labels in controls_by_framework(said).items():
            for label in labels:
                for control in catalogue.named(name, label):
                    found.add(control, policy_id, "definition")
    for framework in catalogue.frameworks.values():
        if framework.source != "library" or framework.key not in library():
            continue
        for part in library()[framework.key].controls:
            for provider_id in part.policies:
                for policy_id in by_provider_id.get(provider_id, ()):
                    found.add(catalogue.control(framework, part.code), policy_id, "library")
    return found


class _Catalogue:
    """The tenant's frameworks and controls by what definitions call them."""

    def __init__(self) -> None:
        self.frameworks = {f.key: f for f in Framework.objects.all()}
        self._controls: dict[tuple[UUID, str], Control] = {}
        self._initiative: dict[str, list[Control]] = {}
        in_force = Control.objects.filter(retired_at=None, framework__retired_at=None)
        for control in in_force.select_related("framework").order_by("id"):
            self._controls[control.framework_id, control.code] = control
            if control.framework.source == "initiative":
                self._initiative.setdefault(control.label, []).append(control)

    def control(self, framework: Framework, code: str) -> Control | None:
        return self._controls.get((framework.pk, code))

    def named(self, name: str, label: str) -> list[Control]:
        """The controls that a definition means by `label` of framework `name`; made where there is none."""
        if name == INITIATIVE:
            return self._initiative.get(label, [])
        framework = self._framework(framework_key(name))
        if framework.retired_at is not None:
            return []
        code = control_code(label)
        control = self._controls.get((framework.pk, code))
        return [control if control is not None else self._make(framework, code, label)]

    def _framework(self, key: str) -> Framework:
        if key not in self.frameworks:
            framework = write_named_framework(key)
            self.frameworks[key] = framework
            controls = Control.objects.filter(framework=framework).select_related("framework")
            self._controls |= {(framework.pk, control.code): control for control in controls}
        return self.frameworks[key]

    def _make(self, framework: Framework, code: str, label: str) -> Control:
        parent = self._controls.get((framework.pk, code.rpartition(".")[0]))
        control, made = Control.objects.get_or_create(
            framework=framework,
            code=code,
            defaults={"label": label[:300], "parent": parent, "position": -1},
        )
        if made:
            record("catalog.control.added", control, {"framework": framework.key, "control": code})
        self._controls[framework.pk, code] = control
        return control


def _add(pairs: dict[Pair, str]) -> None:
    by = str(current().actor)
    PolicyControl.objects.bulk_create(
        [PolicyControl(control_id=c, policy_id=p, source=s, added_by=by) for (c, p), s in pairs.items()],
        batch_size=1000,
        ignore_conflicts=True,
    )
    _record_pairs("catalog.mappings.added", pairs)


def _end(pairs: list[Pair]) -> None:
    by_control: dict[UUID, list[str]] = {}
    for control_id, policy_id in pairs:
        by_control.setdefault(control_id, []).append(policy_id)
    for control_id, policy_ids in by_control.items():
        PolicyControl.objects.filter(
            control_id=control_id, policy_id__in=policy_ids, removed_at=None, source__in=FOLLOWED
        ).update(removed_at=TransactionNow(), removed_by=str(current().actor), removal="followed")
    _record_pairs("catalog.mappings.removed", pairs)


def _record_pairs(action: str, pairs: Iterable[Pair]) -> None:
    told = sorted([str(control), policy] for control, policy in pairs)
    for start in range(0, len(told), TOLD):
        record(action, None, {"count": len(told), "from": start, "pairs": told[start : start + TOLD]})
