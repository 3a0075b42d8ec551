"""Deciding on one exception, in a savepoint of its own, with an answer in words whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, OperationalError, transaction

from apps.audit.services import record
from apps.core.errors import GovernanceError, InvalidInput, NotFound, Refused, StaleState

from ..models import PolicyException
from ..services.exception_facts import shown_digest
from ..services.exception_sql import one_decision_at_a_time
from ..services.exceptions import approve_exception, reject_exception, revoke_exception

log = logging.getLogger(__name__)

NOT_TWICE = "Who asked for an exception can't decide on it: somebody else must."
AT_ONCE = "Somebody else was deciding on the same rows at this moment. Look again and decide anew."


@dataclass(frozen=True)
class Decision:
    """One of approve, reject, revoke: how it is called, from which state it leads, and its service."""

    verb: str
    done: str
    from_status: str
    needs_reason: bool
    service: Callable[..., Any]
    explained: str


APPROVE = Decision(
    "approve", "approved", "pending", False, approve_exception,
    "The violations it covers are shown as excepted until it expires. They are still evaluated.",
)  # fmt: skip
REJECT = Decision(
    "reject", "rejected", "pending", True, reject_exception,
    "The violations stay open. The requester sees your reason.",
)  # fmt: skip
REVOKE = Decision(
    "revoke", "revoked", "approved", True, revoke_exception,
    "The violations it covers are open again at once, in every list and count.",
)  # fmt: skip
DECISIONS = {decision.verb: decision for decision in (APPROVE, REJECT, REVOKE)}


@dataclass(frozen=True)
class Outcome:
    """What became of one row: `message` says why it was skipped, empty where it was decided."""

    exception: PolicyException | None
    decided: bool
    message: str = ""
    exception_id: str = ""


def queue_rows() -> Any:
    """Exceptions with all that a row, a digest and a decision need, in one query."""
    return PolicyException.objects.select_related("policy", "resource", "created_by", "decided_by")


def decide(decision: Decision, exception_id: Any, *, digest: str, reason: str) -> Outcome:
    """Decide on what was shown, or say why not; nothing of a refused one is kept but its audit row.

    The row is locked and read again first: of two deciders the second finds the first one's decision.
    `digest` is of what the page showed; a row that has changed since is skipped.
    """
    try:
        with transaction.atomic():
            exception = _locked(exception_id)
            _still_as_shown(decision, exception, digest)
            if decision.needs_reason and not reason.strip():
                raise InvalidInput(f"To {decision.verb} needs a reason.", field="reason")
            decision.service(exception=exception, reason=reason.strip())
        return Outcome(exception, True)
    except GovernanceError as error:
        return _refused(decision, exception_id, error)
    except IntegrityError as error:
        # The database's own four eyes, where something got past the service.
        if "four_eyes" not in str(error):
            raise
        return _refused(decision, exception_id, Refused(NOT_TWICE))
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) not in ("40P01", "40001", "55P03"):
            raise
        log.warning("Two deciders met on exception %s", exception_id)
        return _refused(decision, exception_id, StaleState(AT_ONCE))


def _locked(exception_id: Any) -> PolicyException:
    # Before the row's own lock, as everywhere: two who wait for each other's would both be turned away.
    one_decision_at_a_time()
    # Two statements: one that waited for the lock sees the row anew, but what it joins as it was before.
    locked = list(PolicyException.objects.select_for_update().filter(pk=exception_id).values_list("pk"))
    found: PolicyException | None = queue_rows().filter(pk=exception_id).first() if locked else None
    if found is None:
        raise NotFound("There is no such exception any more.")
    return found


def _still_as_shown(decision: Decision, exception: PolicyException, digest: str) -> None:
    if exception.status != decision.from_status:
        raise StaleState(already(exception))
    if shown_digest(exception) != digest:
        raise StaleState(
            "The request, its policy or its resource has changed since the page was made. "
            "Look again and decide anew."
        )


def already(exception: PolicyException) -> str:
    """Who was first, and when: for whoever comes second."""
    who = f" by {exception.decided_by}" if exception.decided_by else ""
    when = f" at {exception.decided_at:%Y-%m-%d %H:%M} UTC" if exception.decided_at else ""
    return f"It is no longer open to this: it was {exception.status}{who}{when}."


def _refused(decision: Decision, exception_id: Any, error: GovernanceError) -> Outcome:
    exception = queue_rows().filter(pk=exception_id).first()
    if isinstance(error, Refused) and exception is not None:
        record(
            "findings.exception.decision_refused", exception, {"decision": decision.verb, "why": str(error)}
        )
    return Outcome(exception, False, str(error), str(exception_id))
