"""Sessions under row-level security: the cookie is `<tenant id>.<random>`, so its tenant is known first.

Django's session middleware uses this module by its name `SessionStore`. Each read and write is a short
transaction of the named tenant (or part of the request's own).
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.context import current, tenant_scope

from .models import Session


def tenant_of_key(session_key: str | None) -> uuid.UUID | None:
    """The tenant that a session key names; None of a malformed one."""
    head, _, tail = (session_key or "").partition(".")
    try:
        return uuid.UUID(hex=head) if len(head) == 32 and tail else None
    except ValueError:
        return None


class SessionStore(SessionBase):
    """A session exists only for a tenant: an anonymous visitor has none."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    @classmethod
    def clear_expired(cls) -> None:
        """Of the context's tenant; called by the sweep."""
        Session.objects.filter(expire_date__lt=timezone.now()).delete()

    def _get_new_session_key(self) -> str:
        tenant_id = current().tenant_id
        if tenant_id is None:
            raise CreateError("a session needs a tenant")
        random: str = super()._get_new_session_key()  # type: ignore[misc]
        return f"{tenant_id.hex}.{random}"

    def exists(self, session_key: str) -> bool:
        tenant_id = tenant_of_key(session_key)
        if tenant_id is None:
            return False
        with tenant_scope(tenant_id), transaction.atomic():
            return Session.objects.filter(pk=session_key).exists()

    def load(self) -> dict[str, Any]:
        tenant_id = tenant_of_key(self.session_key)
        if tenant_id is not None:
            with tenant_scope(tenant_id), transaction.atomic():
                row = Session.objects.filter(pk=self.session_key, expire_date__gt=timezone.now()).first()
            if row is not None:
                data: dict[str, Any] = self.decode(row.session_data)
                return data
        self._session_key = None
        return {}

    def create(self) -> None:
        while True:
            self._session_key = self._get_new_session_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            return self.create()
        tenant_id = tenant_of_key(self.session_key)
        if tenant_id is None:
            raise CreateError("a session needs a tenant")
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        user_id = data.get("_auth_user_id")
        values = {
            "session_data": self.encode(data),
            "expire_date": self.get_expiry_date(),
            "user_id": uuid.UUID(user_id) if user_id else None,
        }
        with tenant_scope(tenant_id):
            try:
                with transaction.atomic():
                    if must_create:
                        Session(session_key=self.session_key, **values).save(force_insert=True)
                    elif not Session.objects.filter(pk=self.session_key).update(**values):
                        raise UpdateError
            except IntegrityError as error:
                raise CreateError from error
        return None

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        tenant_id = tenant_of_key(key)
        if tenant_id is None:
            return
        with tenant_scope(tenant_id), transaction.atomic():
            Session.objects.filter(pk=key).delete()
