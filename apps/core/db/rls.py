"""django-rls's model base, with the types that the library does not carry."""

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:

    class RLSModel(models.Model):
        _rls_policies: list[object]

        class Meta:
            abstract = True
else:
    from django_rls.models import RLSModel

__all__ = ["RLSModel"]
