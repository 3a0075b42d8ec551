from django.db import migrations

# As in 0002, and: what was asked for never changes, nor anything of a decision; who asked and who decided are
# kept by name, mail and role as they were, whatever becomes of the users; a selector is one that scans can read,
# for one that they can't would fail every scan of its tenant.
GUARD = """
CREATE OR REPLACE FUNCTION exceptions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decider uuid := nullif(current_setting('rls.user_id', true), '')::uuid;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.created_by IS DISTINCT FROM OLD.created_by THEN
            RAISE EXCEPTION 'who asked for an exception never changes'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_requester_immutable';
        END IF;
        IF (NEW.policy_id, NEW.resource_id, NEW.selector, NEW.reason, NEW.compensating_control, NEW.created_at,
            NEW.subject, NEW.subject_sha256, NEW.requester, NEW.renews, NEW.renewal)
            IS DISTINCT FROM (OLD.policy_id, OLD.resource_id, OLD.selector, OLD.reason, OLD.compensating_control,
            OLD.created_at, OLD.subject, OLD.subject_sha256, OLD.requester, OLD.renews, OLD.renewal) THEN
            RAISE EXCEPTION 'what was asked for never changes: ask anew'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_request_immutable';
        END IF;
        IF OLD.status <> 'pending' AND (NEW.decided_by, NEW.decided_at, NEW.expires_at, NEW.decision_reason,
            NEW.decider, NEW.decision, NEW.decision_sha256)
            IS DISTINCT FROM (OLD.decided_by, OLD.decided_at, OLD.expires_at, OLD.decision_reason,
            OLD.decider, OLD.decision, OLD.decision_sha256) THEN
            RAISE EXCEPTION 'a decided exception never changes'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_decision_immutable';
        END IF;
        IF NEW.status = OLD.status THEN
            RETURN NEW;
        END IF;
        IF (OLD.status, NEW.status) NOT IN (
            ('pending', 'approved'), ('pending', 'rejected'), ('pending', 'expired'), ('approved', 'expired')
        ) THEN
            RAISE EXCEPTION 'an exception does not go from % to %', OLD.status, NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_transition';
        END IF;
    ELSE
        NEW.requester := coalesce((
            SELECT jsonb_build_object('name', coalesce(nullif(u.display_name, ''), u.upn), 'upn', u.upn,
                                      'email', u.email, 'role', u.role)
            FROM users u WHERE u.tenant_id = NEW.tenant_id AND u.id = NEW.created_by), '{}');
        PERFORM exceptions_check_selector(NEW.selector);
    END IF;
    IF NEW.status IN ('approved', 'rejected') THEN
        IF decider IS NULL THEN
            RAISE EXCEPTION 'a decision needs the person who decides'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_four_eyes';
        END IF;
        NEW.decided_by := decider;
        NEW.decided_at := now();
        NEW.decider := coalesce((
            SELECT jsonb_build_object('name', coalesce(nullif(u.display_name, ''), u.upn), 'upn', u.upn,
                                      'email', u.email, 'role', u.role)
            FROM users u WHERE u.tenant_id = NEW.tenant_id AND u.id = decider), '{}');
    END IF;
    RETURN NEW;
END $$;
"""

CHECK = """
CREATE FUNCTION exceptions_check_selector(selector jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF selector IS NULL THEN
        RETURN;
    END IF;
    IF jsonb_typeof(selector) <> 'object' OR selector - ARRAY['severity', 'provider', 'type', 'account',
        'first_seen_after', 'first_seen_before', 'later'] <> '{}'
        OR jsonb_typeof(coalesce(selector->'severity', '[]')) <> 'array'
        OR jsonb_typeof(coalesce(selector->'provider', '[]')) <> 'array'
        OR jsonb_typeof(coalesce(selector->'type', '""')) <> 'string'
        OR jsonb_typeof(coalesce(selector->'account', '""')) <> 'string'
        OR jsonb_typeof(coalesce(selector->'later', 'true')) <> 'boolean' THEN
        RAISE EXCEPTION 'this selector names filters that there are not'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_selector_check';
    END IF;
    PERFORM (selector->>'first_seen_after')::timestamptz, (selector->>'first_seen_before')::timestamptz;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format THEN
    RAISE EXCEPTION 'this selector names a time that there is not'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_selector_check';
END $$;
"""

# What was asked and decided before: the people as they are now.
KNOWN = """
UPDATE exceptions x SET requester = jsonb_build_object(
    'name', coalesce(nullif(u.display_name, ''), u.upn), 'upn', u.upn, 'email', u.email, 'role', u.role)
FROM users u WHERE u.tenant_id = x.tenant_id AND u.id = x.created_by;
UPDATE exceptions x SET decider = jsonb_build_object(
    'name', coalesce(nullif(u.display_name, ''), u.upn), 'upn', u.upn, 'email', u.email, 'role', u.role)
FROM users u WHERE u.tenant_id = x.tenant_id AND u.id = x.decided_by;
"""


class Migration(migrations.Migration):
    dependencies = [("findings", "0008_exception_columns")]
    operations = [
        migrations.RunSQL(KNOWN, migrations.RunSQL.noop),
        migrations.RunSQL(CHECK, "DROP FUNCTION exceptions_check_selector(jsonb)"),
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
    ]
