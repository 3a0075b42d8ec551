"""Policy import, and what may be changed of a policy afterwards: its status and its parameters' values."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from django.db import OperationalError, transaction

from apps.audit.services import record
from apps.core.context import current, current_tenant_id, tenant_transaction
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput
from apps.core.states import StateMachine, transition

from ..languages import PolicyDraft, PolicyFileRefusal, policy_language
from ..models import SEVERITIES, ImportRun, Policy, PolicyVersion, policy_key
from .controls import controls_by_framework, merged_controls
from .frameworks import save_framework
from .importing import ImportLog, Progress
from .mappings import sync_mappings
from .policy_files import policy_files

logger = logging.getLogger(__name__)

FAILED = "failed"
"""A draft's status only: the engine broke on the definition, and no policy is made of it."""
LISTED_FAILURES = 100
COMPILED = ("active", "disabled", "needs_parameters", "draft")
REFUSED = ("unsupported", "invalid")
# Under this key of a policy's metadata stands the severity that people gave it; an import leaves it alone.
OVERRIDE = "severity_override"
# And the action that an admin has named for its violations, instead of the definition's own.
ACTION_OVERRIDE = "action_override"

POLICY_MACHINE = StateMachine(
    model=Policy,
    transitions={
        "active": frozenset({"disabled", "needs_parameters"}),
        "disabled": frozenset({"active"}),
        "draft": frozenset({"active", "disabled"}),
        "needs_parameters": frozenset({"active", "disabled"}),
    },
    audit_prefix="catalog.policy",
)


def import_policies(
    *, source: IO[bytes] | Path, name: str, format: str | None = None, progress: Progress | None = None
) -> ImportRun:
    """Import a file, folder or ZIP of policies; returns the finished run.

    Every definition ends compiled, or is kept as `unsupported` or `invalid` with JSON path and reason, or is one
    that the engine broke on: that one is `failed`, named among the refusals, and stays as it was before. The run's
    summary: {"compiled", "unsupported", "failed", "reasons": {text: count}, "failures": {name: why}}. A changed
    definition becomes a new version; status and parameter values that people set stay.
    """
    del format  # a policy file tells its own language
    log = ImportLog(kind="policies", source=name, format="", progress=progress)
    tally = _Tally()
    try:
        for file in policy_files(source, name):
            if isinstance(file, PolicyFileRefusal):
                log.read += 1
                log.refuse(file.line, file.at, file.reason)
                continue
            _import_file(file.name, file.raw, log, tally)
            log.save()
        with tenant_transaction(current_tenant_id()):
            sync_mappings()
    except BaseException as error:
        log.finish(status="failed", error=str(error)[:500] or "Cancelled.", summary=tally.summary())
        raise
    log.finish(summary=tally.summary())
    return log.run


class _Tally:
    """How the definitions of an import ended, and which ids it has given out."""

    def __init__(self) -> None:
        self.compiled = self.unsupported = self.failed = 0
        self.reasons: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self._given: dict[str, str] = {}

    def count(self, draft: PolicyDraft) -> None:
        if draft.status == FAILED:
            self.failed += 1
            if len(self.failures) < LISTED_FAILURES:
                self.failures[f"{draft.name} {draft.at}".strip()] = draft.refusals[0]["reason"]
        elif draft.status in COMPILED:
            self.compiled += 1
        else:
            self.unsupported += 1
            self.reasons.update(refusal["reason"] for refusal in draft.refusals)

    def identity(self, draft: PolicyDraft, file: str, sha256: str) -> str:
        """The provider's id; where one import gives the same id to another definition, with its place."""
        plain = draft.provider_id
        if self._given.setdefault(f"{draft.language}:{plain}", sha256) == sha256:
            return plain
        return f"{plain}@{file}#{draft.at}"

    def summary(self) -> dict[str, Any]:
        return {
            "compiled": self.compiled,
            "unsupported": self.unsupported,
            "failed": self.failed,
            "reasons": dict(self.reasons.most_common()),
            "failures": self.failures,
        }


