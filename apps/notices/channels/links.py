"""Links into the desk for somebody who is not in it: sign-in keeps the page and leads there."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from ..models import Notice


def url_of(notice: Notice) -> str:
    return f"{settings.BASE_URL}{notice.path}"


def preferences_url() -> str:
    return f"{settings.BASE_URL}{reverse('notices:preferences')}"
