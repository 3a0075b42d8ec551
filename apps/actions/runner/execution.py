"""Carrying out: each resource is read again just before; what differs from the plan stops everything and asks
again. A resource is claimed with its key, changed, and recorded, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.connectors.errors import CloudError
from apps.core.context import tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import NotFound, Refused
from apps.core.states import transition

from ..evidence import Piece, manifest_of, with_entries
from ..executors.base import CannotPlan, Change, Receipt, Target
from ..models import Action, ActionApproval, ActionTarget
from ..plans import change_of, differences, digest, plain
from ..states import ACTION_MACHINE, say
from ..troubles import may_help, words
from .preflight import reopen
from .run import Overtaken, Run
from .targets import receipt_as_json, receipt_of, sealed_target, targets_of

STATE = "in_progress"
OPEN = ("planned", "applying")
CHANGED = ("applied", "verified", "rolling_back", "rolled_back")


class Drifted(Exception):
    """A resource is not as it was when the plan was approved."""

    def __init__(self, row: ActionTarget, planned: Mapping[str, Any], live: Mapping[str, Any]) -> None:
        super().__init__(row.name)
        self.row, self.planned, self.live = row, planned, live

    @property
    def words(self) -> str:
        changed = differences(self.planned["before"], self.live)
        told = ", ".join(f"{d['key']} was {d['before']} and is {d['after']}" for d in changed[:5])
        return (
            f"Stopped: {self.row.name} has changed since it was planned ({told}). The approvals are void; "
            "a new plan is made and asked for again."
        )


class Step:
    """What carrying out needs of one resource."""

    def __init__(
        self,
        row: ActionTarget,
        planned: Mapping[str, Any],
        known: Target | None,
        original: ActionTarget | None,
    ) -> None:
        self.row, self.planned, self.original = row, planned, original
        self.target = sealed_target(planned, known)
        self.change = change_of(planned)


def execute(run: Run, action: Action, rows: Sequence[ActionTarget]) -> None:
    """Change what is still to be changed; leaves the action verifying, in preflight again, or ended."""
    if digest(action.plan or {}) != action.plan_sha256:
        with run.recording(STATE) as locked:
            run.end(
                locked,
                "plan_damaged",
                "The stored plan is not the one that was sealed. Nothing more was changed.",
            )
        return
    _lock_approvals(run, action)
    steps = steps_of(run, action, rows)
    pending = [step for step in steps if step.row.state in OPEN]
    try:
        if len(pending) > 1:  # nothing is changed while any of them is not as planned
            for step in pending:
                _read_again(run, action, step)
        for number, step in enumerate(pending, start=1):
            if not _carry_out(run, action, step):
                break
            run.handle.checkpoint(number, len(pending), "Changing")
    except Drifted as drift:
        _ask_again(run, action, drift)
        return
    _finish(run)


def steps_of(run: Run, action: Action, rows: Sequence[ActionTarget]) -> list[Step]:
    planned = {t["n"]: t for t in (action.plan or {})["targets"]}
    with tenant_transaction(run.handle.tenant_id):
        known = targets_of(rows)
        originals: dict[str, ActionTarget] = {}
        if action.reverses_id is not None:
            found = ActionTarget.objects.filter(action=action.reverses_id)
            originals = {row.resource_id: row for row in found}
    chosen = [row for row in rows if row.ordinal in planned]
    return [
        Step(row, planned[row.ordinal], known[row.ordinal], originals.get(row.resource_id)) for row in chosen
    ]


def _lock_approvals(run: Run, action: Action) -> None:
    """Before anything is changed it is on record who approved what; so a store that is away stops it here."""
    name = f"approvals-{action.plan_revision}.json"
    if any(entry["name"] == name for entry in manifest_of(action.result)):
        return
    with tenant_transaction(run.handle.tenant_id):
        found = ActionApproval.objects.filter(
            action=action, plan_revision=action.plan_revision, plan_sha256=action.plan_sha256
        ).select_related("decided_by")
        approvals = [
            {
                "decided_by": str(a.decided_by_id),
                "role": a.decided_by.role,
                "decision": a.decision,
                "reason": a.reason,
                "decided_at": a.created_at.isoformat(),
            }
            for a in found.order_by("created_at", "id")
        ]
    facts = {
        "action": str(action.pk),
        "requested_by": str(action.requested_by_id),
        "plan_sha256": action.plan_sha256,
        "revision": action.plan_revision,
        "needed": action.approvals_needed,
        "approvals": approvals,
    }
    at = datetime.fromisoformat(approvals[-1]["decided_at"]) if approvals else action.created_at
    entries = run.lock(action, [Piece(name, facts, "governance desk: approvals", at)], STATE)
    with run.recording(STATE) as locked:
        result = with_entries(locked.result, entries)
        Action.objects.filter(pk=locked.pk).update(result=result, waits_for="", attempts=0)


# --- one resource -------------------------------------------------------------------------------------
def _read_again(run: Run, action: Action, step: Step) -> None:
    """Raise Drifted where the live state is neither the plan's nor one that we ourselves have begun to make."""
    params = _params(action)
    try:
        cloud = run.cloud(step.target.provider, step.target.account)
        live = plain(run.call(run.executor.read, cloud, step.target, params))
    except CloudError as error:
        if error.retryable:
            raise run.wait_for_cloud(error, STATE, f"Reading {step.row.name} again") from error
        live = {"error": words(error)}
    except (NotFound, Refused) as error:
        live = {"error": words(error)}
    before, after = step.planned["before"], step.planned["after"]
    if live == before:
        return
    if step.row.state == "applying" and (_between(live, before, after) or _on_its_way(run, action, step)):
        return
    raise Drifted(step.row, step.planned, live)


