"""Who is told what: approvers that something waits for them, the requester what became of it."""

from __future__ import annotations

from django.urls import reverse

from .models import Action


def tell_waiting(action: Action) -> None:
    """To the approvers, with a deep link into the queue."""


def tell_decided(action: Action, decision: str) -> None:
    """To who asked."""


def tell_ended(action: Action) -> None:
    """To who asked."""


def page_of(action: Action) -> str:
    return reverse("actions:action-detail", args=[action.pk])
