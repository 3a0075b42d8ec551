from django.db import migrations

# The one look-up before a tenant is known: by id, slug or name. It answers ids and nothing else.
LOOKUP = """
CREATE FUNCTION tenant_ids(handle text)
RETURNS TABLE (id uuid, match text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT t.id, CASE WHEN t.id::text = lower(handle) THEN 'id' WHEN t.slug = handle THEN 'slug' ELSE 'name' END
    FROM tenants t
    WHERE t.status = 'active' AND (t.id::text = lower(handle) OR t.slug = handle OR t.name = handle)
    LIMIT 3;
END;
REVOKE EXECUTE ON FUNCTION tenant_ids(text) FROM PUBLIC;

CREATE FUNCTION active_tenant_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT t.id FROM tenants t WHERE t.status = 'active' ORDER BY t.id;
END;
REVOKE EXECUTE ON FUNCTION active_tenant_ids() FROM PUBLIC;
"""
REVERSE = "DROP FUNCTION tenant_ids(text); DROP FUNCTION active_tenant_ids();"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_initial")]
    operations = [migrations.RunSQL(LOOKUP, REVERSE)]
