"""AWS: ways from the internet to a machine, a database or a function, and on to a role that may do everything."""

from __future__ import annotations

from .base import WAY, Check, documents, number, port_words, ports_between, text

_FROM_ANYWHERE = '(@.IpRanges[*].CidrIp == "0.0.0.0/0" || @.Ipv6Ranges[*].CidrIpv6 == "::/0")'
_PORT = number("doc#>'{Endpoint,Port}'", "NULL")
_PROTOCOL = text("rule->'IpProtocol'")
_LOW = "CASE WHEN " + _PROTOCOL + " = '-1' THEN 0 ELSE " + number("rule->'FromPort'", "0") + " END"
_HIGH = "CASE WHEN " + _PROTOCOL + " = '-1' THEN 65535 ELSE " + number("rule->'ToPort'", "65535") + " END"

GROUPS = documents("groups", "aws.security-group", columns="doc->>'GroupId' AS group_id")
OPEN_RULES = f"""open_rules AS MATERIALIZED (
    SELECT g.group_id, g.name, {_LOW} AS low, {_HIGH} AS high
    FROM groups g,
        jsonb_path_query(g.doc, 'lax $.IpPermissions[*] ? {_FROM_ANYWHERE}') rule
    WHERE rule->>'IpProtocol' IN ('-1', 'tcp', '6', 'udp', '17')
)"""
OPEN_GROUPS = f"""open_groups AS MATERIALIZED (
    SELECT group_id, 'security group ' || coalesce(name, group_id) || CASE WHEN name <> group_id
               THEN ' (' || group_id || ')' ELSE '' END AS words,
           string_agg(DISTINCT {port_words("low", "high")}, ', ' ORDER BY {port_words("low", "high")}) AS ports,
           bool_or({ports_between("low", "high")}) AS administers
    FROM open_rules GROUP BY group_id, name
)"""
INSTANCES = documents(
    "instances",
    "aws.ec2",
    columns="""doc->>'InstanceId' AS instance_id, nullif(doc->>'PublicIpAddress', '') AS address,
        doc#>>'{IamInstanceProfile,Arn}' AS profile,
        'machine ' || name || CASE WHEN name <> doc->>'InstanceId'
            THEN ' (' || (doc->>'InstanceId') || ')' ELSE '' END AS words""",
)
INSTANCE_GROUPS = f"""instance_groups AS MATERIALIZED (
    SELECT i.resource_id, {text("item")} AS group_id
    FROM instances i, jsonb_path_query(i.doc, 'lax $.SecurityGroups[*].GroupId') item
)"""
_BROAD_POLICY = ":policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)$"
_BROAD_INLINE = (
    '$.RolePolicyList[*] ? (exists (@.PolicyDocument.Statement[*] ? (@.Effect == "Allow" && !exists (@.Condition) '
    '&& (@.Action[*] == "*" || @.Action[*] == "*:*" || @.Action[*] == "iam:*") && @.Resource[*] == "*")))'
)
ROLES = documents(
    "roles",
    "aws.iam-role",
    columns=f"""doc->>'Arn' AS arn,
        'role ' || name || ', which ' || coalesce(
            'has ' || (jsonb_path_query_first(doc,
                'lax $.AttachedManagedPolicies[*] ? (@.PolicyArn like_regex "{_BROAD_POLICY}").PolicyName') #>> '{{}}'),
            'may do anything by its policy ' || (jsonb_path_query_first(
                doc, 'lax {_BROAD_INLINE}') ->> 'PolicyName')
        ) AS words""",
)
# Roles that may do anything, or make themselves a role that may.
BROAD_ROLES = "broad_roles AS MATERIALIZED (SELECT * FROM roles WHERE words IS NOT NULL)"
BROAD_PROFILES = f"""broad_profiles AS MATERIALIZED (
    SELECT {text("item")} AS profile, b.words
    FROM broad_roles b, jsonb_path_query(b.doc, 'lax $.InstanceProfileList[*].Arn') item
)"""
BALANCERS = documents(
    "balancers",
    "aws.app-elb",
    "aws.elb",
    columns="""'load balancer ' || name AS words, coalesce(doc->>'DNSName', name) AS address""",
    where="doc->>'Scheme' = 'internet-facing'",
)
BALANCER_GROUPS = f"""balancer_groups AS MATERIALIZED (
    SELECT b.resource_id, b.words, {text("item")} AS group_id
    FROM balancers b, jsonb_path_query(b.doc, 'lax $.SecurityGroups[*]') item
)"""
# Which groups a group lets in: a balancer's group in the rule of a machine's.
LETS_IN = f"""lets_in AS MATERIALIZED (
    SELECT DISTINCT g.group_id, {text("item")} AS other
    FROM groups g, jsonb_path_query(g.doc, 'lax $.IpPermissions[*].UserIdGroupPairs[*].GroupId') item
)"""

_MACHINE = (GROUPS, OPEN_RULES, OPEN_GROUPS, INSTANCES, INSTANCE_GROUPS)
_MACHINE_AND_ROLE = (*_MACHINE, ROLES, BROAD_ROLES, BROAD_PROFILES)