def _between(live: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return all(live.get(key) in (before.get(key), after.get(key)) for key in {*before, *after, *live})


def _on_its_way(run: Run, action: Action, step: Step) -> bool:
    cloud = run.cloud(step.target.provider, step.target.account)
    receipt = receipt_of(step.row.receipt)
    verdict = run.call(run.executor.verify, cloud, step.target, step.change, _params(action), receipt)
    return verdict.pending


def _carry_out(run: Run, action: Action, step: Step) -> bool:
    """Read again, claim, change, record. False where nothing more is to be changed."""
    _read_again(run, action, step)
    if not _claim(run, step):
        return False
    try:
        receipt = _change(run, action, step)
    except CloudError as error:
        if error.retryable:
            raise run.wait_for_cloud(error, STATE, f"Changing {step.row.name}") from error
        return _failed(run, step, error)
    except (CannotPlan, NotFound, Refused) as error:
        return _failed(run, step, error)
    with run.recording(STATE) as locked:
        ActionTarget.objects.filter(pk=step.row.pk).update(
            state="applied", receipt=receipt_as_json(receipt), applied_at=TransactionNow(), note=""
        )
        Action.objects.filter(pk=locked.pk).update(attempts=0, waits_for="")
        say(locked, f"Changed {step.row.name}: {step.change.summary}")
    return True


def _claim(run: Run, step: Step) -> bool:
    """Write down, before the call, that it is made and with which key; False where somebody asked to stop."""
    with run.recording(STATE) as locked:
        if locked.cancel_requested:
            return False
        row = ActionTarget.objects.get(pk=step.row.pk)
        if row.state == "planned":
            row.tries += 1
            row.key = f"{locked.pk}:{row.ordinal}:{row.tries}"
            row.state, row.change = "applying", _stored(step.planned)
            row.save(update_fields=["tries", "key", "state", "change"])
        step.row = row
    return True


def _stored(planned: Mapping[str, Any]) -> dict[str, Any]:
    names = ("before", "after", "summary", "undo", "reversible", "disruption", "monthly_saving")
    return {name: planned[name] for name in names}


def _change(run: Run, action: Action, step: Step) -> Receipt:
    cloud = run.cloud(step.target.provider, step.target.account)
    params, key = _params(action), step.row.key
    if step.original is None:
        return run.call(run.executor.apply, cloud, step.target, step.change, params, key)
    was: Change = change_of(step.original.change or {})
    made = receipt_of(step.original.receipt)
    return run.call(run.executor.rollback, cloud, step.target, was, params, made, key)


def _failed(run: Run, step: Step, error: Exception) -> bool:
    """Nothing more is changed after a failure: what holds for one often holds for the next."""
    with run.recording(STATE) as locked:
        note = words(error)
        ActionTarget.objects.filter(pk=step.row.pk).update(
            state="failed", note=note, ended_at=TransactionNow()
        )
        mark = {**(locked.result or {}), "retryable": may_help(error)}
        Action.objects.filter(pk=locked.pk).update(result=mark)
        say(locked, f"{step.row.name} could not be changed: {note}")
    return False


def _params(action: Action) -> dict[str, Any]:
    """The plan's, which are sealed."""
    return dict((action.plan or {})["params"])


# --- the end of it ------------------------------------------------------------------------------------
def _ask_again(run: Run, action: Action, drift: Drifted) -> None:
    facts = {
        "action": str(action.pk),
        "resource": drift.row.native_id,
        "planned": drift.planned,
        "live": drift.live,
    }
    name = f"drift-{action.plan_revision}.json"
    piece = Piece(name, facts, f"{action.type}: read", timezone.now())
    entries = run.lock(action, [piece], STATE)
    with run.recording(STATE) as locked:
        Action.objects.filter(pk=locked.pk).update(result=with_entries(locked.result, entries))
        reopen(locked, drift.words)


def _finish(run: Run) -> None:
    """Lock what was called; then to verification, or to the end where nothing was changed."""
    action, rows = run.load()
    if action.status != STATE:
        raise Overtaken
    changed = [row for row in rows if row.state in CHANGED]
    entries = run.lock(action, [_calls(action, rows)], STATE)
    with run.recording(STATE) as locked:
        left = ActionTarget.objects.filter(action=locked, state="planned")
        note = (
            "Not changed: it was asked to stop."
            if locked.cancel_requested
            else "Not changed: an earlier one failed."
        )
        left.update(state="cancelled", note=note)
        if not changed:
            _end_unchanged(run, locked, rows, entries)
            return
        changes = {"result": with_entries(locked.result, entries), "attempts": 0, "waits_for": ""}
        transition(ACTION_MACHINE, locked, "verifying", changes=changes)


def _end_unchanged(
    run: Run, action: Action, rows: Sequence[ActionTarget], entries: Sequence[Mapping[str, Any]]
) -> None:
    if action.cancel_requested:
        run.end(action, "cancelled", "Stopped before anything was changed.", entries=entries)
        return
    why = "; ".join(f"{row.name}: {row.note}" for row in rows if row.state == "failed")
    retryable = bool((action.result or {}).get("retryable"))
    run.end(action, "failed", f"Nothing was changed. {why}", entries=entries, retryable=retryable)


def _calls(action: Action, rows: Sequence[ActionTarget]) -> Piece:
    """Deterministic: a repeated attempt writes the same bytes and finds the same version."""
    done = [row for row in rows if row.state in (*CHANGED, "failed", "applying")]
    facts = {
        "action": str(action.pk),
        "revision": action.plan_revision,
        "plan_sha256": action.plan_sha256,
        "targets": [
            {
                "n": row.ordinal,
                "resource": row.native_id,
                "state": row.state,
                "key": row.key,
                "note": row.note,
                "applied_at": row.applied_at.isoformat() if row.applied_at else None,
                **(row.receipt or {}),
            }
            for row in done
        ],
    }
    at = max([row.applied_at for row in done if row.applied_at], default=action.created_at)
    return Piece(f"calls-{action.plan_revision}.json", facts, f"{action.type}: apply", at)
