"""Google Cloud: ways from the internet to a machine or a database, and on to a role over the project."""

from __future__ import annotations

from .base import ADMIN_PORTS, WAY, WEB_PORTS, Check, documents, port_words, ports_between, text

# Networks are named by links with different hosts: what follows `projects/` is the same.
_NETWORK = "regexp_replace({}->>'network', '^.*/projects/', '')"

FIREWALLS = documents(
    "firewalls",
    "gcp.firewall",
    "compute.googleapis.com/firewall",
    columns=f"{_NETWORK.format('doc')} AS network",
    where="""coalesce(upper(doc->>'direction'), 'INGRESS') = 'INGRESS'
        AND doc->'disabled' IS DISTINCT FROM 'true'::jsonb
        AND jsonb_path_exists(doc, 'lax $.sourceRanges[*] ? (@ == "0.0.0.0/0" || @ == "::/0")')""",
)
# An empty list of ports is all of them.
OPENINGS = f"""openings AS MATERIALIZED (
    SELECT f.resource_id AS firewall_id, f.name, f.network, f.doc,
           CASE WHEN told ~ '^[0-9]{{1,5}}(-[0-9]{{1,5}})?$' THEN split_part(told, '-', 1)::int ELSE 0 END AS low,
           CASE WHEN told ~ '^[0-9]{{1,5}}-[0-9]{{1,5}}$' THEN split_part(told, '-', 2)::int
                WHEN told ~ '^[0-9]{{1,5}}$' THEN told::int ELSE 65535 END AS high
    FROM firewalls f
    CROSS JOIN LATERAL jsonb_path_query(f.doc, 'lax $.allowed[*]') allowed
    LEFT JOIN LATERAL (
        SELECT {text("item")} AS told FROM jsonb_path_query(allowed, 'lax $.ports[*]') item) t ON true
    WHERE lower(allowed->>'IPProtocol') IN ('all', 'tcp', 'udp', '6', '17')
)"""
INSTANCES = documents(
    "instances",
    "gcp.instance",
    "compute.googleapis.com/instance",
    columns="doc#>>'{status}' AS power",
    where="coalesce(doc->>'status', 'RUNNING') NOT IN ('TERMINATED', 'STOPPED', 'SUSPENDED')",
)
INTERFACES = f"""interfaces AS MATERIALIZED (
    SELECT i.resource_id, i.name, i.doc, {_NETWORK.format("nic")} AS network,
           {text("jsonb_path_query_first(nic, 'lax $.accessConfigs[*].natIP')")} AS address
    FROM instances i CROSS JOIN LATERAL jsonb_path_query(i.doc, 'lax $.networkInterfaces[*]') nic
    WHERE jsonb_path_exists(nic, 'lax $.accessConfigs[*].natIP')
)"""
# A rule is for all machines of its network, or for those with one of its tags or accounts.
WAYS = f"""ways AS MATERIALIZED (
    SELECT i.resource_id, i.name, i.address, o.name AS firewall,
           string_agg(DISTINCT {port_words("o.low", "o.high")}, ', ' ORDER BY {port_words("o.low", "o.high")}) AS ports,
           bool_or({ports_between("o.low", "o.high")}) AS administers
    FROM interfaces i JOIN openings o ON o.network = i.network
    WHERE (NOT jsonb_path_exists(o.doc, 'lax $.targetTags[*]')
           OR EXISTS (
                SELECT FROM jsonb_path_query(o.doc, 'lax $.targetTags[*]') a
                JOIN jsonb_path_query(i.doc, 'lax $.tags.items[*]') b ON a = b))
      AND (NOT jsonb_path_exists(o.doc, 'lax $.targetServiceAccounts[*]')
           OR EXISTS (
                SELECT FROM jsonb_path_query(o.doc, 'lax $.targetServiceAccounts[*]') a
                JOIN jsonb_path_query(i.doc, 'lax $.serviceAccounts[*].email') b ON a = b))
      AND {ports_between("o.low", "o.high", (*ADMIN_PORTS, *WEB_PORTS))}
    GROUP BY i.resource_id, i.name, i.address, o.name
)"""
GRANTS = f"""grants AS MATERIALIZED (
    SELECT DISTINCT p.name AS project, binding->>'role' AS role, {text("member")} AS member
    FROM projects p
    CROSS JOIN LATERAL jsonb_path_query(p.doc, 'lax $.iamPolicy.bindings[*] ? (@.role == "roles/owner"
        || @.role == "roles/editor" || @.role == "roles/resourcemanager.projectIamAdmin"
        || @.role == "roles/iam.securityAdmin")') binding
    CROSS JOIN LATERAL jsonb_path_query(binding, 'lax $.members[*]') member
)"""
PROJECTS = documents("projects", "cloudresourcemanager.googleapis.com/project", "gcp.project")
_MACHINE = (FIREWALLS, OPENINGS, INSTANCES, INTERFACES, WAYS)
_REACHES = """'The internet reaches machine ' || w.name || ' at ' || w.address || ' through firewall rule '
            || w.firewall || ', open to everybody on ' || w.ports"""

