from django.db import migrations


class Migration(migrations.Migration):
    """The transaction that inserted a row, for the sealer: rows below the snapshot's xmin are complete.

    Not a field of the model: the app role's grants name the model's columns, so nobody but the default fills it.
    """

    dependencies = [("audit", "0002_initial")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE audits ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
            "ALTER TABLE audits DROP COLUMN xid",
        ),
        migrations.RunSQL(
            "CREATE INDEX audits_tenant_xid ON audits (tenant_id, xid)", "DROP INDEX audits_tenant_xid"
        ),
    ]
