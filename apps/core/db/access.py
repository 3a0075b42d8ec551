"""Who may do what in the database, declared on the models and brought about after every `migrate`.

Row-level security, policies and grants are compared with the catalogue and only differences are written, so
a `migrate` with nothing to do takes no lock. A table is born without grants: until this has run for it, the
app role can't touch it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models, transaction
from django.db.models import Q
from django_rls.policies import RLS, BasePolicy, ModelPolicy


@dataclass(frozen=True)
class Privileges:
    """What the app role gets on a table. `column_level` grants name every column.

    Column-level grants are for hypertables: a chunk then carries no grant of its own, and direct access to
    it, which row-level security does not guard, is refused. `select_columns` and `update_columns` narrow a verb
    to some columns; `select_also` adds columns that Python does not know.
    """

    verbs: tuple[str, ...] = ()
    column_level: bool = False
    update_columns: tuple[str, ...] | None = None
    select_columns: tuple[str, ...] | None = None
    select_also: tuple[str, ...] = ()


NOTHING = Privileges()
READ_ONLY = Privileges(("SELECT",))
APPEND_ONLY = Privileges(("SELECT", "INSERT"))
READ_INSERT_UPDATE = Privileges(("SELECT", "INSERT", "UPDATE"))
EVERYTHING = Privileges(("SELECT", "INSERT", "UPDATE", "DELETE"))

# Tables of Django's that the app role reads; every other table that is not ours gets nothing.
FRAMEWORK_PRIVILEGES = {"django_content_type": READ_ONLY, "auth_permission": READ_ONLY}

# The SECURITY DEFINER functions that the app role may call; each says in its migration why it may see more.
FUNCTIONS = (
    "audit_seal_state()",
    "jobs_due(interval, integer)",
    "tenant_ids(text)",
    "active_tenant_ids()",
    "cloud_account_is_held(text, text)",
    "archive_partition(text, timestamptz)",
    "archive_violations(integer)",
    "archive_action_events(integer)",
)

# Views with the reader's rights over tables that the models declare: what they show is guarded below.
VIEWS = ("violation_records", "action_event_records")


class _QuotedRoles:
    """Roles come from the connection URLs and may need quoting; django-rls takes bare identifiers only."""

    def validate_roles(self, roles: str) -> None:
        if not roles.strip():
            raise ValueError("a policy needs a role")


class TenantIsolation(_QuotedRoles, ModelPolicy):
    """The context's tenant, and nothing without one; a scalar subquery, evaluated once a statement."""


class WholeTable(_QuotedRoles, BasePolicy):
    """The owner role sees all: with FORCE an owner without a policy would update 0 rows, silently.

    So does the sealer on the few tables that it is granted anything on.
    """

    def get_sql_expression(self) -> str:
        return "true"


def tenant_policies(column: str) -> list[BasePolicy]:
    tenant = RLS.context("tenant_id", models.UUIDField())
    return [
        TenantIsolation("tenant_isolation", Q(**{column: tenant}), roles=_in_policy(_app_role())),
        WholeTable("owner_access", roles=_in_policy(_owner_role())),
    ]


def _app_role() -> str:
    return str(settings.DATABASES["default"]["USER"])


def _owner_role() -> str:
    return str(settings.DATABASES["owner"]["USER"])


def _sealer_role() -> str:
    """The role that seals the audit trail; empty where that is the owner, or not told to this process."""
    role = str(settings.DATABASES["sealer"]["USER"])
    return "" if role == _owner_role() else role


def _policies_of(model: Any) -> list[BasePolicy]:
    policies: list[BasePolicy] = list(model._rls_policies)
    if hasattr(model, "sealer_privileges") and _sealer_role():
        policies.append(WholeTable("sealer_access", roles=_in_policy(_sealer_role())))
    return policies


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _in_policy(role: str) -> str:
    """The schema editor takes a policy's statement for one with placeholders."""
    return _quoted(role).replace("%", "%%")


def synchronise_after_migrate(using: str, **_: Any) -> None:
    connection = connections[using]
    if connection.vendor == "postgresql":
        with transaction.atomic(using=using):
            synchronise(connection)


def synchronise(connection: Any) -> None:
    """Bring row-level security, policies and grants to what the models declare; writes only differences."""
    roles = {_app_role(): ("app_privileges", "DATABASE_URL")}
    if _sealer_role():
        roles[_sealer_role()] = ("sealer_privileges", "DATABASE_SEALER_URL")
    for role, (_, variable) in roles.items():
        _require_role(connection, role, variable)
    existing = _tables(connection)
    protection = _protection(connection)
    grants = {role: _grants(connection, role) for role in roles}
    for model in _managed_models():
        table = model._meta.db_table
        if table not in existing:
            continue
        if hasattr(model, "tenant_column"):
            _protect(connection, model, protection.get(table))
        for role, (declared, _) in roles.items():
            privileges = privileges_of(model, declared)
            _grant(connection, model, role, privileges, grants[role].get(table, set()))
    _grant_what_is_no_model(connection)


