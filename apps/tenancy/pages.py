"""The bases of signed-in pages: who may see them, and what an error of a service becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.generic import DetailView, FormView, TemplateView

from apps.core import pages
from apps.core.errors import GovernanceError

from .permissions import RoleRequiredMixin
from .roles import Permission

T = TypeVar("T")


class ListPage(RoleRequiredMixin, pages.ListPage):
    """A list for those who hold `permission`; its export for those who may export."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "export" in request.GET and not request.user.has_perm(Permission.EXPORT):
            raise PermissionDenied("Your role does not allow exports.")
        return super().get(request, *args, **kwargs)


class PlainPage(RoleRequiredMixin, TemplateView):
    """A page of its own shape."""


class DetailPage(RoleRequiredMixin, DetailView):
    """One object. Another tenant's is not there: row-level security makes it a 404."""

    context_object_name = "object"


class FormPage(RoleRequiredMixin, FormView):
    """A form that calls one service: `act` returns where to go; an error of the service stands at its field,
    and what it had begun is undone."""

    done: ClassVar[str] = ""

    def act(self, form: Any) -> str:
        raise NotImplementedError

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            url = attempt(lambda: self.act(form))
        except GovernanceError as error:
            show_on_form(form, error)
            return self.form_invalid(form)
        if self.done:
            messages.success(self.request, self.done)
        return HttpResponseRedirect(url)

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class CommandPage(RoleRequiredMixin, View):
    """A button: POST calls one service, its error becomes a message, and the browser goes back or on."""

    http_method_names = ["post", "options"]
    done: ClassVar[str] = ""

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        """Do it; returns the URL to go to."""
        raise NotImplementedError

    def fallback(self, **kwargs: Any) -> str:
        """Where to go when it was refused and the browser didn't say where it came from."""
        return "/"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            url = attempt(lambda: self.act(request, **kwargs))
        except GovernanceError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self._back(request, **kwargs))
        if self.done:
            messages.success(request, self.done)
        return HttpResponseRedirect(url)

    def _back(self, request: HttpRequest, **kwargs: Any) -> str:
        origin = request.POST.get("back", "")
        safe = url_has_allowed_host_and_scheme(origin, {request.get_host()})
        return origin if safe else self.fallback(**kwargs)


def attempt(call: Callable[[], T]) -> T:
    """Call a service so that, when it refuses, nothing of what it began remains."""
    with transaction.atomic():
        return call()


def show_on_form(form: forms.Form, error: GovernanceError) -> None:
    field = getattr(error, "field", None)
    form.add_error(field if field in form.fields else None, str(error))
