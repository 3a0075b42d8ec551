from django.db import migrations

# What an action may become, below every form and API. Who acts is the person of the transaction's context;
# workers have none. A person's statement can't touch a plan, and nothing begins to change a cloud without
# as many approvals of just this plan as it needs.
ACTIONS = """
CREATE FUNCTION actions_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person uuid := nullif(current_setting('rls.user_id', true), '')::uuid;
    was_sealed boolean := TG_OP = 'UPDATE' AND OLD.params ? 'requires_approval';
    is_sealed boolean := NEW.params ? 'requires_approval';
    given integer;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status IN ('in_progress', 'verifying') THEN
            RAISE EXCEPTION 'an action does not begin as %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_approval';
        END IF;
        IF person IS NOT NULL AND (NEW.plan IS NOT NULL OR NEW.plan_sha256 <> '' OR NEW.plan_revision <> 0) THEN
            RAISE EXCEPTION 'a plan is made by the preflight alone'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_author';
        END IF;
        RETURN NEW;
    END IF;

    IF (NEW.requested_by, NEW.type, NEW.resource_id, NEW.reverses_id, NEW.idempotency_key,
        NEW.params - 'requires_approval')
        IS DISTINCT FROM (OLD.requested_by, OLD.type, OLD.resource_id, OLD.reverses_id, OLD.idempotency_key,
        OLD.params - 'requires_approval') THEN
        RAISE EXCEPTION 'what was asked for, and by whom, never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_request_immutable';
    END IF;

    IF (NEW.plan, NEW.plan_sha256, NEW.plan_revision, NEW.approvals_needed, NEW.params)
        IS DISTINCT FROM (OLD.plan, OLD.plan_sha256, OLD.plan_revision, OLD.approvals_needed, OLD.params) THEN
        IF person IS NOT NULL THEN
            RAISE EXCEPTION 'a plan is made by the preflight alone'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_author';
        END IF;
        IF was_sealed AND (NEW.plan, NEW.plan_sha256, NEW.approvals_needed)
            IS DISTINCT FROM (OLD.plan, OLD.plan_sha256, OLD.approvals_needed) THEN
            RAISE EXCEPTION 'a sealed plan never changes'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_immutable';
        END IF;
        IF NEW.plan_revision NOT IN (OLD.plan_revision, OLD.plan_revision + 1) THEN
            RAISE EXCEPTION 'plans are numbered one by one'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_immutable';
        END IF;
        IF was_sealed AND is_sealed AND NEW.params IS DISTINCT FROM OLD.params THEN
            RAISE EXCEPTION 'a sealed plan never changes'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_immutable';
        END IF;
        IF was_sealed AND NOT is_sealed AND NOT (
            (OLD.status = 'in_progress' AND NEW.status = 'preflight' AND NEW.plan_revision = OLD.plan_revision + 1)
            OR (OLD.status = 'queued' AND NEW.status = 'preflight')
        ) THEN
            RAISE EXCEPTION 'a plan is opened again by drift or by a retry alone'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_immutable';
        END IF;
        IF is_sealed AND NOT was_sealed AND (
            NEW.status <> 'preflight' OR NEW.plan_sha256 = ''
            OR (NEW.params ->> 'requires_approval' = 'true') IS DISTINCT FROM (NEW.approvals_needed > 0)
        ) THEN
            RAISE EXCEPTION 'only a finished plan is sealed, in preflight'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_plan_immutable';
        END IF;
    END IF;

    IF NEW.status <> OLD.status THEN
        IF (OLD.status, NEW.status) NOT IN (
            ('queued', 'preflight'), ('queued', 'failed'),
            ('preflight', 'in_progress'), ('preflight', 'failed'),
            ('in_progress', 'verifying'), ('in_progress', 'preflight'), ('in_progress', 'failed'),
            ('verifying', 'completed'), ('verifying', 'failed'), ('verifying', 'rolled_back'),
            ('completed', 'rolled_back'), ('failed', 'rolled_back'), ('failed', 'queued')
        ) THEN
            RAISE EXCEPTION 'an action does not go from % to %', OLD.status, NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_transition';
        END IF;
        IF NEW.status = 'in_progress' THEN
            IF NOT is_sealed OR NEW.plan_sha256 = '' THEN
                RAISE EXCEPTION 'nothing is carried out without a sealed plan'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_approval';
            END IF;
            IF NEW.approvals_needed = 0 THEN
                -- Nobody needs to approve only where a rule of the tenant's admins says so.
                IF NOT EXISTS (
                    SELECT 1 FROM action_rules r WHERE r.tenant_id = NEW.tenant_id AND r.enabled
                    AND r.approvals = 0 AND r.kind IN ('', NEW.type)
                ) THEN
                    RAISE EXCEPTION 'no rule lets this kind of action go without an approval'
                        USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_approval';
                END IF;
            ELSE
                SELECT count(DISTINCT a.decided_by) INTO given FROM action_approvals a
                WHERE a.tenant_id = NEW.tenant_id AND a.action_id = NEW.id AND a.decision = 'approved'
                AND a.plan_revision = NEW.plan_revision AND a.plan_sha256 = NEW.plan_sha256
                AND a.decided_by <> NEW.requested_by;
                IF given < NEW.approvals_needed THEN
                    RAISE EXCEPTION 'this plan has % of % approvals', given, NEW.approvals_needed
                        USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_approval';
                END IF;
            END IF;
        END IF;
        IF NEW.status = 'completed' AND coalesce(jsonb_array_length(
            CASE WHEN jsonb_typeof(NEW.result -> 'manifest') = 'array' THEN NEW.result -> 'manifest' END), 0) = 0 THEN
            RAISE EXCEPTION 'an action is not completed without evidence'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_evidence';
        END IF;
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER actions_guard BEFORE INSERT OR UPDATE ON actions FOR EACH ROW EXECUTE FUNCTION actions_guard();

-- Nobody asks in another's name, for he could then approve it himself. After the foreign keys' own triggers.
CREATE FUNCTION actions_requester() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.requested_by <> nullif(current_setting('rls.user_id', true), '')::uuid THEN
        RAISE EXCEPTION 'who asks for an action is the person of the context'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'actions_requester';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER actions_requester AFTER INSERT ON actions FOR EACH ROW EXECUTE FUNCTION actions_requester();
"""
NO_ACTIONS = """
DROP TRIGGER actions_requester ON actions; DROP FUNCTION actions_requester();
DROP TRIGGER actions_guard ON actions; DROP FUNCTION actions_guard();
"""

