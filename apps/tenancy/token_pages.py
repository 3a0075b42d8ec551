"""API tokens: one's own, and for an administrator everybody's."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset

from .filters import TokenFilter
from .models import ApiToken, User
from .pages import FormPage, ListPage, attempt, show_on_form
from .roles import Permission
from .services import create_token, revoke_token
from .tokens import SCOPES

LONGEST_DAYS = 366
SCOPE_WORDS = {
    "read": "Read and export",
    "import": "Import inventory and policies",
    "scan": "Start scans",
    "request": "Ask for exceptions and actions",
    "approve": "Decide on exceptions and actions",
    "manage": "Manage users and policies",
}


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The tokens that somebody may see and revoke: his own, and all of them for who manages."""
    tokens = ApiToken.objects.select_related("user")
    return tokens if user.has_perm(Permission.MANAGE) else tokens.filter(user=user)


def _state(token: ApiToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at <= timezone.now() else "active"


def _revoke(token: ApiToken) -> str:
    return (
        cells.link("Revoke…", "tenancy:token-revoke", token.pk)
        if _state(token) == "active"
        else cells.NOTHING
    )


class TokenList(ListPage):
    name = "tenancy.tokens"
    title = "API tokens"
    step = Step("tenancy:token-create", "Make a token", "view")
    lead = "Keys for scripts and other systems. Each acts as its owner, within its scopes, until it ends."
    filterset_class = TokenFilter
    primary = ("revoked",)
    exportable = False
    sorts = (Sort("recent", "Latest first", Keyset("-created_at", "-id")),)
    columns = (
        Column("name", "Name", css="main"),
        Column("user", "Acts as", value=lambda t: str(t.user)),
        Column("scopes", "Scopes", value=lambda t: ", ".join(t.scopes)),
        Column("state", "State", value=_state, cell=lambda t: cells.status(_state(t))),
        Column("expires_at", "Ends", cell=lambda t: cells.moment(t.expires_at), css="when"),
        Column("last_used_at", "Last used", cell=lambda t: cells.moment(t.last_used_at), css="when"),
        Column("created_at", "Made", cell=lambda t: cells.moment(t.created_at), css="when"),
        Column("revoke", "Revoke", value=lambda t: None, cell=_revoke),
    )

    def rows(self) -> QuerySet[Any]:
        return tokens_of(cast(User, self.request.user))

    def empty(self) -> Emptiness:
        return Emptiness(
            "No tokens", "Make one to call the API from a script.", "tenancy:token-create", "Make a token"
        )


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="What it is for, so that others know when it can go")
    scopes = forms.MultipleChoiceField(
        choices=[(scope, SCOPE_WORDS[scope]) for scope in SCOPES], widget=forms.CheckboxSelectMultiple
    )
    expires_on = forms.DateField(
        label="Last day (UTC)",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=f"At most {LONGEST_DAYS} days from now",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A scope whose permissions the role lacks would grant nothing: it isn't offered.
        held = [(s, SCOPE_WORDS[s]) for s, permissions in SCOPES.items() if user.has_perms(list(permissions))]
        self.fields["scopes"].choices = held  # type: ignore[attr-defined]

    def clean_expires_on(self) -> dt.datetime:
        day: dt.date = self.cleaned_data["expires_on"]
        days = (day - timezone.now().date()).days
        if not 0 <= days <= LONGEST_DAYS:
            raise forms.ValidationError(f"The last day is from today to {LONGEST_DAYS} days from now.")
        return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)


class TokenCreate(FormPage):
    """Makes a token and shows its text in the answer to the POST, this once; nothing can show it again."""

    template_name = "tenancy/token_create.html"

    def get_form(self, form_class: Any = None) -> TokenForm:
        return TokenForm(user=cast(User, self.request.user), **self.get_form_kwargs())

    def get_initial(self) -> dict[str, Any]:
        return {"scopes": ["read"], "expires_on": timezone.now().date() + dt.timedelta(days=90)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Make an API token", **kwargs)

    def form_valid(self, form: TokenForm) -> HttpResponse:
        data = form.cleaned_data
        user = cast(User, self.request.user)
        try:
            made = attempt(
                lambda: create_token(
                    user=user, name=data["name"], scopes=data["scopes"], expires_at=data["expires_on"]
                )
            )
        except GovernanceError as error:
            show_on_form(form, error)
            return self.form_invalid(form)
        response = self.render_to_response(self.get_context_data(form=form, made=made))
        response["Cache-Control"] = "no-store"
        return response


class TokenRevoke(FormPage):
    """Asks once more, then ends the token. Everybody ends his own; whose it isn't gets a 404."""

    template_name = "tenancy/token_revoke.html"
    form_class = forms.Form
    done = "The token is revoked: it stops working at once."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Revoke a token", token=self._token(), **kwargs)

    def act(self, form: forms.Form) -> str:
        revoke_token(token=self._token())
        return reverse("tenancy:token-list")

    def _token(self) -> ApiToken:
        return get_object_or_404(tokens_of(cast(User, self.request.user)), pk=self.kwargs["pk"])
