"""A row of the access table, and how the addresses of the project are walked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.views.generic import RedirectView

from apps.core.permissions import Permission
from apps.tenancy.roles import Role

VIEW, EXPORT, IMPORT = Permission.VIEW, Permission.EXPORT, Permission.IMPORT
SCAN, REQUEST = Permission.SCAN, Permission.REQUEST
DECIDE, MANAGE = Permission.DECIDE, Permission.MANAGE
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Row:
    """An address and a method: whom it answers.

    `name` is the URL's name, or the route of one that has none. `needs` is the permission, None for
    everybody, signed in or not; `nobody` says that every role is refused. `objects` maps the address's parts
    to kinds of tests.fixtures.rows. `personal`: the object is the caller's own.
    """

    name: str
    method: str
    needs: Permission | None
    objects: dict[str, str] = field(default_factory=dict)
    nobody: bool = False
    personal: bool = False
    own_only: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.name}"

    @property
    def is_api(self) -> bool:
        return self.name.startswith("api:")

    @property
    def is_admin(self) -> bool:
        return self.name.startswith("admin")

    def allows(self, role: Role) -> bool:
        if self.needs is None:
            return True
        return not self.nobody and role.grants(self.needs) and (role.uses_admin or not self.is_admin)


def get(name: str, needs: Permission | None = VIEW, **objects: str) -> Row:
    return Row(name, "GET", needs, objects)


def post(name: str, needs: Permission | None, **objects: str) -> Row:
    return Row(name, "POST", needs, objects)


def form(name: str, needs: Permission | None, **objects: str) -> list[Row]:
    """A page with a form: shown and sent."""
    return [get(name, needs, **objects), post(name, needs, **objects)]


@dataclass(frozen=True)
class Address:
    """A URL pattern. `methods` is None where the view doesn't tell."""

    name: str
    methods: frozenset[str] | None


def addresses() -> Iterator[Address]:
    """Every URL pattern of the project."""
    yield from _walk(get_resolver(), (), "")


def _walk(resolver: URLResolver, spaces: tuple[str, ...], route: str) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _walk(pattern, inner, here)
        else:
            name = ":".join((*spaces, pattern.name)) if pattern.name else here
            yield Address(name, _methods(pattern))


def _methods(pattern: URLPattern) -> frozenset[str] | None:
    view: Any = pattern.callback
    if actions := getattr(view, "actions", None):
        return frozenset(m.upper() for m in actions if m.upper() in METHODS)
    cls = getattr(view, "view_class", getattr(view, "cls", None))
    if cls is None:
        return None
    if cls is RedirectView:  # sends every method the same way
        return frozenset({"GET"})
    # A FormView answers PUT as it does POST.
    found = frozenset(m for m in METHODS if m.lower() in cls.http_method_names and hasattr(cls, m.lower()))
    return found - {"PUT"} if "POST" in found else found
