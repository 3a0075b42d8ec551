from django.db import migrations

# Whether another tenant has this account connected: yes or no, and never whose it is.
FUNCTION = """
CREATE FUNCTION cloud_account_is_held(asked_provider text, asked_account text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM cloud_accounts a
        WHERE a.provider = asked_provider AND a.account = asked_account AND a.status = 'connected'
          AND a.tenant_id IS DISTINCT FROM NULLIF(current_setting('rls.tenant_id', true), '')::uuid
    );
END;
REVOKE EXECUTE ON FUNCTION cloud_account_is_held(text, text) FROM PUBLIC;
"""
REVERSE = "DROP FUNCTION cloud_account_is_held(text, text);"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0004_cloud_accounts")]
    operations = [migrations.RunSQL(FUNCTION, REVERSE)]
