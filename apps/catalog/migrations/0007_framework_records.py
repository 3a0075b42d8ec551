from django.db import migrations

# What a policy's state was when: whoever changes it, the record follows in the same transaction. SECURITY
# DEFINER, so that the app role needs no write grant on the record.
STATES = """
CREATE FUNCTION policies_record_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    ruled timestamptz := now();
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.status, NEW.severity, NEW.current_version, NEW.parameters)
            IS NOT DISTINCT FROM (OLD.status, OLD.severity, OLD.current_version, OLD.parameters) THEN
            RETURN NULL;
        END IF;
        IF (NEW.status, NEW.current_version, NEW.parameters)
            IS NOT DISTINCT FROM (OLD.status, OLD.current_version, OLD.parameters) THEN
            SELECT s.ruled_at INTO ruled FROM policy_states s
            WHERE s.tenant_id = NEW.tenant_id AND s.policy_id = NEW.id ORDER BY s.at DESC, s.id DESC LIMIT 1;
        END IF;
    END IF;
    INSERT INTO policy_states (tenant_id, policy_id, status, severity, version, ruled_at)
    VALUES (NEW.tenant_id, NEW.id, NEW.status, NEW.severity, NEW.current_version, coalesce(ruled, now()));
    RETURN NULL;
END $$;
CREATE TRIGGER policies_record_state AFTER INSERT OR UPDATE ON policies
    FOR EACH ROW EXECUTE FUNCTION policies_record_state();
"""
UNSTATES = "DROP TRIGGER policies_record_state ON policies; DROP FUNCTION policies_record_state();"

# Policies from before this record: what they are now is all that is known of them.
KNOWN = """
INSERT INTO policy_states (tenant_id, policy_id, status, severity, version, ruled_at, at)
SELECT tenant_id, id, status, severity, current_version, created_at, created_at FROM policies ORDER BY tenant_id, id
"""

# When a mapping began and ended is the transaction's time, and an end is never taken back.
GUARD = """
CREATE FUNCTION policy_controls_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.added_at := now();
        NEW.removed_at := NULL;
        RETURN NEW;
    END IF;
    IF OLD.removed_at IS NOT NULL THEN
        RAISE EXCEPTION 'a mapping that has ended never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_controls_ended';
    END IF;
    IF NEW.removed_at IS NOT NULL THEN
        NEW.removed_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER policy_controls_guard BEFORE INSERT OR UPDATE ON policy_controls
    FOR EACH ROW EXECUTE FUNCTION policy_controls_guard();
"""
UNGUARD = "DROP TRIGGER policy_controls_guard ON policy_controls; DROP FUNCTION policy_controls_guard();"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_frameworks")]
    operations = [
        migrations.RunSQL(STATES, UNSTATES),
        migrations.RunSQL(KNOWN, migrations.RunSQL.noop),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
