"""The forms of retention: the window, a hold, its release."""

from __future__ import annotations

from django import forms

from .holds import MAX_REASON
from .window import LONGEST, SHORTEST


class WindowForm(forms.Form):
    hot_days = forms.IntegerField(
        min_value=SHORTEST,
        max_value=LONGEST,
        label="Days",
        help_text=f"{SHORTEST} to {LONGEST}, after a violation was fixed or an action ended.",
    )


class HoldForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON, widget=forms.Textarea(attrs={"rows": 3}), label="Why must it be kept?"
    )
    area = forms.CharField(
        required=False,
        max_length=100,
        label="Only",
        help_text="Empty for everything, or evidence/<action id>/ or reports/<report id>/.",
    )


class ReleaseForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON, widget=forms.Textarea(attrs={"rows": 3}), label="Why is it over?"
    )
