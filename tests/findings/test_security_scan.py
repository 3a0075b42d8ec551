"""The security scan: paths through several resources, credentials and secrets become violations that people can read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.catalog.models import Policy, Resource, ResourceProperties
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.core.errors import InvalidInput
from apps.findings.models import EvaluationError, Recommendation, ScanRun, Violation, ViolationEvent
from apps.findings.queries import counter_drift
from apps.findings.savings.deciding import decide_recommendation
from apps.findings.security import CHECKS, SECRET_CHECKS, SOURCE
from apps.findings.services import security_scan
from apps.findings.services.exceptions import approve_exception, request_exception
from apps.findings.services.security_scan import run_security_scan, start_security_scan
from apps.jobs.models import Job
from apps.jobs.running import run_job
from apps.tenancy.models import Tenant, User
from apps.tenancy.roles import Role
from tests.fixtures.clients import browser
from tests.fixtures.estate import acting_as, import_rows

pytestmark = pytest.mark.django_db
ACCOUNT = "111122223333"


def row(type_: str, native_id: str, document: dict[str, Any], name: str = "", **more: Any) -> dict[str, Any]:
    provider = type_.split(".")[0] if type_.split(".")[0] in ("aws", "gcp") else more.pop("provider", "azure")
    return {
        "id": native_id,
        "provider": provider,
        "type": type_,
        "name": name or native_id.rsplit("/", 1)[-1],
        "account": more.pop("account", ACCOUNT),
        "properties": document,
        **more,
    }


def scan(tenant: Tenant, mode: str = "full") -> Job:
    with tenant_transaction(tenant.id):
        job = start_security_scan(mode=mode, send=False)
    run_job(tenant.id, job.pk)
    job.refresh_from_db()
    assert job.status == "succeeded", job.error
    assert not EvaluationError.objects.exists(), EvaluationError.objects.values_list("message", flat=True)
    assert counter_drift() == []
    return job


def reasons(check: str) -> dict[str, str]:
    found = Violation.objects.select_related("policy", "resource").exclude(status="fixed")
    return {
        v.resource.name: v.reason for v in found if v.policy.metadata["provider_id"] == f"{SOURCE}/{check}"
    }


# --- AWS: from the internet to a role ------------------------------------------------------------------
def group(
    group_id: str = "sg-web", port: int | None = 443, source: str = "0.0.0.0/0", **rule: Any
) -> dict[str, Any]:
    ports = {} if port is None else {"FromPort": port, "ToPort": port}
    protocol = "-1" if port is None else "tcp"
    rules = [{"IpProtocol": protocol, **ports, "IpRanges": [{"CidrIp": source}], "Ipv6Ranges": [], **rule}]
    document = {"GroupId": group_id, "GroupName": group_id, "IpPermissions": rules}
    return row("aws.security-group", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/{group_id}", document)


def machine(
    groups: tuple[str, ...] = ("sg-web",), address: str | None = "54.1.2.3", **more: Any
) -> dict[str, Any]:
    document = {
        "InstanceId": "i-0a1",
        "SecurityGroups": [{"GroupId": g} for g in groups],
        "IamInstanceProfile": {"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/deploy"},
        **({"PublicIpAddress": address} if address else {}),
        **more,
    }
    return row("aws.ec2", f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/i-0a1", document, "web-1")


def role(managed: str = "AdministratorAccess", statement: dict[str, Any] | None = None) -> dict[str, Any]:
    document = {
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/deploy",
        "RoleName": "deploy",
        "InstanceProfileList": [{"Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/deploy"}],
        "AttachedManagedPolicies": [
            {"PolicyName": managed, "PolicyArn": f"arn:aws:iam::aws:policy/{managed}"}
        ]
        if managed
        else [],
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": {"Statement": [statement]}}]
        if statement
        else [],
    }
    return row("aws.iam-role", f"arn:aws:iam::{ACCOUNT}:role/deploy", document)


def test_a_way_from_the_internet_to_a_role_names_each_hop(in_tenant: Tenant) -> None:
    import_rows([group(), machine(), role()])
    scan(in_tenant)
    assert reasons("aws-internet-to-admin-role") == {
        "web-1": "The internet reaches machine web-1 (i-0a1) at 54.1.2.3 through security group sg-web, open to "
        "everybody on port 443; the machine holds the role deploy, which has AdministratorAccess."
    }
    violation = Violation.objects.get()
    policy = violation.policy
    assert policy is not None
    assert (violation.severity, violation.source, violation.status) == ("critical", "security", "open")
    assert (policy.language, policy.status, policy.type) == ("external", "external", "security")
    assert [e.kind for e in ViolationEvent.objects.all()] == ["opened"]


@pytest.mark.parametrize(
    "estate",
    [
        pytest.param([group(source="10.0.0.0/8"), machine(), role()], id="closed group"),
        pytest.param([group("sg-other"), machine(), role()], id="another group"),
        pytest.param([group(), machine(address=None), role()], id="no public address"),
        pytest.param([group(), machine(), role("ReadOnlyAccess")], id="narrow role"),
        pytest.param([group(), machine()], id="no role known"),
        pytest.param(
            [group(), machine(), role("", {"Effect": "Allow", "Action": "*", "Resource": "*",
                                           "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}})],
            id="on a condition",
        ),
    ],
)  # fmt: skip
def test_where_one_hop_is_missing_there_is_no_way(in_tenant: Tenant, estate: list[dict[str, Any]]) -> None:
    import_rows(estate)
    scan(in_tenant)
    assert reasons("aws-internet-to-admin-role") == {}


def test_a_role_may_be_broad_by_its_own_policy_and_a_group_open_to_all_of_ipv6(in_tenant: Tenant) -> None:
    own = {"Effect": "Allow", "Action": ["s3:*", "iam:*"], "Resource": "*"}
    import_rows(
        [group(port=None, source="10.0.0.0/8", Ipv6Ranges=[{"CidrIpv6": "::/0"}]), machine(), role("", own)]
    )
    scan(in_tenant)
    (told,) = reasons("aws-internet-to-admin-role").values()
    assert (
        "open to everybody on every port; the machine holds the role deploy, which may do anything by its policy own."
        in told
    )
    assert list(reasons("aws-machine-open-for-administration")) == ["web-1"]


def test_a_load_balancer_leads_to_a_machine_that_lets_its_group_in(in_tenant: Tenant) -> None:
    inner = group("sg-inner", 8080, "10.0.0.0/8", UserIdGroupPairs=[{"GroupId": "sg-web"}])
    balancer = row(
        "aws.app-elb",
        f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/app/front/1",
        {"Scheme": "internet-facing", "SecurityGroups": ["sg-web"], "DNSName": "front.example.org"},
        "front",
    )
    import_rows([group(), inner, balancer, machine(("sg-inner",), None), role()])
    scan(in_tenant)
    assert reasons("aws-internet-to-admin-role") == {}
    assert reasons("aws-internet-to-admin-role-by-load-balancer") == {
        "web-1": "The internet reaches load balancer front through security group sg-web, open to everybody on port "
        "443; its security group is let in to machine web-1 (i-0a1) by sg-inner; the machine holds the role deploy, "
        "which has AdministratorAccess."
    }


def test_a_public_database_behind_an_open_group(in_tenant: Tenant) -> None:
    def database(public: bool) -> dict[str, Any]:
        document = {
            "PubliclyAccessible": public,
            "Endpoint": {"Port": 5432},
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-db"}],
        }
        return row(
            "aws.rds", f"arn:aws:rds:eu-west-1:{ACCOUNT}:db:orders-{public}", document, f"orders-{public}"
        )

    import_rows([group("sg-db", 5432), database(True), database(False)])
    scan(in_tenant)
    assert reasons("aws-database-open-to-the-internet") == {
        "orders-True": "The internet reaches database orders-True: it is publicly accessible, and security group sg-db "
        "(sg-db) is open to everybody on port 5432."
    }
    import_rows([group("sg-db", 443)])
    scan(in_tenant)
    assert reasons("aws-database-open-to-the-internet") == {}


def test_a_function_that_everybody_may_call(in_tenant: Tenant) -> None:
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay"
    statement = {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction"}
    document = {"Role": f"arn:aws:iam::{ACCOUNT}:role/deploy", "PolicyDocument": {"Statement": [statement]}}
    import_rows([row("aws.lambda", arn, document, "pay"), role()])
    scan(in_tenant)
    assert reasons("aws-function-of-everybody-with-admin-role") == {
        "pay": "Everybody may call function pay by its statement all; the function holds the role deploy, which has "
        "AdministratorAccess."
    }


# --- AWS: credentials ----------------------------------------------------------------------------------
def days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds").replace("+00:00", "Z")


def user(name: str = "ana", **document: Any) -> dict[str, Any]:
    return row(
        "aws.iam-user",
        f"arn:aws:iam::{ACCOUNT}:user/{name}",
        {"UserName": name, "MFADevices": [], **document},
    )


def key(age: int, used: int | None = 1, status: str = "Active") -> dict[str, Any]:
    last = {} if used is None else {"LastUsedDate": days_ago(used)}
    return {"AccessKeyId": f"AKIA{age}", "Status": status, "CreateDate": days_ago(age), "LastUsed": last}


def test_old_and_unused_keys(in_tenant: Tenant) -> None:
    import_rows(
        [
            user("old", AccessKeyMetadata=[key(91), key(10)]),
            user("young", AccessKeyMetadata=[key(89)]),
            user("off", AccessKeyMetadata=[key(400, status="Inactive")]),
            user("idle", AccessKeyMetadata=[key(100, used=95)]),
            user("never", AccessKeyMetadata=[key(100, used=None)]),
        ]
    )
    scan(in_tenant)
    assert set(reasons("aws-access-key-old")) == {"old", "idle", "never"}
    unused = reasons("aws-access-key-unused")
    assert unused == {
        "idle": f"Access key AKIA100 of user idle is active and was last used on {days_ago(95)[:10]}.",
        "never": f"Access key AKIA100 of user never is active and was never used since {days_ago(100)[:10]}.",
    }


def test_passwords_and_second_factors(in_tenant: Tenant) -> None:
    login = {"CreateDate": days_ago(300)}
    import_rows(
        [
            user("bare", LoginProfile=login, PasswordLastUsed=days_ago(1)),
            user(
                "safe", LoginProfile=login, PasswordLastUsed=days_ago(1), MFADevices=[{"SerialNumber": "x"}]
            ),
            user("robot"),
            user(
                "gone", LoginProfile=login, PasswordLastUsed=days_ago(120), MFADevices=[{"SerialNumber": "x"}]
            ),
        ]
    )
    scan(in_tenant)
    assert set(reasons("aws-console-without-second-factor")) == {"bare"}
    assert set(reasons("aws-password-unused")) == {"gone"}


def test_root(in_tenant: Tenant) -> None:
    document = {"AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0}
    import_rows([row("aws.account", f"arn:aws:iam::{ACCOUNT}:root", document, "prod")])
    scan(in_tenant)
    assert set(reasons("aws-root-has-keys")) == set(reasons("aws-root-without-second-factor")) == {"prod"}


# --- Azure ---------------------------------------------------------------------------------------------
SUB = "/subscriptions/s-1"
NET = f"{SUB}/resourceGroups/g/providers/Microsoft.Network"
VM = f"{SUB}/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1"


def arm(type_: str, id_: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = {"id": id_, "type": type_, "properties": properties, **more}
    return row(type_.lower(), id_, document, provider="azure", account="s-1")


def nsg(name: str, *rules: tuple[int, str, str, str], subnet: str | None = None) -> dict[str, Any]:
    told = [
        {"name": f"r{number}", "properties": {
            "priority": number, "access": access, "direction": "Inbound", "protocol": "Tcp",
            "sourceAddressPrefix": source, "destinationPortRange": port}}
        for number, access, source, port in rules
    ]  # fmt: skip
    subnets = {"subnets": [{"id": f"{NET}/virtualNetworks/v/subnets/{subnet}"}]} if subnet else {}
    return arm(
        "Microsoft.Network/networkSecurityGroups",
        f"{NET}/networkSecurityGroups/{name}",
        {"securityRules": told, **subnets},
    )


def vm(*groups: dict[str, Any], own: str | None = "own", sku: str = "Standard") -> list[dict[str, Any]]:
    configuration = {"properties": {
        "publicIPAddress": {"id": f"{NET}/publicIPAddresses/pip"},
        "subnet": {"id": f"{NET}/virtualNetworks/v/subnets/a"},
    }}  # fmt: skip
    own_group = {"networkSecurityGroup": {"id": f"{NET}/networkSecurityGroups/{own}"}} if own else {}
    nic = {"ipConfigurations": [configuration], "virtualMachine": {"id": VM.lower()}, **own_group}
    return [
        arm("Microsoft.Compute/virtualMachines", VM,
            {"networkProfile": {"networkInterfaces": [{"id": f"{NET}/networkInterfaces/nic1"}]}},
            identity={"principalId": "p-1"}),
        arm("Microsoft.Network/networkInterfaces", f"{NET}/networkInterfaces/nic1", nic),
        arm("Microsoft.Network/publicIPAddresses", f"{NET}/publicIPAddresses/pip", {"ipAddress": "20.1.1.1"},
            sku={"name": sku}),
        *groups,
    ]  # fmt: skip


OPEN_SSH = (200, "Allow", "Internet", "22")


@pytest.mark.parametrize(
    ("estate", "opens"),
    [
        pytest.param(vm(nsg("own", OPEN_SSH)), True, id="open"),
        pytest.param(vm(nsg("own", (200, "Allow", "*", "20-25"))), True, id="range"),
        pytest.param(vm(nsg("own", (200, "Allow", "10.0.0.0/8", "22"))), False, id="inside only"),
        pytest.param(vm(nsg("own", (100, "Deny", "*", "*"), OPEN_SSH)), False, id="denied before"),
        pytest.param(vm(nsg("own", OPEN_SSH, (300, "Deny", "*", "*"))), True, id="denied after"),
        pytest.param(vm(nsg("own", OPEN_SSH), nsg("sub", subnet="a")), False, id="the subnet's group closes"),
        pytest.param(vm(nsg("own", OPEN_SSH), nsg("sub", OPEN_SSH, subnet="a")), True, id="both open"),
        pytest.param(vm(nsg("own", OPEN_SSH), nsg("sub", subnet="b")), True, id="another subnet's group"),
        pytest.param(vm(own=None), False, id="standard address without a group"),
        pytest.param(vm(own=None, sku="Basic"), True, id="basic address without a group"),
    ],
)
def test_an_azure_machine_is_open_where_every_gate_is(
    in_tenant: Tenant, estate: list[dict[str, Any]], opens: bool
) -> None:
    import_rows(estate)
    scan(in_tenant)
    assert bool(reasons("azure-machine-open-for-administration")) is opens


def test_an_azure_machine_whose_identity_owns_the_subscription(in_tenant: Tenant) -> None:
    assignment = arm(
        "Microsoft.Authorization/roleAssignments",
        f"{SUB}/providers/Microsoft.Authorization/roleAssignments/a",
        {
            "principalId": "p-1",
            "scope": SUB,
            "roleDefinitionId": f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        },
    )
    import_rows([*vm(nsg("own", (200, "Allow", "*", "443"))), assignment])
    scan(in_tenant)
    assert reasons("azure-machine-open-for-administration") == {}
    assert reasons("azure-internet-to-subscription-role") == {
        "vm1": "The internet reaches machine vm1 at 20.1.1.1 (nic1) through network security group own (rule r200) on "
        "port 443; its identity is Owner of /subscriptions/s-1."
    }


def test_an_azure_database_whose_firewall_lets_everybody_in(in_tenant: Tenant) -> None:
    server = f"{SUB}/resourceGroups/g/providers/Microsoft.Sql/servers/db"
    rule = {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}  # noqa: S104
    import_rows(
        [
            arm("Microsoft.Sql/servers", server, {"publicNetworkAccess": "Enabled"}),
            arm("Microsoft.Sql/servers/firewallRules", f"{server}/firewallRules/all", rule),
            arm("Microsoft.Sql/servers", f"{server}2", {"publicNetworkAccess": "Disabled"}),
            arm("Microsoft.Sql/servers/firewallRules", f"{server}2/firewallRules/all", rule),
        ]
    )
    scan(in_tenant)
    assert set(reasons("azure-database-open-to-the-internet")) == {"db"}


# --- Google Cloud --------------------------------------------------------------------------------------
def firewall(**more: Any) -> dict[str, Any]:
    document = {
        "network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/main",
        "direction": "INGRESS",
        "sourceRanges": ["0.0.0.0/0"],
        "allowed": [{"IPProtocol": "tcp", "ports": ["22", "8000-9000"]}],
        **more,
    }
    return row("gcp.firewall", "projects/p/global/firewalls/ssh", document, account="p")


def gcp_machine(**more: Any) -> dict[str, Any]:
    document = {
        "status": "RUNNING",
        "networkInterfaces": [
            {
                "network": "//compute.googleapis.com/projects/p/global/networks/main",
                "accessConfigs": [{"natIP": "34.1.1.1"}],
            }
        ],
        "tags": {"items": ["web"]},
        "serviceAccounts": [
            {
                "email": "a@p.iam.gserviceaccount.com",
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
            }
        ],
        **more,
    }
    return row("gcp.instance", "projects/p/zones/z/instances/vm1", document, account="p")


@pytest.mark.parametrize(
    ("rule", "opens"),
    [
        pytest.param({}, True, id="open"),
        pytest.param({"allowed": [{"IPProtocol": "all"}]}, True, id="all protocols"),
        pytest.param({"disabled": True}, False, id="disabled"),
        pytest.param({"direction": "EGRESS"}, False, id="egress"),
        pytest.param({"sourceRanges": ["10.0.0.0/8"]}, False, id="inside"),
        pytest.param({"targetTags": ["web", "x"]}, True, id="its tag"),
        pytest.param({"targetTags": ["db"]}, False, id="another tag"),
        pytest.param({"targetServiceAccounts": ["b@p.iam.gserviceaccount.com"]}, False, id="another account"),
        pytest.param({"network": "https://www.googleapis.com/compute/v1/projects/p/global/networks/x"}, False, id="another network"),
        pytest.param({"allowed": [{"IPProtocol": "icmp"}]}, False, id="icmp"),
    ],
)  # fmt: skip
def test_a_google_machine_is_open_by_a_rule_of_its_network(
    in_tenant: Tenant, rule: dict[str, Any], opens: bool
) -> None:
    import_rows([firewall(**rule), gcp_machine()])
    scan(in_tenant)
    assert bool(reasons("gcp-machine-open-for-administration")) is opens


def test_a_google_machine_that_may_change_its_project(in_tenant: Tenant) -> None:
    policy = {
        "bindings": [{"role": "roles/editor", "members": ["serviceAccount:a@p.iam.gserviceaccount.com"]}]
    }
    project = row(
        "cloudresourcemanager.googleapis.com/Project",
        "//cloudresourcemanager.googleapis.com/projects/p",
        {"iamPolicy": policy},
        "p",
        provider="gcp",
        account="p",
    )
    import_rows([firewall(), gcp_machine(), project])
    scan(in_tenant)
    assert reasons("gcp-internet-to-project-role") == {
        "vm1": "The internet reaches machine vm1 at 34.1.1.1 through firewall rule ssh, open to everybody on port 22, "
        "ports 8000-9000; it runs as a@p.iam.gserviceaccount.com with all scopes, which is roles/editor of project p."
    }


def test_a_google_database_of_everybody(in_tenant: Tenant) -> None:
    settings = {
        "ipConfiguration": {
            "ipv4Enabled": True,
            "authorizedNetworks": [{"value": "0.0.0.0/0", "name": "all"}],
        }
    }
    import_rows([row("gcp.sql-instance", "projects/p/instances/db", {"settings": settings}, account="p")])
    scan(in_tenant)
    assert reasons("gcp-database-open-to-the-internet") == {
        "db": "The internet reaches database db: it has a public address, and its authorised network all is 0.0.0.0/0."
    }


# --- Secrets -------------------------------------------------------------------------------------------
PASSWORD = "correct-horse-7"
TOKEN = "ghp_" + "aB3" * 12


def function(name: str = "pay", **variables: str) -> dict[str, Any]:
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}"
    return row("aws.lambda", arn, {"Environment": {"Variables": variables}}, name)


def everything_stored() -> str:
    """All texts of all tables that a scan or its job writes to, but for the inventory itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall() if name not in ("resource_properties",)]
        told = []
        for table in tables:
            cursor.execute("SELECT has_table_privilege(%s, 'SELECT')", [table])
            if cursor.fetchone() == (True,):
                cursor.execute(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{table}\" t")
                told.append(cursor.fetchone()[0])
    return "\n".join(told)


