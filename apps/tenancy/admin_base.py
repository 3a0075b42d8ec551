"""What every list and form of the admin is built on: rights by role, no deletion, audits instead of Django's log.

It lives in the lowest room that knows both roles and the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from apps.audit.models import Audit
from apps.core.errors import GovernanceError

from .admin_lists import BoundedPaginator, DeskChangeList, search_condition
from .models import User
from .roles import Permission

HISTORY_ROWS = 100
LONG_ID = 40


class DeskModelAdmin(ModelAdmin):
    """Permissions come from the role; rows are written by services only; nothing is ever deleted.

    A subclass that writes names `add_permission` or `change_permission` and overrides `save_model` to call
    its service. `search_fields` are exact names, or prefixes as `^name`; both on indexed columns.
    """

    view_permission: Permission = Permission.VIEW
    add_permission: Permission | None = None
    change_permission: Permission | None = None

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    # Only columns that an index orders; a subclass names them.
    sortable_by: Sequence[str] = ()
    actions_on_top = True
    save_as = False
    list_filter_sheet = True
    compressed_fields = True
    list_fullwidth = True

    # --- rights -----------------------------------------------------------------------------------------
    def _holds(self, request: HttpRequest, permission: Permission | None) -> bool:
        return permission is not None and bool(request.user.has_perm(permission))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._holds(request, self.view_permission)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._holds(request, self.view_permission)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._holds(request, self.add_permission)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._holds(request, self.change_permission)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- lists ------------------------------------------------------------------------------------------
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DeskChangeList]:
        return DeskChangeList

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Read what the page's rows show beside their own columns, for all of them at once."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the filters on the page: Django would take any column of the model from the address, and with
        it guess at secrets (`password__startswith`) or scan a table."""
        for item in self.get_list_filter(request) if request else ():
            if lookup == getattr(item, "parameter_name", None):
                return True
            name = item[0] if isinstance(item, tuple) else item
            if isinstance(name, str) and (lookup == name or lookup.startswith(f"{name}__")):
                return True
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(self.search_condition(request, term)), False

    def search_condition(self, request: HttpRequest, term: str) -> models.Q:
        return search_condition(self.model, self.get_search_fields(request), term)

    # --- writing ----------------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        raise ImproperlyConfigured(f"{type(self).__name__} must write through a service.")

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """A service's refusal is an answer in words on the same page, never a 500."""
        try:
            response: HttpResponseBase = super().changeform_view(request, *args, **kwargs)
        except GovernanceError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())
        return response

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service that wrote the row has recorded it; the app role has no grant on Django's log."""

    log_change = log_addition

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """As above; and nothing is deleted here."""

    # --- single objects ---------------------------------------------------------------------------------
    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str | None
    ) -> NoReturn:
        """Another tenant's object and one that never was: the same 404."""
        raise Http404("There is no such object.")

    def get_object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404("There is no such object.")
        return found

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """The audit trail of this object, latest first."""
        target = self.get_object_or_404(request, object_id)
        if not self.has_view_permission(request, target):
            raise PermissionDenied
        rows = Audit.objects.filter(target_type=self.opts.label_lower, target_id=str(target.pk))
        audits = list(rows.defer("canonical", "leaf").order_by("-created_at", "-id")[: HISTORY_ROWS + 1])
        name_actors(audits)
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {target}",
            "audits": audits[:HISTORY_ROWS],
            "is_cut": len(audits) > HISTORY_ROWS,
            "limit": HISTORY_ROWS,
            "object": target,
            "opts": self.opts,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/desk/history.html", context)


class ReadOnlyDeskModelAdmin(DeskModelAdmin):
    """Looked at here, made and changed elsewhere."""

    actions: Sequence[str] | None = None


def name_actors(audits: Sequence[Any]) -> None:
    """Set `actor_name` on each audit: the person behind `user:<uuid>`, by one query for all of them."""
    idents = {a.actor.partition(":")[2] for a in audits if a.actor.startswith("user:")}
    names = {str(user.pk): str(user) for user in User.objects.filter(pk__in=_uuids(idents))} if idents else {}
    for audit in audits:
        audit.actor_name = names.get(audit.actor.partition(":")[2], audit.actor)


def _uuids(texts: set[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
