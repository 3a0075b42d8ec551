from django.db import migrations, models


class Migration(migrations.Migration):
    """How an AWS account is listed: until now by each service's own calls alone."""

    dependencies = [("tenancy", "0006_purging")]

    operations = [
        migrations.AddField(
            model_name="cloudaccount",
            name="listing",
            field=models.TextField(db_default="describe"),
        ),
        migrations.AddConstraint(
            model_name="cloudaccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("listing__in", ["describe", "config", "explorer"])),
                name="cloud_accounts_listing_check",
            ),
        ),
    ]
