import django.db.models.functions.comparison
from django.db import migrations, models

import apps.core.context
import apps.core.db.fields
import apps.core.ids
from apps.core.db.operations import CreatePartitionedModel

# One thing over both tables. A row of the history is fixed by the query's own words, so that the planner leaves the
# history alone wherever a query asks for another status. Rights and row-level security are the reader's.
VIEW = """
CREATE VIEW violation_records WITH (security_invoker = true) AS
SELECT id, tenant_id, policy_id, resource_id, severity, reason, first_seen, last_seen, status, severity_rank,
       suppressed_until, exception_id, fixed_at, policy_version, source, NULL::timestamptz AS archived_at
FROM violations
UNION ALL
SELECT id, tenant_id, policy_id, resource_id, severity, reason, first_seen, last_seen, 'fixed'::text, severity_rank,
       NULL::timestamptz, NULL::uuid, fixed_at, policy_version, source, archived_at
FROM violations_history;
"""

# As in 0005, but for what went into the history: nothing became of it, so no event and no count says so. Only the
# mover can write there, so nobody hides a deletion that way.
ON_DELETE = """
CREATE OR REPLACE FUNCTION violations_on_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    WITH gone AS MATERIALIZED (
        SELECT o.tenant_id, o.id, o.policy_id, o.resource_id, o.severity, o.status, o.suppressed_until,
               coalesce(o.status = 'suppressed' AND o.suppressed_until <= now(), false) AS was_over
        FROM old_rows o JOIN tenants t ON t.id = o.tenant_id AND t.status <> 'purging'
        WHERE o.status <> 'fixed' OR NOT EXISTS (
            SELECT 1 FROM violations_history h
            WHERE h.tenant_id = o.tenant_id AND h.id = o.id AND h.closed_at = coalesce(o.fixed_at, o.last_seen))
    ),
    told AS MATERIALIZED (
        SELECT 1 AS part, g.tenant_id, g.id, g.policy_id, g.resource_id, g.severity, 'lapsed' AS kind,
               g.suppressed_until AS at, 'suppressed' AS was, 'open' AS becomes
        FROM gone g WHERE g.was_over AND NOT EXISTS (
            SELECT 1 FROM violation_events e
            WHERE e.tenant_id = g.tenant_id AND e.violation_id = g.id AND e.kind = 'lapsed'
              AND e.at >= g.suppressed_until)
        UNION ALL
        SELECT 2, tenant_id, id, policy_id, resource_id, severity, 'removed', now(),
               CASE WHEN was_over THEN 'open' ELSE status END, 'removed'
        FROM gone
    ),
    written AS (
        INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind, at, status)
        SELECT tenant_id, id, policy_id, resource_id, severity, kind, at, becomes FROM told ORDER BY id, part
    ),
    counted AS (
        INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
        SELECT tenant_id, coalesce(policy_id, ''), severity, status, -count(*) FROM gone
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
    )
    INSERT INTO posture_days AS p (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, day, policy, severity, status, sum(d) FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy, severity,
               becomes AS status, 1 AS d FROM told WHERE becomes <> 'removed'
        UNION ALL
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, coalesce(policy_id, ''), severity, was, -1 FROM told
    ) changes
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = p.delta + excluded.delta;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_discovery"),
        ("findings", "0011_exception_requester"),
        ("tenancy", "0005_cloud_account_held"),
    ]

    operations = [
        migrations.CreateModel(
            name="ViolationRecord",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=apps.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("severity", models.TextField()),
                ("reason", models.TextField()),
                ("first_seen", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("last_seen", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("fixed_at", models.DateTimeField(null=True)),
                ("policy_version", models.IntegerField(null=True)),
                ("source", models.TextField(db_default="policy")),
                ("status", models.TextField()),
                ("severity_rank", models.SmallIntegerField()),
                ("suppressed_until", models.DateTimeField(null=True)),
                ("exception_id", models.UUIDField(null=True)),
                ("archived_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "violation_records",
                "managed": False,
            },
        ),
        CreatePartitionedModel(
            name="ViolationHistory",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "id",
                        "closed_at",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("id", models.UUIDField()),
                ("policy_id", models.TextField(null=True)),
                ("resource_id", models.TextField(null=True)),
                ("severity", models.TextField()),
                ("severity_rank", models.SmallIntegerField()),
                ("reason", models.TextField()),
                ("first_seen", models.DateTimeField()),
                ("last_seen", models.DateTimeField()),
                ("fixed_at", models.DateTimeField(null=True)),
                ("policy_version", models.IntegerField(null=True)),
                ("source", models.TextField()),
                ("closed_at", models.DateTimeField()),
                ("archived_at", models.DateTimeField(db_default=apps.core.db.fields.TransactionNow())),
                ("segment_id", models.UUIDField()),
                (
                    "tenant",
                    apps.core.db.fields.DatabaseForeignKey(
                        db_index=False,
                        db_on_delete="CASCADE",
                        default=apps.core.context.default_tenant_id,
                        editable=False,
                        related_name="+",
                        to="tenancy.tenant",
                    ),
                ),
            ],
            options={
                "db_table": "violations_history",
            },
            column="closed_at",
        ),
        migrations.AddIndex(
            model_name="violation",
            index=models.Index(
                models.F("tenant"),
                django.db.models.functions.comparison.Coalesce("fixed_at", "last_seen"),
                condition=models.Q(("status", "fixed")),
                name="violations_closed",
            ),
        ),
        migrations.AddIndex(
            model_name="violationhistory",
            index=models.Index(fields=["tenant", "resource_id", "policy_id"], name="violations_history_of"),
        ),
        migrations.AddIndex(
            model_name="violationhistory",
            index=models.Index(fields=["tenant", "segment_id"], name="violations_history_segment"),
        ),
        migrations.AddIndex(
            model_name="violationhistory",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("severity_rank"), descending=True),
                models.OrderBy(models.F("last_seen"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="violations_history_worst",
            ),
        ),
        migrations.AddIndex(
            model_name="violationhistory",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("last_seen"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="violations_history_recent",
            ),
        ),
        migrations.RunSQL(VIEW, "DROP VIEW violation_records"),
        migrations.RunSQL(ON_DELETE, migrations.RunSQL.noop),
    ]
