from django.db import migrations

# What is due, over all tenants: the dispatcher has no tenant. It gives only what a message must name; the
# job itself is read under its tenant's policy. A message is re-sent when nobody took the last one in time.
DUE = """
CREATE FUNCTION jobs_due(quiet interval, at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT j.id, j.tenant_id FROM jobs j
    WHERE (
        j.status = 'queued' AND j.not_before <= now() AND (j.sent_at IS NULL OR j.sent_at < now() - quiet)
    ) OR (
        j.status = 'running' AND j.lease_until < now() AND (j.sent_at IS NULL OR j.sent_at < now() - quiet)
    )
    ORDER BY j.not_before, j.id LIMIT at_most;
END;
REVOKE EXECUTE ON FUNCTION jobs_due(interval, integer) FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]
    operations = [migrations.RunSQL(DUE, "DROP FUNCTION jobs_due(interval, integer)")]
