"""The lines of billing exports in FOCUS 1.4's names, and which billing period came by which import."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.db.access import Privileges
from apps.core.db.fields import BigSerialField, NumericField, TransactionNow
from apps.core.ids import new_id
from apps.core.models import TenantModel


class CostLine(TenantModel):
    """One charge, as the provider billed it. Its columns are FOCUS 1.4's, in snake case; money is exact.

    `line_key` is a digest of the charge's content and `occurrence` tells equal charges apart (a bill may hold
    the same one twice): together they make importing the same file again a no-op. A restated billing period
    loses the lines that are gone and gains those that are new; a line itself is never changed. That is why
    the app role may delete here, and why this is a plain table: a grant to delete can't be given by column,
    so a hypertable's chunks would carry it past row-level security.
    `resource_id` is the inventory's key, where the resource was known when the line came in.
    """

    app_privileges: ClassVar[Privileges] = Privileges(("SELECT", "INSERT", "DELETE"))

    id = BigSerialField(primary_key=True)
    line_key = models.UUIDField()
    occurrence = models.IntegerField(db_default=1)
    import_run_id = models.UUIDField(null=True)
    resource_id = models.TextField(null=True)
    day = models.DateField()

    provider = models.TextField()
    billing_account_id = models.TextField()
    billing_account_name = models.TextField(null=True)
    sub_account_id = models.TextField(null=True)
    sub_account_name = models.TextField(null=True)
    billing_period_start = models.DateField()
    billing_period_end = models.DateField(null=True)
    charge_period_start = models.DateTimeField()
    charge_period_end = models.DateTimeField(null=True)
    charge_category = models.TextField(db_default="Usage")
    charge_class = models.TextField(null=True)
    charge_description = models.TextField(null=True)
    charge_frequency = models.TextField(null=True)
    service_name = models.TextField()
    service_category = models.TextField(null=True)
    service_subcategory = models.TextField(null=True)
    service_provider_name = models.TextField(null=True)
    host_provider_name = models.TextField(null=True)
    invoice_issuer_name = models.TextField(null=True)
    invoice_id = models.TextField(null=True)
    resource_native_id = models.TextField(null=True)
    resource_name = models.TextField(null=True)
    resource_type = models.TextField(null=True)
    region_id = models.TextField(null=True)
    region_name = models.TextField(null=True)
    availability_zone = models.TextField(null=True)
    sku_id = models.TextField(null=True)
    sku_meter = models.TextField(null=True)
    sku_price_id = models.TextField(null=True)
    pricing_category = models.TextField(null=True)
    pricing_quantity = NumericField(null=True)
    pricing_unit = models.TextField(null=True)
    list_unit_price = NumericField(null=True)
    contracted_unit_price = NumericField(null=True)
    consumed_quantity = NumericField(null=True)
    consumed_unit = models.TextField(null=True)
    commitment_discount_id = models.TextField(null=True)
    commitment_discount_name = models.TextField(null=True)
    commitment_discount_category = models.TextField(null=True)
    commitment_discount_type = models.TextField(null=True)
    commitment_discount_status = models.TextField(null=True)
    commitment_discount_quantity = NumericField(null=True)
    commitment_discount_unit = models.TextField(null=True)
    capacity_reservation_id = models.TextField(null=True)
    capacity_reservation_status = models.TextField(null=True)
    allocated_resource_id = models.TextField(null=True)
    billed_cost = NumericField()
    effective_cost = NumericField(null=True)
    list_cost = NumericField(null=True)
    contracted_cost = NumericField(null=True)
    billing_currency = models.TextField()
    tags = models.JSONField(db_default={})

    class Meta:
        db_table = "cost_lines"
        indexes = [
            # Of few values and in the order of arrival: small, and what a restatement looks up.
            models.Index(
                fields=["tenant", "billing_account_id", "billing_period_start", "provider"],
                name="cost_lines_scope",
            ),
            models.Index(fields=["tenant", "day", "id"], name="cost_lines_by_day"),
            models.Index(
                fields=["tenant", "resource_native_id", "day"],
                name="cost_lines_by_resource",
                condition=models.Q(resource_native_id__isnull=False),
            ),
            # Of the resources that the inventory has, whatever way the bill writes their ids.
            models.Index(
                fields=["tenant", "resource_id", "day"],
                name="cost_lines_by_known_resource",
                condition=models.Q(resource_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_name} {self.day}"


class CostPeriod(TenantModel):
    """A billing period of a billing account as it stands: the unit that a new delivery replaces.

    `totals` maps a currency to the exact sum of its lines, as text. `revision` counts deliveries that
    changed something; 1 is the first.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.TextField()
    billing_account_id = models.TextField()
    billing_period_start = models.DateField()
    billing_account_name = models.TextField(db_default="")
    lines = models.BigIntegerField(db_default=0)
    totals = models.JSONField(db_default={})
    last_day = models.DateField(null=True)
    revision = models.IntegerField(db_default=1)
    import_run_id = models.UUIDField(null=True)
    changed_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "cost_periods"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "billing_account_id", "billing_period_start"],
                name="cost_periods_key",
            )
        ]
        indexes = [models.Index("tenant", models.F("changed_at").desc(), "id", name="cost_periods_recent")]

    def __str__(self) -> str:
        return f"{self.provider} {self.billing_account_id} {self.billing_period_start:%Y-%m}"


class CostSettings(TenantModel):
    """What a tenant's series are made of: one currency, and the tag keys that are rolled up.

    Both are taken from the first import that has any, until somebody sets them. `account_names` maps the ids of
    sub accounts to the names that the latest bill gave them.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    currency = models.TextField(db_default="")
    tag_keys = ArrayField(models.TextField(), db_default=[])
    account_names = models.JSONField(db_default={})
    updated_at = models.DateTimeField(db_default=TransactionNow())

    class Meta:
        db_table = "cost_settings"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="cost_settings_tenant_key")]

    def __str__(self) -> str:
        return self.currency
