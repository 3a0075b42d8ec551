"""The security scan on a live account: made by boto3 at moto, discovered, scanned. Nothing comes from a file."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from apps.catalog.models import Resource, ResourceProperties
from apps.catalog.services import start_discovery
from apps.connectors.masking import is_masked
from apps.core.context import tenant_scope, tenant_transaction
from apps.findings.models import Violation
from apps.findings.security import SOURCE
from apps.findings.services.security_scan import start_security_scan
from apps.jobs.commands import run_here
from apps.tenancy.models import CloudAccount, Tenant
from tests.fixtures.clouds import HOME_ACCOUNT, REGION, connect_aws, empty_moto

pytestmark = pytest.mark.django_db
PASSWORD = "hunter2-Correct-Horse"


@pytest.fixture
def account(tenant: Tenant, moto_endpoint: str) -> Iterator[CloudAccount]:
    empty_moto(moto_endpoint)
    connected = connect_aws(tenant, moto_endpoint)
    with tenant_scope(tenant.id):
        yield connected


@pytest.fixture
def make(moto_endpoint: str) -> Any:
    def client(service: str) -> Any:
        return boto3.client(
            service, region_name=REGION, endpoint_url=moto_endpoint,
            aws_access_key_id="AKIATRIAL", aws_secret_access_key="trial",
        )  # fmt: skip

    return client


def looked_at(account: CloudAccount) -> dict[str, dict[str, str]]:
    """Check → name → reason, after a discovery and a scan."""
    for start in (
        lambda: start_discovery(account=account, send=False),
        lambda: start_security_scan(send=False),
    ):
        with tenant_transaction(account.tenant_id):
            job = start()
        done = run_here(job)
        assert done.status == "succeeded", done.error
    with tenant_transaction(account.tenant_id):
        account.refresh_from_db()
        assert account.problem == ""
        told: dict[str, dict[str, str]] = {}
        for one in Violation.objects.filter(source=SOURCE, status="open").select_related(
            "policy", "resource"
        ):
            check = one.policy.metadata["provider_id"].removeprefix(f"{SOURCE}/")
            told.setdefault(check, {})[one.resource.name] = one.reason
        return told


def administrator(make: Any, service: str) -> str:
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]
    }
    iam = make("iam")
    made = iam.create_role(RoleName="does-all", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="does-all", PolicyName="all", PolicyDocument=json.dumps(everything))
    return str(made["Arn"])


def network(make: Any) -> tuple[list[str], str, str]:
    """(two subnets, a group open to everybody on 443, a group that lets the first one in)."""
    ec2 = make("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    front, back = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("front", "back")
    )
    world = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    inner = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": front}]}
    ec2.authorize_security_group_ingress(GroupId=front, IpPermissions=[world])
    ec2.authorize_security_group_ingress(GroupId=back, IpPermissions=[inner])
    return subnets, front, back


def run_machine(make: Any, subnet: str, group: str, **more: Any) -> str:
    ec2 = make("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group], **more
    )
    return str(made["Instances"][0]["InstanceId"])


def test_a_secret_in_user_data_is_found_and_the_text_is_not_kept(account: CloudAccount, make: Any) -> None:
    subnets, _, back = network(make)
    script = f"#!/bin/sh\nexport DB_PASSWORD={PASSWORD}\n"
    machine = run_machine(make, subnets[0], back, UserData=script)
    plain = run_machine(make, subnets[0], back)
    told = looked_at(account)
    assert list(told["aws-secret-in-user-data"]) == [machine]
    assert "in user data, line 2 (fingerprint " in told["aws-secret-in-user-data"][machine]
    with tenant_transaction(account.tenant_id):
        kept = {
            r.resource.name: r.properties
            for r in ResourceProperties.objects.select_related("resource").filter(type="aws.ec2")
        }
    assert is_masked(kept[machine]["UserData"])
    assert "UserData" not in kept[plain]
    assert PASSWORD not in json.dumps(kept)
    assert base64.b64encode(script.encode()).decode() not in json.dumps(kept)


def test_a_load_balancer_that_leads_to_a_role_that_may_do_all(account: CloudAccount, make: Any) -> None:
    administrator(make, "ec2.amazonaws.com")
    iam = make("iam")
    profile = iam.create_instance_profile(InstanceProfileName="does-all")["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName="does-all", RoleName="does-all")
    subnets, front, back = network(make)
    machine = run_machine(make, subnets[0], back, IamInstanceProfile={"Arn": profile})
    elbv2 = make("elbv2")
    balancer = elbv2.create_load_balancer(
        Name="shop",
        Subnets=subnets,
        SecurityGroups=[front],
        Scheme="internet-facing",
        Tags=[{"Key": "team", "Value": "web"}],
    )["LoadBalancers"][0]
    make("elb").create_load_balancer(
        LoadBalancerName="old", Subnets=[subnets[0]], SecurityGroups=[back], Scheme="internal",
        Listeners=[{"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}],
    )  # fmt: skip
    told = looked_at(account)
    (reason,) = told["aws-internet-to-admin-role-by-load-balancer"].values()
    assert list(told["aws-internet-to-admin-role-by-load-balancer"]) == [machine]
    assert "load balancer shop" in reason
    with tenant_transaction(account.tenant_id):
        kept = Resource.objects.select_related("document").get(type="aws.app-elb")
        assert (kept.native_id, kept.name, kept.tags) == (
            balancer["LoadBalancerArn"],
            "shop",
            {"team": "web"},
        )
        assert kept.document.properties["Attributes"]["deletion_protection.enabled"] == "false"
        classic = Resource.objects.select_related("document").get(type="aws.elb")
        assert classic.native_id == f"arn:aws:elasticloadbalancing:{REGION}:{HOME_ACCOUNT}:loadbalancer/old"
        assert classic.document.properties["Scheme"] == "internal"


def test_a_function_that_everybody_may_call(account: CloudAccount, make: Any) -> None:
    role = administrator(make, "lambda.amazonaws.com")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): return 1")
    functions = make("lambda")
    for name in ("open", "closed"):
        functions.create_function(
            FunctionName=name, Runtime="python3.12", Role=role, Handler="main.handler", Code={"ZipFile": packed.getvalue()},
            Environment={"Variables": {"DB_PASSWORD": PASSWORD}} if name == "open" else {},
        )  # fmt: skip
    functions.add_permission(
        FunctionName="open", StatementId="all", Action="lambda:InvokeFunction", Principal="*"
    )
    told = looked_at(account)
    assert list(told["aws-function-of-everybody-with-admin-role"]) == ["open"]
    assert "by its statement all" in told["aws-function-of-everybody-with-admin-role"]["open"]
    assert list(told["aws-secret-in-environment"]) == ["open"]


def test_the_accounts_own_summary_is_judged(
    account: CloudAccount, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("iam").create_account_alias(AccountAlias="northwind")
    looked_at(account)
    with tenant_transaction(account.tenant_id):
        kept = Resource.objects.select_related("document").get(type="aws.account")
    assert (kept.native_id, kept.name) == (f"arn:aws:iam::{HOME_ACCOUNT}:root", "northwind")
    document = kept.document.properties
    assert {"AccountAccessKeysPresent", "AccountMFAEnabled"} <= document.keys()
    # moto's root has a second factor or not by its own fixed word: what AWS would say of a bad one is put in.
    from apps.connectors.aws.cloud import AwsCloud

    ask = AwsCloud.call

    def answered(
        self: AwsCloud, service: str, method: str, region: str | None = None, /, **request: Any
    ) -> Any:
        told = ask(self, service, method, region, **request)
        if method == "get_account_summary":
            told["SummaryMap"] |= {"AccountMFAEnabled": 0, "AccountAccessKeysPresent": 1}
        return told

    monkeypatch.setattr(AwsCloud, "call", answered)
    told = looked_at(account)
    assert list(told["aws-root-without-second-factor"]) == ["northwind"]
    assert list(told["aws-root-has-keys"]) == ["northwind"]
