"""Filters for which c7n asks the cloud, decided on the document: SQL = reference = c7n given the same answer."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from c7n.filters.iamaccess import CrossAccountAccessFilter
from c7n.resources.s3 import BucketEncryption, FilterPublicBlock, GlobalGrantsFilter, S3CrossAccountFilter
from c7n.resources.sns import SNSCrossAccount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.rules.custodian.context import Context
from apps.rules.custodian.filters import filters_rule
from apps.rules.errors import PolicyError, Unsupported
from tests.rules.custodian_oracle import ACCOUNT, NOW, by_c7n, by_reference, by_sql

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def decided(
    rules_connection: psycopg.Connection, resource: str, filters: list[Any], documents: list[Any]
) -> list[str]:
    rule = filters_rule(filters, Context(NOW, resource), "filters")
    texts = [json.dumps(each) for each in documents]
    found = by_sql(rules_connection, rule, texts)
    assert found == by_reference(rule, texts)
    return found


# --- security groups ------------------------------------------------------------------------------------------

CIDRS = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "192.168.0.0/16"])
PORTS = st.sampled_from([0, 22, 80, 443, 3389, 65535])
PERMISSIONS = st.builds(
    lambda protocol, ports, v4, v6, groups: {
        "IpProtocol": protocol,
        **({} if ports is None else {"FromPort": min(ports), "ToPort": max(ports)}),
        "IpRanges": [{"CidrIp": each, "Description": "d"} for each in v4],
        "Ipv6Ranges": [{"CidrIpv6": each} for each in v6],
        "UserIdGroupPairs": [{"GroupId": each, "UserId": ACCOUNT} for each in groups],
        "PrefixListIds": [],
    },
    st.sampled_from(["tcp", "udp", "-1"]),
    st.one_of(st.none(), st.tuples(PORTS, PORTS)),
    st.lists(CIDRS, max_size=2),
    st.lists(st.sampled_from(["::/0", "fe80::/10"]), max_size=1),
    st.lists(st.sampled_from(["sg-1", "sg-2"]), max_size=1),
)
ASKED = st.fixed_dictionaries(
    {"type": st.sampled_from(["ingress", "egress"])},
    optional={
        "Ports": st.lists(PORTS, min_size=1, max_size=2),
        "OnlyPorts": st.lists(PORTS, min_size=1, max_size=2),
        "IpProtocol": st.sampled_from(["-1", "tcp", -1]),
        "FromPort": st.one_of(PORTS, st.just({"op": "gte", "value": 22})),
        "Cidr": st.one_of(CIDRS, st.just({"op": "in", "value": ["0.0.0.0/0"]}),
                          st.just({"op": "in", "value_type": "cidr", "value": "10.0.0.0/8"})),
        "CidrV6": st.just("::/0"),
        "SelfReference": st.booleans(),
        "Description": st.just({"value": "d"}),
        "IpRanges": st.sampled_from(["empty", "not-null"]),
        "match-operator": st.sampled_from(["and", "or"]),
    },
)  # fmt: skip


@given(asked=ASKED, permissions=st.lists(st.lists(PERMISSIONS, max_size=3), min_size=1, max_size=4))
@settings(SETTINGS, max_examples=150)
def test_ingress_and_egress_are_c7ns(rules_connection, asked, permissions) -> None:
    documents = [
        {"GroupId": "sg-1", "OwnerId": ACCOUNT, "IpPermissions": each, "IpPermissionsEgress": each[::-1]}
        for each in permissions
    ]
    found = decided(rules_connection, "aws.security-group", [asked], documents)
    assert found == by_c7n([asked], [json.dumps(each) for each in documents])


def test_security_group_references_are_refused() -> None:
    with pytest.raises(Unsupported, match="SGReferences"):
        filters_rule(
            [{"type": "ingress", "SGReferences": {"key": "a", "value": 1}}],
            Context(NOW, "aws.security-group"),
            "f",
        )


GROUP_RULES = st.builds(
    lambda priority, access, direction, protocol, ports, source: {
        "properties": {
            "priority": priority, "access": access, "direction": direction, "protocol": protocol,
            "sourceAddressPrefix": source, "sourceAddressPrefixes": [], "destinationAddressPrefixes": [], **ports,
        }
    },
    st.integers(100, 104),
    st.sampled_from(["Allow", "Deny", "allow"]),
    st.sampled_from(["Inbound", "inbound", "Outbound"]),
    st.sampled_from(["Tcp", "*", "UDP"]),
    st.one_of(
        st.builds(lambda each: {"destinationPortRange": each}, st.sampled_from(["22", "*", "20-25", "80", "0-65535"])),
        st.builds(lambda each: {"destinationPortRanges": each}, st.lists(st.sampled_from(["22", "23-24", "8080"]))),
    ),
    st.sampled_from(["*", "Internet", "10.0.0.0/8"]),
)  # fmt: skip
GROUP_ASKED = st.fixed_dictionaries(
    {"type": st.sampled_from(["ingress", "egress"]), "access": st.sampled_from(["Allow", "Deny"])},
    optional={
        "ports": st.sampled_from(["22", "22-24,80", "8080"]),
        "exceptPorts": st.sampled_from(["22", "22-24"]),
        "ipProtocol": st.sampled_from(["TCP", "*"]),
        "source": st.sampled_from(["*", "Internet"]),
        "match": st.sampled_from(["all", "any"]),
    },
)


def by_every_port(asked: dict[str, Any], rules: list[Any]) -> str:
    """The filter as it is described: each port of each range, one after the other."""

    def ports(written: str) -> set[int]:
        ends = [part.split("-") for part in written.replace("*", "0-65535").split(",") if part]
        return {port for each in ends for port in range(int(each[0]), int(each[-1]) + 1)}

    direction = {"ingress": "inbound", "egress": "outbound"}[asked["type"]]
    protocol, source = asked.get("ipProtocol", "*").lower(), asked.get("source")
    allowed: dict[int, bool] = {}
    for rule in sorted((each["properties"] for each in rules), key=lambda each: each["priority"]):
        fits = rule["protocol"] == "*" or protocol in ("*", rule["protocol"].lower())
        if rule["direction"].lower() == direction and fits and source in (None, rule["sourceAddressPrefix"]):
            written = rule.get("destinationPortRange") or ",".join(rule.get("destinationPortRanges", []))
            for port in ports(written):
                allowed.setdefault(port, rule["access"].lower() == "allow")
    wanted = ports(asked.get("ports", "0-65535")) - ports(asked.get("exceptPorts", ""))
    met = [allowed.get(port, False) is (asked["access"] == "Allow") for port in wanted]
    return str(all(met) if asked.get("match", "all") == "all" else any(met)).lower()


@given(asked=GROUP_ASKED, groups=st.lists(st.lists(GROUP_RULES, max_size=4), min_size=1, max_size=3))
@SETTINGS
def test_network_security_groups_decide_every_port(rules_connection, asked, groups) -> None:
    documents = [{"properties": {"securityRules": each}} for each in groups]
    wanted = [by_every_port(asked, each) for each in groups]
    assert decided(rules_connection, "azure.networksecuritygroup", [asked], documents) == wanted


def test_network_security_groups_of_odd_shape(rules_connection) -> None:
    unreadable = {"properties": {"direction": "Inbound", "protocol": "*", "destinationPortRange": "ssh"}}
    documents = [
        {},
        {"properties": {"securityRules": [unreadable]}},
        {"properties": {"securityRules": ["x", {}]}},
    ]
    data = {"type": "ingress", "access": "Allow", "ports": "22"}
    found = decided(rules_connection, "azure.networksecuritygroup", [data], documents)
    assert found == ["false", "error", "false"]


# --- cross-account --------------------------------------------------------------------------------------------

IDS = st.sampled_from(
    ["*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::111122223333:user/a", "111122223333", "AIDAXYZ",
     "arn:aws:iam::cloudfront:user/X", "arn:aws:iam::127311923021:root"]
)  # fmt: skip
PRINCIPALS = st.one_of(
    IDS,
    st.builds(lambda v: {"AWS": v}, st.one_of(IDS, st.lists(IDS, max_size=2))),
    st.just({"Service": "ec2.amazonaws.com"}),
    st.builds(lambda v: {"Service": "x", "Federated": v}, IDS),
    st.just(""),
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "ArnLike", "StringNotEquals", "ForAllValues:StringEquals", "IpAddress"]),
    st.dictionaries(
        st.sampled_from(["aws:SourceAccount", "AWS:SourceArn", "aws:SourceIp", "aws:userid", "aws:SourceVpce",
                         "aws:PrincipalOrgID", "s3:x-amz-acl", "sns:Endpoint", "sns:Protocol", "aws:SourceOwner"]),
        st.one_of(IDS, st.lists(IDS, min_size=1, max_size=2), st.sampled_from(["vpce-1", "https"])),
        min_size=1, max_size=2,
    ),
    max_size=2,
)  # fmt: skip
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Allow", "Deny"]), "Action": st.one_of(
        st.sampled_from(["s3:*", "s3:GetObject", "*", "sns:Pub?ish"]), st.lists(st.just("s3:Put*"), min_size=1))},
    optional={"Principal": PRINCIPALS, "NotPrincipal": st.just({"AWS": ACCOUNT}), "Condition": CONDITIONS},
)  # fmt: skip
POLICY = st.one_of(
    st.none(),
    st.builds(
        lambda statements, as_text: (
            json.dumps({"Statement": statements}) if as_text else {"Statement": statements}
        ),
        st.lists(STATEMENTS, max_size=2),
        st.booleans(),
    ),
)
CROSS = st.fixed_dictionaries(
    {"type": st.just("cross-account")},
    optional={
        "actions": st.sampled_from([["s3:GetObject"], ["s3:PutObject", "sns:Publish"]]),
        "whitelist": st.just(["111122223333"]),
        "whitelist_vpce": st.just(["vpce-1"]),
        "whitelist_conditions": st.just(["s3:x-amz-acl"]),
        "whitelist_patterns": st.just(["AIDA*"]),
        "everyone_only": st.booleans(),
        "return_allowed": st.booleans(),
    },
)
CHECKERS = {
    "aws.sqs": (CrossAccountAccessFilter, "Policy"),
    "aws.s3": (S3CrossAccountFilter, "Policy"),
    "aws.sns": (SNSCrossAccount, "Policy"),
}


@given(
    resource=st.sampled_from(sorted(CHECKERS)),
    asked=CROSS,
    documents=st.lists(POLICY, min_size=1, max_size=5),
)
@settings(SETTINGS, max_examples=200)
def test_cross_account_is_c7ns(rules_connection, resource, asked, documents) -> None:
    checker, name = CHECKERS[resource]
    rows = [{} if each is None else {name: each} for each in documents]
    manager = SimpleNamespace(config=SimpleNamespace(account_id=ACCOUNT))
    wanted = [
        str(bool(checker(dict(asked), manager).process([json.loads(json.dumps(row))]))).lower()
        for row in rows
    ]
    assert decided(rules_connection, resource, [asked], rows) == wanted


def test_a_policy_document_that_is_none_has_no_answer(rules_connection) -> None:
    rows = [{"Policy": "{nonsense"}, {"Policy": 5}, {"Policy": {"Statement": ["x"]}}, {"Policy": None}, {}]
    found = decided(rules_connection, "aws.s3", [{"type": "cross-account"}], rows)
    assert found == ["error", "error", "error", "false", "false"]


def test_an_api_without_a_policy_is_open_to_all(rules_connection) -> None:
    own = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*"}]})
    rows = [{}, {"policy": own.replace('"', '\\"')}]
    assert decided(rules_connection, "aws.rest-api", [{"type": "cross-account"}], rows) == ["true", "false"]


# --- buckets, keys, users -------------------------------------------------------------------------------------

BLOCK = st.fixed_dictionaries({name: st.booleans() for name in FilterPublicBlock.keys})


@given(
    asked=st.dictionaries(st.sampled_from(FilterPublicBlock.keys), st.booleans()),
    blocks=st.lists(st.one_of(st.none(), BLOCK), min_size=1),
)
@SETTINGS
def test_public_access_blocks_are_c7ns(rules_connection, asked, blocks) -> None:
    data = {"type": "check-public-block", **asked}
    rows = [{"Location": {}, **({"PublicAccessBlockConfiguration": each} if each else {})} for each in blocks]
    nothing = dict.fromkeys(FilterPublicBlock.keys, False)
    wanted = [str(FilterPublicBlock(data).matches_filter(each or nothing)).lower() for each in blocks]
    assert decided(rules_connection, "aws.s3", [data], rows) == wanted


@given(
    asked=st.fixed_dictionaries({}, optional={"state": st.booleans(), "crypto": st.sampled_from(["AES256", "aws:kms"]),
                                              "bucket_key_enabled": st.booleans()}),
    rules=st.lists(
        st.one_of(
            st.none(),
            st.just([]),
            st.builds(lambda algorithm, on: [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm},
                                              "BucketKeyEnabled": on}],
                      st.sampled_from(["AES256", "aws:kms", "aws:kms:dsse"]), st.booleans()),
        ),
        min_size=1,
    ),
)  # fmt: skip
@SETTINGS
def test_bucket_encryption_is_c7ns(rules_connection, asked, rules) -> None:
    data = {"type": "bucket-encryption", **asked}
    rows = [
        {"Location": {}, **({} if each is None else {"ServerSideEncryptionConfiguration": {"Rules": each}})}
        for each in rules
    ]
    wanted = []
    for each in rules:
        checker = BucketEncryption(data, SimpleNamespace(session_factory=None, data={}))
        checker.get_key = lambda _: None
        bucket = {
            "Name": "b",
            "Location": {},
            checker.annotation_key: {"ServerSideEncryptionConfiguration": {"Rules": each or []}},
        }
        wanted.append(str(bool(_process(checker, bucket))).lower())
    assert decided(rules_connection, "aws.s3", [data], rows) == wanted


def _process(checker: BucketEncryption, bucket: dict[str, Any]) -> Any:
    import c7n.resources.s3 as s3

    original = s3.bucket_client, s3.local_session
    s3.bucket_client, s3.local_session = (lambda *_: None), (lambda *_: None)
    try:
        return checker.process_bucket(bucket)
    finally:
        s3.bucket_client, s3.local_session = original


GROUPS = ["http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/s3/LogDelivery"]
GRANTS = st.builds(
    lambda uri, permission: {"Grantee": {"URI": uri} if uri else {"ID": "a"}, "Permission": permission},
    st.sampled_from([*GROUPS, None]),
    st.sampled_from(["READ", "WRITE", "FULL_CONTROL"]),
)


@given(
    asked=st.fixed_dictionaries(
        {}, optional={"allow_website": st.booleans(), "permissions": st.just(["WRITE"])}
    ),
    grants=st.lists(GRANTS, max_size=3),
    website=st.sampled_from([None, {"IndexDocument": {"Suffix": "i"}}]),
)
@SETTINGS
def test_global_grants_are_c7ns(rules_connection, asked, grants, website) -> None:
    data = {"type": "global-grants", **asked}
    row = {"Name": "b", "Acl": {"Grants": grants}, "Website": website}
    wanted = str(bool(GlobalGrantsFilter(data).process_bucket(json.loads(json.dumps(row))))).lower()
    assert decided(rules_connection, "aws.s3", [data], [row]) == [wanted]


@pytest.mark.parametrize(
    ("resource", "data", "rows", "outcomes"),
    [
        ("aws.kms-key", {"type": "key-rotation-status", "key": "KeyRotationEnabled", "value": False},
         [{"KeyRotationEnabled": False}, {"KeyRotationEnabled": True}, {}], ["true", "false", "error"]),
        ("aws.cloudtrail", {"type": "status", "key": "IsLogging", "value": False},
         [{"IsLogging": False}, {"IsLogging": True}, {}], ["true", "false", "error"]),
        ("aws.iam-user", {"type": "mfa-device", "value": "empty"},
         [{"MFADevices": []}, {"MFADevices": [{"SerialNumber": "a"}]}, {}], ["true", "false", "error"]),
        ("aws.iam-user", {"type": "access-key", "key": "Status", "value": "Active"},
         [{"AccessKeyMetadata": [{"Status": "Inactive"}, {"Status": "Active"}]}, {"AccessKeyMetadata": []}, {}],
         ["true", "false", "error"]),
        ("aws.s3", {"type": "check-public-block"}, [{"Name": "b"}], ["error"]),
    ],
)  # fmt: skip
def test_a_fact_that_the_inventory_does_not_hold_has_no_answer(
    rules_connection, resource, data, rows, outcomes
) -> None:
    assert decided(rules_connection, resource, [data], rows) == outcomes


@pytest.mark.parametrize(
    ("resource", "data"),
    [
        ("aws.s3", {"type": "bucket-encryption", "key": "alias/a"}),
        ("aws.s3", {"type": "cross-account", "whitelist_from": {"url": "x"}}),
        ("aws.s3", {"type": "cross-account", "whitelist_orgids": ["o-1"]}),
        ("aws.lambda", {"type": "cross-account"}),
        ("aws.kms-key", {"type": "key-rotation-status", "key": "RotationPeriodInDays", "value": 90}),
        ("aws.iam-user", {"type": "access-key", "match-operator": "and", "key": "Status", "value": "Active"}),
    ],
)
def test_facts_that_no_document_holds_are_refused(resource, data) -> None:
    with pytest.raises(PolicyError) as caught:
        filters_rule([data], Context(NOW, resource), "filters")
    assert isinstance(caught.value, Unsupported)


# --- ages and marks -------------------------------------------------------------------------------------------

MARKS = st.one_of(
    st.sampled_from(
        ["Resource does not meet policy: stop@2026/11/22", "x: stop@2026/11/23", "stop@2026/01/01", ": stop@nonsense",
         "a:stop@2026-11-22", "a: terminate@2026/01/01", "a: stop@2026/11/25 1000 UTC", "a:  stop@2026/11/22 1459",
         "a: stop@2026/11/22 1501 UTC", "a:b: stop@2020/02/30", "", ":@", "a: stop@", "stop"]
    ),
    st.text(alphabet="a:@ stop2026/1-", max_size=12),
)  # fmt: skip


@given(
    marks=st.lists(MARKS, min_size=1),
    op=st.sampled_from(["stop", "terminate"]),
    skew=st.sampled_from([0, 1, 4, 400]),
)
@SETTINGS
def test_marks_are_c7ns(rules_connection, marks, op, skew) -> None:
    data = {"type": "marked-for-op", "tag": "m", "op": op, "skew": skew}
    rows = [{"Tags": [{"Key": "m", "Value": each}]} for each in marks if not _guessed(each)]
    wanted = by_c7n([data], [json.dumps(row) for row in rows])
    found = decided(rules_connection, "aws.ec2", [data], rows)
    assert [mine for mine, theirs in zip(found, wanted, strict=True) if theirs != "error"] == [
        theirs for theirs in wanted if theirs != "error"
    ]


def _guessed(mark: str) -> bool:
    """A date that only dateutil reads: an empty one, a lone month."""
    from dateutil.parser import parse

    from apps.rules.custodian.aging import _tag_mark

    op, _, date = mark.rsplit(":", 1)[-1].strip().partition("@")
    try:
        parse(date)
    except (ValueError, OverflowError):
        return False
    return isinstance(_tag_mark([mark, op]), str) is False


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("resource_policy-stop-2026_11_22__15_0", "true"),
        ("resource_policy-stop-2026_11_22__15_1", "false"),
        ("resource_policy-start-2026_11_22__15_0", "false"),
        ("stop-2026_1_2__0_0", "true"),
        ("stop-2026_2_30__0_0", "false"),
        ("nonsense", "false"),
        (5, "false"),
    ],
)
def test_labels_of_google_carry_marks(rules_connection, value, outcome) -> None:
    data = {"type": "marked-for-op", "op": "stop"}
    row = {"labels": {"custodian_status": value}}
    assert decided(rules_connection, "gcp.instance", [data], [row]) == [outcome]


@given(
    kind=st.sampled_from(["instance-age", "instance-uptime", "state-age", "image-age", "age"]),
    op=st.sampled_from(["gt", "ge", "lt", "le"]),
    days=st.sampled_from([0, 1, 30, 400]),
    attached=st.lists(
        st.sampled_from(["2026-11-20T10:00:00+00:00", "2026-01-01T00:00:00+00:00"]), max_size=2
    ),
    launched=st.sampled_from(["2026-11-22T14:00:00+00:00", "2025-01-01T00:00:00+00:00"]),
    reason=st.sampled_from(
        ["", "User initiated (2026-11-21 20:00:00 GMT)", "Server (x) (2026-01-01 00:00:00 GMT)"]
    ),
)
@SETTINGS
def test_age_filters_are_c7ns(rules_connection, kind, op, days, attached, launched, reason) -> None:
    resource = {"image-age": "aws.ami", "age": "aws.ebs-snapshot"}.get(kind, "aws.ec2")
    disks = [{"DeviceName": "a", "Ebs": {"AttachTime": each}} for each in attached]
    row = {
        "LaunchTime": launched, "CreationDate": launched, "StartTime": launched, "StateTransitionReason": reason,
        "BlockDeviceMappings": [*disks, {"DeviceName": "b"}],
    }  # fmt: skip
    data = {"type": kind, "op": op, "days": days}
    wanted = by_c7n([data], [json.dumps(row)])
    if wanted != ["error"]:
        assert decided(rules_connection, resource, [data], [row]) == wanted


@given(
    count=st.integers(0, 3), op=st.sampled_from(["eq", "gte", "lt", "ne"]),
    names=st.lists(st.sampled_from(["a", "b", "aws:x", "c"]), max_size=4),
)  # fmt: skip
@SETTINGS
def test_tag_counts_are_c7ns(rules_connection, count, op, names) -> None:
    data = {"type": "tag-count", "op": op, "count": count}
    row = {"Tags": [{"Key": name, "Value": "v"} for name in names]}
    assert decided(rules_connection, "aws.ec2", [data], [row]) == by_c7n([data], [json.dumps(row)])


@pytest.mark.parametrize(
    ("filters", "row", "outcome"),
    [
        ([{"Owner": "{account_id}"}], {"Owner": ACCOUNT}, "true"),
        ([{"type": "value", "key": "Owner", "op": "ne", "value": "{account_id}"}], {"Owner": ACCOUNT}, "false"),
        ([{"type": "value", "key": "a", "op": "glob", "value": "arn:{region}:{account_id}:*"}],
         {"a": f"arn:us-east-1:{ACCOUNT}:x"}, "true"),
        ([{"type": "value", "key": "a", "op": "glob", "value": "arn:{region}:{account_id}:*"}],
         {"a": f"arn:us-east-2:{ACCOUNT}:x"}, "false"),
        ([{"type": "value", "key": "a", "op": "regex", "value": "^{account_id}[.].*"}], {"a": f"{ACCOUNT}.x"}, "true"),
        ([{"type": "value", "key": "a", "op": "regex", "value": "^x{2,3}$"}], {"a": "xxx"}, "true"),
        ([{"a": "{nonsense}"}], {"a": "{nonsense}"}, "true"),
    ],
)  # fmt: skip
def test_variables_are_those_of_the_resource(rules_connection, filters, row, outcome) -> None:
    assert decided(rules_connection, "aws.sns-subscription", filters, [row]) == [outcome]
    assert by_c7n(filters, [json.dumps(row)]) == [outcome]


def test_a_variable_that_is_not_known_has_no_answer(rules_connection) -> None:
    rule = filters_rule([{"Owner": "{account_id}"}], Context(NOW, "aws.ec2"), "filters")
    assert by_sql(rules_connection, rule, ["{}"], account=None) == ["error"]
    assert by_reference(rule, ["{}"], account=None) == ["error"]
