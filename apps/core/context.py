"""Who acts, for which tenant: one ContextVar, carried into PostgreSQL when a transaction begins.

The backend (`governance.db`) calls `apply` once per outermost transaction. The settings are local to the
transaction, so a pooled connection can't leak them, and without a context row-level security shows no rows.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from django.db import connections, transaction
from psycopg.pq import TransactionStatus

TENANT_SETTING = "rls.tenant_id"
USER_SETTING = "rls.user_id"
APPLY_SQL = f"SELECT set_config('{TENANT_SETTING}', %s, true), set_config('{USER_SETTING}', %s, true)"


@dataclass(frozen=True)
class Actor:
    """Somebody who changes something: `kind` is user, token or system; `ident` a UUID or a component's name.

    `user_id` is the person behind a user or token and None for the system; it is what the database takes as
    the decider in four-eyes rules.
    """

    kind: str
    ident: str
    user_id: uuid.UUID | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.ident}"

    @classmethod
    def user(cls, user_id: uuid.UUID) -> Actor:
        return cls("user", str(user_id), user_id)

    @classmethod
    def token(cls, token_id: uuid.UUID, user_id: uuid.UUID) -> Actor:
        return cls("token", str(token_id), user_id)

    @classmethod
    def system(cls, component: str) -> Actor:
        return cls("system", component)


@dataclass(frozen=True)
class Context:
    """The tenant in whose name rows are read and written, the actor, and the request or job it belongs to."""

    tenant_id: uuid.UUID | None = None
    actor: Actor = Actor("system", "unknown")
    request_id: str = ""

    @property
    def settings(self) -> tuple[str, str]:
        user_id = self.actor.user_id
        return (str(self.tenant_id or ""), str(user_id or ""))


_NOBODY = Context()
_current: ContextVar[Context] = ContextVar("governance_context", default=_NOBODY)


def current() -> Context:
    return _current.get()


def current_tenant_id() -> uuid.UUID:
    """The context's tenant; raises LookupError where there is none, rather than write a row of nobody's."""
    tenant_id = _current.get().tenant_id
    if tenant_id is None:
        raise LookupError("no tenant context: enter tenant_scope() first")
    return tenant_id


def default_tenant_id() -> uuid.UUID | None:
    """The context's tenant as a field's default; without one the row is refused by its NOT NULL."""
    return _current.get().tenant_id


def apply(connection: Any, context: Context) -> None:
    """Carry `context` into the transaction that is open on `connection`: one round trip."""
    with connection.cursor() as cursor:
        cursor.execute(APPLY_SQL, context.settings)


def _reapply(context: Context) -> None:
    connection = connections["default"]
    if not connection.in_atomic_block or connection.connection is None:
        return
    if connection.connection.info.transaction_status == TransactionStatus.INERROR:
        return  # the roll-back that must follow restores the settings with everything else
    apply(connection, context)


@contextlib.contextmanager
def scope(context: Context) -> Iterator[Context]:
    """Enter `context`, also inside a transaction that is already open, and restore what was there."""
    before = _current.get()
    token = _current.set(context)
    try:
        if context.settings != before.settings:
            _reapply(context)
        yield context
    finally:
        left = _current.get()  # not always `context`: see become()
        _current.reset(token)
        if left.settings != before.settings:
            _reapply(before)


def tenant_scope(
    tenant_id: uuid.UUID, actor: Actor | None = None, request_id: str | None = None
) -> contextlib.AbstractContextManager[Context]:
    """Act for `tenant_id`; actor and request id stay those of the surrounding context unless given."""
    here = current()
    return scope(
        replace(
            here,
            tenant_id=tenant_id,
            actor=actor if actor is not None else here.actor,
            request_id=request_id if request_id is not None else here.request_id,
        )
    )


def act_as(actor: Actor) -> contextlib.AbstractContextManager[Context]:
    return scope(replace(current(), actor=actor))


@contextlib.contextmanager
def tenant_transaction(tenant_id: uuid.UUID, actor: Actor | None = None) -> Iterator[Context]:
    """One short transaction in the name of `tenant_id`: the only way work outside a request reads or writes."""
    with tenant_scope(tenant_id, actor) as context, transaction.atomic():
        yield context


def become(actor: Actor) -> None:
    """Act as `actor` from here to the end of the surrounding scope: for authentication in the midst of a view."""
    context = replace(current(), actor=actor)
    _current.set(context)
    _reapply(context)
