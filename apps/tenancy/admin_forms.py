"""The admin's forms for accounts and the organisation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from .models import Tenant, User
from .roles import Role

EXPLAINED = "Viewer reads and exports; operator imports, scans, asks; approver decides; admin manages."


def _role() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=[(role.value, role.label) for role in Role],
        widget=UnfoldAdminSelectWidget(choices=()),
        help_text=EXPLAINED,
    )


def _text(*, required: bool = True, **kwargs: Any) -> forms.CharField:
    return forms.CharField(widget=UnfoldAdminTextInputWidget(), max_length=320, required=required, **kwargs)


class UserForm(forms.ModelForm):
    """What may be changed of an account: its role, and whether it is in force."""

    role = _role()
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="An account that is switched off can't sign in, and its sessions and tokens stop working.",
    )

    class Meta:
        model = User
        fields = ("role", "is_active")


class NewUserForm(forms.ModelForm):
    """A new account with its first password. Says what is wrong by field before the service is asked."""

    upn = _text(label="User name", help_text="What he signs in with, such as an e-mail address")
    display_name = _text(required=False)
    email = forms.EmailField(widget=UnfoldAdminTextInputWidget(), required=False)
    role = _role()
    first_password = forms.CharField(
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}), strip=False, max_length=1024
    )
    password_again = forms.CharField(
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}), strip=False, max_length=1024
    )

    class Meta:
        model = User
        fields = ("upn", "display_name", "email", "role")

    def clean_upn(self) -> str:
        upn: str = self.cleaned_data["upn"].strip()
        if any(c.isspace() for c in upn):
            raise forms.ValidationError("A user name has no spaces.")
        if User.objects.filter(upn=upn).exists():
            raise forms.ValidationError(f"There is already a user {upn} here.")
        return upn

    def clean_first_password(self) -> str:
        password: str = self.cleaned_data["first_password"]
        validate_password(password)
        return password

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("first_password") and data.get("password_again") != data["first_password"]:
            self.add_error("password_again", "The two passwords differ.")
        return data

    def account(self) -> dict[str, Any]:
        """The arguments of `create_user`."""
        data = self.cleaned_data
        return {n: data[n] for n in ("upn", "display_name", "email", "role")} | {
            "password": data["first_password"]
        }


class TenantForm(forms.ModelForm):
    name = _text()

    class Meta:
        model = Tenant
        fields = ("name",)