def _import_file(name: str, raw: bytes, log: ImportLog, tally: _Tally) -> None:
    drafts: list[PolicyDraft] = []
    for item in policy_language().read(raw, name):
        log.read += 1
        if isinstance(item, PolicyFileRefusal):
            log.refuse(item.line, f"{name}{item.at}", item.reason)
            continue
        drafts.append(item)
    with tenant_transaction(current_tenant_id()):
        for same in _together(drafts):
            for draft in _save_one(same, name, log, tally):
                tally.count(draft)
                for refusal in draft.refusals[:1]:
                    at = f"{name}{draft.at} {refusal['path']}".strip()
                    log.refuse(None, at, refusal["reason"], draft.name)
        for framework in policy_language().frameworks(raw, name):
            save_framework(draft=framework)


def _save_one(same: list[PolicyDraft], file: str, log: ImportLog, tally: _Tally) -> list[PolicyDraft]:
    """Save what several drafts of one definition say; as they ended, `failed` where it could not be saved.

    In a savepoint: what breaks on one definition leaves its neighbours alone.
    """
    draft = _joined(same)
    if draft.status == FAILED:
        return same
    try:
        with transaction.atomic():
            written = _save(draft, file, tally)
    except OperationalError:  # the server is away: no definition's fault
        raise
    except Exception as error:
        logger.exception("The import broke on %s of %s", draft.name, file)
        why = f"the engine broke on it: {type(error).__name__}: {str(error).splitlines()[:1]}"[:500]
        return [replace(each, status=FAILED, refusals=({"path": "", "reason": why},)) for each in same]
    if draft.status not in REFUSED:
        log.written += written
        log.unchanged += not written
    return same


def _together(drafts: list[PolicyDraft]) -> list[list[PolicyDraft]]:
    """A definition and the members of an initiative that name it are one policy."""
    together: dict[tuple[str, str, str], list[PolicyDraft]] = {}
    for draft in drafts:
        key = (draft.language, draft.provider_id, definition_sha256(draft.definition))
        together.setdefault(key, []).append(draft)
    return list(together.values())


def _joined(same: list[PolicyDraft]) -> PolicyDraft:
    """Drafts of one definition as one, under all of their controls."""
    if len(same) == 1:
        return same[0]
    controls = merged_controls(*(controls_by_framework(draft.metadata.get("controls")) for draft in same))
    return replace(same[0], metadata={**same[0].metadata, "controls": controls})


def _save(draft: PolicyDraft, file: str, tally: _Tally) -> bool:
    """Insert or update one policy; True where something changed."""
    sha256 = definition_sha256(draft.definition)
    provider_id = tally.identity(draft, file, sha256)
    pk = policy_key(current_tenant_id(), draft.language, provider_id)
    policy = Policy.objects.filter(pk=pk).first()
    if policy is None:
        policy = Policy(
            pk=pk, status=draft.status, current_version=0, parameters=dict(draft.parameters), metadata={}
        )
        changed = True
    else:
        current_sha = PolicyVersion.objects.filter(policy=policy, number=policy.current_version).values_list(
            "sha256", flat=True
        )
        changed = list(current_sha) != [sha256]
        if policy.parameters:
            # An initiative's groups are not in the definition: they stay those of this import.
            controls = draft.metadata.get("controls")
            draft = policy_language().look_at(draft.language, draft.definition, policy.parameters)
            draft = replace(draft, metadata={**draft.metadata, "controls": controls})
        if not changed and not _differs(policy, draft, provider_id):
            return False
    _apply(policy, draft, provider_id, new_version=changed)
    if changed:
        PolicyVersion(
            policy=policy,
            number=policy.current_version,
            definition=dict(draft.definition),
            sha256=sha256,
            created_by=str(current().actor),
        ).save(force_insert=True)
    record("catalog.policy.imported", policy, {"version": policy.current_version, "status": policy.status})
    return True