def _require_role(connection: Any, name: str, variable: str) -> None:
    """Before anything is granted to it: a policy for a missing role fails with less to go by."""
    role = _quoted(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regrole(%s)", [role])
        if cursor.fetchone() == (None,):
            raise ImproperlyConfigured(
                f"The role {name} of {variable} does not exist. Create it: "
                f"CREATE ROLE {role} LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS;"
            )


def _grant_what_is_no_model(connection: Any) -> None:
    role = _quoted(_app_role())
    with connection.cursor() as cursor:
        # Read for the readiness check: is the schema the one that this code was written for?
        cursor.execute(f"GRANT SELECT ON django_migrations TO {role}")
        for view in VIEWS:
            cursor.execute("SELECT to_regclass(%s)", [view])
            if cursor.fetchone() != (None,):
                cursor.execute(f"GRANT SELECT ON {view} TO {role}")
        for function in FUNCTIONS:
            cursor.execute("SELECT to_regprocedure(%s)", [function])
            if cursor.fetchone() != (None,):
                cursor.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {role}")


def _managed_models() -> Iterable[Any]:
    seen: set[str] = set()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy and model._meta.db_table not in seen:
            seen.add(model._meta.db_table)
            yield model


def privileges_of(model: Any, declared: str = "app_privileges") -> Privileges:
    framework = FRAMEWORK_PRIVILEGES if declared == "app_privileges" else {}
    privileges: Privileges = getattr(model, declared, framework.get(model._meta.db_table, NOTHING))
    return privileges


def _tables(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        return {t.name for t in connection.introspection.get_table_list(cursor)}


def _protection(connection: Any) -> dict[str, tuple[bool, dict[str, str]]]:
    """table → (enabled and forced, {policy name: fingerprint})."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, p.polname,
                   obj_description(p.oid, 'pg_policy')
            FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
            """
        )
        found: dict[str, tuple[bool, dict[str, str]]] = {}
        for table, forced, policy, fingerprint in cursor.fetchall():
            entry = found.setdefault(table, (forced, {}))
            if policy:
                entry[1][policy] = fingerprint or ""
        return found


def _protect(connection: Any, model: Any, current: tuple[bool, dict[str, str]] | None) -> None:
    forced, policies = current or (False, {})
    wanted = {policy.name: (policy, _fingerprint(policy, model)) for policy in _policies_of(model)}
    with connection.schema_editor() as editor:
        if not forced:
            editor.enable_rls(model)
            editor.force_rls(model)
        for name in policies.keys() - wanted.keys():
            editor.drop_policy(model, name)
        for name, (policy, fingerprint) in wanted.items():
            if policies.get(name) == fingerprint:
                continue
            editor.drop_policy(model, name)
            editor.create_policy(model, policy)
            editor.execute(
                f"COMMENT ON POLICY {_quoted(name)} ON {_quoted(model._meta.db_table)} IS '{fingerprint}'"
            )


def _fingerprint(policy: Any, model: Any) -> str:
    compiled = (
        policy.get_compiled_sql(model) if hasattr(policy, "get_compiled_sql") else policy.get_sql_expression()
    )
    return hashlib.sha256(f"{policy.operation}|{policy.roles}|{compiled}".encode()).hexdigest()[:32]


def _grants(connection: Any, role: str) -> dict[str, set[tuple[str, str]]]:
    """table → {(verb, column or '')} that `role` holds now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, x.privilege_type, ''
            FROM pg_class c, aclexplode(c.relacl) x
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
              AND x.grantee = to_regrole(%(role)s)
            UNION ALL
            SELECT c.relname, x.privilege_type, a.attname
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL,
                 aclexplode(a.attacl) x
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
              AND x.grantee = to_regrole(%(role)s)
            """,
            {"role": _quoted(role)},
        )
        held: dict[str, set[tuple[str, str]]] = {}
        for table, verb, column in cursor.fetchall():
            held.setdefault(table, set()).add((verb, column))
        return held


def _wanted_grants(model: Any, privileges: Privileges) -> set[tuple[str, str]]:
    columns = [f.column for f in model._meta.local_concrete_fields if f.column]
    wanted: set[tuple[str, str]] = set()
    for verb in privileges.verbs:
        if verb == "UPDATE" and privileges.update_columns is not None:
            wanted |= {(verb, column) for column in privileges.update_columns}
        elif verb == "SELECT" and privileges.select_columns is not None:
            wanted |= {(verb, column) for column in privileges.select_columns}
        elif privileges.column_level and verb != "DELETE":
            wanted |= {(verb, column) for column in columns}
        else:
            wanted.add((verb, ""))
    return wanted | {("SELECT", column) for column in privileges.select_also}


def _grant(connection: Any, model: Any, to: str, privileges: Privileges, held: set[tuple[str, str]]) -> None:
    wanted = _wanted_grants(model, privileges)
    if held == wanted:
        return
    table, role = _quoted(model._meta.db_table), _quoted(to)
    with connection.cursor() as cursor:
        cursor.execute(f"REVOKE ALL ON {table} FROM {role}")
        by_verb: dict[str, list[str]] = {}
        for verb, column in sorted(wanted):
            by_verb.setdefault(verb, []).append(column)
        for verb, columns in by_verb.items():
            named = "" if columns == [""] else f" ({', '.join(_quoted(c) for c in columns)})"
            cursor.execute(f"GRANT {verb}{named} ON {table} TO {role}")
        if "INSERT" in privileges.verbs:
            _grant_sequences(cursor, model, role)


def _grant_sequences(cursor: Any, model: Any, role: str) -> None:
    for field in model._meta.local_concrete_fields:
        if isinstance(field, models.AutoField | models.BigAutoField):
            cursor.execute(
                "SELECT pg_get_serial_sequence(%s, %s)", [_quoted(model._meta.db_table), field.column]
            )
            (sequence,) = cursor.fetchone()
            if sequence:
                cursor.execute(f"GRANT USAGE ON SEQUENCE {sequence} TO {role}")
