"""Azure: ways from the internet to a machine or a database, and on to a role over the subscription.

Whether a port is open is decided as Azure does: of a network security group's inbound rules that are about any
source, the one with the lowest number decides; the group of the subnet and the group of the network interface must
both let a packet through.
"""

from __future__ import annotations

from .base import ADMIN_PORTS, WAY, WEB_PORTS, Check, documents, text

_PORTS = ", ".join(str(port) for port in sorted((*ADMIN_PORTS, *WEB_PORTS)))
_ADMIN = ", ".join(map(str, ADMIN_PORTS))
# Owner, Contributor, User Access Administrator, Role Based Access Control Administrator.
_BROAD = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
_ROLE_NAMES = " ".join(f"WHEN '{guid}' THEN '{name}'" for guid, name in _BROAD.items())

GROUPS = documents(
    "groups", "microsoft.network/networksecuritygroups", columns="lower(doc->>'id') AS group_id"
)
RULES = """rules AS MATERIALIZED (
    SELECT g.group_id, item->>'name' AS rule, (item#>>'{properties,access}') = 'Allow' AS allows,
           CASE WHEN (item#>>'{properties,priority}') ~ '^[0-9]{1,5}$'
               THEN (item#>>'{properties,priority}')::int ELSE 65000 END AS priority, item->'properties' AS p
    FROM groups g, jsonb_path_query(g.doc, 'lax $.properties.securityRules[*]') item
    WHERE lower(item#>>'{properties,direction}') = 'inbound'
      AND upper(coalesce(item#>>'{properties,protocol}', '*')) IN ('*', 'TCP')
      AND jsonb_path_exists(item, 'lax $.properties ? (@.sourceAddressPrefix == "*" || @.sourceAddressPrefix ==
          "0.0.0.0/0" || @.sourceAddressPrefix like_regex "^(internet|any)$" flag "i" || @.sourceAddressPrefixes[*] ==
          "*" || @.sourceAddressPrefixes[*] == "0.0.0.0/0" || @.sourceAddressPrefixes[*] like_regex
          "^(internet|any)$" flag "i")')
)"""
# The ports asked about, for each group whether the first rule that speaks of it lets everybody in.
OPEN_PORTS = f"""open_ports AS MATERIALIZED (
    SELECT group_id, port, rule FROM (
        SELECT DISTINCT ON (r.group_id, port) r.group_id, port, r.rule, r.allows
        FROM rules r
        CROSS JOIN unnest(ARRAY[{_PORTS}]) port
        WHERE EXISTS (
            SELECT FROM (
                SELECT {text("item")} AS told
                FROM jsonb_path_query(r.p, 'lax $.destinationPortRange') item
                UNION ALL
                SELECT {text("item")} FROM jsonb_path_query(r.p, 'lax $.destinationPortRanges[*]') item
            ) t
            WHERE t.told = '*' OR t.told = port::text OR (t.told ~ '^[0-9]{{1,5}}-[0-9]{{1,5}}$'
                AND port BETWEEN split_part(t.told, '-', 1)::int AND split_part(t.told, '-', 2)::int))
        ORDER BY r.group_id, port, r.priority
    ) first WHERE allows
)"""
ADDRESSES = documents(
    "addresses",
    "microsoft.network/publicipaddresses",
    columns="lower(doc->>'id') AS address_id, doc#>>'{properties,ipAddress}' AS address, doc#>>'{sku,name}' AS sku",
)
INTERFACES = f"""interfaces AS MATERIALIZED (
    SELECT n.name, lower(n.doc#>>'{{properties,virtualMachine,id}}') AS machine_id, lower(n.doc->>'id') AS nic_id,
           lower(n.doc#>>'{{properties,networkSecurityGroup,id}}') AS own_group,
           lower(item#>>'{{properties,subnet,id}}') AS subnet_id,
           coalesce(a.address, 'its public address') AS address, coalesce(a.sku, '') AS sku
    FROM nics n
    CROSS JOIN LATERAL jsonb_path_query(n.doc, 'lax $.properties.ipConfigurations[*]') item
    LEFT JOIN addresses a ON a.address_id = lower(item#>>'{{properties,publicIPAddress,id}}')
    WHERE {text("item#>'{properties,publicIPAddress,id}'")} IS NOT NULL
)"""
NICS = documents("nics", "microsoft.network/networkinterfaces")
SUBNET_GROUPS = f"""subnet_groups AS MATERIALIZED (
    SELECT lower({text("item")}) AS subnet_id, g.group_id
    FROM groups g, jsonb_path_query(g.doc, 'lax $.properties.subnets[*].id') item
)"""
MACHINES = documents(
    "machines",
    "microsoft.compute/virtualmachines",
    columns="lower(doc->>'id') AS machine_id, doc#>>'{identity,principalId}' AS principal",
)
# A machine's own list of its interfaces, or the interface's word for its machine.
ATTACHED = f"""attached AS MATERIALIZED (
    SELECT m.resource_id, i.* FROM machines m JOIN interfaces i ON i.machine_id = m.machine_id
    UNION
    SELECT m.resource_id, i.* FROM machines m
    CROSS JOIN LATERAL jsonb_path_query(m.doc, 'lax $.properties.networkProfile.networkInterfaces[*].id') item
    JOIN interfaces i ON i.nic_id = lower({text("item")})
)"""
# A Basic address without any group is open on all ports; a Standard one is closed.
REACHED = f"""reached AS MATERIALIZED (
    SELECT a.resource_id, a.address, a.name AS nic, asked.port,
           CASE WHEN a.own_group IS NULL AND s.group_id IS NULL THEN 'no network security group'
                ELSE concat_ws(' and ', 'network security group ' || og.name || ' (rule ' || o.rule || ')',
                    'the subnet''s network security group ' || sg.name || ' (rule ' || so.rule || ')') END AS gates
    FROM attached a
    CROSS JOIN unnest(ARRAY[{_PORTS}]) asked (port)
    LEFT JOIN subnet_groups s ON s.subnet_id = a.subnet_id
    LEFT JOIN open_ports o ON o.group_id = a.own_group AND o.port = asked.port
    LEFT JOIN open_ports so ON so.group_id = s.group_id AND so.port = asked.port
    LEFT JOIN groups og ON og.group_id = a.own_group
    LEFT JOIN groups sg ON sg.group_id = s.group_id
    WHERE (a.own_group IS NULL OR o.group_id IS NOT NULL) AND (s.group_id IS NULL OR so.group_id IS NOT NULL)
      AND (a.own_group IS NOT NULL OR s.group_id IS NOT NULL OR lower(a.sku) = 'basic')
)"""
WAYS = f"""ways AS MATERIALIZED (
    SELECT resource_id, address, nic, gates, string_agg(port::text, ', ' ORDER BY port) AS ports,
           bool_or(port IN ({_ADMIN})) AS administers
    FROM reached GROUP BY resource_id, address, nic, gates
)"""
ASSIGNMENTS = documents(
    "assignments",
    "microsoft.authorization/roleassignments",
    columns=f"""doc#>>'{{properties,principalId}}' AS principal, doc#>>'{{properties,scope}}' AS scope,
        CASE lower(right(doc#>>'{{properties,roleDefinitionId}}', 36)) {_ROLE_NAMES} END AS role""",
    where="(doc#>>'{properties,scope}') ~* '^(/$|/subscriptions/[^/]+$|/providers/Microsoft.Management/)'",
)