def _metadata(policy: Policy, draft: PolicyDraft, provider_id: str) -> dict[str, Any]:
    metadata = {**draft.metadata, "provider_id": provider_id, "refusals": [dict(r) for r in draft.refusals]}
    kept = {name: policy.metadata[name] for name in (OVERRIDE, ACTION_OVERRIDE) if name in policy.metadata}
    metadata |= kept
    return metadata


def _severity(policy: Policy, draft: PolicyDraft) -> str:
    """What people set it to, else what the definition says."""
    return str(policy.metadata.get(OVERRIDE) or draft.severity)


def _status(policy: Policy, draft: PolicyDraft) -> str:
    """A compiled policy keeps what people set it to; a refusal shows at once."""
    if policy.status in ("disabled", "draft") and draft.status in COMPILED:
        return policy.status
    return draft.status


def _differs(policy: Policy, draft: PolicyDraft, provider_id: str) -> bool:
    return (policy.name, policy.type, policy.effect, policy.severity, policy.status, policy.metadata) != (
        draft.name,
        draft.type,
        draft.effect,
        _severity(policy, draft),
        _status(policy, draft),
        json.loads(json.dumps(_metadata(policy, draft, provider_id))),
    )


def _apply(policy: Policy, draft: PolicyDraft, provider_id: str, *, new_version: bool) -> None:
    policy.status = _status(policy, draft) if policy.current_version else draft.status
    policy.name, policy.provider, policy.type = draft.name, draft.provider, draft.type
    policy.effect, policy.severity, policy.language = draft.effect, _severity(policy, draft), draft.language
    policy.metadata = _metadata(policy, draft, provider_id)
    policy.current_version += new_version
    if policy._state.adding:
        policy.save(force_insert=True)
    else:
        policy.updated_at = TransactionNow()
        policy.save()


def definition_sha256(definition: Mapping[str, Any]) -> str:
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "backslashreplace")).hexdigest()


def set_policy_status(*, policy: Policy, status: str) -> Policy:
    """Enable (`active`) or disable a policy. Raises IllegalTransition for one that was refused."""
    transition(POLICY_MACHINE, policy, status, changes={"updated_at": TransactionNow()})
    return policy


def set_policy_parameters(*, policy: Policy, parameters: Mapping[str, Any]) -> Policy:
    """Give values to a policy's parameters; it becomes active once none is missing. Audited with both values."""
    version = PolicyVersion.objects.get(policy=policy, number=policy.current_version)
    draft = policy_language().look_at(policy.language, version.definition, parameters)
    if draft.refusals:
        refusal = draft.refusals[0]
        raise InvalidInput(refusal["reason"], field=refusal["path"] or "parameters")
    with transaction.atomic():
        before = policy.parameters
        policy.parameters = dict(parameters)
        if policy.status in ("active", "needs_parameters"):
            policy.status = draft.status
        policy.effect = draft.effect
        policy.updated_at = TransactionNow()
        policy.save(update_fields=["parameters", "status", "effect", "updated_at"])
        record("catalog.policy.parameters_set", policy, {"before": before, "after": dict(parameters)})
        policy.refresh_from_db()
    return policy


def set_policy_severity(*, policy: Policy, severity: str) -> Policy:
    """Give a policy another severity than its definition's; later imports keep it. Audited with both."""
    if severity not in SEVERITIES:
        raise InvalidInput(
            f"severity must be one of {', '.join(SEVERITIES)}, not {severity!r}.", field="severity"
        )
    with transaction.atomic():
        before = policy.severity
        policy.severity = severity
        policy.metadata = {**policy.metadata, OVERRIDE: severity}
        policy.updated_at = TransactionNow()
        policy.save(update_fields=["severity", "metadata", "updated_at"])
        record("catalog.policy.severity_set", policy, {"before": before, "after": severity})
        policy.refresh_from_db()
    return policy
