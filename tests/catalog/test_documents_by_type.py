"""The type beside a document is always the resource's: a scan reads documents by it."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.catalog.models import ResourceProperties
from apps.tenancy.models import Tenant
from tests.fixtures.estate import bucket, import_rows

pytestmark = pytest.mark.django_db

_RESOURCE = (
    "INSERT INTO resources (id, tenant_id, provider, type, name) VALUES ('r1', %s, 'aws', 'aws.ec2', 'n')"
)
_DOCUMENT = "INSERT INTO resource_properties (resource_id, tenant_id, properties) VALUES ('r1', %s, '{}')"


def types() -> set[tuple[str, str]]:
    return set(ResourceProperties.objects.values_list("type", "resource__type"))


def test_an_import_gives_the_type(in_tenant: Tenant) -> None:
    import_rows([bucket(1)])
    assert types() == {("aws.s3", "aws.s3")}


def test_a_plain_insert_is_given_the_resources_type(in_tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_RESOURCE, [in_tenant.pk])
        cursor.execute(_DOCUMENT, [in_tenant.pk])
    assert types() == {("aws.ec2", "aws.ec2")}


def test_a_resource_whose_type_changes_takes_its_document_along(in_tenant: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_RESOURCE, [in_tenant.pk])
        cursor.execute(_DOCUMENT, [in_tenant.pk])
        cursor.execute("UPDATE resources SET type = 'aws.ebs' WHERE id = 'r1'")
    assert types() == {("aws.ebs", "aws.ebs")}
