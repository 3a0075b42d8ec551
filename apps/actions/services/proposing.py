"""Asking for a change: checked, written down, and handed to the preflight. Nothing is called here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import record
from apps.catalog.models import SEVERITIES, Resource
from apps.core.context import current
from apps.core.errors import InvalidInput, KeyReused, Refused, StaleState
from apps.core.ids import new_id
from apps.findings.models import Violation

from ..executors.base import Executor
from ..models import ENDED, MOST_TARGETS, Action, ActionTarget
from ..params import checked_params
from ..plans import digest, plain
from ..ports import find_executor
from ..rules import RISKS, Asked, judge, rule_for
from ..states import say
from .scheduling import schedule

REASON_LIMIT = 4_000


def propose_action(
    *,
    type: str,
    resources: Sequence[Resource],
    params: Any = None,
    reason: str = "",
    violations: Iterable[Violation] = (),
    idempotency_key: str | None = None,
    send: bool = True,
) -> Action:
    """Ask for a change of `resources` in the name of the context's person.

    With the same `idempotency_key` the first action is given back, whatever became of it. Raises InvalidInput
    naming `type`, `resource_ids`, `params.…` or `reason`; KeyReused where the key stands for something else;
    StaleState where such an action is already under way for one of the resources.
    """
    requester = _requester()
    executor = known_kind(type)
    given = checked_params(executor, {} if params is None else params)
    cause = {v.resource_id: v for v in violations if v.resource_id}
    if idempotency_key and (earlier := Action.objects.filter(idempotency_key=idempotency_key).first()):
        return _same(earlier, requester, type, given, resources)
    chosen = _fitting(executor, resources)
    check_rule(executor, chosen, cause.values())
    action = Action(
        type=type,
        resource_id=chosen[0].pk if len(chosen) == 1 else None,
        requested_by_id=requester,
        status="queued",
        params=given,
        reason=_reason(reason),
        risk=RISKS.index(executor.kind.risk) + 1,
        idempotency_key=idempotency_key or str(new_id()),
    )
    with transaction.atomic():
        refuse_second(type, [resource.pk for resource in chosen])
        write_action(action, [(r.pk, r.name, r.display_id, cause.get(r.pk)) for r in chosen])
        names = ", ".join(resource.name for resource in chosen[:3])
        more = f" and {len(chosen) - 3} more" if len(chosen) > 3 else ""
        say(action, f"Asked for: {executor.kind.title}, on {names}{more}.")
        schedule(action, send=send)
    return action


def write_action(action: Action, targets: Sequence[tuple[str, str, str, Violation | None]]) -> None:
    """The row, its targets and its audit row. `targets` are (resource id, name, cloud id, violation)."""
    action.save(force_insert=True)
    ActionTarget.objects.bulk_create(
        ActionTarget(
            action=action,
            ordinal=n,
            resource_id=pk,
            name=name,
            native_id=native_id,
            violation_id=violation.pk if violation is not None else None,
        )
        for n, (pk, name, native_id, violation) in enumerate(targets, start=1)
    )
    facts = {"type": action.type, "params": action.params, "reason": action.reason}
    facts |= {"resources": [target[0] for target in targets]}
    facts |= {"reverses": str(action.reverses_id)} if action.reverses_id else {}
    record("actions.action.requested", action, facts)


def known_kind(type_: str) -> Executor:
    executor = find_executor(type_)
    if executor is None:
        raise InvalidInput(f"There is no kind of action {type_!r}.", field="type")
    return executor


def check_rule(executor: Executor, resources: Sequence[Resource], violations: Iterable[Violation]) -> None:
    """Raises InvalidInput where they are more than the tenant's rule lets one action touch."""
    asked = Asked(
        type=executor.kind.type,
        risk=executor.kind.risk,
        resources=len(resources),
        severity=worst(v.severity for v in violations),
        tags=[resource.tags or {} for resource in resources],
    )
    verdict = judge(rule_for(executor.kind.type), asked)
    if verdict.refused:
        raise InvalidInput(verdict.refused, field="resource_ids")


def worst(severities: Iterable[str]) -> str:
    known = [s for s in severities if s in SEVERITIES]
    return max(known, key=SEVERITIES.index, default="")


def refuse_second(type_: str, resource_ids: Sequence[str], reverses: UUID | None = None) -> None:
    """Two of the same kind on one resource would each undo or forbid what the other planned."""
    under_way = ActionTarget.objects.filter(resource_id__in=resource_ids, action__type=type_).exclude(
        action__status__in=ENDED
    )
    first = under_way.select_related("action").first()
    if first is not None:
        raise StaleState(
            f"Such an action is already under way for {first.name or first.resource_id} "
            f"({first.action_id}, {first.action.status.replace('_', ' ')})."
        )


def _requester() -> UUID:
    requester = current().actor.user_id
    if requester is None:
        raise Refused("An action is asked for by a person.")
    return requester


def _reason(text: str) -> str:
    if len(text.strip()) > REASON_LIMIT:
        raise InvalidInput(f"The reason has at most {REASON_LIMIT} characters.", field="reason")
    return text.strip()


def _fitting(executor: Executor, resources: Sequence[Resource]) -> list[Resource]:
    kind, chosen = executor.kind, {resource.pk: resource for resource in resources}
    if not chosen:
        raise InvalidInput("Name the resources to change.", field="resource_ids")
    if len(chosen) > MOST_TARGETS:
        raise InvalidInput(f"One action has at most {MOST_TARGETS} resources.", field="resource_ids")
    for resource in chosen.values():
        if resource.provider != kind.provider or resource.type.lower() not in kind.resource_types:
            raise InvalidInput(
                f"{resource.name} is {resource.type} of {resource.provider}: {kind.title} is for "
                f"{', '.join(kind.resource_types)} of {kind.provider}.",
                field="resource_ids",
            )
    return list(chosen.values())


def _same(
    earlier: Action, requester: UUID, type_: str, params: Mapping[str, Any], resources: Sequence[Resource]
) -> Action:
    """The earlier action, if it is what is asked for again."""
    own = {name: value for name, value in earlier.params.items() if name != "requires_approval"}
    targets = set(earlier.targets.values_list("resource_id", flat=True))
    same = (
        earlier.requested_by_id == requester
        and earlier.type == type_
        and digest(own) == digest(plain(params))
        and targets == {resource.pk for resource in resources}
    )
    if not same:
        raise KeyReused("This idempotency key stands for another action.", field="Idempotency-Key")
    return earlier