_MACHINE = (
    GROUPS, RULES, OPEN_PORTS, ADDRESSES, NICS, INTERFACES, SUBNET_GROUPS, MACHINES, ATTACHED, REACHED, WAYS,
)  # fmt: skip
_REACHES = """'The internet reaches machine ' || m.name || ' at ' || w.address || ' (' || w.nic || ') through '
            || w.gates || ' on ' || CASE WHEN w.ports LIKE '%%,%%' THEN 'ports ' ELSE 'port ' END || w.ports"""

CHECKS = (
    Check(
        confidence=WAY,
        id="azure-internet-to-subscription-role",
        title="A machine that the internet reaches has an identity with rights over the subscription",
        severity="critical",
        provider="azure",
        description="Whoever gets into the machine can ask for its identity's token.",
        remediation="Close the port, or give the identity a role on what it needs.",
        facts=(*_MACHINE, ASSIGNMENTS),
        hits=f"""SELECT m.resource_id,
            {_REACHES} || '; its identity is ' || a.role || ' of ' || a.scope || '.' AS reason
        FROM ways w JOIN machines m ON m.resource_id = w.resource_id
        JOIN assignments a ON a.principal = m.principal AND a.role IS NOT NULL""",
    ),
    Check(
        confidence=WAY,
        id="azure-machine-open-for-administration",
        title="A machine with a public address lets everybody in on a port for administration or data",
        severity="high",
        provider="azure",
        description="An open rule alone is no way in, nor is a public address: both together are.",
        remediation="Close the port to the internet; administer through Bastion or just-in-time access.",
        facts=_MACHINE,
        hits=f"""SELECT m.resource_id, {_REACHES} || '.' AS reason
        FROM ways w JOIN machines m ON m.resource_id = w.resource_id WHERE w.administers""",
    ),
    Check(
        confidence=WAY,
        id="azure-database-open-to-the-internet",
        title="A database server's firewall lets everybody in",
        severity="critical",
        provider="azure",
        description="Public access is on, and a firewall rule speaks of all addresses.",
        remediation="Delete the firewall rule, or turn public access off.",
        facts=(
            documents(
                "servers",
                "microsoft.sql/servers",
                "microsoft.dbforpostgresql/flexibleservers",
                "microsoft.dbforpostgresql/servers",
                "microsoft.dbformysql/flexibleservers",
                "microsoft.dbformysql/servers",
                columns="lower(doc->>'id') AS server_id",
                where="""lower(coalesce(doc#>>'{properties,network,publicNetworkAccess}',
                    doc#>>'{properties,publicNetworkAccess}', 'enabled')) = 'enabled'""",
            ),
            documents(
                "rules",
                "microsoft.sql/servers/firewallrules",
                "microsoft.dbforpostgresql/flexibleservers/firewallrules",
                "microsoft.dbforpostgresql/servers/firewallrules",
                "microsoft.dbformysql/flexibleservers/firewallrules",
                "microsoft.dbformysql/servers/firewallrules",
                columns="regexp_replace(lower(doc->>'id'), '/firewallrules/[^/]+$', '') AS server_id",
                where="""doc#>>'{properties,startIpAddress}' IN ('0.0.0.0', '0.0.0.1', '1.0.0.0')
                    AND (doc#>>'{properties,endIpAddress}') ~ '^25[0-5][.]'""",
            ),
        ),
        hits="""SELECT s.resource_id, 'The internet reaches database server ' || s.name || ': public access is on, and '
            || 'firewall rule ' || r.name || ' lets in ' || (r.doc#>>'{properties,startIpAddress}') || ' to '
            || (r.doc#>>'{properties,endIpAddress}') || '.' AS reason
        FROM servers s JOIN rules r ON r.server_id = s.server_id""",
    ),
)
