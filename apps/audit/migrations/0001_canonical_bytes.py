from django.db import migrations

# Canonical bytes of an audit row: every field length-prefixed (4 bytes, big-endian; 0xffffffff for NULL), in
# a fixed order, so that no two rows share them. decode(…, 'escape') turns text into its UTF-8 bytes and, unlike
# convert_to(), is immutable, so that the whole can be inlined.
SQL = r"""
CREATE FUNCTION audit_field(value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(int4send(octet_length(value)) || value, '\xffffffff'::bytea);

CREATE FUNCTION audit_text(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN decode(replace(value, '\', '\\'), 'escape');

CREATE FUNCTION audit_canonical(
    id uuid, tenant_id uuid, created_at timestamptz, actor text, action text,
    target_type text, target_id text, payload jsonb
) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN audit_field(uuid_send(id)) || audit_field(uuid_send(tenant_id))
    || audit_field(timestamptz_send(created_at)) || audit_field(audit_text(actor))
    || audit_field(audit_text(action)) || audit_field(audit_text(target_type))
    || audit_field(audit_text(target_id)) || audit_field(audit_text(payload::text));
"""

REVERSE = """
DROP FUNCTION audit_canonical(uuid, uuid, timestamptz, text, text, text, text, jsonb);
DROP FUNCTION audit_text(text);
DROP FUNCTION audit_field(bytea);
"""


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.RunSQL(SQL, REVERSE)]
