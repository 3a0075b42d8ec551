"""From an actor or a user's id to a name that people read, for a whole page in one query."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from .models import ApiToken, User


def names_of_actors(actors: Iterable[str]) -> dict[str, str]:
    """{actor: name} of `user:<id>`, `token:<id>` and `system:<component>`; unknown ones are themselves."""
    known = set(actors)
    users = {u.pk: str(u) for u in User.objects.filter(pk__in=_idents(known, "user"))}
    token_ids = _idents(known, "token")
    tokens = ApiToken.objects.filter(pk__in=token_ids) if token_ids else []
    names = {f"user:{pk}": name for pk, name in users.items()}
    names |= {f"token:{t.pk}": f"token “{t.name}”" for t in tokens}
    return {actor: names.get(actor, _plain(actor)) for actor in known}


def _idents(actors: set[str], kind: str) -> list[uuid.UUID]:
    found = []
    for actor in actors:
        prefix, _, ident = actor.partition(":")
        if prefix == kind:
            try:
                found.append(uuid.UUID(ident))
            except ValueError:
                continue
    return found


def _plain(actor: str) -> str:
    kind, _, ident = actor.partition(":")
    return f"{ident} (system)" if kind == "system" else actor
