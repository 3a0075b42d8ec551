from django.db import migrations

from apps.core.db.operations import CreateHypertable


class Migration(migrations.Migration):
    dependencies = [("costs", "0001_initial")]
    operations = [CreateHypertable("costday", "day", "1 month")]
