from django.db import migrations

# For the health page, which knows no tenant: how many audit rows of all tenants wait to be sealed and anchored (at
# most 1,000 of a tenant), since when the oldest waits, and when the platform's last checkpoint was anchored.
STATE = """
CREATE FUNCTION audit_seal_state() RETURNS TABLE (waiting bigint, oldest timestamptz, anchored_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT count(*), min(w.since), (SELECT max(p.anchored_at) FROM audit_platform_checkpoints p)
    FROM (
        SELECT r.created_at AS since
        FROM tenants t
        LEFT JOIN audit_chains c ON c.tenant_id = t.id
        CROSS JOIN LATERAL (
            SELECT a.created_at FROM audits a
            WHERE a.tenant_id = t.id AND (a.xid, a.id) > (
                coalesce(c.read_xid, '0'::xid8), coalesce(c.read_id, '00000000-0000-0000-0000-000000000000'::uuid))
            ORDER BY a.xid LIMIT 1000
        ) r
        UNION ALL
        SELECT k.sealed_at FROM audit_checkpoints k WHERE k.platform_size IS NULL
        UNION ALL
        SELECT k.sealed_at FROM audit_platform_checkpoints k WHERE k.anchored_at IS NULL
    ) w;
END;
REVOKE EXECUTE ON FUNCTION audit_seal_state() FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_seal")]
    operations = [migrations.RunSQL(STATE, "DROP FUNCTION audit_seal_state();")]
