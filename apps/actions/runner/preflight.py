"""Preflight: the live state is read, a plan made of it and sealed with its digest; then it waits for approval,
or goes on where enough people have approved just this plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.audit.services import record
from apps.connectors.errors import CloudError
from apps.core.context import tenant_transaction
from apps.core.errors import NotFound, Refused
from apps.core.states import transition
from apps.findings.models import Violation

from ..evidence import Piece, manifest_of, with_entries
from ..executors.base import CannotPlan, Change, Target
from ..models import Action, ActionTarget
from ..notifying import tell_waiting
from ..plans import LeftOut, Plan, PlannedTarget, change_of, differences, digest, plain
from ..rules import Asked, Verdict, judge, rule_for
from ..services.deciding import approvals_given
from ..services.proposing import worst
from ..states import ACTION_MACHINE, say
from ..troubles import may_help, words
from .run import Run
from .targets import targets_of

STATE = "preflight"
LOOKED_AT = ("planned", "applying", "left_out", "nothing")


@dataclass
class Looked:
    """What the preflight found: a target is planned, already as it should be, or left out with a reason."""

    planned: list[PlannedTarget] = field(default_factory=list)
    nothing: list[tuple[int, str]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    half_done: list[Mapping[str, Any]] = field(default_factory=list)
    states: dict[int, Any] = field(default_factory=dict)
    retryable: bool = False

    def leave_out(self, row: ActionTarget, error: Exception) -> None:
        self.left_out.append(LeftOut(row.ordinal, row.name, words(error)))
        self.retryable = self.retryable or may_help(error)


def preflight(run: Run, action: Action, rows: Sequence[ActionTarget]) -> bool:
    """Make and seal the plan; True where the action goes on at once, False where it waits or has ended."""
    if "requires_approval" in action.params:
        return _go_on(run, action.plan_sha256)
    with tenant_transaction(run.handle.tenant_id):
        known = targets_of(rows)
        undone = _undone(action)
    began, looked = timezone.now(), Looked()
    for row in rows:
        if row.state in LOOKED_AT:
            _look(run, row, known[row.ordinal], undone.get(row.resource_id), action, looked)
            run.handle.checkpoint(row.ordinal, len(rows), "Reading the live state")
    done = [*_kept(action, rows), *looked.half_done]
    if not looked.planned and not done:
        return _end_without_plan(run, action, looked, began)
    with tenant_transaction(run.handle.tenant_id):
        verdict = _judge(run, action, rows, known, len(looked.planned) + len(done))
    plan = _plan(run, action, looked, verdict, done)
    return _seal(run, action, plan, looked, verdict, began)


# --- reading ------------------------------------------------------------------------------------------
def _look(
    run: Run,
    row: ActionTarget,
    target: Target | None,
    undone: ActionTarget | None,
    action: Action,
    looked: Looked,
) -> None:
    params = _own(action)
    try:
        if target is None:
            raise NotFound("The inventory does not know this resource any more.")
        cloud = run.cloud(target.provider, target.account)
        state = plain(run.call(run.executor.read, cloud, target, params))
        looked.states[row.ordinal] = state
        if _is_half_done(row, state):
            looked.half_done.append(_planned_before(action, row.ordinal))
            return
        change = _undoing(undone, state) if undone else run.executor.plan(target, state, params)
        change = replace(change, before=plain(change.before), after=plain(change.after))
    except CloudError as error:
        if error.retryable:
            raise run.wait_for_cloud(error, STATE, f"Reading {row.name}") from error
        looked.leave_out(row, error)
    except (CannotPlan, NotFound, Refused) as error:
        looked.leave_out(row, error)
    else:
        if change.is_nothing:
            looked.nothing.append((row.ordinal, row.name))
        else:
            looked.planned.append(PlannedTarget(row.ordinal, target, change))


def _is_half_done(row: ActionTarget, state: Mapping[str, Any]) -> bool:
    """Begun by us and maybe finished: each value is the one from before or the one that was wanted."""
    if row.state != "applying" or not row.change:
        return False
    before, after = row.change["before"], row.change["after"]
    return all(state.get(key) in (before.get(key), after.get(key)) for key in {*before, *after})


def _planned_before(action: Action, n: int) -> Mapping[str, Any]:
    return next(t for t in (action.plan or {})["targets"] if t["n"] == n)


def _kept(action: Action, rows: Sequence[ActionTarget]) -> list[Mapping[str, Any]]:
    """Of an earlier attempt: what is done stays in the plan as it was approved."""
    done = {row.ordinal for row in rows if row.state in ("applied", "verified", "rolling_back")}
    return [t for t in (action.plan or {}).get("targets", []) if t["n"] in done]


def _undone(action: Action) -> dict[str, ActionTarget]:
    """For a rollback: what the original did to each resource."""
    if action.reverses_id is None:
        return {}
    return {row.resource_id: row for row in ActionTarget.objects.filter(action=action.reverses_id)}


def _undoing(original: ActionTarget, state: Mapping[str, Any]) -> Change:
    was = change_of(original.change or {})
    changed = differences(was.after, state)
    since = f" It was changed since: {', '.join(d['key'] for d in changed)}." if changed else ""
    return Change(
        before=state,
        after={**state, **was.before},
        summary=f"Undo: {was.summary}{since}",
        undo="By asking for the first action again.",
        disruption=was.disruption,
    )


def _own(action: Action) -> dict[str, Any]:
    return {name: value for name, value in action.params.items() if name != "requires_approval"}


# --- the plan -----------------------------------------------------------------------------------------
def _judge(
    run: Run,
    action: Action,
    rows: Sequence[ActionTarget],
    known: Mapping[int, Target | None],
    resources: int,
) -> Verdict:
    ids = [row.violation_id for row in rows if row.violation_id]
    severities = Violation.objects.filter(pk__in=ids).values_list("severity", flat=True) if ids else []
    kind = run.executor.kind
    asked = Asked(
        type=action.type,
        risk=kind.risk,
        resources=resources,
        severity=worst(severities),
        tags=[target.tags for target in known.values() if target is not None],
    )
    return judge(rule_for(action.type), asked)


def _plan(
    run: Run, action: Action, looked: Looked, verdict: Verdict, done: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    kind = run.executor.kind
    return Plan(
        type=action.type,
        title=f"Undo: {kind.title}" if action.reverses_id else kind.title,
        params=_own(action),
        risk=kind.risk,
        targets=looked.planned,
        left_out=looked.left_out,
        reverses=str(action.reverses_id) if action.reverses_id else None,
        approvals=verdict.approvals,
        because=verdict.because,
        limit=verdict.limit,
        production=verdict.production,
        done=done,
    ).as_json()


def _seal(
    run: Run, action: Action, plan: dict[str, Any], looked: Looked, verdict: Verdict, began: datetime
) -> bool:
    if verdict.refused:
        with run.recording(STATE) as locked:
            run.end(locked, "refused_by_rule", verdict.refused)
        return False
    sha256, revision = digest(plan), max(1, action.plan_revision)
    if sha256 != action.plan_sha256 and _is_taken(action, revision):
        revision += 1
    facts = {"action": str(action.pk), "revision": revision, "plan_sha256": sha256}
    source = f"{action.type}: read"
    pieces = [
        Piece(f"preflight-{revision}-live.json", {**facts, "states": _states(looked)}, source, began),
        Piece(f"preflight-{revision}-plan.json", {**facts, "plan": plan}, "governance desk: plan", began),
    ]
    entries = run.lock(action, pieces, STATE)
    with run.recording(STATE) as locked:
        _mark(locked, looked)
        Action.objects.filter(pk=locked.pk).update(
            plan=plan,
            plan_sha256=sha256,
            plan_revision=revision,
            approvals_needed=verdict.approvals,
            params={**_own(locked), "requires_approval": verdict.approvals > 0},
            result=with_entries(locked.result, entries),
            attempts=0,
            waits_for="approval" if verdict.approvals else "",
        )
        locked.refresh_from_db()
        say(locked, _planned_words(plan, looked))
        record("actions.action.planned", locked, {"plan_sha256": sha256, "revision": revision})
        return _begin_if_approved(locked)


def _is_taken(action: Action, revision: int) -> bool:
    """Whether another plan was made under this number; drift has already given a new one."""
    return any(entry["name"] == f"preflight-{revision}-plan.json" for entry in manifest_of(action.result))


def _begin_if_approved(action: Action) -> bool:
    given = approvals_given(action)
    if given < action.approvals_needed:
        tell_waiting(action)
        return False
    note = (
        f"This very plan was approved before ({given} of {action.approvals_needed}): carrying it out."
        if action.approvals_needed
        else "No approval is needed by the rule: carrying it out."
    )
    changes = {"waits_for": "", "attempts": 0}
    transition(ACTION_MACHINE, action, "in_progress", changes=changes, note=note)
    return True


def _go_on(run: Run, sha256: str) -> bool:
    """The plan is sealed already: an earlier attempt was killed after that."""
    with run.recording(STATE) as locked:
        return locked.plan_sha256 == sha256 and _begin_if_approved(locked)


def _states(looked: Looked) -> dict[str, Any]:
    return {str(n): state for n, state in sorted(looked.states.items())}


def _mark(action: Action, looked: Looked) -> None:
    rows = ActionTarget.objects.filter(action=action)
    planned = [item.n for item in looked.planned]
    rows.filter(ordinal__in=planned).update(state="planned", note="", key="", change=None)
    for n, _ in looked.nothing:
        rows.filter(ordinal=n).update(state="nothing", note="It is already as it should be.")
    for item in looked.left_out:
        rows.filter(ordinal=item.n).update(state="left_out", note=item.why)


def _planned_words(plan: Mapping[str, Any], looked: Looked) -> str:
    text = f"Planned for {len(plan['targets'])} resource{'' if len(plan['targets']) == 1 else 's'}"
    text += f", {len(looked.nothing)} already as they should be" if looked.nothing else ""
    text += f", {len(looked.left_out)} left out" if looked.left_out else ""
    needed = plan["approvals"]["needed"]
    if not needed:
        return f"{text}. No approval is needed."
    because = "; ".join(plan["approvals"]["because"])
    return f"{text}. It waits for {needed} approval{'' if needed == 1 else 's'}: {because}."


def _end_without_plan(run: Run, action: Action, looked: Looked, began: datetime) -> bool:
    facts = {
        "action": str(action.pk),
        "states": _states(looked),
        "left_out": plain([vars(x) for x in looked.left_out]),
    }
    piece = Piece(f"preflight-{action.plan_revision}-nothing.json", facts, f"{action.type}: read", began)
    entries = run.lock(action, [piece], STATE)
    if looked.left_out:
        why = "; ".join(f"{item.name}: {item.why}" for item in looked.left_out[:5])
        outcome, message = "cannot_plan", f"Nothing was changed. {why}"
    else:
        outcome = "nothing_to_do"
        message = "Everything is already as it should be. Nothing was changed."
    with run.recording(STATE) as locked:
        _mark(locked, looked)
        run.end(locked, outcome, message, retryable=looked.retryable, entries=entries)
    return False


def start(run: Run) -> None:
    """queued → preflight. A retry's plan is opened again here."""
    with run.recording("queued") as action:
        changes: dict[str, Any] = {"attempts": 0, "waits_for": ""}
        if "requires_approval" in action.params:
            changes["params"] = _own(action)
        transition(ACTION_MACHINE, action, STATE, changes=changes)


def reopen(action: Action, note: str) -> None:
    """in_progress → preflight, within a recording: what was approved is not what is there any more."""
    transition(
        ACTION_MACHINE,
        action,
        STATE,
        changes={
            "params": _own(action),
            "plan_revision": F("plan_revision") + 1,
            "attempts": 0,
            "waits_for": "",
        },
        note=note,
        payload={"drift": True},
    )
