"""Which deliveries somebody may see: his own mail, and for who manages all of them."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.tenancy.models import User

from .models import Delivery


def deliveries_for(user: User, *, all_of_them: bool) -> QuerySet[Delivery]:
    rows = Delivery.objects.select_related("notice", "user", "endpoint")
    return rows if all_of_them else rows.filter(user=user)
