"""Policies there were by the cut, each with the version that was then its latest."""

from __future__ import annotations

from .section import Section

SQL = """
SELECT p.id AS key, p.id AS policy_id, p.metadata->>'provider_id' AS provider_id, p.name, p.provider, p.type,
       p.language, p.severity, p.effect, p.scope, p.status, v.number AS version, v.sha256 AS version_sha256,
       v.created_at AS version_at, p.created_at
FROM policies p
LEFT JOIN LATERAL (
    SELECT number, sha256, created_at FROM policy_versions
    WHERE policy_id = p.id AND created_at < %(cut)s ORDER BY number DESC LIMIT 1
) v ON true
WHERE p.id > %(after_0)s COLLATE "C" AND p.created_at < %(cut)s AND (%(policy)s::text IS NULL OR p.id = %(policy)s)
ORDER BY p.id COLLATE "C" LIMIT %(size)s
"""

# The last four come from the violations section: what the policy found, as of the cut.
POLICIES = Section(
    name="policies",
    sql=SQL,
    columns=(
        "policy_id",
        "provider_id",
        "name",
        "provider",
        "type",
        "language",
        "severity",
        "effect",
        "scope",
        "status",
        "version",
        "version_sha256",
        "version_at",
        "created_at",
        "violations_open",
        "violations_excepted",
        "violations_fixed",
        "violations_removed",
    ),
)