def test_secrets_are_told_by_kind_place_and_line_and_never_themselves(
    in_tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    script = f"#!/bin/sh\necho hello\nexport DB_PASSWORD={PASSWORD}\n"
    task = {"containerDefinitions": [{"name": "app", "environment": [
        {"name": "GITHUB_TOKEN", "value": TOKEN}, {"name": "LEVEL", "value": "debug"}]}]}  # fmt: skip
    import_rows(
        [
            machine(UserData=base64.b64encode(script.encode()).decode()),
            function(DB_PASSWORD=PASSWORD, LEVEL="info"),
            function("clean", SECRET_ARN="arn:aws:secretsmanager:eu-west-1:1:secret:x", LEVEL="info"),
            row(
                "AWS::ECS::TaskDefinition",
                f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/t:1",
                task,
                "t",
                provider="aws",
            ),
        ]
    )
    with caplog.at_level("DEBUG"):
        scan(in_tenant)
    (user_data,) = reasons("aws-secret-in-user-data").values()
    (variable,) = reasons("aws-secret-in-environment").values()
    (container,) = reasons("aws-secret-in-container").values()
    assert user_data.startswith("A secret by its name in user data, line 3 (fingerprint ")
    assert variable.startswith("A secret by its name in variable DB_PASSWORD (fingerprint ")
    assert container.startswith("A GitHub Token in variable GITHUB_TOKEN (fingerprint ")
    # The same password in two places has one fingerprint.
    assert user_data.split("fingerprint ")[1] == variable.split("fingerprint ")[1]
    assert list(reasons("aws-secret-in-environment")) == ["pay"]
    stored = everything_stored() + caplog.text
    assert "secret by its name" in stored
    assert PASSWORD not in stored
    assert TOKEN not in stored


def test_texts_are_read_in_batches_and_what_is_gone_is_fixed(
    in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_scan, "BATCH_DOCUMENTS", 3)
    import_rows([function(f"f{n}", API_KEY=f"k3y-of-{n}-things") for n in range(10)])
    scan(in_tenant)
    assert len(reasons("aws-secret-in-environment")) == 10
    import_rows([function(f"f{n}", LEVEL="info") for n in range(0, 10, 2)])
    scan(in_tenant)
    assert sorted(reasons("aws-secret-in-environment")) == [f"f{n}" for n in range(1, 10, 2)]


def test_secrets_in_azure_and_google_places(in_tenant: Tenant) -> None:
    group_ = f"{SUB}/resourceGroups/g/providers/Microsoft.ContainerInstance/containerGroups/c"
    container = {"properties": {"environmentVariables": [{"name": "DB_PASSWORD", "value": PASSWORD}]}}
    items = [
        {"key": "startup-script", "value": f"export TOKEN={TOKEN}"},
        {"key": "enable-oslogin", "value": "TRUE"},
    ]
    import_rows(
        [
            arm("Microsoft.ContainerInstance/containerGroups", group_, {"containers": [container]}),
            gcp_machine(metadata={"items": items}),
        ]
    )
    scan(in_tenant)
    assert list(reasons("azure-secret-in-container")) == ["c"]
    (told,) = reasons("gcp-secret-in-user-data").values()
    assert told.startswith("A GitHub Token in metadata startup-script")


# --- How it lands --------------------------------------------------------------------------------------
def test_again_a_full_scan_only_says_seen_and_an_incremental_one_writes_nothing(in_tenant: Tenant) -> None:
    import_rows([group(port=22), machine(), role(), function(DB_PASSWORD=PASSWORD)])
    scan(in_tenant)
    rows = list(Violation.objects.order_by("id").values_list("id", "first_seen", "reason"))
    xmins = _xmins()
    assert len(rows) == 3
    job = scan(in_tenant, "incremental")
    assert (_xmins(), job.result["still_open"], job.result["opened"]) == (xmins, 3, 0)
    scan(in_tenant)
    assert list(Violation.objects.order_by("id").values_list("id", "first_seen", "reason")) == rows
    assert ViolationEvent.objects.count() == 3


def _xmins() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, xmin::text, cmin::text FROM violations UNION ALL SELECT id, xmin::text, cmin::text FROM policies ORDER BY 1"
        )
        return list(cursor.fetchall())


