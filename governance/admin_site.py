"""The staff admin: where approvers decide and admins manage. Entry by role, sign-in by our own page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp_update
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.template.response import TemplateResponse
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from apps.tenancy.admin_base import DeskModelAdmin
from apps.tenancy.views import SignOutView

from .admin_navigation import ACTIONS, EXCEPTIONS, waiting_in

View = Callable[..., HttpResponseBase]

# Alpine, which unfold is built on, compiles expressions of its templates and sets style attributes. Only
# answers of the admin carry this; every other page keeps the strict policy of the settings.
ADMIN_CSP = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}

# Pages of Django's that work past our services: passwords, and a redirect by content type.
LEFT_OUT = ("password_change", "password_change_done", "view_on_site")


class GovernanceAdminSite(UnfoldAdminSite):
    """Django's admin for `Role.uses_admin`, inside the tenant's transaction like every other page."""

    index_template = "admin/desk/index.html"
    app_index_template = "admin/desk/app_index.html"
    index_title = "Work that waits"
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only what is built on our rules: packages bring admins of tables that have no tenant."""
        if admin_class is not None and issubclass(admin_class, DeskModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_authenticated and user.is_staff)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Signed-out people go to sign-in and come back to the same address; others get a 403."""
        inner = csp_update(ADMIN_CSP)(super().admin_view(view, cacheable))

        @wraps(inner)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path(), resolve_url("tenancy:sign-in"))
            if not self.has_permission(request):
                raise PermissionDenied("The admin is for approvers and admins.")
            return inner(request, *args, **kwargs)

        return gate

    def get_urls(self) -> list[URLPattern]:
        return [pattern for pattern in super().get_urls() if getattr(pattern, "name", None) not in LEFT_OUT]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is no password form here: the tenant must be known before the user is looked up."""
        return redirect_to_login(
            request.GET.get("next") or resolve_url(f"{self.name}:index"), resolve_url("tenancy:sign-in")
        )

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return SignOutView.as_view()(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        waiting = {
            "waiting": waiting_in(request, EXCEPTIONS),
            "waiting_actions": waiting_in(request, ACTIONS),
        }
        extra = {**waiting, **(extra_context or {})}
        response: TemplateResponse = super().index(request, extra)
        return response

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse | HttpResponse:
        """The palette (Ctrl-K) finds lists by name. Rows are found by each list's own search, which the
        database answers from an index; nothing is cached, so a changed role shows at once."""
        term = request.GET.get("s", "").strip().lower()
        if not term:
            return HttpResponse()
        results = self._search_apps(self.get_app_list(request), term)
        extended = "extended" in request.GET
        page = Paginator(results, 100)
        return TemplateResponse(
            request,
            f"unfold/helpers/{'command' if extended else 'search'}_results.html",
            {
                "page_obj": page,
                "results": page.get_page(1),
                "page_counter": 0,
                "execution_time": 0,
                "command_show_history": False,
            },
            headers={"HX-Trigger": "search"},
        )
