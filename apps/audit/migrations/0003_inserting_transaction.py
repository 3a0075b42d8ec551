from django.db import migrations

# At insert and never again: a generated column would be recomputed by an UPDATE and hide the edit. Whatever the
# statement gave for these columns is overwritten, so nobody chooses his own leaf or transaction.
STAMP = """
ALTER TABLE audits ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX audits_tenant_xid ON audits (tenant_id, xid);
CREATE FUNCTION audits_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.canonical := audit_canonical(
        NEW.id, NEW.tenant_id, NEW.created_at, NEW.actor, NEW.action,
        NEW.target_type, NEW.target_id, NEW.payload);
    NEW.leaf := sha256('\\x00'::bytea || NEW.canonical);
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER audits_stamp BEFORE INSERT ON audits FOR EACH ROW EXECUTE FUNCTION audits_stamp();
"""
UNSTAMP = """
DROP TRIGGER audits_stamp ON audits;
DROP FUNCTION audits_stamp();
ALTER TABLE audits DROP COLUMN xid;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_initial")]
    operations = [migrations.RunSQL(STAMP, UNSTAMP)]
