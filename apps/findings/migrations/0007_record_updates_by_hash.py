from django.db import migrations

# plpgsql plans a statement once a session: planned for an update of five rows, the join of a statement's old and
# new rows was a nested loop for a scan's hundred thousand as well, which is quadratic.
HASHED = "ALTER FUNCTION violations_on_update() SET enable_nestloop = off"
AS_PLANNED = "ALTER FUNCTION violations_on_update() RESET enable_nestloop"


class Migration(migrations.Migration):
    dependencies = [("findings", "0006_foreign_findings")]
    operations = [migrations.RunSQL(HASHED, AS_PLANNED)]
