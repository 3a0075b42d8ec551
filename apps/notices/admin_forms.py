"""The admin's form of a webhook endpoint."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.core.errors import InvalidInput

from .channels.addresses import URL_LIMIT, checked_url
from .codes import codes
from .models import WebhookEndpoint
from .services.endpoints import NAME_LIMIT


class EndpointForm(forms.ModelForm):
    """What an admin says of an endpoint; the secret is made by us and shown once."""

    name = forms.CharField(
        max_length=NAME_LIMIT, widget=UnfoldAdminTextInputWidget(), help_text="What it is for"
    )
    url = forms.CharField(
        label="URL",
        max_length=URL_LIMIT,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url"}),
        help_text="Begins with https:// and leads to a public address; redirects are not followed.",
    )
    codes = forms.MultipleChoiceField(
        label="What it is told",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="None chosen: everything.",
    )
    is_active = forms.BooleanField(
        label="Active", required=False, initial=True, widget=UnfoldBooleanSwitchWidget()
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "codes", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["codes"].choices = [  # type: ignore[attr-defined]
            (code, f"{told} ({code})") for code, told in codes().items()
        ]

    def clean_url(self) -> str:
        try:
            return checked_url(self.cleaned_data["url"])
        except InvalidInput as error:
            raise forms.ValidationError(str(error)) from error