def test_fixed_when_gone_and_reopened_in_place(in_tenant: Tenant) -> None:
    import_rows([group(port=22), machine(), role("ReadOnlyAccess")])
    scan(in_tenant)
    before = Violation.objects.get()
    import_rows([group(port=22, source="10.0.0.0/8")])
    scan(in_tenant)
    assert Violation.objects.get().status == "fixed"
    import_rows([group(port=22)])
    scan(in_tenant)
    after = Violation.objects.get()
    assert (after.pk, after.status, after.first_seen, after.fixed_at) == (
        before.pk,
        "open",
        before.first_seen,
        None,
    )
    assert [e.kind for e in ViolationEvent.objects.order_by("id")] == ["opened", "fixed", "reopened"]


def test_what_is_deleted_is_no_hop(in_tenant: Tenant) -> None:
    import_rows([group(port=22), machine(), role()])
    scan(in_tenant)
    Resource.objects.filter(type="aws.security-group").update(status="deleted")
    scan(in_tenant)
    assert not Violation.objects.exclude(status="fixed").exists()


def test_an_exception_in_force_opens_it_as_excepted(in_tenant: Tenant, users: dict[Role, User]) -> None:
    import_rows([function(DB_PASSWORD=PASSWORD)])
    scan(in_tenant)
    violation = Violation.objects.get()
    with acting_as(users[Role.OPERATOR]):
        asked = request_exception(
            reason="A test account", policy=violation.policy, expires_at=timezone.now() + timedelta(days=9)
        )
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=asked)
    import_rows([function("other", DB_PASSWORD=PASSWORD)])
    scan(in_tenant)
    assert set(Violation.objects.values_list("status", flat=True)) == {"suppressed"}


