"""The form of one decision, and of a decision on many."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from .decisions import Decision

MAX_REASON = 4000


class DecisionForm(forms.Form):
    """A reason, needed to reject and to revoke, and the digest of what the page showed."""

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
