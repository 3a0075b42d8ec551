"""Webhook endpoints, and the log of everything that was sent: for admins alone."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display

from apps.core.errors import GovernanceError
from apps.tenancy.admin_base import DeskModelAdmin, ReadOnlyDeskModelAdmin
from apps.tenancy.admin_display import age, clamped, shortened
from apps.tenancy.admin_lists import choice_filter
from apps.tenancy.roles import Permission

from .admin_forms import EndpointForm
from .models import CHANNELS, DELIVERY_STATES, Delivery, WebhookEndpoint
from .services.endpoints import (
    NewSecret,
    change_endpoint,
    create_endpoint,
    renew_secret,
    send_again,
    try_endpoint,
)

LOG_ROWS = 20
STATE_LABELS = {"delivered": "success", "failed": "danger", "pending": "warning"}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(DeskModelAdmin):
    """The secret is shown in the answer that makes it, and never again."""

    view_permission = add_permission = change_permission = Permission.MANAGE
    form = EndpointForm
    list_display = ("name", "where", "told", "state", "made")
    list_display_links = ("name",)
    ordering = ("-created_at", "-id")
    search_fields = ("id", "^url")
    search_help_text = "How the URL begins, or an id"
    fields = ("name", "url", "codes", "is_active")
    change_form_outer_before_template = "admin/desk/endpoint_head.html"

    @display(description="URL")
    def where(self, row: WebhookEndpoint) -> str:
        return shortened(row.url)

    @display(description="Is told")
    def told(self, row: WebhookEndpoint) -> str:
        return clamped(", ".join(row.codes) or "everything")

    @display(description="State", label={"active": "success", "off": "danger"})
    def state(self, row: WebhookEndpoint) -> str:
        return "active" if row.is_active else "off"

    @display(description="Made")
    def made(self, row: WebhookEndpoint) -> str:
        return age(row.created_at)

    # --- writing --------------------------------------------------------------------------------------
    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        data = form.cleaned_data
        given = {name: data[name] for name in ("name", "url", "codes")}
        if change:
            change_endpoint(endpoint=obj, is_active=data["is_active"], **given)
            return
        made = create_endpoint(**given)
        obj.pk, obj._state.adding = made.endpoint.pk, False
        request._made = made  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show_secret(request, request._made)  # type: ignore[attr-defined]

    def _show_secret(self, request: HttpRequest, made: NewSecret) -> TemplateResponse:
        response = self._page(request, "admin/desk/endpoint_secret.html", made.endpoint, made=made)
        response["Cache-Control"] = "no-store"
        return response

    # --- buttons --------------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        views = {"secret": self.secret_view, "test": self.test_view}
        own = [
            path(
                f"<uuid:object_id>/{verb}/",
                self.admin_site.admin_view(view),
                name=f"notices_webhookendpoint_{verb}",
            )
            for verb, view in views.items()
        ]
        urls: list[URLPattern] = own + super().get_urls()
        return urls

    def secret_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """GET asks, POST makes a new secret and shows it."""
        endpoint = self._endpoint(request, object_id)
        if request.method == "POST":
            return self._show_secret(request, renew_secret(endpoint=endpoint))
        return self._page(request, "admin/desk/endpoint_secret.html", endpoint)

    def test_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """GET asks, POST sends a test; where it went is on the delivery's page."""
        endpoint = self._endpoint(request, object_id)
        if request.method != "POST":
            return self._page(request, "admin/desk/endpoint_test.html", endpoint)
        try:
            delivery = try_endpoint(endpoint=endpoint)
        except GovernanceError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:notices_webhookendpoint_change", args=[endpoint.pk]))
        messages.success(request, "A test is on its way. Load this page again to see how it went.")
        return HttpResponseRedirect(reverse("admin:notices_delivery_change", args=[delivery.pk]))

    def _endpoint(self, request: HttpRequest, object_id: uuid.UUID) -> WebhookEndpoint:
        if not self._holds(request, Permission.MANAGE):
            raise PermissionDenied
        found = WebhookEndpoint.objects.filter(pk=object_id).first()
        if found is None:
            raise Http404("There is no such endpoint.")
        return found

    def _page(
        self, request: HttpRequest, template: str, endpoint: WebhookEndpoint, **extra: Any
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": endpoint.name,
            "opts": self.opts,
            "endpoint": endpoint,
            **extra,
        }
        return TemplateResponse(request, template, context)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyDeskModelAdmin):
    """What was sent, how each attempt ended, and a button to send it again."""

    view_permission = Permission.MANAGE
    list_display = ("notice_", "state", "channel", "to", "attempts", "wrong", "written")
    list_display_links = ("notice_",)
    list_filter = (choice_filter("status", DELIVERY_STATES), choice_filter("channel", CHANNELS))
    list_select_related = ("notice", "user", "endpoint")
    ordering = ("-created_at", "-id")
    search_fields = ("id", "notice_id", "endpoint_id", "user_id")
    search_help_text = "Id of a delivery, notice, endpoint or user"
    fields = (
        "notice_", "text", "state", "channel", "to", "address", "attempts", "wrong", "not_before", "finished_at",
        "log_",
    )  # fmt: skip
    readonly_fields = fields
    change_form_outer_before_template = "admin/desk/delivery_head.html"
    actions = ("send_selected_again",)

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._holds(request, Permission.MANAGE)

    @display(description="Notice")
    def notice_(self, row: Delivery) -> str:
        return clamped(row.notice.title)

    @display(description="Text")
    def text(self, row: Delivery) -> str:
        return str(row.notice.text)

    @display(description="State", label=STATE_LABELS)
    def state(self, row: Delivery) -> str:
        return row.status

    @display(description="To")
    def to(self, row: Delivery) -> str:
        return shortened(str(row.endpoint or row.user or row.address))

    @display(description="What went wrong")
    def wrong(self, row: Delivery) -> str:
        return clamped(row.error)

    @display(description="Written")
    def written(self, row: Delivery) -> str:
        return age(row.created_at)

    @display(description="Attempts, the latest first")
    def log_(self, row: Delivery) -> str:
        return render_to_string("admin/desk/delivery_log.html", {"log": row.log.order_by("-id")[:LOG_ROWS]})

    @action(description="Send selected again", permissions=["manage"])
    def send_selected_again(self, request: HttpRequest, queryset: QuerySet) -> None:
        sent = 0
        for delivery in queryset.order_by("pk"):
            try:
                send_again(delivery=delivery)
                sent += 1
            except GovernanceError as error:
                messages.warning(request, f"{delivery.notice.title[:80]}: {error}")
        messages.success(request, f"{sent} sent again.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.again_view)
        return [path("<uuid:object_id>/again/", view, name="notices_delivery_again"), *super().get_urls()]

    def again_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """POST sends again; GET leads to the delivery."""
        if not self.has_manage_permission(request):
            raise PermissionDenied
        delivery = self.get_queryset(request).filter(pk=object_id).first()
        if delivery is None:
            raise Http404("There is no such delivery.")
        if request.method == "POST":
            try:
                send_again(delivery=delivery)
                messages.success(request, "It is sent again.")
            except GovernanceError as error:
                messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:notices_delivery_change", args=[object_id]))