CHECKS = (
    Check(
        confidence=WAY,
        id="gcp-internet-to-project-role",
        title="A machine that the internet reaches runs as an account with rights over the project",
        severity="critical",
        provider="gcp",
        description="Whoever gets into the machine can ask for its service account's token.",
        remediation="Narrow the firewall rule, or let the machine run as an account with the rights it needs.",
        facts=(*_MACHINE, PROJECTS, GRANTS),
        hits=f"""SELECT w.resource_id,
            {_REACHES} || '; it runs as ' || (runner->>'email') || ' with all scopes, which is '
            || g.role || ' of project ' || g.project || '.' AS reason
        FROM ways w JOIN instances i ON i.resource_id = w.resource_id
        CROSS JOIN LATERAL jsonb_path_query(i.doc, 'lax $.serviceAccounts[*] ? (@.scopes[*] ==
            "https://www.googleapis.com/auth/cloud-platform")') runner
        JOIN grants g ON g.member = 'serviceAccount:' || (runner->>'email')""",
    ),
    Check(
        confidence=WAY,
        id="gcp-machine-open-for-administration",
        title="A machine with a public address lets everybody in on a port for administration or data",
        severity="high",
        provider="gcp",
        description="An open rule alone is no way in, nor is a public address: both together are.",
        remediation="Narrow the firewall rule; administer through Identity-Aware Proxy.",
        facts=_MACHINE,
        hits=f"SELECT w.resource_id, {_REACHES} || '.' AS reason FROM ways w WHERE w.administers",
    ),
    Check(
        confidence=WAY,
        id="gcp-database-open-to-the-internet",
        title="A database with a public address lets everybody in",
        severity="critical",
        provider="gcp",
        description="The instance has a public address, and its authorised networks are everybody's.",
        remediation="Take the network off the list, or the public address away.",
        facts=(
            documents(
                "databases",
                "gcp.sql-instance",
                "sqladmin.googleapis.com/instance",
                where="doc#>'{settings,ipConfiguration,ipv4Enabled}' IS DISTINCT FROM 'false'::jsonb",
            ),
        ),
        hits="""SELECT d.resource_id, 'The internet reaches database ' || d.name || coalesce(' at ' ||
                (jsonb_path_query_first(d.doc, 'lax $.ipAddresses[*] ? (@.type == "PRIMARY").ipAddress') #>> '{}'), '')
            || ': it has a public address, and its authorised network '
            || coalesce(nullif(network->>'name', '') || ' ', '') || 'is ' || (network->>'value') || '.' AS reason
        FROM databases d
        CROSS JOIN LATERAL jsonb_path_query(d.doc, 'lax $.settings.ipConfiguration.authorizedNetworks[*] ?
            (@.value == "0.0.0.0/0" || @.value == "::/0")') network""",
    ),
)
