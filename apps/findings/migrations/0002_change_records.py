from django.db import migrations

# Whoever changes violations, by service, scan or raw SQL: the event and the count follow in the same
# transaction. SECURITY DEFINER, so the app role itself holds no write grant on either table. Counter rows are
# touched in key order, so that two writers can't deadlock.
RECORD = """
CREATE FUNCTION violations_on_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind)
    SELECT tenant_id, id, policy_id, resource_id, severity,
           CASE status WHEN 'open' THEN 'opened' WHEN 'suppressed' THEN 'excepted' ELSE 'fixed' END
    FROM new_rows;
    INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
    SELECT tenant_id, coalesce(policy_id, ''), severity, status, count(*) FROM new_rows
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;

CREATE FUNCTION violations_on_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind)
    SELECT n.tenant_id, n.id, n.policy_id, n.resource_id, n.severity,
           CASE WHEN n.status = 'fixed' THEN 'fixed' WHEN n.status = 'suppressed' THEN 'excepted'
                WHEN o.status = 'fixed' THEN 'reopened' ELSE 'unexcepted' END
    FROM new_rows n JOIN old_rows o USING (id)
    WHERE o.status <> n.status;
    INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
    SELECT tenant_id, policy_id, severity, status, sum(d) FROM (
        SELECT n.tenant_id, coalesce(n.policy_id, '') AS policy_id, n.severity, n.status, 1 AS d
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE (o.status, o.severity, o.policy_id) IS DISTINCT FROM (n.status, n.severity, n.policy_id)
        UNION ALL
        SELECT o.tenant_id, coalesce(o.policy_id, ''), o.severity, o.status, -1
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE (o.status, o.severity, o.policy_id) IS DISTINCT FROM (n.status, n.severity, n.policy_id)
    ) changes
    GROUP BY 1, 2, 3, 4 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;

-- A tenant that is being purged takes its violations along: there is nobody left to keep a record for.
CREATE FUNCTION violations_on_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind)
    SELECT o.tenant_id, o.id, o.policy_id, o.resource_id, o.severity, 'removed'
    FROM old_rows o JOIN tenants t ON t.id = o.tenant_id;
    INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
    SELECT o.tenant_id, coalesce(o.policy_id, ''), o.severity, o.status, -count(*)
    FROM old_rows o JOIN tenants t ON t.id = o.tenant_id
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;

CREATE TRIGGER violations_record_insert AFTER INSERT ON violations
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION violations_on_insert();
CREATE TRIGGER violations_record_update AFTER UPDATE ON violations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION violations_on_update();
CREATE TRIGGER violations_record_delete AFTER DELETE ON violations
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION violations_on_delete();
"""
UNRECORD = """
DROP TRIGGER violations_record_insert ON violations;
DROP TRIGGER violations_record_update ON violations;
DROP TRIGGER violations_record_delete ON violations;
DROP FUNCTION violations_on_insert();
DROP FUNCTION violations_on_update();
DROP FUNCTION violations_on_delete();
"""

# Four eyes below every form: who decides is the person of the transaction's context, whatever the statement
# says; who asked never changes; and the states move along the edges of apps.findings.states only.
GUARD = """
CREATE FUNCTION exceptions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decider uuid := nullif(current_setting('rls.user_id', true), '')::uuid;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.created_by IS DISTINCT FROM OLD.created_by THEN
            RAISE EXCEPTION 'who asked for an exception never changes'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_requester_immutable';
        END IF;
        IF NEW.status = OLD.status THEN
            IF OLD.status <> 'pending' AND (NEW.decided_by, NEW.decided_at, NEW.expires_at, NEW.subject_sha256)
                IS DISTINCT FROM (OLD.decided_by, OLD.decided_at, OLD.expires_at, OLD.subject_sha256) THEN
                RAISE EXCEPTION 'a decided exception never changes'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_decision_immutable';
            END IF;
            RETURN NEW;
        END IF;
        IF (OLD.status, NEW.status) NOT IN (
            ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'expired'), ('approved', 'expired')
        ) THEN
            RAISE EXCEPTION 'an exception does not go from % to %', OLD.status, NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_transition';
        END IF;
    END IF;
    IF NEW.status IN ('approved', 'rejected') THEN
        IF decider IS NULL THEN
            RAISE EXCEPTION 'a decision needs the person who decides'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_four_eyes';
        END IF;
        NEW.decided_by := decider;
        NEW.decided_at := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER exceptions_guard BEFORE INSERT OR UPDATE ON exceptions
    FOR EACH ROW EXECUTE FUNCTION exceptions_guard();
"""
UNGUARD = "DROP TRIGGER exceptions_guard ON exceptions; DROP FUNCTION exceptions_guard();"


class Migration(migrations.Migration):
    dependencies = [("findings", "0001_initial"), ("core", "0002_functions")]
    operations = [migrations.RunSQL(RECORD, UNRECORD), migrations.RunSQL(GUARD, UNGUARD)]