CHECKS = (
    Check(
        confidence=WAY,
        id="aws-internet-to-admin-role",
        title="A machine that the internet reaches holds a role that may do everything",
        severity="critical",
        provider="aws",
        description="Whoever gets into the machine has the role's rights over the whole account.",
        remediation="Close the security group to the internet, or give the machine a role with the rights it needs.",
        facts=_MACHINE_AND_ROLE,
        hits="""SELECT i.resource_id,
            'The internet reaches ' || i.words || ' at ' || i.address || ' through ' || g.words
            || ', open to everybody on ' || g.ports || '; the machine holds the ' || b.words || '.' AS reason
        FROM instances i
        JOIN instance_groups ig ON ig.resource_id = i.resource_id
        JOIN open_groups g ON g.group_id = ig.group_id
        JOIN broad_profiles b ON b.profile = i.profile
        WHERE i.address IS NOT NULL""",
    ),
    Check(
        confidence=WAY,
        id="aws-internet-to-admin-role-by-load-balancer",
        title="A load balancer leads the internet to a machine with a role that may do everything",
        severity="high",
        provider="aws",
        description="A flaw in what the machine serves gives the role's rights over the whole account.",
        remediation="Give the machine a role with the rights it needs.",
        facts=(*_MACHINE_AND_ROLE, BALANCERS, BALANCER_GROUPS, LETS_IN),
        hits="""SELECT i.resource_id, 'The internet reaches ' || bg.words || ' through ' || g.words
            || ', open to everybody on ' || g.ports || '; its security group is let in to ' || i.words || ' by '
            || l.group_id || '; the machine holds the ' || b.words || '.' AS reason
        FROM balancer_groups bg
        JOIN open_groups g ON g.group_id = bg.group_id
        JOIN lets_in l ON l.other = bg.group_id
        JOIN instance_groups ig ON ig.group_id = l.group_id
        JOIN instances i ON i.resource_id = ig.resource_id
        JOIN broad_profiles b ON b.profile = i.profile
        UNION ALL
        SELECT i.resource_id, 'The internet reaches ' || bal.words || ', which leads to ' || i.words
            || '; the machine holds the ' || b.words || '.'
        FROM balancers bal
        CROSS JOIN LATERAL jsonb_path_query(bal.doc, 'lax $.Instances[*].InstanceId') item
        JOIN instances i ON i.instance_id = item #>> '{}'
        JOIN broad_profiles b ON b.profile = i.profile""",
    ),
    Check(
        confidence=WAY,
        id="aws-machine-open-for-administration",
        title="A machine with a public address lets everybody in on a port for administration or data",
        severity="high",
        provider="aws",
        description="An open rule alone is no way in, nor is a public address: both together are.",
        remediation="Close the security group to the internet; administer through Session Manager or a VPN.",
        facts=_MACHINE,
        hits="""SELECT i.resource_id,
            'The internet reaches ' || i.words || ' at ' || i.address || ' through ' || g.words
            || ', open to everybody on ' || g.ports || '.' AS reason
        FROM instances i
        JOIN instance_groups ig ON ig.resource_id = i.resource_id
        JOIN open_groups g ON g.group_id = ig.group_id AND g.administers
        WHERE i.address IS NOT NULL""",
    ),
    Check(
        confidence=WAY,
        id="aws-database-open-to-the-internet",
        title="A database with a public address lets everybody in on its port",
        severity="critical",
        provider="aws",
        description="The database is publicly accessible, and a security group of its lets the internet in.",
        remediation="Make the database private, or close its port in the security group.",
        action={"type": "aws.rds.make_private"},
        facts=(
            GROUPS,
            OPEN_RULES,
            documents(
                "databases",
                "aws.rds",
                columns=f"{_PORT} AS port",
                where="doc->'PubliclyAccessible' = 'true'::jsonb",
            ),
        ),
        hits=f"""SELECT d.resource_id,
            'The internet reaches database ' || d.name || ': it is publicly accessible, and '
            || 'security group ' || coalesce(o.name, o.group_id) || ' (' || o.group_id
            || ') is open to everybody on ' || {port_words("o.low", "o.high")} || '.' AS reason
        FROM databases d
        CROSS JOIN LATERAL jsonb_path_query(d.doc, 'lax $.VpcSecurityGroups[*].VpcSecurityGroupId') item
        JOIN open_rules o ON o.group_id = {text("item")}
        WHERE d.port IS NULL OR d.port BETWEEN o.low AND o.high""",
    ),
    Check(
        confidence=WAY,
        id="aws-function-of-everybody-with-admin-role",
        title="A function that everybody may call holds a role that may do everything",
        severity="critical",
        provider="aws",
        description="The function's own policy lets anybody call it, and its role may do everything.",
        remediation="Narrow who may call the function, or give it a role with the rights it needs.",
        facts=(
            ROLES,
            BROAD_ROLES,
            # The policy is a text of JSON, which SQL can't be sure to read: the connector keeps it as an object too.
            documents("functions", "aws.lambda", where="doc ? 'PolicyDocument'"),
        ),
        hits="""SELECT f.resource_id,
            'Everybody may call function ' || f.name || ' by its statement '
            || coalesce(statement->>'Sid', 'without a name') || '; the function holds the ' || b.words || '.' AS reason
        FROM functions f
        CROSS JOIN LATERAL jsonb_path_query(f.doc, 'lax $.PolicyDocument.Statement[*] ? (@.Effect == "Allow"
            && (@.Principal == "*" || @.Principal.AWS[*] == "*")
            && !exists (@.Condition))') statement
        JOIN broad_roles b ON b.arn = f.doc->>'Role'""",
    ),
)