# Who decides is the context's person, whatever the statement says; he must be an approver, and what he decides
# on must be what waits now. The action's row is locked, so two deciders come one after the other.
APPROVALS = """
CREATE FUNCTION action_approvals_decider() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person uuid := nullif(current_setting('rls.user_id', true), '')::uuid;
BEGIN
    NEW.decided_by := coalesce(person, NEW.decided_by);
    NEW.created_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER action_approvals_decider BEFORE INSERT ON action_approvals
    FOR EACH ROW EXECUTE FUNCTION action_approvals_decider();

CREATE FUNCTION action_approvals_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    action actions%ROWTYPE;
BEGIN
    IF NEW.decided_by IS DISTINCT FROM nullif(current_setting('rls.user_id', true), '')::uuid THEN
        RAISE EXCEPTION 'a decision needs the person who decides'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'action_approvals_four_eyes';
    END IF;
    SELECT * INTO action FROM actions a WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.action_id FOR UPDATE;
    IF NOT EXISTS (
        SELECT 1 FROM users u WHERE u.tenant_id = NEW.tenant_id AND u.id = NEW.decided_by
        AND u.is_active AND u.role = 'approver'
    ) THEN
        RAISE EXCEPTION 'only an approver decides on actions'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'action_approvals_role';
    END IF;
    IF action.status <> 'preflight' OR NOT (action.params ? 'requires_approval') OR action.plan_sha256 = ''
        OR (action.plan_sha256, action.plan_revision) IS DISTINCT FROM (NEW.plan_sha256, NEW.plan_revision) THEN
        RAISE EXCEPTION 'this plan does not wait for a decision'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'action_approvals_current';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER action_approvals_guard AFTER INSERT ON action_approvals
    FOR EACH ROW EXECUTE FUNCTION action_approvals_guard();
"""
NO_APPROVALS = """
DROP TRIGGER action_approvals_guard ON action_approvals; DROP FUNCTION action_approvals_guard();
DROP TRIGGER action_approvals_decider ON action_approvals; DROP FUNCTION action_approvals_decider();
"""

# A person who changes what needs an approval must be an admin, who himself can't approve.
RULES = """
CREATE FUNCTION action_rules_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person uuid := nullif(current_setting('rls.user_id', true), '')::uuid;
BEGIN
    IF person IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM users u WHERE u.id = person AND u.tenant_id = NEW.tenant_id AND u.is_active AND u.role = 'admin'
    ) THEN
        RAISE EXCEPTION 'only an admin sets the rules of actions'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'action_rules_author';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER action_rules_guard AFTER INSERT OR UPDATE ON action_rules
    FOR EACH ROW EXECUTE FUNCTION action_rules_guard();
"""
NO_RULES = "DROP TRIGGER action_rules_guard ON action_rules; DROP FUNCTION action_rules_guard();"


class Migration(migrations.Migration):
    dependencies = [("actions", "0002_pipeline")]
    operations = [
        migrations.RunSQL(ACTIONS, NO_ACTIONS),
        migrations.RunSQL(APPROVALS, NO_APPROVALS),
        migrations.RunSQL(RULES, NO_RULES),
    ]
