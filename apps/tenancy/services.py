"""Tenants, users, tokens: made, looked up, ended."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.text import slugify

from apps.audit.services import record
from apps.core.context import current_tenant_id, tenant_scope
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, NotFound

from .models import ApiToken, Tenant, User
from .roles import Role
from .tokens import SCOPES, hash_secret, render_token

OWNER = "owner"
SLUG = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")


def find_tenant(handle: str, *, by_name: bool = False) -> uuid.UUID:
    """The tenant of an id or a slug, and on a command line also of an unambiguous name.

    Raises NotFound, in the same words for a tenant that does not exist and for one that is suspended.
    """
    handle = handle.strip()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id, match FROM tenant_ids(%s)", [handle])
        rows = cursor.fetchall()
    exact: list[uuid.UUID] = [row[0] for row in rows if row[1] != "name"]
    named: list[uuid.UUID] = [row[0] for row in rows if row[1] == "name"]
    if exact:
        return exact[0]
    if by_name and len(named) > 1:
        raise InvalidInput(f"{len(named)} or more tenants are named {handle!r}: use the id.", field="tenant")
    if by_name and named:
        return named[0]
    raise NotFound(f"There is no tenant {handle!r}.")


def create_tenant(*, name: str, slug: str | None = None) -> Tenant:
    """Make a tenant, as the owner role: the app role can't. Raises InvalidInput naming the field."""
    name = name.strip()
    if not name:
        raise InvalidInput("A tenant needs a name.", field="name")
    slug = slug or slugify(name)[:63].strip("-")
    if not SLUG.match(slug):
        raise InvalidInput(f"{slug!r} is no slug: a-z, 0-9 and inner hyphens, at most 63.", field="slug")
    try:
        with transaction.atomic(using=OWNER):
            tenant = Tenant.objects.using(OWNER).create(name=name, slug=slug)
    except IntegrityError as error:
        raise InvalidInput(f"The slug {slug!r} is taken.", field="slug") from error
    with tenant_scope(tenant.pk), transaction.atomic():
        record("tenancy.tenant.created", tenant, {"name": name, "slug": slug})
        return Tenant.objects.get(pk=tenant.pk)


def create_user(
    *, upn: str, role: str, password: str | None, display_name: str = "", email: str = ""
) -> User:
    """Make a user of the context's tenant. Without a password nobody can sign in as him yet."""
    upn = upn.strip()
    if not upn or any(c.isspace() for c in upn):
        raise InvalidInput("upn must be a name without spaces, such as an e-mail address.", field="upn")
    if role not in set(Role):
        raise InvalidInput(f"role must be one of {', '.join(Role)}, not {role!r}.", field="role")
    user = User(upn=upn, role=role, display_name=display_name, email=email, is_active=True)
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise InvalidInput(" ".join(error.messages), field="password") from error
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            record("tenancy.user.created", user, {"upn": upn, "role": role})
    except IntegrityError as error:
        raise InvalidInput(f"There is already a user {upn!r} in this tenant.", field="upn") from error
    return user


def change_user(*, user: User, role: str | None = None, is_active: bool | None = None) -> User:
    """Give another role or end an account; sessions and tokens of an ended account stop working."""
    before = {"role": user.role, "is_active": user.is_active}
    if role is not None and role not in set(Role):
        raise InvalidInput(f"role must be one of {', '.join(Role)}, not {role!r}.", field="role")
    user.role = role if role is not None else user.role
    user.is_active = is_active if is_active is not None else user.is_active
    after = {"role": user.role, "is_active": user.is_active}
    if after != before:
        with transaction.atomic():
            user.save(update_fields=["role", "is_active"])
            record("tenancy.user.changed", user, {"before": before, "after": after})
    return user


@dataclass(frozen=True)
class NewToken:
    """A token just made; `text` is shown this once and stored nowhere."""

    token: ApiToken
    text: str


def create_token(*, user: User, name: str, scopes: Sequence[str], expires_at: datetime) -> NewToken:
    """Make an API token that acts as `user` within `scopes`."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInput(
            f"scopes must be some of {', '.join(SCOPES)}; unknown: {', '.join(unknown) or 'none given'}.",
            field="scopes",
        )
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken(
            user=user,
            name=name,
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
            secret_sha256=hash_secret(secret),
        )
        token.save(force_insert=True)
        record("tenancy.token.created", token, {"user": str(user.pk), "name": name, "scopes": token.scopes})
    return NewToken(token, render_token(current_tenant_id(), token.pk, secret))


def revoke_token(*, token: ApiToken) -> ApiToken:
    """End a token at once. Revoking it again changes nothing."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=TransactionNow()):
            record("tenancy.token.revoked", token, {"name": token.name, "user": str(token.user_id)})
        token.refresh_from_db()
    return token


def change_settings(*, section: str, values: Mapping[str, Any]) -> None:
    """Replace one section of the context's tenant's settings; a room owns its section and checks its values."""
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=current_tenant_id())
        before = tenant.settings.get(section)
        if before == dict(values):
            return
        tenant.settings = {**tenant.settings, section: dict(values)}
        tenant.save(update_fields=["settings"])
        told = {"section": section, "before": before, "after": dict(values)}
        record("tenancy.tenant.settings_changed", tenant, told)
