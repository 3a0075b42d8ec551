"""Cloud accounts in the admin: looked at, changed and disconnected. They are connected and tested on their pages."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from apps.core.errors import GovernanceError
from apps.tenancy.admin_base import DeskModelAdmin
from apps.tenancy.admin_display import age, clamped
from apps.tenancy.admin_lists import choice_filter
from apps.tenancy.cloud_accounts import change_account, disconnect_account
from apps.tenancy.models import CloudAccount
from apps.tenancy.models_clouds import ACCOUNT_STATES, DISCONNECTED, LISTINGS, PROVIDERS
from apps.tenancy.roles import Permission

from .services.discoveries import why_no_data

STATE_LABELS = {"connected": "success", "unproven": "warning", "disconnected": "danger"}


class AccountForm(forms.ModelForm):
    """How the account is reached. Its model field `credential` is the platform's permission, found by the service."""

    name = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget())
    credential_reference = forms.CharField(
        max_length=1100,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Where the credentials are; never a secret",
    )
    region_names = forms.CharField(
        label="Regions", max_length=1000, required=False, widget=UnfoldAdminTextInputWidget(),
        help_text="Of AWS, separated by commas; all enabled regions if left empty",
    )  # fmt: skip
    listing = forms.ChoiceField(
        choices=[(name, name) for name in LISTINGS], widget=UnfoldAdminSelectWidget(choices=()),
        help_text="Of AWS: each service's calls, AWS Config's aggregator, or Resource Explorer as well",
    )  # fmt: skip
    every = forms.IntegerField(
        label="Discover every … minutes", required=False, widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Left empty: by hand only",
    )  # fmt: skip

    class Meta:
        model = CloudAccount
        fields = ("name", "listing")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account: CloudAccount = self.instance
        self.fields["credential_reference"].initial = account.reference
        self.fields["region_names"].initial = ", ".join(account.regions or [])
        self.fields["every"].initial = account.discover_every_minutes


@admin.register(CloudAccount)
class CloudAccountAdmin(DeskModelAdmin):
    """No secret is stored: a reference says where the credentials are."""

    view_permission = change_permission = Permission.MANAGE
    form = AccountForm
    list_display = ("title", "provider", "account", "state", "discovered", "why")
    list_filter = (choice_filter("provider", PROVIDERS), choice_filter("status", ACCOUNT_STATES))
    ordering = ("provider", "account", "id")
    search_fields = ("id", "^account")
    search_help_text = "How the cloud's own id begins, or our own id"
    told = (
        "provider", "account", "state", "why", "external_id", "tested_at", "proven_at", "discovered_at",
        "discovery_due_at", "last_result_",
    )  # fmt: skip
    fields = ("name", "credential_reference", "region_names", "listing", "every", *told)
    readonly_fields = told
    change_form_outer_before_template = "admin/desk/account_head.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        ended = obj is not None and obj.status == DISCONNECTED
        return super().has_change_permission(request, obj) and not ended

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Looked at only, the form's own fields have no value to show: the columns stand in for them."""
        if obj is not None and not self.has_change_permission(request, obj):
            return ("name", "reference", "regions", "listing", "discover_every_minutes", *self.told)
        return self.fields

    @display(description="Name")
    def title(self, row: CloudAccount) -> str:
        return clamped(str(row))

    @display(description="State", label=STATE_LABELS)
    def state(self, row: CloudAccount) -> str:
        return row.status

    @display(description="Discovered")
    def discovered(self, row: CloudAccount) -> str:
        return age(row.discovered_at)

    @display(description="Why there is no data")
    def why(self, row: CloudAccount) -> str:
        return clamped(why_no_data(row)) or "–"

    @display(description="Last result")
    def last_result_(self, row: CloudAccount) -> str:
        return format_html(
            '<pre class="desk-json">{}</pre>', json.dumps(row.last_result, indent=2, sort_keys=True)
        )

    def save_model(self, request: HttpRequest, obj: CloudAccount, form: Any, change: bool) -> None:
        data = form.cleaned_data
        change_account(
            account=CloudAccount.objects.get(pk=obj.pk),
            name=data["name"],
            credential=data["credential_reference"],
            regions=data["region_names"].split(","),
            listing=data["listing"],
            discover_every_minutes=data["every"],
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.disconnect_view)
        own = path("<uuid:object_id>/disconnect/", view, name="tenancy_cloudaccount_disconnect")
        return [own, *super().get_urls()]

    def disconnect_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """GET asks, POST disconnects."""
        if not self._holds(request, Permission.MANAGE):
            raise PermissionDenied
        account = CloudAccount.objects.filter(pk=object_id).first()
        if account is None:
            raise Http404("There is no such account.")
        if request.method == "POST":
            try:
                disconnect_account(account=account)
                messages.success(request, f"{account} is disconnected. What was discovered stays.")
            except GovernanceError as error:
                messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:tenancy_cloudaccount_change", args=[object_id]))
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": "Disconnect this account?",
            "opts": self.opts,
            "account": account,
        }
        return TemplateResponse(request, "admin/desk/account_disconnect.html", context)
