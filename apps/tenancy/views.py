"""Signing in and out."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.generic import FormView

from apps.audit.services import record
from apps.core.context import Actor, current, tenant_scope
from apps.core.errors import NotFound

from .lockout import count_failure, forget_failures, is_locked
from .models import User
from .services import find_tenant

log = logging.getLogger("security.sign_in")

WRONG = "Tenant, name or password is wrong."
LOCKED = "Too many wrong passwords. Wait a quarter of an hour, or ask your administrator."


class SignInForm(forms.Form):
    tenant = forms.CharField(max_length=200, help_text="Your organisation's short name")
    upn = forms.CharField(label="User name", max_length=320)
    password = forms.CharField(widget=forms.PasswordInput, strip=False, max_length=1024)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].widget.attrs |= {"autocomplete": "organization", "autofocus": True}
        self.fields["upn"].widget.attrs |= {"autocomplete": "username"}
        self.fields["password"].widget.attrs |= {"autocomplete": "current-password"}
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-control"


class SignInView(FormView):
    """The tenant is named, then the user looked up in it; every failure answers in the same words."""

    template_name = "tenancy/sign_in.html"
    form_class = SignInForm

    def get_initial(self) -> dict[str, Any]:
        return {"tenant": self.request.GET.get("tenant", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"next": self._next()}

    def form_valid(self, form: SignInForm) -> HttpResponse:
        tenant, upn = form.cleaned_data["tenant"].strip(), form.cleaned_data["upn"].strip()
        address = self.request.META.get("REMOTE_ADDR", "")
        if is_locked(tenant, upn, address):
            form.add_error(None, LOCKED)
            return self.form_invalid(form)
        try:
            tenant_id = find_tenant(tenant)
        except NotFound:
            tenant_id = None
        user = authenticate(
            self.request, tenant_id=tenant_id, upn=upn, password=form.cleaned_data["password"]
        )
        if user is None or tenant_id is None:
            count_failure(tenant, upn, address)
            self._record_failure(tenant_id, upn, address)
            form.add_error(None, WRONG)
            return self.form_invalid(form)
        forget_failures(tenant, upn, address)
        with tenant_scope(tenant_id, Actor.user(user.pk)), transaction.atomic():
            login(self.request, user)
            record("tenancy.session.signed_in", user, {"address": address})
        return HttpResponseRedirect(self._next() or resolve_url(settings.LOGIN_REDIRECT_URL))

    @staticmethod
    def _record_failure(tenant_id: Any, upn: str, address: str) -> None:
        log.warning("Failed sign-in from %s", address)
        if tenant_id is None:
            return
        with tenant_scope(tenant_id, Actor("anonymous", "web")), transaction.atomic():
            record("tenancy.session.refused", None, {"upn": upn[:320], "address": address})

    def _next(self) -> str:
        target = self.request.POST.get("next") or self.request.GET.get("next") or ""
        safe = url_has_allowed_host_and_scheme(
            target, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return target if safe else ""


class SignOutView(View):
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        if isinstance(request.user, User) and current().tenant_id is not None:
            record("tenancy.session.signed_out", request.user)
        logout(request)
        return HttpResponseRedirect(reverse("tenancy:sign-in"))