def test_a_document_of_an_unexpected_shape_ends_no_check(in_tenant: Tenant) -> None:
    odd: list[Any] = [None, 5, "x", [], {}, [None], [[1]], {"a": 1}, True]
    names = ("IpPermissions", "SecurityGroups", "AttachedManagedPolicies", "RolePolicyList", "InstanceProfileList",
             "AccessKeyMetadata", "LoginProfile", "MFADevices", "VpcSecurityGroups", "Endpoint", "UserData", "Environment",
             "PolicyDocument", "Instances", "networkInterfaces", "metadata", "allowed", "sourceRanges", "properties",
             "iamPolicy", "settings", "containerDefinitions", "environmentVariables", "IamInstanceProfile")  # fmt: skip
    types = ("aws.security-group", "aws.ec2", "aws.iam-role", "aws.iam-user", "aws.rds", "aws.lambda", "aws.app-elb",
             "aws.elb", "aws.account", "gcp.firewall", "gcp.instance", "gcp.sql-instance", "gcp.function", "gcp.project",
             "microsoft.network/networksecuritygroups", "microsoft.network/networkinterfaces",
             "microsoft.compute/virtualmachines", "microsoft.authorization/roleassignments", "microsoft.sql/servers",
             "microsoft.sql/servers/firewallrules")  # fmt: skip
    import_rows(
        [
            row(type_, f"{type_}/{n}" if "/" not in type_ else f"{SUB}/resourceGroups/g/providers/{type_.split('/')[0]}/x/{n}",
                dict.fromkeys(names, value) | {"PublicIpAddress": "1.1.1.1", "PubliclyAccessible": True, "GroupId": "g",
                                               "Scheme": "internet-facing", "disabled": value, "id": "x"},
                provider="azure" if "/" in type_ else type_.split(".")[0])
            for type_ in types
            for n, value in enumerate(odd)
        ]
    )  # fmt: skip
    assert ResourceProperties.objects.count() == len(types) * len(odd)
    scan(in_tenant)


