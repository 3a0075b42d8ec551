"""Deciding on rows that wait in the admin: one at a time, in a savepoint of its own, with an answer in words.

A room says what it decides on by a `DecisionDesk`; that nobody decides on his own request is held by its service
and by the database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.db import IntegrityError, OperationalError, models, transaction
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.audit.services import record
from apps.core.errors import GovernanceError, InvalidInput, NotFound, Refused, StaleState

log = logging.getLogger(__name__)

MAX_REASON = 4000
AT_ONCE = "Somebody else was deciding on the same rows at this moment. Look again and decide anew."
# Deadlock, serialisation failure, lock not available.
_MET = ("40P01", "40001", "55P03")


@dataclass(frozen=True)
class Decision:
    """One of approve, reject, …: how it is called, from which state it leads, and its service.

    `service` is called with (row, digest, reason) and raises GovernanceErrors; `explained` says what follows.
    """

    verb: str
    done: str
    from_status: str
    needs_reason: bool
    service: Callable[[Any, str, str], Any]
    explained: str


@dataclass(frozen=True)
class Outcome:
    """What became of one row: `message` says why it was skipped, empty where it was decided."""

    row: Any
    decided: bool
    message: str = ""
    row_id: str = ""
    name: str = ""
    where: str = ""


class DecisionDesk:
    """What a room says of the rows that it decides on. `columns` are the heads of a bulk confirmation's table."""

    model: ClassVar[type[models.Model]]
    noun: ClassVar[str]
    nouns: ClassVar[str]
    refusal_code: ClassVar[str]
    own: ClassVar[str]
    changed: ClassVar[str]
    section: ClassVar[str]
    decisions: ClassVar[Sequence[Decision]]
    columns: ClassVar[Sequence[str]]

    def rows(self) -> models.QuerySet[Any]:
        """Rows with all that a row, a digest and a decision need."""
        raise NotImplementedError

    def digest(self, row: Any) -> str:
        """SHA-256 of what is decided on, as it is now."""
        raise NotImplementedError

    def is_open(self, decision: Decision, row: Any) -> bool:
        return bool(row.status == decision.from_status)

    def already(self, row: Any) -> str:
        """Why it is not open any more, and who was first."""
        raise NotImplementedError

    def is_own(self, row: Any, user_id: Any) -> bool:
        raise NotImplementedError

    def forbids_own(self, decision: Decision) -> bool:
        return True

    def name(self, row: Any) -> str:
        raise NotImplementedError

    def told(self, row: Any) -> str:
        """What a message calls the row once it is decided."""
        return self.name(row)

    def where(self, row: Any) -> str:
        return ""

    def cells(self, row: Any) -> Sequence[str]:
        """One for each of `columns`; escaped."""
        raise NotImplementedError

    def prepare(self, rows: Sequence[Any]) -> None:
        """Read what the rows show beside their own columns, for all at once."""

    def obstacle(self, decision: Decision, row: Any, user_id: Any) -> str:
        """Why this person can't decide so on this row; "" where he can."""
        if not self.is_open(decision, row):
            return f"it is {row.status.replace('_', ' ')}, not {decision.from_status}"
        if self.forbids_own(decision) and self.is_own(row, user_id):
            return "you asked for it yourself: somebody else must decide"
        return ""

    def decision(self, verb: str) -> Decision:
        return next(decision for decision in self.decisions if decision.verb == verb)

    # --- deciding -------------------------------------------------------------------------------------
    def decide(self, decision: Decision, row_id: Any, *, digest: str, reason: str) -> Outcome:
        """Decide on what was shown, or say why not; nothing of a refused one is kept but its audit row.

        The row is locked and read again first: of two deciders the second finds the first one's decision.
        `digest` is of what the page showed; a row that has changed since is skipped.
        """
        try:
            with transaction.atomic():
                row = self._locked(row_id)
                self._still_as_shown(decision, row, digest)
                if decision.needs_reason and not reason.strip():
                    raise InvalidInput(f"To {decision.verb} needs a reason.", field="reason")
                decision.service(row, digest, reason.strip())
            return Outcome(row, True, "", str(row_id), self.name(row), self.where(row))
        except GovernanceError as error:
            return self._refused(decision, row_id, error)
        except IntegrityError as error:
            # The database's own four eyes, where something got past the service.
            if "four_eyes" not in str(error):
                raise
            return self._refused(decision, row_id, Refused(self.own))
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) not in _MET:
                raise
            log.warning("Two deciders met on %s %s", self.noun, row_id)
            return self._refused(decision, row_id, StaleState(AT_ONCE))

    def _locked(self, row_id: Any) -> Any:
        # Two statements: one that waited for the lock sees the row anew, but what it joins as it was before.
        locked = list(self.model._default_manager.select_for_update().filter(pk=row_id).values_list("pk"))
        found = self.rows().filter(pk=row_id).first() if locked else None
        if found is None:
            raise NotFound(f"There is no such {self.noun} any more.")
        return found

    def _still_as_shown(self, decision: Decision, row: Any, digest: str) -> None:
        if not self.is_open(decision, row):
            raise StaleState(self.already(row))
        if self.digest(row) != digest:
            raise StaleState(self.changed)

    def _refused(self, decision: Decision, row_id: Any, error: GovernanceError) -> Outcome:
        row = self.rows().filter(pk=row_id).first()
        if isinstance(error, Refused) and row is not None:
            record(self.refusal_code, row, {"decision": decision.verb, "why": str(error)})
        name, where = (self.name(row), self.where(row)) if row is not None else ("", "")
        return Outcome(row, False, str(error), str(row_id), name, where)


class DecisionForm(forms.Form):
    """A reason, where the decision needs one, and the digest of what the page showed."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), max_length=MAX_REASON, required=False
    )

    def __init__(self, decision: Decision, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["reason"]
        field.required = decision.needs_reason
        field.error_messages["required"] = f"To {decision.verb} needs a reason."
        field.help_text = (
            "The requester and every auditor will read it."
            if decision.needs_reason
            else "If you like: kept with the decision."
        )
