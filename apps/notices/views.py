"""The delivery log, one delivery with its attempts, and what a person gets mail about."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.models import User
from apps.tenancy.pages import CommandPage, DetailPage, FormPage, ListPage
from apps.tenancy.roles import Permission

from .codes import codes, families
from .filters import DeliveryFilter
from .models import Delivery
from .queries import deliveries_for
from .services.endpoints import send_again
from .services.preferences import muted_families, set_muted


def _visible(request: HttpRequest) -> QuerySet[Delivery]:
    user = cast(User, request.user)
    return deliveries_for(user, all_of_them=user.has_perm(Permission.MANAGE))


def _to(row: Delivery) -> str:
    return str(row.endpoint or row.user or row.address)


class DeliveryList(ListPage):
    name = "notices.deliveries"
    title = "Notices"
    lead = "What was sent to you by mail; for admins everything that was sent, webhooks too."
    step = Step("notices:preferences", "What I get mail about", "view")
    filterset_class = DeliveryFilter
    primary = ("status", "channel")
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("title", "Notice", value=lambda d: d.notice.title, css="main",
               cell=lambda d: cells.link(d.notice.title, "notices:delivery-detail", d.pk)),
        Column("status", "State", cell=lambda d: cells.status(d.status)),
        Column("channel", "By", cell=lambda d: cells.coded(d.channel)),
        Column("to", "To", value=_to),
        Column("attempts", "Attempts", css="num"),
        Column("error", "Error", css="wide"),
        Column("created_at", "Written", cell=lambda d: cells.moment(d.created_at), sort="recent", css="when"),
        Column("finished_at", "Ended", cell=lambda d: cells.moment(d.finished_at), css="when"),
        Column("code", "Code", value=lambda d: d.notice.code, shown=False),
        Column("address", "Address", shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return _visible(self.request)

    def empty(self) -> Emptiness:
        return Emptiness(
            "Nothing was sent to you",
            "You are told when something waits for you, was decided, or failed.",
            "notices:preferences",
            "What I get mail about",
        )


class DeliveryDetail(DetailPage):
    template_name = "notices/delivery_detail.html"

    def get_queryset(self) -> QuerySet[Any]:
        return _visible(self.request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        delivery: Any = self.object
        return super().get_context_data(
            title=delivery.notice.title,
            to=_to(delivery),
            told=codes().get(delivery.notice.code, delivery.notice.code),
            attempts=delivery.log.order_by("-id"),
            **kwargs,
        )


class DeliveryAgain(CommandPage):
    """Try once more what has ended."""

    permission = Permission.MANAGE
    done = "It is sent again."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        send_again(delivery=get_object_or_404(_visible(request), pk=kwargs["pk"]))
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("notices:delivery-detail", args=[kwargs["pk"]])


class PreferencesForm(forms.Form):
    wanted = forms.MultipleChoiceField(
        label="Send me mail about",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What waits for your decision is counted and listed in the queue either way.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["wanted"].choices = list(families().items())  # type: ignore[attr-defined]


class Preferences(FormPage):
    template_name = "notices/preferences.html"
    form_class = PreferencesForm
    done = "Your choice is saved."

    def get_initial(self) -> dict[str, Any]:
        muted = muted_families(cast(User, self.request.user))
        return {"wanted": [family for family in families() if family not in muted]}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="What I get mail about", **kwargs)

    def act(self, form: PreferencesForm) -> str:
        muted = set(families()) - set(form.cleaned_data["wanted"])
        set_muted(user=cast(User, self.request.user), muted=muted)
        return reverse("notices:preferences")