def test_a_check_that_fails_is_noted_and_keeps_what_it_had(
    in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows([group(port=22), machine(), role()])
    scan(in_tenant)
    whole = security_scan.query
    broken = "aws-machine-open-for-administration"
    monkeypatch.setattr(
        security_scan,
        "query",
        lambda check: (
            whole(check)
            if check.id != broken
            else "SELECT r.id AS resource_id, %(policy)s::text AS policy_id, 'hit' AS outcome, (1 / (r.id = ''::text)::int)::text AS reason FROM resources r"
        ),
    )
    with tenant_transaction(in_tenant.id):
        job = start_security_scan(send=False)
    run_job(in_tenant.id, job.pk)
    job.refresh_from_db()
    assert (job.status, job.result["errors"]) == ("succeeded", 1)
    assert "division by zero" in EvaluationError.objects.get().message
    assert list(reasons(broken)) == ["web-1"]


def test_a_killed_attempt_is_taken_up_again_and_opens_nothing_twice(
    in_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows([group(port=22), machine(), role(), function(DB_PASSWORD=PASSWORD)])
    with tenant_transaction(in_tenant.id):
        job = start_security_scan(send=False)

    class Killed(BaseException):
        """As a kill: nothing after it runs."""

    class Handle:
        job_id, params = job.pk, job.params
        left = 3

        def checkpoint(self, *_: Any) -> None:
            self.left -= 1
            if not self.left:
                raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(security_scan._SecurityScan, "_end", lambda *_, **__: {})
        with pytest.raises(Killed):
            run_security_scan(Handle())  # type: ignore[arg-type]
    assert Violation.objects.count() == 1
    run_job(in_tenant.id, job.pk)
    job.refresh_from_db()
    assert (job.status, job.result["opened"], job.result["still_open"]) == ("succeeded", 2, 1)
    assert sorted(ScanRun.objects.values_list("kind", "status")) == [
        ("security", "failed"),
        ("security", "succeeded"),
    ]
    assert ViolationEvent.objects.count() == Violation.objects.count() == 3


def test_another_tenants_resources_are_no_hops(in_tenant: Tenant, other_tenant: Tenant) -> None:
    import_rows([group(port=22), role()])
    with tenant_transaction(other_tenant.id):
        import_rows([machine()])
    scan(in_tenant)
    assert not Violation.objects.exists()


def test_checks_have_names_of_their_own_and_say_what_to_do() -> None:
    checks = [*CHECKS, *SECRET_CHECKS.values()]
    assert len({check.id for check in checks}) == len(checks)
    assert all(check.remediation and check.description for check in checks)
    assert all(check.id.startswith(f"{check.provider}-") for check in checks)


def test_an_unknown_mode_is_refused(in_tenant: Tenant) -> None:
    with pytest.raises(InvalidInput):
        start_security_scan(mode="quick")


def test_what_an_admin_has_set_on_a_checks_policy_stays(in_tenant: Tenant) -> None:
    import_rows([function(DB_PASSWORD=PASSWORD)])
    scan(in_tenant)
    policy = Policy.objects.get(metadata__provider_id="security/aws-secret-in-environment")
    policy.metadata["action_override"] = {"type": "aws.tag", "params": {"tags": {"a": "b"}}}
    policy.save(update_fields=["metadata"])
    scan(in_tenant)
    policy.refresh_from_db()
    assert json.dumps(policy.metadata["action_override"])


def test_the_api_starts_a_security_scan_and_refuses_to_narrow_it(users: dict[Role, User]) -> None:
    client = browser(users[Role.OPERATOR])
    answer = client.post("/api/v1/scans/", {"kind": "security"}, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (202, "scans.security")
    narrowed = {"kind": "security", "resource_id": "r-1"}
    answer = client.post("/api/v1/scans/", narrowed, content_type="application/json")
    assert answer.status_code == 400 and "kind" in answer.content.decode()
    assert browser(users[Role.VIEWER]).post("/api/v1/scans/", {"kind": "security"}).status_code == 403


def test_the_page_of_a_violation_says_what_to_do(in_tenant: Tenant, users: dict[Role, User]) -> None:
    import_rows([function(DB_PASSWORD=PASSWORD)])
    scan(in_tenant)
    html = browser(users[Role.VIEWER]).get(f"/violations/{Violation.objects.get().pk}/").content.decode()
    assert "Keep the secret in a secret store" in html
    assert PASSWORD not in html


# --- What is recommended -------------------------------------------------------------------------------
def advice(check: str) -> Recommendation:
    return Recommendation.objects.get(rule=f"{SOURCE}/{check}")


def test_what_to_do_about_each_open_violation_is_recommended(in_tenant: Tenant) -> None:
    import_rows([user("old", AccessKeyMetadata=[key(91)]), group(), machine(), role()])
    assert (scan(in_tenant).result or {})["recommended"] == 2
    way, violation = advice("aws-internet-to-admin-role"), Violation.objects.get(severity="critical")
    assert (way.kind, way.severity, way.source, way.status) == ("security", "critical", SOURCE, "open")
    assert (way.risk_reduction, way.confidence, way.savings) == (Decimal("1"), Decimal("0.8"), None)
    assert way.evidence == {"why": violation.reason, "violation": str(violation.pk)}
    assert (way.resource_id, way.title.rsplit(": ")[-1]) == (violation.resource_id, "web-1")
    old = advice("aws-access-key-old")
    assert (old.remedy, old.confidence) == ("aws.iam.deactivate_access_key", Decimal("0.9"))
    assert old.description == "Make a new key, put it where the old one is used, and deactivate the old one."


def test_a_second_scan_recommends_nothing_anew_and_what_is_mended_is_gone(in_tenant: Tenant) -> None:
    import_rows([user("old", AccessKeyMetadata=[key(91)])])
    scan(in_tenant)
    counts = scan(in_tenant).result or {}
    assert (counts["recommended"], counts["recommendations_changed"], counts["recommendations_gone"]) == (
        0,
        0,
        0,
    )

    import_rows([user("old", AccessKeyMetadata=[key(2)])])
    assert (scan(in_tenant).result or {})["recommendations_gone"] == 1
    assert advice("aws-access-key-old").status == "gone"
    assert advice("aws-access-key-old").gone_at is not None

    import_rows([user("old", AccessKeyMetadata=[key(92)])])
    scan(in_tenant)
    assert (advice("aws-access-key-old").status, advice("aws-access-key-old").gone_at) == ("open", None)


def test_a_decision_on_advice_outlives_the_next_scan(in_tenant: Tenant) -> None:
    import_rows([user("old", AccessKeyMetadata=[key(91)])])
    scan(in_tenant)
    decide_recommendation(
        recommendation=advice("aws-access-key-old"), status="dismissed", reason="It goes on Monday."
    )
    scan(in_tenant)
    assert advice("aws-access-key-old").status == "dismissed"


def test_what_is_under_an_exception_is_not_advised_against(
    in_tenant: Tenant, users: dict[Role, User]
) -> None:
    import_rows([function(DB_PASSWORD=PASSWORD)])
    scan(in_tenant)
    assert advice("aws-secret-in-environment").status == "open"
    with acting_as(users[Role.OPERATOR]):
        asked = request_exception(
            reason="A test account",
            policy=Violation.objects.get().policy,
            expires_at=timezone.now() + timedelta(days=9),
        )
    with acting_as(users[Role.APPROVER]):
        approve_exception(exception=asked)
    scan(in_tenant)
    assert advice("aws-secret-in-environment").status == "gone"


def test_savings_and_another_tenants_advice_are_left_alone(in_tenant: Tenant, other_tenant: Tenant) -> None:
    saving = Recommendation.objects.create(
        kind="cost_optimization", severity="low", title="Volume", rule="finops/x", key="finops/x:1"
    )
    import_rows([user("old", AccessKeyMetadata=[key(91)])])
    scan(in_tenant)
    with tenant_scope(other_tenant.id, Actor.system("test")):
        scan(other_tenant)
    saving.refresh_from_db()
    assert (saving.status, advice("aws-access-key-old").status) == ("open", "open")


def test_the_page_of_advice_leads_to_its_violation(in_tenant: Tenant, users: dict[Role, User]) -> None:
    import_rows([user("old", AccessKeyMetadata=[key(91)])])
    scan(in_tenant)
    page = browser(users[Role.OPERATOR]).get(f"/recommendations/{advice('aws-access-key-old').pk}/")
    assert f"/violations/{Violation.objects.get().pk}/" in page.content.decode()
