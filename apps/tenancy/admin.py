"""People, their tokens and the organisation: for admins alone."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import action, display

from apps.audit.services import record
from apps.core.errors import Refused

from .admin_base import DeskModelAdmin, ReadOnlyDeskModelAdmin
from .admin_display import age, shortened, until
from .admin_forms import NewUserForm, TenantForm, UserForm
from .admin_lists import choice_filter
from .models import ApiToken, Tenant, User
from .roles import Permission, Role
from .services import change_user, create_user, revoke_token

OWN_ACCOUNT = "This is your own account: another admin changes your role or ends it."


@admin.register(User)
class UserAdmin(DeskModelAdmin):
    """The password is given when an account is made and is never shown or edited here."""

    view_permission = add_permission = change_permission = Permission.MANAGE
    form = UserForm
    list_display = ("upn", "display_name", "role", "is_active", "last_login", "created_at")
    list_filter = (choice_filter("role", tuple(Role)), "is_active")
    ordering = ("upn",)
    search_fields = ("^upn", "id")
    search_help_text = "How the user name begins, or an id"
    add_fields = ("upn", "display_name", "email", "role", "first_password", "password_again")
    shown_fields = ("upn", "display_name", "email", "role", "is_active", "created_at", "last_login")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewUserForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": self.add_fields})]
        own = OWN_ACCOUNT if obj.pk == request.user.pk else None
        return [(None, {"fields": self.shown_fields, "description": own})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = tuple(name for name in self.shown_fields if name not in ("role", "is_active"))
        return (*fixed, "role", "is_active") if obj.pk == request.user.pk else fixed

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            created = create_user(**form.account())
            obj.pk, obj._state.adding = created.pk, False
            return
        if obj.pk == request.user.pk:
            raise Refused(OWN_ACCOUNT)
        # Read again: the form has already written the new values onto `obj`.
        change_user(user=User.objects.get(pk=obj.pk), role=obj.role, is_active=obj.is_active)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyDeskModelAdmin):
    """Made on the tenant's pages, where the secret is shown once; seen and ended here."""

    view_permission = Permission.MANAGE
    list_display = ("name", "user", "scopes_", "state", "expiry", "used")
    list_select_related = ("user",)
    ordering = ("-created_at", "-id")
    search_fields = ("id", "user_id")
    fields = ("name", "user", "scopes_", "state", "expires_at", "revoked_at", "last_used_at", "created_at")
    readonly_fields = ("scopes_", "state")
    change_form_outer_before_template = "admin/desk/token_head.html"
    actions = ("revoke_selected",)

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._holds(request, Permission.MANAGE)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows: QuerySet = super().get_queryset(request).defer("secret_sha256")
        return rows

    @display(description="Scopes")
    def scopes_(self, row: ApiToken) -> str:
        return shortened(", ".join(row.scopes))

    @display(description="State", label={"valid": "success", "expired": "warning", "revoked": "danger"})
    def state(self, row: ApiToken) -> str:
        if row.revoked_at is not None:
            return "revoked"
        return "expired" if row.expires_at <= timezone.now() else "valid"

    @display(description="Expires")
    def expiry(self, row: ApiToken) -> str:
        return until(row.expires_at)

    @display(description="Last used")
    def used(self, row: ApiToken) -> str:
        return age(row.last_used_at)

    @action(description="Revoke selected tokens", permissions=["manage"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        revoked = sum(_revoke(token) for token in queryset.order_by("pk"))
        messages.success(request, f"{revoked} revoked. They stop working at once.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.revoke_view)
        return [path("<uuid:object_id>/revoke/", view, name="tenancy_apitoken_revoke"), *super().get_urls()]

    def revoke_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """GET asks, POST revokes."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        token = self.get_queryset(request).select_related("user").filter(pk=object_id).first()
        if token is None:
            raise Http404("There is no such token.")
        if request.method == "POST":
            done = "is revoked and stops working at once." if _revoke(token) else "was revoked before."
            messages.success(request, f"{token.name} {done}")
            return HttpResponseRedirect(reverse("admin:tenancy_apitoken_changelist"))
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke this token?",
            "opts": self.opts,
            "token": token,
        }
        return TemplateResponse(request, "admin/desk/token_revoke.html", context)


def _revoke(token: ApiToken) -> bool:
    """End a token by the service; False where it had ended before."""
    if token.revoked_at is not None:
        return False
    revoke_token(token=token)
    return True


@admin.register(Tenant)
class TenantAdmin(DeskModelAdmin):
    """The organisation itself: its own row, of which the name may change."""

    view_permission = change_permission = Permission.MANAGE
    form = TenantForm
    list_display = ("name", "slug", "status", "created_at")
    fields = ("name", "slug", "status", "created_at")
    readonly_fields = ("slug", "status", "created_at")

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if "name" not in form.changed_data:
            return
        Tenant.objects.filter(pk=obj.pk).update(name=obj.name)
        record("tenancy.tenant.renamed", obj, {"before": form.initial["name"], "after": obj.name})
