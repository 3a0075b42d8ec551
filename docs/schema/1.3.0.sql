-- Schema version 1.3.0. Written by `manage.py schema sql`; do not edit.

-- tenancy.0001_initial
--
-- Create model Tenant
--
CREATE TABLE "tenants" ("id" uuid NOT NULL PRIMARY KEY, "name" text NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "slug" text DEFAULT (('t-' || replace((gen_random_uuid())::text, '-', ''))) NOT NULL UNIQUE, "status" text DEFAULT 'active' NOT NULL, "settings" jsonb DEFAULT '{}'::jsonb NOT NULL);
--
-- Create model User
--
CREATE TABLE "users" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "upn" text NOT NULL, "role" text NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "password" text DEFAULT '!' NOT NULL, "last_login" timestamp with time zone NULL, "display_name" text DEFAULT '' NOT NULL, "email" text DEFAULT '' NOT NULL, "is_active" boolean DEFAULT true NOT NULL);
--
-- Create model Session
--
CREATE TABLE "sessions" ("session_key" text NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "user_id" uuid NULL);
--
-- Create model ApiToken
--
CREATE TABLE "api_tokens" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "name" text NOT NULL, "secret_sha256" text NOT NULL, "scopes" text[] NOT NULL, "expires_at" timestamp with time zone NOT NULL, "revoked_at" timestamp with time zone NULL, "last_used_at" timestamp with time zone NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "user_id" uuid NOT NULL);
--
-- Create constraint users_tenant_id_upn_key on model user
--
ALTER TABLE "users" ADD CONSTRAINT "users_tenant_id_upn_key" UNIQUE ("tenant_id", "upn");
--
-- Create constraint users_tenant_id_id_key on model user
--
ALTER TABLE "users" ADD CONSTRAINT "users_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint users_role_check on model user
--
ALTER TABLE "users" ADD CONSTRAINT "users_role_check" CHECK ("role" IN ('viewer', 'operator', 'approver', 'admin'));
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_status_check" CHECK ("status" IN ('active', 'suspended'));
CREATE INDEX "tenants_slug_01bfd60f_like" ON "tenants" ("slug" text_pattern_ops);
ALTER TABLE "users" ADD CONSTRAINT "users_tenant_id_07f315ee_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_tenant_id_93d4e3a8_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_05e26f4a_fk_users_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX "sessions_session_key_58f9471b_like" ON "sessions" ("session_key" text_pattern_ops);
CREATE INDEX "sessions_expiry" ON "sessions" ("tenant_id", "expire_date");
ALTER TABLE "api_tokens" ADD CONSTRAINT "api_tokens_tenant_id_2601eb74_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "api_tokens" ADD CONSTRAINT "api_tokens_user_id_2db24e1c_fk_users_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "api_tokens" ADD CONSTRAINT "api_tokens_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users" ("tenant_id", "id") ON DELETE CASCADE;

-- tenancy.0002_lookup
--
-- Raw SQL operation
--

CREATE FUNCTION tenant_ids(handle text)
RETURNS TABLE (id uuid, match text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT t.id, CASE WHEN t.id::text = lower(handle) THEN 'id' WHEN t.slug = handle THEN 'slug' ELSE 'name' END
    FROM tenants t
    WHERE t.status = 'active' AND (t.id::text = lower(handle) OR t.slug = handle OR t.name = handle)
    LIMIT 3;
END;
REVOKE EXECUTE ON FUNCTION tenant_ids(text) FROM PUBLIC;

CREATE FUNCTION active_tenant_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT t.id FROM tenants t WHERE t.status = 'active' ORDER BY t.id;
END;
REVOKE EXECUTE ON FUNCTION active_tenant_ids() FROM PUBLIC;


-- tenancy.0003_idempotency_keys
--
-- Create model IdempotencyKey
--
CREATE TABLE "idempotency_keys" ("id" uuid NOT NULL PRIMARY KEY, "key" text NOT NULL, "request_sha256" text NOT NULL, "status" smallint NULL, "body" jsonb DEFAULT '{}'::jsonb NOT NULL, "location" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL, "user_id" uuid NOT NULL);
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_tenant_id_5d1fe305_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_user_id_fe2a5406_fk_users_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_user_key" UNIQUE ("tenant_id", "user_id", "key");
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_tenant_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX "idempotency_keys_age" ON "idempotency_keys" ("tenant_id", "created_at");

-- tenancy.0004_cloud_accounts
--
-- Create model CloudCredential
--
CREATE TABLE "cloud_credentials" ("id" uuid NOT NULL PRIMARY KEY, "provider" text NOT NULL, "kind" text NOT NULL, "pattern" text NOT NULL, "endpoint_url" text DEFAULT '' NOT NULL, "source" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "revoked_at" timestamp with time zone NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CloudAccount
--
CREATE TABLE "cloud_accounts" ("id" uuid NOT NULL PRIMARY KEY, "provider" text NOT NULL, "account" text NOT NULL, "name" text DEFAULT '' NOT NULL, "status" text DEFAULT 'unproven' NOT NULL, "reference" text NOT NULL, "external_id" text NOT NULL, "regions" text[] DEFAULT '{}'::text[] NOT NULL, "discover_every_minutes" integer NULL, "proven_at" timestamp with time zone NULL, "tested_at" timestamp with time zone NULL, "discovered_at" timestamp with time zone NULL, "discovery_due_at" timestamp with time zone NULL, "discovery_job_id" uuid NULL, "last_result" jsonb DEFAULT '{}'::jsonb NOT NULL, "problem" text DEFAULT '' NOT NULL, "problem_code" text DEFAULT '' NOT NULL, "created_by" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL, "credential_id" uuid NOT NULL);
--
-- Create constraint cloud_credentials_reference_key on model cloudcredential
--
ALTER TABLE "cloud_credentials" ADD CONSTRAINT "cloud_credentials_reference_key" UNIQUE ("tenant_id", "provider", "kind", "pattern");
--
-- Create constraint cloud_credentials_tenant_id_id_key on model cloudcredential
--
ALTER TABLE "cloud_credentials" ADD CONSTRAINT "cloud_credentials_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint cloud_credentials_provider_check on model cloudcredential
--
ALTER TABLE "cloud_credentials" ADD CONSTRAINT "cloud_credentials_provider_check" CHECK ("provider" IN ('azure', 'aws', 'gcp', 'ibm'));
--
-- Create constraint cloud_credentials_kind_check on model cloudcredential
--
ALTER TABLE "cloud_credentials" ADD CONSTRAINT "cloud_credentials_kind_check" CHECK ("kind" IN ('environment', 'file', 'assume_role', 'workload_identity'));
--
-- Create index cloud_accounts_by_account on F(tenant), F(provider), F(account), F(id) on model cloudaccount
--
CREATE INDEX "cloud_accounts_by_account" ON "cloud_accounts" ("tenant_id", "provider", "account", "id");
--
-- Create index cloud_accounts_due on field(s) tenant, discovery_due_at of model cloudaccount
--
CREATE INDEX "cloud_accounts_due" ON "cloud_accounts" ("tenant_id", "discovery_due_at") WHERE "status" = 'connected';
--
-- Create constraint cloud_accounts_account_key on model cloudaccount
--
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_account_key" UNIQUE ("tenant_id", "provider", "account");
--
-- Create constraint cloud_accounts_live_key on model cloudaccount
--
CREATE UNIQUE INDEX "cloud_accounts_live_key" ON "cloud_accounts" ("provider", "account") WHERE "status" = 'connected';
--
-- Create constraint cloud_accounts_tenant_id_id_key on model cloudaccount
--
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint cloud_accounts_credential_fk on model cloudaccount
--
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_credential_fk" FOREIGN KEY ("tenant_id", "credential_id") REFERENCES "cloud_credentials" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Create constraint cloud_accounts_provider_check on model cloudaccount
--
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_provider_check" CHECK ("provider" IN ('azure', 'aws', 'gcp', 'ibm'));
--
-- Create constraint cloud_accounts_status_check on model cloudaccount
--
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_status_check" CHECK ("status" IN ('unproven', 'connected', 'disconnected'));
ALTER TABLE "cloud_credentials" ADD CONSTRAINT "cloud_credentials_tenant_id_2672d01d_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_tenant_id_647d3acd_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_credential_id_f3f4376b_fk_cloud_credentials_id" FOREIGN KEY ("credential_id") REFERENCES "cloud_credentials" ("id") ON DELETE NO ACTION;

-- tenancy.0005_cloud_account_held
--
-- Raw SQL operation
--

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


-- actions.0001_initial
--
-- Create model Action
--
CREATE TABLE "actions" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "type" text NOT NULL, "resource_id" text NULL, "requested_by" uuid NULL, "status" text NOT NULL, "params" jsonb DEFAULT '{}'::jsonb NOT NULL, "result" jsonb NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL);
--
-- Create model ActionEvent
--
CREATE TABLE "action_events" ("id" bigserial NOT NULL PRIMARY KEY, "action_id" uuid NOT NULL, "ts" timestamp with time zone DEFAULT (now()) NOT NULL, "message" text NOT NULL, "tenant_id" uuid DEFAULT (NULLIF(current_setting('rls.tenant_id', true), '')::uuid) NOT NULL);
--
-- Create index actions_status_updated on F(tenant), F(status), OrderBy(F(updated_at), descending=True) on model action
--
CREATE INDEX "actions_status_updated" ON "actions" ("tenant_id", "status", "updated_at" DESC);
--
-- Create index actions_recent on F(tenant), OrderBy(F(updated_at), descending=True), OrderBy(F(id), descending=True) on model action
--
CREATE INDEX "actions_recent" ON "actions" ("tenant_id", "updated_at" DESC, "id" DESC);
--
-- Create constraint actions_status_check on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_status_check" CHECK ("status" IN ('queued', 'preflight', 'in_progress', 'verifying', 'completed', 'failed', 'rolled_back'));
--
-- Create constraint actions_tenant_id_id_key on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint actions_requested_by_fk on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_requested_by_fk" FOREIGN KEY ("tenant_id", "requested_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Create index action_events_action_ts on field(s) action, ts of model actionevent
--
CREATE INDEX "action_events_action_ts" ON "action_events" ("action_id", "ts");
--
-- Create constraint action_events_tenant_action_fk on model actionevent
--
ALTER TABLE "action_events" ADD CONSTRAINT "action_events_tenant_action_fk" FOREIGN KEY ("tenant_id", "action_id") REFERENCES "actions" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "actions" ADD CONSTRAINT "actions_tenant_id_f7596542_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "actions" ADD CONSTRAINT "actions_requested_by_5d04bda6_fk_users_id" FOREIGN KEY ("requested_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "action_events" ADD CONSTRAINT "action_events_action_id_4f2b4ec8_fk_actions_id" FOREIGN KEY ("action_id") REFERENCES "actions" ("id") ON DELETE CASCADE;
ALTER TABLE "action_events" ADD CONSTRAINT "action_events_tenant_id_1eb6091c_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- actions.0002_pipeline
--
-- Create model ActionApproval
--
CREATE TABLE "action_approvals" ("id" uuid NOT NULL PRIMARY KEY, "plan_revision" integer NOT NULL, "plan_sha256" text NOT NULL, "decision" text NOT NULL, "reason" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL);
--
-- Create model ActionRule
--
CREATE TABLE "action_rules" ("id" uuid NOT NULL PRIMARY KEY, "kind" text DEFAULT '' NOT NULL, "enabled" boolean DEFAULT true NOT NULL, "approvals" smallint DEFAULT 1 NOT NULL, "risky_approvals" smallint DEFAULT 2 NOT NULL, "severe_from" text DEFAULT '' NOT NULL, "severe_approvals" smallint DEFAULT 2 NOT NULL, "many_from" integer DEFAULT 10 NOT NULL, "many_approvals" smallint DEFAULT 2 NOT NULL, "environment_tags" text[] DEFAULT '{environment,env,stage}'::text[] NOT NULL, "production_values" text[] DEFAULT '{production,prod,prd,live}'::text[] NOT NULL, "production_approvals" smallint DEFAULT 2 NOT NULL, "blast_limit" integer DEFAULT 25 NOT NULL, "over_limit" text DEFAULT 'refuse' NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL);
--
-- Create model ActionTarget
--
CREATE TABLE "action_targets" ("id" bigserial NOT NULL PRIMARY KEY, "ordinal" integer NOT NULL, "resource_id" text NOT NULL, "name" text DEFAULT '' NOT NULL, "native_id" text DEFAULT '' NOT NULL, "violation_id" uuid NULL, "state" text DEFAULT 'planned' NOT NULL, "note" text DEFAULT '' NOT NULL, "tries" integer DEFAULT 0 NOT NULL, "looks" integer DEFAULT 0 NOT NULL, "key" text DEFAULT '' NOT NULL, "change" jsonb NULL, "receipt" jsonb NULL, "undo_receipt" jsonb NULL, "live_after" jsonb NULL, "applied_at" timestamp with time zone NULL, "ended_at" timestamp with time zone NULL);
--
-- Add field approvals_needed to action
--
ALTER TABLE "actions" ADD COLUMN "approvals_needed" smallint DEFAULT 1 NOT NULL;
--
-- Add field attempts to action
--
ALTER TABLE "actions" ADD COLUMN "attempts" integer DEFAULT 0 NOT NULL;
--
-- Add field cancel_requested to action
--
ALTER TABLE "actions" ADD COLUMN "cancel_requested" boolean DEFAULT false NOT NULL;
--
-- Add field idempotency_key to action
--
ALTER TABLE "actions" ADD COLUMN "idempotency_key" text DEFAULT ((gen_random_uuid())::text) NOT NULL;
--
-- Add field job_id to action
--
ALTER TABLE "actions" ADD COLUMN "job_id" uuid NULL;
--
-- Add field plan to action
--
ALTER TABLE "actions" ADD COLUMN "plan" jsonb NULL;
--
-- Add field plan_revision to action
--
ALTER TABLE "actions" ADD COLUMN "plan_revision" integer DEFAULT 0 NOT NULL;
--
-- Add field plan_sha256 to action
--
ALTER TABLE "actions" ADD COLUMN "plan_sha256" text DEFAULT '' NOT NULL;
--
-- Add field reason to action
--
ALTER TABLE "actions" ADD COLUMN "reason" text DEFAULT '' NOT NULL;
--
-- Add field reverses to action
--
ALTER TABLE "actions" ADD COLUMN "reverses_id" uuid NULL;
--
-- Add field risk to action
--
ALTER TABLE "actions" ADD COLUMN "risk" smallint DEFAULT 0 NOT NULL;
--
-- Add field waits_for to action
--
ALTER TABLE "actions" ADD COLUMN "waits_for" text DEFAULT '' NOT NULL;
--
-- Create index actions_reversals on field(s) tenant, reverses of model action
--
CREATE INDEX "actions_reversals" ON "actions" ("tenant_id", "reverses_id") WHERE "reverses_id" IS NOT NULL;
--
-- Create constraint actions_waits_for_check on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_waits_for_check" CHECK ("waits_for" IN ('', 'approval', 'cloud', 'store'));
--
-- Create constraint actions_approvals_check on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_approvals_check" CHECK ("approvals_needed" BETWEEN 0 AND 2);
--
-- Create constraint actions_idempotency_key on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_idempotency_key" UNIQUE ("tenant_id", "idempotency_key");
--
-- Create constraint actions_requester_key on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_requester_key" UNIQUE ("tenant_id", "id", "requested_by");
--
-- Create constraint actions_reverses_fk on model action
--
ALTER TABLE "actions" ADD CONSTRAINT "actions_reverses_fk" FOREIGN KEY ("tenant_id", "reverses_id") REFERENCES "actions" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Add field action to actionapproval
--
ALTER TABLE "action_approvals" ADD COLUMN "action_id" uuid NOT NULL;
--
-- Add field decided_by to actionapproval
--
ALTER TABLE "action_approvals" ADD COLUMN "decided_by" uuid NOT NULL;
--
-- Add field requested_by to actionapproval
--
ALTER TABLE "action_approvals" ADD COLUMN "requested_by" uuid NOT NULL;
--
-- Add field tenant to actionapproval
--
ALTER TABLE "action_approvals" ADD COLUMN "tenant_id" uuid NOT NULL;
--
-- Add field tenant to actionrule
--
ALTER TABLE "action_rules" ADD COLUMN "tenant_id" uuid NOT NULL;
--
-- Add field action to actiontarget
--
ALTER TABLE "action_targets" ADD COLUMN "action_id" uuid NOT NULL;
--
-- Add field tenant to actiontarget
--
ALTER TABLE "action_targets" ADD COLUMN "tenant_id" uuid NOT NULL;
--
-- Create constraint action_approvals_decision_check on model actionapproval
--
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_decision_check" CHECK ("decision" IN ('approved', 'rejected'));
--
-- Create constraint action_approvals_four_eyes on model actionapproval
--
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_four_eyes" CHECK (NOT ("requested_by" = ("decided_by")));
--
-- Create constraint action_approvals_once on model actionapproval
--
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_once" UNIQUE ("tenant_id", "action_id", "plan_revision", "decided_by");
--
-- Create constraint action_approvals_action_fk on model actionapproval
--
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_action_fk" FOREIGN KEY ("tenant_id", "action_id", "requested_by") REFERENCES "actions" ("tenant_id", "id", "requested_by") ON DELETE CASCADE;
--
-- Create constraint action_approvals_decided_by_fk on model actionapproval
--
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_decided_by_fk" FOREIGN KEY ("tenant_id", "decided_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Create constraint action_rules_kind_key on model actionrule
--
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_kind_key" UNIQUE ("tenant_id", "kind");
--
-- Create constraint action_rules_tenant_id_id_key on model actionrule
--
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint action_rules_over_limit_check on model actionrule
--
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_over_limit_check" CHECK ("over_limit" IN ('refuse', 'second_approver'));
--
-- Create constraint action_rules_severe_check on model actionrule
--
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_severe_check" CHECK ("severe_from" IN ('', 'low', 'medium', 'high', 'critical'));
--
-- Create constraint action_rules_approvals_check on model actionrule
--
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_approvals_check" CHECK (("approvals" BETWEEN 0 AND 2 AND "risky_approvals" BETWEEN 0 AND 2 AND "severe_approvals" BETWEEN 0 AND 2 AND "many_approvals" BETWEEN 0 AND 2 AND "production_approvals" BETWEEN 0 AND 2));
--
-- Create constraint action_rules_numbers_check on model actionrule
--
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_numbers_check" CHECK (("many_from" >= 1 AND "blast_limit" BETWEEN 1 AND 200));
--
-- Create index action_targets_resource on field(s) tenant, resource_id of model actiontarget
--
CREATE INDEX "action_targets_resource" ON "action_targets" ("tenant_id", "resource_id");
--
-- Create constraint action_targets_state_check on model actiontarget
--
ALTER TABLE "action_targets" ADD CONSTRAINT "action_targets_state_check" CHECK ("state" IN ('planned', 'left_out', 'nothing', 'applying', 'applied', 'verified', 'failed', 'rolling_back', 'rolled_back', 'cancelled'));
--
-- Create constraint action_targets_ordinal_key on model actiontarget
--
ALTER TABLE "action_targets" ADD CONSTRAINT "action_targets_ordinal_key" UNIQUE ("tenant_id", "action_id", "ordinal");
--
-- Create constraint action_targets_resource_key on model actiontarget
--
ALTER TABLE "action_targets" ADD CONSTRAINT "action_targets_resource_key" UNIQUE ("tenant_id", "action_id", "resource_id");
--
-- Create constraint action_targets_action_fk on model actiontarget
--
ALTER TABLE "action_targets" ADD CONSTRAINT "action_targets_action_fk" FOREIGN KEY ("tenant_id", "action_id") REFERENCES "actions" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "actions" ADD CONSTRAINT "actions_reverses_id_cfd766d8_fk_actions_id" FOREIGN KEY ("reverses_id") REFERENCES "actions" ("id") ON DELETE NO ACTION;
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_action_id_243a05f9_fk_actions_id" FOREIGN KEY ("action_id") REFERENCES "actions" ("id") ON DELETE CASCADE;
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_decided_by_19ce0e82_fk_users_id" FOREIGN KEY ("decided_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_requested_by_a434f802_fk_users_id" FOREIGN KEY ("requested_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "action_approvals" ADD CONSTRAINT "action_approvals_tenant_id_380109e3_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "action_rules" ADD CONSTRAINT "action_rules_tenant_id_9cf4139b_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "action_targets" ADD CONSTRAINT "action_targets_action_id_00472b91_fk_actions_id" FOREIGN KEY ("action_id") REFERENCES "actions" ("id") ON DELETE CASCADE;
ALTER TABLE "action_targets" ADD CONSTRAINT "action_targets_tenant_id_b2d77466_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- actions.0003_guards
--
-- Raw SQL operation
--

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

--
-- Raw SQL operation
--

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

--
-- Raw SQL operation
--

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


-- actions.0004_archive
--
-- Create model ActionEventRecord
--
-- (no-op)
--
-- Create partitioned model ActionEventHistory by ts
--
CREATE TABLE "action_events_history" ("id" bigint NOT NULL, "action_id" uuid NOT NULL, "ts" timestamp with time zone NOT NULL, "message" text NOT NULL, "archived_at" timestamp with time zone DEFAULT (now()) NOT NULL, "segment_id" uuid NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "id", "ts")) PARTITION BY RANGE ("ts");
--
-- Create index action_events_oldest on field(s) tenant, ts, id of model actionevent
--
CREATE INDEX "action_events_oldest" ON "action_events" ("tenant_id", "ts", "id");
--
-- Raw SQL operation
--

CREATE VIEW action_event_records WITH (security_invoker = true) AS
SELECT id, tenant_id, action_id, ts, message, NULL::timestamptz AS archived_at FROM action_events
UNION ALL
SELECT id, tenant_id, action_id, ts, message, archived_at FROM action_events_history;

ALTER TABLE "action_events_history" ADD CONSTRAINT "action_events_history_tenant_id_b55b504d_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "action_events_history_of" ON "action_events_history" ("tenant_id", "action_id", "ts");
CREATE INDEX "action_events_history_batch" ON "action_events_history" ("tenant_id", "segment_id");

-- tenancy.0006_purging
--
-- Remove constraint tenants_status_check from model tenant
--
ALTER TABLE "tenants" DROP CONSTRAINT "tenants_status_check";
--
-- Create constraint tenants_status_check on model tenant
--
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_status_check" CHECK ("status" IN ('active', 'suspended', 'purging'));

-- catalog.0001_initial
--
-- Create model Resource
--
CREATE TABLE "resources" ("id" text NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "provider" text NOT NULL, "type" text NOT NULL, "name" text NOT NULL, "group_name" text NULL, "location" text NULL, "tags" jsonb DEFAULT '{}'::jsonb NOT NULL, "status" text NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "native_id" text NULL, "account" text NULL, "changed_xid" xid8 DEFAULT (pg_current_xact_id()) NOT NULL);
--
-- Create model ImportRun
--
CREATE TABLE "import_runs" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "kind" text NOT NULL, "source" text NOT NULL, "format" text DEFAULT '' NOT NULL, "status" text DEFAULT 'running' NOT NULL, "rows_read" bigint DEFAULT 0 NOT NULL, "rows_written" bigint DEFAULT 0 NOT NULL, "rows_unchanged" bigint DEFAULT 0 NOT NULL, "rows_refused" bigint DEFAULT 0 NOT NULL, "summary" jsonb DEFAULT '{}'::jsonb NOT NULL, "error" text DEFAULT '' NOT NULL, "job_id" uuid NULL, "started_at" timestamp with time zone DEFAULT (now()) NOT NULL, "finished_at" timestamp with time zone NULL);
--
-- Create model ImportRefusal
--
CREATE TABLE "import_refusals" ("id" bigserial NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "line" bigint NULL, "field" text DEFAULT '' NOT NULL, "reason" text NOT NULL, "native_id" text DEFAULT '' NOT NULL, "run_id" uuid NOT NULL);
--
-- Create model Policy
--
CREATE TABLE "policies" ("id" text NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "name" text NOT NULL, "provider" text NOT NULL, "type" text NOT NULL, "effect" text NULL, "scope" text NULL, "status" text NOT NULL, "metadata" jsonb DEFAULT '{}'::jsonb NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "language" text DEFAULT '' NOT NULL, "severity" text DEFAULT 'medium' NOT NULL, "parameters" jsonb DEFAULT '{}'::jsonb NOT NULL, "current_version" integer DEFAULT 0 NOT NULL, "changed_xid" xid8 DEFAULT (pg_current_xact_id()) NOT NULL);
--
-- Create model PolicyVersion
--
CREATE TABLE "policy_versions" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "number" integer NOT NULL, "definition" jsonb NOT NULL, "sha256" text NOT NULL, "created_by" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "policy_id" text NOT NULL);
--
-- Create model ResourceProperties
--
CREATE TABLE "resource_properties" ("resource_id" text NOT NULL PRIMARY KEY, "properties" jsonb DEFAULT '{}'::jsonb NOT NULL, "changed_xid" xid8 DEFAULT (pg_current_xact_id()) NOT NULL);
--
-- Create index import_runs_recent on F(tenant), OrderBy(F(started_at), descending=True) on model importrun
--
CREATE INDEX "import_runs_recent" ON "import_runs" ("tenant_id", "started_at" DESC);
--
-- Create constraint import_runs_tenant_id_id_key on model importrun
--
ALTER TABLE "import_runs" ADD CONSTRAINT "import_runs_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint import_runs_status_check on model importrun
--
ALTER TABLE "import_runs" ADD CONSTRAINT "import_runs_status_check" CHECK ("status" IN ('running', 'succeeded', 'failed', 'cancelled'));
--
-- Create index import_refusals_run on field(s) tenant, run, id of model importrefusal
--
CREATE INDEX "import_refusals_run" ON "import_refusals" ("tenant_id", "run_id", "id");
--
-- Create constraint import_refusals_run_fk on model importrefusal
--
ALTER TABLE "import_refusals" ADD CONSTRAINT "import_refusals_run_fk" FOREIGN KEY ("tenant_id", "run_id") REFERENCES "import_runs" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index policies_tenant_status on field(s) tenant, status of model policy
--
CREATE INDEX "policies_tenant_status" ON "policies" ("tenant_id", "status");
--
-- Create index policies_by_name on F(tenant), F(name), F(id) on model policy
--
CREATE INDEX "policies_by_name" ON "policies" ("tenant_id", "name", "id");
--
-- Create constraint policies_tenant_id_id_key on model policy
--
ALTER TABLE "policies" ADD CONSTRAINT "policies_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint policies_severity_check on model policy
--
ALTER TABLE "policies" ADD CONSTRAINT "policies_severity_check" CHECK ("severity" IN ('low', 'medium', 'high', 'critical'));
--
-- Create constraint policy_versions_number_key on model policyversion
--
ALTER TABLE "policy_versions" ADD CONSTRAINT "policy_versions_number_key" UNIQUE ("tenant_id", "policy_id", "number");
--
-- Create constraint policy_versions_policy_fk on model policyversion
--
ALTER TABLE "policy_versions" ADD CONSTRAINT "policy_versions_policy_fk" FOREIGN KEY ("tenant_id", "policy_id") REFERENCES "policies" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Add field tenant to resourceproperties
--
ALTER TABLE "resource_properties" ADD COLUMN "tenant_id" uuid NOT NULL;
--
-- Create index resources_tenant_updated on F(tenant), OrderBy(F(updated_at), descending=True) on model resource
--
CREATE INDEX "resources_tenant_updated" ON "resources" ("tenant_id", "updated_at" DESC);
--
-- Create index resources_tenant_type on field(s) tenant, provider, type of model resource
--
CREATE INDEX "resources_tenant_type" ON "resources" ("tenant_id", "provider", "type");
--
-- Create index resources_tags_gin on field(s) tags of model resource
--
CREATE INDEX "resources_tags_gin" ON "resources" USING gin ("tags");
--
-- Create index resources_changed on field(s) tenant, type, changed_xid of model resource
--
CREATE INDEX "resources_changed" ON "resources" ("tenant_id", "type", "changed_xid");
--
-- Create index resources_recent on F(tenant), OrderBy(F(updated_at), descending=True), OrderBy(F(id), descending=True) on model resource
--
CREATE INDEX "resources_recent" ON "resources" ("tenant_id", "updated_at" DESC, "id" DESC);
--
-- Create constraint resources_provider_check on model resource
--
ALTER TABLE "resources" ADD CONSTRAINT "resources_provider_check" CHECK ("provider" IN ('azure', 'aws', 'gcp', 'ibm'));
--
-- Create constraint resources_tenant_id_id_key on model resource
--
ALTER TABLE "resources" ADD CONSTRAINT "resources_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint resources_native_id_key on model resource
--
ALTER TABLE "resources" ADD CONSTRAINT "resources_native_id_key" UNIQUE ("tenant_id", "provider", "type", "native_id");
--
-- Create constraint resource_properties_resource_fk on model resourceproperties
--
ALTER TABLE "resource_properties" ADD CONSTRAINT "resource_properties_resource_fk" FOREIGN KEY ("tenant_id", "resource_id") REFERENCES "resources" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "resources" ADD CONSTRAINT "resources_tenant_id_94930eaa_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "resources_id_08784ab3_like" ON "resources" ("id" text_pattern_ops);
ALTER TABLE "import_runs" ADD CONSTRAINT "import_runs_tenant_id_148cd038_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "import_refusals" ADD CONSTRAINT "import_refusals_tenant_id_1e6568a0_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "import_refusals" ADD CONSTRAINT "import_refusals_run_id_5a09d9ca_fk_import_runs_id" FOREIGN KEY ("run_id") REFERENCES "import_runs" ("id") ON DELETE CASCADE;
ALTER TABLE "policies" ADD CONSTRAINT "policies_tenant_id_f723c673_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "policies_id_eecc5ae5_like" ON "policies" ("id" text_pattern_ops);
ALTER TABLE "policy_versions" ADD CONSTRAINT "policy_versions_tenant_id_4f29d1d0_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_versions" ADD CONSTRAINT "policy_versions_policy_id_a800ccc9_fk_policies_id" FOREIGN KEY ("policy_id") REFERENCES "policies" ("id") ON DELETE CASCADE;
CREATE INDEX "resource_properties_resource_id_6d007402_like" ON "resource_properties" ("resource_id" text_pattern_ops);
ALTER TABLE "resource_properties" ADD CONSTRAINT "resource_properties_tenant_id_5804d89f_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- findings.0001_initial
--
-- Create model ScanRun
--
CREATE TABLE "scan_runs" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "kind" text DEFAULT 'policy' NOT NULL, "mode" text DEFAULT 'full' NOT NULL, "status" text DEFAULT 'running' NOT NULL, "job_id" uuid NULL, "policies" integer DEFAULT 0 NOT NULL, "resources" bigint DEFAULT 0 NOT NULL, "opened" bigint DEFAULT 0 NOT NULL, "reopened" bigint DEFAULT 0 NOT NULL, "fixed" bigint DEFAULT 0 NOT NULL, "still_open" bigint DEFAULT 0 NOT NULL, "errors" bigint DEFAULT 0 NOT NULL, "error" text DEFAULT '' NOT NULL, "watermark" text DEFAULT '' NOT NULL, "started_at" timestamp with time zone DEFAULT (now()) NOT NULL, "finished_at" timestamp with time zone NULL);
--
-- Create model EvaluationError
--
CREATE TABLE "evaluation_errors" ("id" bigserial NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "policy_id" text NOT NULL, "resources" bigint DEFAULT 0 NOT NULL, "example_resource_id" text NULL, "message" text NOT NULL, "scan_id" uuid NOT NULL);
--
-- Create model Violation
--
CREATE TABLE "violations" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "policy_id" text NULL, "resource_id" text NULL, "severity" text NOT NULL, "reason" text NOT NULL, "first_seen" timestamp with time zone DEFAULT (now()) NOT NULL, "last_seen" timestamp with time zone DEFAULT (now()) NOT NULL, "status" text DEFAULT 'open' NOT NULL, "severity_rank" smallint GENERATED ALWAYS AS (CASE WHEN "severity" = 'low' THEN 1 WHEN "severity" = 'medium' THEN 2 WHEN "severity" = 'high' THEN 3 WHEN "severity" = 'critical' THEN 4 ELSE 0 END) STORED, "suppressed_until" timestamp with time zone NULL, "exception_id" uuid NULL, "fixed_at" timestamp with time zone NULL, "policy_version" integer NULL, "source" text DEFAULT 'policy' NOT NULL);
--
-- Create model ViolationCounter
--
CREATE TABLE "violation_counters" ("tenant_id" uuid NOT NULL, "policy_id" text DEFAULT '' NOT NULL, "severity" text NOT NULL, "status" text NOT NULL, "n" bigint DEFAULT 0 NOT NULL, PRIMARY KEY ("tenant_id", "policy_id", "severity", "status"));
--
-- Create model ViolationEvent
--
CREATE TABLE "violation_events" ("id" bigserial NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "violation_id" uuid NOT NULL, "policy_id" text NULL, "resource_id" text NULL, "severity" text NOT NULL, "kind" text NOT NULL, "at" timestamp with time zone DEFAULT (now()) NOT NULL);
--
-- Create model PolicyException
--
CREATE TABLE "exceptions" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "policy_id" text NULL, "resource_id" text NULL, "reason" text NOT NULL, "expires_at" timestamp with time zone NULL, "created_by" uuid NULL, "status" text DEFAULT 'approved' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "selector" jsonb NULL, "decided_at" timestamp with time zone NULL, "decision_reason" text DEFAULT '' NOT NULL, "subject" jsonb DEFAULT '{}'::jsonb NOT NULL, "subject_sha256" text DEFAULT '' NOT NULL, "decided_by" uuid NULL);
--
-- Create model Recommendation
--
CREATE TABLE "recommendations" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "kind" text NOT NULL, "severity" text NOT NULL, "title" text NOT NULL, "description" text NULL, "savings" numeric NULL, "risk_reduction" numeric NULL, "confidence" numeric NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "rule" text DEFAULT '' NOT NULL, "resource_id" text NULL);
--
-- Create index scan_runs_recent on F(tenant), OrderBy(F(started_at), descending=True), OrderBy(F(id), descending=True) on model scanrun
--
CREATE INDEX "scan_runs_recent" ON "scan_runs" ("tenant_id", "started_at" DESC, "id" DESC);
--
-- Create constraint scan_runs_kind_check on model scanrun
--
ALTER TABLE "scan_runs" ADD CONSTRAINT "scan_runs_kind_check" CHECK ("kind" IN ('policy', 'finops', 'security'));
--
-- Create constraint scan_runs_mode_check on model scanrun
--
ALTER TABLE "scan_runs" ADD CONSTRAINT "scan_runs_mode_check" CHECK ("mode" IN ('full', 'incremental'));
--
-- Create constraint scan_runs_status_check on model scanrun
--
ALTER TABLE "scan_runs" ADD CONSTRAINT "scan_runs_status_check" CHECK ("status" IN ('running', 'succeeded', 'failed', 'cancelled'));
--
-- Create constraint scan_runs_tenant_id_id_key on model scanrun
--
ALTER TABLE "scan_runs" ADD CONSTRAINT "scan_runs_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create index evaluation_errors_scan on field(s) tenant, scan, id of model evaluationerror
--
CREATE INDEX "evaluation_errors_scan" ON "evaluation_errors" ("tenant_id", "scan_id", "id");
--
-- Create constraint evaluation_errors_scan_fk on model evaluationerror
--
ALTER TABLE "evaluation_errors" ADD CONSTRAINT "evaluation_errors_scan_fk" FOREIGN KEY ("tenant_id", "scan_id") REFERENCES "scan_runs" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index violations_status_severity on field(s) tenant, status, severity of model violation
--
CREATE INDEX "violations_status_severity" ON "violations" ("tenant_id", "status", "severity");
--
-- Create index violations_resource on field(s) tenant, resource of model violation
--
CREATE INDEX "violations_resource" ON "violations" ("tenant_id", "resource_id");
--
-- Create index violations_worst on F(tenant), OrderBy(F(severity_rank), descending=True), OrderBy(F(last_seen), descending=True), OrderBy(F(id), descending=True) on model violation
--
CREATE INDEX "violations_worst" ON "violations" ("tenant_id", "severity_rank" DESC, "last_seen" DESC, "id" DESC);
--
-- Create index violations_status_worst on F(tenant), F(status), OrderBy(F(severity_rank), descending=True), OrderBy(F(last_seen), descending=True), OrderBy(F(id), descending=True) on model violation
--
CREATE INDEX "violations_status_worst" ON "violations" ("tenant_id", "status", "severity_rank" DESC, "last_seen" DESC, "id" DESC);
--
-- Create index violations_recent on F(tenant), OrderBy(F(last_seen), descending=True), OrderBy(F(id), descending=True) on model violation
--
CREATE INDEX "violations_recent" ON "violations" ("tenant_id", "last_seen" DESC, "id" DESC);
--
-- Create index violations_lapsing on field(s) tenant, suppressed_until of model violation
--
CREATE INDEX "violations_lapsing" ON "violations" ("tenant_id", "suppressed_until") WHERE "status" = 'suppressed';
--
-- Create constraint violations_severity_check on model violation
--
ALTER TABLE "violations" ADD CONSTRAINT "violations_severity_check" CHECK ("severity" IN ('low', 'medium', 'high', 'critical'));
--
-- Create constraint violations_status_check on model violation
--
ALTER TABLE "violations" ADD CONSTRAINT "violations_status_check" CHECK ("status" IN ('open', 'suppressed', 'fixed'));
--
-- Create constraint violations_policy_resource_key on model violation
--
ALTER TABLE "violations" ADD CONSTRAINT "violations_policy_resource_key" UNIQUE ("tenant_id", "policy_id", "resource_id");
--
-- Create constraint violations_tenant_id_id_key on model violation
--
ALTER TABLE "violations" ADD CONSTRAINT "violations_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint violations_tenant_policy_fk on model violation
--
ALTER TABLE "violations" ADD CONSTRAINT "violations_tenant_policy_fk" FOREIGN KEY ("tenant_id", "policy_id") REFERENCES "policies" ("tenant_id", "id") ON DELETE SET NULL (policy_id);
--
-- Create constraint violations_tenant_resource_fk on model violation
--
ALTER TABLE "violations" ADD CONSTRAINT "violations_tenant_resource_fk" FOREIGN KEY ("tenant_id", "resource_id") REFERENCES "resources" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index violation_events_of on field(s) tenant, violation_id, id of model violationevent
--
CREATE INDEX "violation_events_of" ON "violation_events" ("tenant_id", "violation_id", "id");
--
-- Create index violation_events_at on field(s) tenant, at of model violationevent
--
CREATE INDEX "violation_events_at" ON "violation_events" ("tenant_id", "at");
ALTER TABLE "scan_runs" ADD CONSTRAINT "scan_runs_tenant_id_9fdd590f_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "evaluation_errors" ADD CONSTRAINT "evaluation_errors_tenant_id_de57d2f0_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "evaluation_errors" ADD CONSTRAINT "evaluation_errors_scan_id_2923afcf_fk_scan_runs_id" FOREIGN KEY ("scan_id") REFERENCES "scan_runs" ("id") ON DELETE CASCADE;
ALTER TABLE "violations" ADD CONSTRAINT "violations_tenant_id_d45d5c0b_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "violations" ADD CONSTRAINT "violations_policy_id_08c5c1f1_fk_policies_id" FOREIGN KEY ("policy_id") REFERENCES "policies" ("id") ON DELETE SET NULL;
ALTER TABLE "violations" ADD CONSTRAINT "violations_resource_id_f9270dc0_fk_resources_id" FOREIGN KEY ("resource_id") REFERENCES "resources" ("id") ON DELETE CASCADE;
ALTER TABLE "violation_counters" ADD CONSTRAINT "violation_counters_tenant_id_5e24c92e_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "violation_events" ADD CONSTRAINT "violation_events_tenant_id_1a1f6a40_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_tenant_id_f22d8793_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_policy_id_8789bb99_fk_policies_id" FOREIGN KEY ("policy_id") REFERENCES "policies" ("id") ON DELETE CASCADE;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_resource_id_841e92b1_fk_resources_id" FOREIGN KEY ("resource_id") REFERENCES "resources" ("id") ON DELETE CASCADE;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_created_by_8e53e72d_fk_users_id" FOREIGN KEY ("created_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_decided_by_278395b1_fk_users_id" FOREIGN KEY ("decided_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_status_check" CHECK ("status" IN ('pending', 'approved', 'rejected', 'expired'));
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_four_eyes" CHECK ((NOT ("status" = 'approved') OR ("created_by" IS NOT NULL AND "decided_by" IS NOT NULL AND NOT ("created_by" = ("decided_by") AND "created_by" IS NOT NULL AND "decided_by" IS NOT NULL))));
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_has_subject" CHECK (("policy_id" IS NOT NULL OR "resource_id" IS NOT NULL OR "selector" IS NOT NULL));
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_tenant_id_id_key" UNIQUE ("tenant_id", "id");
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_tenant_policy_fk" FOREIGN KEY ("tenant_id", "policy_id") REFERENCES "policies" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_tenant_resource_fk" FOREIGN KEY ("tenant_id", "resource_id") REFERENCES "resources" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_created_by_fk" FOREIGN KEY ("tenant_id", "created_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_decided_by_fk" FOREIGN KEY ("tenant_id", "decided_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
CREATE INDEX "exceptions_status_expiry" ON "exceptions" ("tenant_id", "status", "expires_at");
CREATE INDEX "exceptions_recent" ON "exceptions" ("tenant_id", "created_at" DESC, "id" DESC);
ALTER TABLE "recommendations" ADD CONSTRAINT "recommendations_tenant_id_9c7ab7e5_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "recommendations_kind_severity" ON "recommendations" ("tenant_id", "kind", "severity");
CREATE INDEX "recommendations_recent" ON "recommendations" ("tenant_id", "created_at" DESC, "id" DESC);

-- core.0001_initial
--
-- Create model SchemaVersion
--
CREATE TABLE "schema_version" ("version" text NOT NULL PRIMARY KEY, "applied_at" timestamp with time zone DEFAULT (now()) NULL);
CREATE INDEX "schema_version_version_80156f0a_like" ON "schema_version" ("version" text_pattern_ops);

-- core.0002_functions
--
-- Raw SQL operation
--

CREATE FUNCTION new_uuid7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(
        set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6
            ),
            52, 1),
        53, 1),
    'hex')::uuid;

--
-- Raw SQL operation
--

CREATE FUNCTION stamp_changed_xid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id();
    RETURN NEW;
END $$;

--
-- Raw SQL operation
--

DO $do$ BEGIN
    IF to_regprocedure('pg_catalog.pg_input_is_valid(text, text)') IS NULL THEN
        CREATE FUNCTION pg_input_is_valid(value text, type text) RETURNS boolean
        LANGUAGE plpgsql STABLE PARALLEL SAFE AS $fn$
        BEGIN
            EXECUTE format('SELECT %L::%s', value, type::regtype);
            RETURN true;
        EXCEPTION WHEN data_exception THEN
            RETURN false;
        END $fn$;
    END IF;
    IF to_regcollation('pg_catalog.pg_c_utf8') IS NULL THEN
        BEGIN
            CREATE COLLATION pg_c_utf8 (provider = libc, locale = 'C.UTF-8');
        EXCEPTION WHEN undefined_object OR invalid_parameter_value THEN
            CREATE COLLATION pg_c_utf8 (provider = icu, locale = 'und');
        END;
    END IF;
END $do$;


-- findings.0002_change_records
--
-- Raw SQL operation
--

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

--
-- Raw SQL operation
--

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


-- findings.0003_scan_target
--
-- Add field policy_id to scanrun
--
ALTER TABLE "scan_runs" ADD COLUMN "policy_id" text NULL;
--
-- Add field resource_id to scanrun
--
ALTER TABLE "scan_runs" ADD COLUMN "resource_id" text NULL;

-- findings.0004_history
--
-- Create model ExceptionEvent
--
CREATE TABLE "exception_events" ("tenant_id" uuid NOT NULL, "id" bigserial NOT NULL PRIMARY KEY, "exception_id" uuid NOT NULL, "status" text NOT NULL, "expires_at" timestamp with time zone NULL, "actor_id" uuid NULL, "at" timestamp with time zone DEFAULT (now()) NOT NULL);
--
-- Create model PolicyEvaluation
--
CREATE TABLE "policy_evaluations" ("tenant_id" uuid NOT NULL, "id" bigserial NOT NULL PRIMARY KEY, "policy_id" text NOT NULL, "policy_version" integer NULL, "outcome" text NOT NULL, "provider" text DEFAULT 'any' NOT NULL, "types" text[] NULL, "evaluated" bigint DEFAULT 0 NOT NULL, "open" bigint DEFAULT 0 NOT NULL, "excepted" bigint DEFAULT 0 NOT NULL, "undecided" bigint DEFAULT 0 NOT NULL, "at" timestamp with time zone DEFAULT (now()) NOT NULL);
--
-- Create model PostureDay
--
CREATE TABLE "posture_days" ("tenant_id" uuid NOT NULL, "day" date NOT NULL, "policy_id" text DEFAULT '' NOT NULL, "severity" text NOT NULL, "status" text NOT NULL, "delta" bigint DEFAULT 0 NOT NULL, PRIMARY KEY ("tenant_id", "day", "policy_id", "severity", "status"));
--
-- Add field population to scanrun
--
ALTER TABLE "scan_runs" ADD COLUMN "population" jsonb DEFAULT '{}'::jsonb NOT NULL;
--
-- Add field exception_id to violationevent
--
ALTER TABLE "violation_events" ADD COLUMN "exception_id" uuid NULL;
--
-- Add field recorded_at to violationevent
--
ALTER TABLE "violation_events" ADD COLUMN "recorded_at" timestamp with time zone DEFAULT (now()) NOT NULL;
--
-- Add field status to violationevent
--
ALTER TABLE "violation_events" ADD COLUMN "status" text DEFAULT '' NOT NULL;
--
-- Add field suppressed_until to violationevent
--
ALTER TABLE "violation_events" ADD COLUMN "suppressed_until" timestamp with time zone NULL;
--
-- Create index violation_events_of_at on field(s) tenant, violation_id, at, id of model violationevent
--
CREATE INDEX "violation_events_of_at" ON "violation_events" ("tenant_id", "violation_id", "at", "id");
--
-- Create index violation_events_standing on F(tenant), OrderBy(F(at), descending=True), OrderBy(F(id), descending=True) on model violationevent
--
CREATE INDEX "violation_events_standing" ON "violation_events" ("tenant_id", "at" DESC, "id" DESC) WHERE "status" IN ('open', 'suppressed');
--
-- Add field scan to policyevaluation
--
ALTER TABLE "policy_evaluations" ADD COLUMN "scan_id" uuid NOT NULL;
--
-- Create index exception_events_of on field(s) tenant, exception_id, at, id of model exceptionevent
--
CREATE INDEX "exception_events_of" ON "exception_events" ("tenant_id", "exception_id", "at", "id");
--
-- Create index policy_evaluations_of on F(tenant), F(policy_id), OrderBy(F(at), descending=True) on model policyevaluation
--
CREATE INDEX "policy_evaluations_of" ON "policy_evaluations" ("tenant_id", "policy_id", "at" DESC);
--
-- Create constraint policy_evaluations_scan_fk on model policyevaluation
--
ALTER TABLE "policy_evaluations" ADD CONSTRAINT "policy_evaluations_scan_fk" FOREIGN KEY ("tenant_id", "scan_id") REFERENCES "scan_runs" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create constraint policy_evaluations_outcome_check on model policyevaluation
--
ALTER TABLE "policy_evaluations" ADD CONSTRAINT "policy_evaluations_outcome_check" CHECK ("outcome" IN ('judged', 'failed'));
--
-- Create constraint policy_evaluations_key on model policyevaluation
--
ALTER TABLE "policy_evaluations" ADD CONSTRAINT "policy_evaluations_key" UNIQUE ("tenant_id", "scan_id", "policy_id");
ALTER TABLE "exception_events" ADD CONSTRAINT "exception_events_tenant_id_1cab5e20_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_evaluations" ADD CONSTRAINT "policy_evaluations_tenant_id_36ee7885_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "posture_days" ADD CONSTRAINT "posture_days_tenant_id_07c798db_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_evaluations" ADD CONSTRAINT "policy_evaluations_scan_id_95726ea7_fk_scan_runs_id" FOREIGN KEY ("scan_id") REFERENCES "scan_runs" ("id") ON DELETE CASCADE;

-- audit.0001_canonical_bytes
--
-- Raw SQL operation
--

CREATE FUNCTION audit_field(value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(int4send(octet_length(value)) || value, '\xffffffff'::bytea);

CREATE FUNCTION audit_text(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN decode(replace(value, '\', '\\'), 'escape');

CREATE FUNCTION audit_canonical(
    id uuid, tenant_id uuid, created_at timestamptz, actor text, action text,
    target_type text, target_id text, payload jsonb
) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN audit_field(uuid_send(id)) || audit_field(uuid_send(tenant_id))
    || audit_field(timestamptz_send(created_at)) || audit_field(audit_text(actor))
    || audit_field(audit_text(action)) || audit_field(audit_text(target_type))
    || audit_field(audit_text(target_id)) || audit_field(audit_text(payload::text));


-- audit.0002_initial
--
-- Create model Audit
--
CREATE TABLE "audits" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "actor" text NOT NULL, "action" text NOT NULL, "target_id" text NULL, "target_type" text NULL, "payload" jsonb DEFAULT '{}'::jsonb NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "canonical" bytea DEFAULT '\x'::bytea NOT NULL, "leaf" bytea DEFAULT '\x'::bytea NOT NULL);
ALTER TABLE "audits" ADD CONSTRAINT "audits_tenant_id_3b41dddf_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "audits_tenant_created" ON "audits" ("tenant_id", "created_at" DESC);
CREATE INDEX "audits_target" ON "audits" ("tenant_id", "target_type", "target_id");

-- audit.0003_inserting_transaction
--
-- Raw SQL operation
--

ALTER TABLE audits ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX audits_tenant_xid ON audits (tenant_id, xid);
CREATE FUNCTION audits_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.canonical := audit_canonical(
        NEW.id, NEW.tenant_id, NEW.created_at, NEW.actor, NEW.action,
        NEW.target_type, NEW.target_id, NEW.payload);
    NEW.leaf := sha256('\x00'::bytea || NEW.canonical);
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER audits_stamp BEFORE INSERT ON audits FOR EACH ROW EXECUTE FUNCTION audits_stamp();


-- findings.0005_point_in_time
--
-- Raw SQL operation
--

CREATE OR REPLACE FUNCTION violations_on_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO violation_events
        (tenant_id, violation_id, policy_id, resource_id, severity, kind, status, suppressed_until, exception_id)
    SELECT tenant_id, id, policy_id, resource_id, severity,
           CASE s.status WHEN 'open' THEN CASE s.part WHEN 1 THEN 'opened' ELSE 'lapsed' END
                         WHEN 'suppressed' THEN 'excepted' ELSE 'fixed' END,
           s.status, CASE s.status WHEN 'suppressed' THEN suppressed_until END,
           CASE s.status WHEN 'suppressed' THEN exception_id END
    FROM new_rows n CROSS JOIN LATERAL (
        SELECT 1 AS part, n.status
        UNION ALL SELECT 2, 'open' WHERE n.status = 'suppressed' AND n.suppressed_until <= now()
    ) s
    ORDER BY n.id, s.part;
    INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
    SELECT tenant_id, coalesce(policy_id, ''), severity, status, count(*) FROM new_rows
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n;
    INSERT INTO posture_days AS d (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, (now() AT TIME ZONE 'UTC')::date, coalesce(policy_id, ''), severity,
           CASE WHEN status = 'suppressed' AND suppressed_until <= now() THEN 'open' ELSE status END, count(*)
    FROM new_rows GROUP BY 1, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = d.delta + excluded.delta;
    RETURN NULL;
END $$;

--
-- Raw SQL operation
--

CREATE OR REPLACE FUNCTION violations_on_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    WITH changed AS MATERIALIZED (
        SELECT n.tenant_id, n.id, n.resource_id, coalesce(o.policy_id, '') AS old_policy, n.policy_id,
               o.severity AS old_severity, n.severity, o.status AS old_status, n.status,
               o.suppressed_until AS old_until, n.suppressed_until AS until,
               o.exception_id AS old_exception, n.exception_id,
               coalesce(o.status = 'suppressed' AND o.suppressed_until <= now(), false) AS was_over,
               coalesce(n.status = 'suppressed' AND n.suppressed_until <= now(), false) AS is_over
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE (o.status, o.severity, o.policy_id, o.suppressed_until, o.exception_id)
              IS DISTINCT FROM (n.status, n.severity, n.policy_id, n.suppressed_until, n.exception_id)
           OR (o.status = 'suppressed' AND o.suppressed_until <= now())
    ),
    seen AS MATERIALIZED (
        SELECT c.*, CASE WHEN c.was_over THEN 'open' ELSE c.old_status END AS was,
               CASE WHEN c.was_over AND c.is_over AND c.until = c.old_until THEN 'open' ELSE c.status END AS becomes,
               c.was_over AND NOT EXISTS (
                   SELECT 1 FROM violation_events e
                   WHERE e.tenant_id = c.tenant_id AND e.violation_id = c.id AND e.kind = 'lapsed'
                     AND e.at >= c.old_until) AS lapses
        FROM changed c
    ),
    told AS MATERIALIZED (
        SELECT 1 AS part, tenant_id, id, resource_id, old_policy AS policy_from, old_severity AS severity_from,
               'suppressed' AS was, old_policy AS policy, old_severity AS severity, 'open' AS becomes,
               'lapsed' AS kind, old_until AS at, NULL::timestamptz AS until, NULL::uuid AS exception_id
        FROM seen WHERE lapses
        UNION ALL
        SELECT 2, tenant_id, id, resource_id, old_policy, old_severity, was, coalesce(policy_id, ''), severity, becomes,
               CASE WHEN becomes = 'fixed' AND was <> 'fixed' THEN 'fixed'
                    WHEN becomes = 'suppressed' AND (was, old_until, old_exception)
                         IS DISTINCT FROM ('suppressed', until, exception_id) THEN 'excepted'
                    WHEN becomes = 'open' AND was = 'fixed' THEN 'reopened'
                    WHEN becomes = 'open' AND was = 'suppressed' THEN 'unexcepted'
                    ELSE 'changed' END,
               now(), CASE becomes WHEN 'suppressed' THEN until END,
               CASE becomes WHEN 'suppressed' THEN exception_id END
        FROM seen
        WHERE (was, old_severity, old_policy) IS DISTINCT FROM (becomes, severity, coalesce(policy_id, ''))
           OR (becomes = 'suppressed' AND (old_until, old_exception) IS DISTINCT FROM (until, exception_id))
        UNION ALL
        SELECT 3, tenant_id, id, resource_id, coalesce(policy_id, ''), severity, 'suppressed',
               coalesce(policy_id, ''), severity, 'open', 'lapsed', now(), NULL, NULL
        FROM seen WHERE is_over AND becomes = 'suppressed'
    ),
    written AS (
        INSERT INTO violation_events
            (tenant_id, violation_id, policy_id, resource_id, severity, kind, at, status, suppressed_until, exception_id)
        SELECT tenant_id, id, nullif(policy, ''), resource_id, severity, kind, at, becomes, until, exception_id
        FROM told ORDER BY id, part
    ),
    counted AS (
        INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
        SELECT tenant_id, policy, severity, status, sum(d) FROM (
            SELECT tenant_id, coalesce(policy_id, '') AS policy, severity, status, 1 AS d FROM changed
            UNION ALL
            SELECT tenant_id, old_policy, old_severity, old_status, -1 FROM changed
        ) changes
        GROUP BY 1, 2, 3, 4 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
    )
    INSERT INTO posture_days AS p (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, day, policy, severity, status, sum(d) FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, policy, severity, becomes AS status, 1 AS d FROM told
        UNION ALL
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, policy_from, severity_from, was, -1 FROM told
    ) changes
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = p.delta + excluded.delta;
    RETURN NULL;
END $$;

--
-- Raw SQL operation
--

CREATE OR REPLACE FUNCTION violations_on_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    WITH gone AS MATERIALIZED (
        SELECT o.tenant_id, o.id, o.policy_id, o.resource_id, o.severity, o.status, o.suppressed_until,
               coalesce(o.status = 'suppressed' AND o.suppressed_until <= now(), false) AS was_over
        FROM old_rows o JOIN tenants t ON t.id = o.tenant_id
    ),
    told AS MATERIALIZED (
        SELECT 1 AS part, g.tenant_id, g.id, g.policy_id, g.resource_id, g.severity, 'lapsed' AS kind,
               g.suppressed_until AS at, 'suppressed' AS was, 'open' AS becomes
        FROM gone g WHERE g.was_over AND NOT EXISTS (
            SELECT 1 FROM violation_events e
            WHERE e.tenant_id = g.tenant_id AND e.violation_id = g.id AND e.kind = 'lapsed'
              AND e.at >= g.suppressed_until)
        UNION ALL
        SELECT 2, tenant_id, id, policy_id, resource_id, severity, 'removed', now(),
               CASE WHEN was_over THEN 'open' ELSE status END, 'removed'
        FROM gone
    ),
    written AS (
        INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind, at, status)
        SELECT tenant_id, id, policy_id, resource_id, severity, kind, at, becomes FROM told ORDER BY id, part
    ),
    counted AS (
        INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
        SELECT tenant_id, coalesce(policy_id, ''), severity, status, -count(*) FROM gone
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
    )
    INSERT INTO posture_days AS p (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, day, policy, severity, status, sum(d) FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy, severity,
               becomes AS status, 1 AS d FROM told WHERE becomes <> 'removed'
        UNION ALL
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, coalesce(policy_id, ''), severity, was, -1 FROM told
    ) changes
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = p.delta + excluded.delta;
    RETURN NULL;
END $$;

--
-- Raw SQL operation
--

UPDATE violation_events e SET recorded_at = e.at, status = CASE e.kind
    WHEN 'opened' THEN 'open' WHEN 'reopened' THEN 'open' WHEN 'unexcepted' THEN 'open'
    WHEN 'excepted' THEN 'suppressed' ELSE e.kind END
WHERE e.status = '';
UPDATE violation_events e SET suppressed_until = v.suppressed_until, exception_id = v.exception_id
FROM violations v
WHERE v.id = e.violation_id AND v.status = 'suppressed' AND e.kind = 'excepted'
  AND e.id = (SELECT max(l.id) FROM violation_events l WHERE l.violation_id = v.id);
INSERT INTO posture_days (tenant_id, day, policy_id, severity, status, delta)
SELECT tenant_id, day, policy_id, severity, status, sum(d) FROM (
    SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy_id, severity, status, 1 AS d
    FROM violation_events WHERE status <> 'removed'
    UNION ALL
    SELECT tenant_id, day, policy_id, severity, status, -1 FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day,
               lag(coalesce(policy_id, '')) OVER w AS policy_id, lag(severity) OVER w AS severity,
               lag(status) OVER w AS status
        FROM violation_events WINDOW w AS (PARTITION BY tenant_id, violation_id ORDER BY at, id)
    ) before WHERE status IS NOT NULL AND status <> 'removed'
) changes GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0;

--
-- Raw SQL operation
--

CREATE FUNCTION exceptions_record_state() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.status, NEW.expires_at) IS NOT DISTINCT FROM (OLD.status, OLD.expires_at) THEN
        RETURN NULL;
    END IF;
    INSERT INTO exception_events (tenant_id, exception_id, status, expires_at, actor_id)
    VALUES (NEW.tenant_id, NEW.id, NEW.status, NEW.expires_at,
            nullif(current_setting('rls.user_id', true), '')::uuid);
    RETURN NULL;
END $$;
CREATE TRIGGER exceptions_record_state AFTER INSERT OR UPDATE ON exceptions
    FOR EACH ROW EXECUTE FUNCTION exceptions_record_state();

INSERT INTO exception_events (tenant_id, exception_id, status, expires_at, actor_id, at)
SELECT tenant_id, id, status, expires_at, actor_id, at FROM (
    SELECT 1 AS part, x.tenant_id, x.id, 'pending' AS status, x.expires_at, x.created_by AS actor_id, x.created_at AS at
    FROM exceptions x
    UNION ALL
    SELECT 2, x.tenant_id, x.id, CASE x.status WHEN 'rejected' THEN 'rejected' ELSE 'approved' END, x.expires_at,
           x.decided_by, x.decided_at
    FROM exceptions x WHERE x.decided_at IS NOT NULL
    UNION ALL
    SELECT 3, x.tenant_id, x.id, 'expired', x.expires_at, NULL, coalesce((
        SELECT min(a.created_at) FROM audits a
        WHERE a.tenant_id = x.tenant_id AND a.target_type = 'findings.policyexception'
          AND a.target_id = x.id::text AND a.payload->>'to' = 'expired'), x.expires_at, now())
    FROM exceptions x WHERE x.status = 'expired'
) known ORDER BY id, part;


-- catalog.0002_watermark_and_storage
--
-- Raw SQL operation
--

CREATE TRIGGER resources_stamp BEFORE UPDATE ON resources FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION stamp_changed_xid();
CREATE TRIGGER resource_properties_stamp BEFORE UPDATE ON resource_properties FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION stamp_changed_xid();
CREATE TRIGGER policies_stamp BEFORE UPDATE ON policies FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION stamp_changed_xid();

--
-- Raw SQL operation
--

ALTER TABLE resource_properties ADD CONSTRAINT resource_properties_is_object
    CHECK (jsonb_typeof(properties) = 'object');
ALTER TABLE resources ADD CONSTRAINT resources_tags_is_object CHECK (jsonb_typeof(tags) = 'object');
ALTER TABLE resource_properties SET (toast_tuple_target = 8160);
DO $$ BEGIN
    ALTER TABLE resource_properties ALTER COLUMN properties SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;


-- catalog.0003_prefix_search
--
-- Create index resources_by_name on F(tenant), Collate(F(name)) on model resource
--
CREATE INDEX "resources_by_name" ON "resources" ("tenant_id", "name" COLLATE "C");
--
-- Create index resources_by_native_id on F(tenant), Collate(F(native_id)) on model resource
--
CREATE INDEX "resources_by_native_id" ON "resources" ("tenant_id", "native_id" COLLATE "C");

-- catalog.0004_changes_of_any_type
--
-- Create index resources_changed_any on field(s) tenant, changed_xid of model resource
--
CREATE INDEX "resources_changed_any" ON "resources" ("tenant_id", "changed_xid");
--
-- Create index resource_properties_changed on field(s) tenant, changed_xid of model resourceproperties
--
CREATE INDEX "resource_properties_changed" ON "resource_properties" ("tenant_id", "changed_xid");

-- catalog.0005_documents_by_type
--
-- Add field type to resourceproperties
--
ALTER TABLE "resource_properties" ADD COLUMN "type" text DEFAULT '' NOT NULL;
--
-- Raw SQL operation
--

ALTER TABLE resource_properties DISABLE TRIGGER resource_properties_stamp;
UPDATE resource_properties p SET type = r.type FROM resources r WHERE r.id = p.resource_id AND p.type <> r.type;
ALTER TABLE resource_properties ENABLE TRIGGER resource_properties_stamp;

--
-- Raw SQL operation
--

CREATE FUNCTION resource_properties_take_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.type := coalesce((SELECT r.type FROM resources r WHERE r.id = NEW.resource_id), '');
    RETURN NEW;
END $$;
CREATE TRIGGER resource_properties_type BEFORE INSERT ON resource_properties FOR EACH ROW
    WHEN (NEW.type = '') EXECUTE FUNCTION resource_properties_take_type();
CREATE FUNCTION resources_give_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE resource_properties p SET type = NEW.type WHERE p.resource_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER resources_type AFTER UPDATE OF type ON resources FOR EACH ROW
    WHEN (OLD.type IS DISTINCT FROM NEW.type) EXECUTE FUNCTION resources_give_type();

--
-- Create index resource_properties_type on field(s) tenant, type of model resourceproperties
--
CREATE INDEX "resource_properties_type" ON "resource_properties" ("tenant_id", "type");
--
-- Raw SQL operation
--

DROP INDEX IF EXISTS resources_id_08784ab3_like;
DROP INDEX IF EXISTS resource_properties_resource_id_6d007402_like;


-- catalog.0006_frameworks
--
-- Create model Framework
--
CREATE TABLE "frameworks" ("id" uuid NOT NULL PRIMARY KEY, "key" text NOT NULL, "title" text NOT NULL, "version" text DEFAULT '' NOT NULL, "publisher" text DEFAULT '' NOT NULL, "description" text DEFAULT '' NOT NULL, "source" text DEFAULT 'file' NOT NULL, "retention_years" smallint DEFAULT 1 NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "retired_at" timestamp with time zone NULL, "tenant_id" uuid NOT NULL);
--
-- Create model Control
--
CREATE TABLE "controls" ("id" uuid NOT NULL PRIMARY KEY, "code" text NOT NULL, "label" text NOT NULL, "title" text DEFAULT '' NOT NULL, "description" text DEFAULT '' NOT NULL, "is_group" boolean DEFAULT false NOT NULL, "position" integer DEFAULT 0 NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "retired_at" timestamp with time zone NULL, "parent_id" uuid NULL, "tenant_id" uuid NOT NULL, "framework_id" uuid NOT NULL);
--
-- Create model PolicyControl
--
CREATE TABLE "policy_controls" ("id" uuid NOT NULL PRIMARY KEY, "source" text DEFAULT 'manual' NOT NULL, "added_at" timestamp with time zone DEFAULT (now()) NOT NULL, "added_by" text DEFAULT '' NOT NULL, "removed_at" timestamp with time zone NULL, "removed_by" text DEFAULT '' NOT NULL, "removal" text DEFAULT '' NOT NULL, "control_id" uuid NOT NULL, "policy_id" text NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model PolicyState
--
CREATE TABLE "policy_states" ("id" bigserial NOT NULL PRIMARY KEY, "policy_id" text NOT NULL, "status" text NOT NULL, "severity" text NOT NULL, "version" integer NOT NULL, "ruled_at" timestamp with time zone NOT NULL, "at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create index frameworks_by_title on F(tenant), F(title), F(id) on model framework
--
CREATE INDEX "frameworks_by_title" ON "frameworks" ("tenant_id", "title", "id");
--
-- Create constraint frameworks_tenant_id_id_key on model framework
--
ALTER TABLE "frameworks" ADD CONSTRAINT "frameworks_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint frameworks_key_key on model framework
--
ALTER TABLE "frameworks" ADD CONSTRAINT "frameworks_key_key" UNIQUE ("tenant_id", "key");
--
-- Create constraint frameworks_source_check on model framework
--
ALTER TABLE "frameworks" ADD CONSTRAINT "frameworks_source_check" CHECK ("source" IN ('library', 'initiative', 'file'));
--
-- Create constraint frameworks_retention_check on model framework
--
ALTER TABLE "frameworks" ADD CONSTRAINT "frameworks_retention_check" CHECK ("retention_years" IN (1, 2, 3));
--
-- Create index controls_in_order on field(s) tenant, framework, position, id of model control
--
CREATE INDEX "controls_in_order" ON "controls" ("tenant_id", "framework_id", "position", "id");
--
-- Create constraint controls_tenant_id_id_key on model control
--
ALTER TABLE "controls" ADD CONSTRAINT "controls_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint controls_code_key on model control
--
ALTER TABLE "controls" ADD CONSTRAINT "controls_code_key" UNIQUE ("tenant_id", "framework_id", "code");
--
-- Create constraint controls_framework_fk on model control
--
ALTER TABLE "controls" ADD CONSTRAINT "controls_framework_fk" FOREIGN KEY ("tenant_id", "framework_id") REFERENCES "frameworks" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create constraint controls_parent_fk on model control
--
ALTER TABLE "controls" ADD CONSTRAINT "controls_parent_fk" FOREIGN KEY ("tenant_id", "parent_id") REFERENCES "controls" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index policy_controls_policy on field(s) tenant, policy of model policycontrol
--
CREATE INDEX "policy_controls_policy" ON "policy_controls" ("tenant_id", "policy_id");
--
-- Create constraint policy_controls_tenant_id_id_key on model policycontrol
--
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint policy_controls_in_force on model policycontrol
--
CREATE UNIQUE INDEX "policy_controls_in_force" ON "policy_controls" ("tenant_id", "control_id", "policy_id") WHERE "removed_at" IS NULL;
--
-- Create constraint policy_controls_source_check on model policycontrol
--
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_source_check" CHECK ("source" IN ('definition', 'library', 'file', 'manual'));
--
-- Create constraint policy_controls_control_fk on model policycontrol
--
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_control_fk" FOREIGN KEY ("tenant_id", "control_id") REFERENCES "controls" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create constraint policy_controls_policy_fk on model policycontrol
--
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_policy_fk" FOREIGN KEY ("tenant_id", "policy_id") REFERENCES "policies" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index policy_states_of on field(s) tenant, policy_id, at, id of model policystate
--
CREATE INDEX "policy_states_of" ON "policy_states" ("tenant_id", "policy_id", "at", "id");
ALTER TABLE "frameworks" ADD CONSTRAINT "frameworks_tenant_id_31fc20d8_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "controls" ADD CONSTRAINT "controls_parent_id_12a57cfa_fk_controls_id" FOREIGN KEY ("parent_id") REFERENCES "controls" ("id") ON DELETE CASCADE;
ALTER TABLE "controls" ADD CONSTRAINT "controls_tenant_id_0eb9ba42_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "controls" ADD CONSTRAINT "controls_framework_id_02c32083_fk_frameworks_id" FOREIGN KEY ("framework_id") REFERENCES "frameworks" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_control_id_a4caab40_fk_controls_id" FOREIGN KEY ("control_id") REFERENCES "controls" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_policy_id_64664ab8_fk_policies_id" FOREIGN KEY ("policy_id") REFERENCES "policies" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_controls" ADD CONSTRAINT "policy_controls_tenant_id_9ebb15f3_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "policy_states" ADD CONSTRAINT "policy_states_tenant_id_e5785fce_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- catalog.0007_framework_records
--
-- Raw SQL operation
--

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

--
-- Raw SQL operation
--

INSERT INTO policy_states (tenant_id, policy_id, status, severity, version, ruled_at, at)
SELECT tenant_id, id, status, severity, current_version, created_at, created_at FROM policies ORDER BY tenant_id, id
;
--
-- Raw SQL operation
--

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


-- findings.0006_foreign_findings
--
-- Add field key to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "key" text NULL;
--
-- Add field source to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "source" text DEFAULT '' NOT NULL;
--
-- Create index violations_foreign on F(tenant), F(source), OrderBy(F(severity_rank), descending=True), OrderBy(F(last_seen), descending=True), OrderBy(F(id), descending=True) on model violation
--
CREATE INDEX "violations_foreign" ON "violations" ("tenant_id", "source", "severity_rank" DESC, "last_seen" DESC, "id" DESC) WHERE NOT ("source" = 'policy');
--
-- Create constraint recommendations_key on model recommendation
--
ALTER TABLE "recommendations" ADD CONSTRAINT "recommendations_key" UNIQUE ("tenant_id", "key");

-- findings.0007_record_updates_by_hash
--
-- Raw SQL operation
--
ALTER FUNCTION violations_on_update() SET enable_nestloop = off;

-- findings.0008_exception_columns
--
-- Change Meta options on policyexception
--
-- (no-op)
--
-- Add field compensating_control to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "compensating_control" text DEFAULT '' NOT NULL;
--
-- Add field covered to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "covered" bigint DEFAULT 0 NOT NULL;
--
-- Add field decider to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "decider" jsonb DEFAULT '{}'::jsonb NOT NULL;
--
-- Add field decision to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "decision" jsonb DEFAULT '{}'::jsonb NOT NULL;
--
-- Add field decision_sha256 to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "decision_sha256" text DEFAULT '' NOT NULL;
--
-- Add field end_kind to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "end_kind" text DEFAULT '' NOT NULL;
--
-- Add field end_reason to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "end_reason" text DEFAULT '' NOT NULL;
--
-- Add field ended_at to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "ended_at" timestamp with time zone NULL;
--
-- Add field ended_by to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "ended_by" uuid NULL;
--
-- Add field idle_since to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "idle_since" timestamp with time zone NULL;
--
-- Add field renewal to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "renewal" integer DEFAULT 0 NOT NULL;
--
-- Add field renews to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "renews" uuid NULL;
--
-- Add field requester to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "requester" jsonb DEFAULT '{}'::jsonb NOT NULL;
--
-- Add field warned_days to policyexception
--
ALTER TABLE "exceptions" ADD COLUMN "warned_days" integer NULL;
--
-- Create index exceptions_renewals on field(s) tenant, renews of model policyexception
--
CREATE INDEX "exceptions_renewals" ON "exceptions" ("tenant_id", "renews") WHERE "renews" IS NOT NULL;
--
-- Create index violations_excepted on field(s) tenant, exception_id of model violation
--
CREATE INDEX "violations_excepted" ON "violations" ("tenant_id", "exception_id") WHERE "exception_id" IS NOT NULL;
--
-- Create constraint exceptions_ended_by_fk on model policyexception
--
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_ended_by_fk" FOREIGN KEY ("tenant_id", "ended_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Create constraint exceptions_renews_fk on model policyexception
--
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_renews_fk" FOREIGN KEY ("tenant_id", "renews") REFERENCES "exceptions" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Create constraint exceptions_end_kind_check on model policyexception
--
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_end_kind_check" CHECK ("end_kind" IN ('', 'term', 'revoked', 'closed', 'renewed'));
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_ended_by_68021c51_fk_users_id" FOREIGN KEY ("ended_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "exceptions" ADD CONSTRAINT "exceptions_renews_a16310d4_fk_exceptions_id" FOREIGN KEY ("renews") REFERENCES "exceptions" ("id") ON DELETE NO ACTION;

-- findings.0009_exceptions_of_sets
--
-- Raw SQL operation
--

UPDATE exceptions x SET requester = jsonb_build_object(
    'name', coalesce(nullif(u.display_name, ''), u.upn), 'upn', u.upn, 'email', u.email, 'role', u.role)
FROM users u WHERE u.tenant_id = x.tenant_id AND u.id = x.created_by;
UPDATE exceptions x SET decider = jsonb_build_object(
    'name', coalesce(nullif(u.display_name, ''), u.upn), 'upn', u.upn, 'email', u.email, 'role', u.role)
FROM users u WHERE u.tenant_id = x.tenant_id AND u.id = x.decided_by;

--
-- Raw SQL operation
--

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

--
-- Raw SQL operation
--

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


-- findings.0010_recommendation_evidence
--
-- Add field currency to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "currency" text DEFAULT '' NOT NULL;
--
-- Add field decided_at to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "decided_at" timestamp with time zone NULL;
--
-- Add field decided_by to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "decided_by" uuid NULL;
--
-- Add field decision_reason to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "decision_reason" text DEFAULT '' NOT NULL;
--
-- Add field evidence to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "evidence" jsonb DEFAULT '{}'::jsonb NOT NULL;
--
-- Add field gone_at to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "gone_at" timestamp with time zone NULL;
--
-- Add field realised to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "realised" numeric NULL;
--
-- Add field realised_days to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "realised_days" integer NULL;
--
-- Add field remedy to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "remedy" text DEFAULT '' NOT NULL;
--
-- Add field status to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "status" text DEFAULT 'open' NOT NULL;
--
-- Create constraint recommendations_status_check on model recommendation
--
ALTER TABLE "recommendations" ADD CONSTRAINT "recommendations_status_check" CHECK ("status" IN ('open', 'accepted', 'dismissed', 'gone'));
ALTER TABLE "recommendations" ADD CONSTRAINT "recommendations_decided_by_bcf65e3b_fk_users_id" FOREIGN KEY ("decided_by") REFERENCES "users" ("id") ON DELETE NO ACTION;

-- findings.0011_exception_requester
--
-- Raw SQL operation
--

CREATE FUNCTION exceptions_requester() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_by <> nullif(current_setting('rls.user_id', true), '')::uuid THEN
        RAISE EXCEPTION 'nobody asks for an exception in the name of another'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'exceptions_requester';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER exceptions_requester AFTER INSERT ON exceptions
    FOR EACH ROW EXECUTE FUNCTION exceptions_requester();


-- catalog.0008_discovery
--
-- Create model DiscoveryScope
--
CREATE TABLE "discovery_scopes" ("id" uuid NOT NULL PRIMARY KEY, "job_id" uuid NOT NULL, "type" text NOT NULL, "region" text NOT NULL, "status" text DEFAULT 'pending' NOT NULL, "token" text NULL, "pages" integer DEFAULT 0 NOT NULL, "resources" bigint DEFAULT 0 NOT NULL, "gone" bigint DEFAULT 0 NOT NULL, "problem" text DEFAULT '' NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "account_id" uuid NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model DiscoverySeen
--
CREATE TABLE "discovery_seen" ("resource_id" text NOT NULL, "scope_id" uuid NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "scope_id", "resource_id"));
--
-- Create constraint discovery_scopes_key on model discoveryscope
--
ALTER TABLE "discovery_scopes" ADD CONSTRAINT "discovery_scopes_key" UNIQUE ("tenant_id", "account_id", "job_id", "type", "region");
--
-- Create constraint discovery_scopes_tenant_id_id_key on model discoveryscope
--
ALTER TABLE "discovery_scopes" ADD CONSTRAINT "discovery_scopes_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint discovery_scopes_account_fk on model discoveryscope
--
ALTER TABLE "discovery_scopes" ADD CONSTRAINT "discovery_scopes_account_fk" FOREIGN KEY ("tenant_id", "account_id") REFERENCES "cloud_accounts" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create constraint discovery_scopes_status_check on model discoveryscope
--
ALTER TABLE "discovery_scopes" ADD CONSTRAINT "discovery_scopes_status_check" CHECK ("status" IN ('pending', 'complete', 'failed'));
--
-- Create constraint discovery_seen_scope_fk on model discoveryseen
--
ALTER TABLE "discovery_seen" ADD CONSTRAINT "discovery_seen_scope_fk" FOREIGN KEY ("tenant_id", "scope_id") REFERENCES "discovery_scopes" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "discovery_scopes" ADD CONSTRAINT "discovery_scopes_account_id_8250d47d_fk_cloud_accounts_id" FOREIGN KEY ("account_id") REFERENCES "cloud_accounts" ("id") ON DELETE CASCADE;
ALTER TABLE "discovery_scopes" ADD CONSTRAINT "discovery_scopes_tenant_id_1054b523_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "discovery_seen" ADD CONSTRAINT "discovery_seen_scope_id_23b7d7e3_fk_discovery_scopes_id" FOREIGN KEY ("scope_id") REFERENCES "discovery_scopes" ("id") ON DELETE CASCADE;
ALTER TABLE "discovery_seen" ADD CONSTRAINT "discovery_seen_tenant_id_ca5851e4_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- findings.0012_archive
--
-- Create model ViolationRecord
--
-- (no-op)
--
-- Create partitioned model ViolationHistory by closed_at
--
CREATE TABLE "violations_history" ("id" uuid NOT NULL, "policy_id" text NULL, "resource_id" text NULL, "severity" text NOT NULL, "severity_rank" smallint NOT NULL, "reason" text NOT NULL, "first_seen" timestamp with time zone NOT NULL, "last_seen" timestamp with time zone NOT NULL, "fixed_at" timestamp with time zone NULL, "policy_version" integer NULL, "source" text NOT NULL, "closed_at" timestamp with time zone NOT NULL, "archived_at" timestamp with time zone DEFAULT (now()) NOT NULL, "segment_id" uuid NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "id", "closed_at")) PARTITION BY RANGE ("closed_at");
--
-- Create index violations_closed on F(tenant), Coalesce(F(fixed_at), F(last_seen)) on model violation
--
CREATE INDEX "violations_closed" ON "violations" ("tenant_id", (COALESCE("fixed_at", "last_seen"))) WHERE "status" = 'fixed';
--
-- Create index violations_history_of on field(s) tenant, resource_id, policy_id of model violationhistory
--
CREATE INDEX "violations_history_of" ON "violations_history" ("tenant_id", "resource_id", "policy_id");
--
-- Create index violations_history_segment on field(s) tenant, segment_id of model violationhistory
--
CREATE INDEX "violations_history_segment" ON "violations_history" ("tenant_id", "segment_id");
--
-- Create index violations_history_worst on F(tenant), OrderBy(F(severity_rank), descending=True), OrderBy(F(last_seen), descending=True), OrderBy(F(id), descending=True) on model violationhistory
--
CREATE INDEX "violations_history_worst" ON "violations_history" ("tenant_id", "severity_rank" DESC, "last_seen" DESC, "id" DESC);
--
-- Create index violations_history_recent on F(tenant), OrderBy(F(last_seen), descending=True), OrderBy(F(id), descending=True) on model violationhistory
--
CREATE INDEX "violations_history_recent" ON "violations_history" ("tenant_id", "last_seen" DESC, "id" DESC);
--
-- Raw SQL operation
--

CREATE VIEW violation_records WITH (security_invoker = true) AS
SELECT id, tenant_id, policy_id, resource_id, severity, reason, first_seen, last_seen, status, severity_rank,
       suppressed_until, exception_id, fixed_at, policy_version, source, NULL::timestamptz AS archived_at
FROM violations
UNION ALL
SELECT id, tenant_id, policy_id, resource_id, severity, reason, first_seen, last_seen, 'fixed'::text, severity_rank,
       NULL::timestamptz, NULL::uuid, fixed_at, policy_version, source, archived_at
FROM violations_history;

--
-- Raw SQL operation
--

CREATE OR REPLACE FUNCTION violations_on_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    WITH gone AS MATERIALIZED (
        SELECT o.tenant_id, o.id, o.policy_id, o.resource_id, o.severity, o.status, o.suppressed_until,
               coalesce(o.status = 'suppressed' AND o.suppressed_until <= now(), false) AS was_over
        FROM old_rows o JOIN tenants t ON t.id = o.tenant_id AND t.status <> 'purging'
        WHERE o.status <> 'fixed' OR NOT EXISTS (
            SELECT 1 FROM violations_history h
            WHERE h.tenant_id = o.tenant_id AND h.id = o.id AND h.closed_at = coalesce(o.fixed_at, o.last_seen))
    ),
    told AS MATERIALIZED (
        SELECT 1 AS part, g.tenant_id, g.id, g.policy_id, g.resource_id, g.severity, 'lapsed' AS kind,
               g.suppressed_until AS at, 'suppressed' AS was, 'open' AS becomes
        FROM gone g WHERE g.was_over AND NOT EXISTS (
            SELECT 1 FROM violation_events e
            WHERE e.tenant_id = g.tenant_id AND e.violation_id = g.id AND e.kind = 'lapsed'
              AND e.at >= g.suppressed_until)
        UNION ALL
        SELECT 2, tenant_id, id, policy_id, resource_id, severity, 'removed', now(),
               CASE WHEN was_over THEN 'open' ELSE status END, 'removed'
        FROM gone
    ),
    written AS (
        INSERT INTO violation_events (tenant_id, violation_id, policy_id, resource_id, severity, kind, at, status)
        SELECT tenant_id, id, policy_id, resource_id, severity, kind, at, becomes FROM told ORDER BY id, part
    ),
    counted AS (
        INSERT INTO violation_counters AS c (tenant_id, policy_id, severity, status, n)
        SELECT tenant_id, coalesce(policy_id, ''), severity, status, -count(*) FROM gone
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, policy_id, severity, status) DO UPDATE SET n = c.n + excluded.n
    )
    INSERT INTO posture_days AS p (tenant_id, day, policy_id, severity, status, delta)
    SELECT tenant_id, day, policy, severity, status, sum(d) FROM (
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy, severity,
               becomes AS status, 1 AS d FROM told WHERE becomes <> 'removed'
        UNION ALL
        SELECT tenant_id, (at AT TIME ZONE 'UTC')::date, coalesce(policy_id, ''), severity, was, -1 FROM told
    ) changes
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (tenant_id, day, policy_id, severity, status) DO UPDATE SET delta = p.delta + excluded.delta;
    RETURN NULL;
END $$;

ALTER TABLE "violations_history" ADD CONSTRAINT "violations_history_tenant_id_577a8c3f_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- archive.0001_movers
--
-- Raw SQL operation
--

CREATE FUNCTION archive_protect(child text, parent text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    policy record;
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', child);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', child);
    FOR policy IN
        SELECT p.polname AS name, pg_get_expr(p.polqual, p.polrelid) AS condition,
               (SELECT string_agg(quote_ident(r.rolname), ', ') FROM pg_roles r WHERE r.oid = ANY (p.polroles)) AS roles
        FROM pg_policy p WHERE p.polrelid = to_regclass(parent) AND NOT EXISTS (
            SELECT 1 FROM pg_policy c WHERE c.polrelid = to_regclass(child) AND c.polname = p.polname
              AND c.polroles = p.polroles
              AND pg_get_expr(c.polqual, c.polrelid) = pg_get_expr(p.polqual, p.polrelid))
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON %I', policy.name, child);
        EXECUTE format('CREATE POLICY %I ON %I TO %s USING (%s)', policy.name, child,
                       coalesce(policy.roles, 'PUBLIC'), policy.condition);
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION archive_protect(text, text) FROM PUBLIC;

CREATE FUNCTION archive_partition(parent text, moment timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET TimeZone = 'UTC' AS $$
DECLARE
    first timestamptz := date_trunc('quarter', moment);
    beyond timestamptz := date_trunc('quarter', moment) + interval '3 months';
    child text := format('%s_%sq%s', parent, extract(year FROM first), extract(quarter FROM first));
BEGIN
    IF parent NOT IN ('violations_history', 'action_events_history') THEN
        RAISE EXCEPTION '% has no partitions by quarter', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF first < timestamptz '2000-01-01' OR first > now() + interval '2 years' THEN
        RAISE EXCEPTION '% is no time that % may hold', moment, parent USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(child) AND inhparent = to_regclass(parent))
    THEN
        PERFORM pg_advisory_xact_lock(hashtext('archive_partition'), hashtext(child));
        IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(child) AND inhparent = to_regclass(parent))
        THEN
            RETURN child;
        END IF;
        IF to_regclass(child) IS NOT NULL THEN
            RAISE EXCEPTION 'the partition % of % is detached', child, parent
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', child, parent);
        PERFORM archive_protect(child, parent);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, first, beyond);
    END IF;
    RETURN child;
END $$;
REVOKE EXECUTE ON FUNCTION archive_partition(text, timestamptz) FROM PUBLIC;

--
-- Raw SQL operation
--

CREATE FUNCTION archive_cut(asked uuid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT now() - make_interval(days => least(90, greatest(30, coalesce((
        SELECT CASE WHEN jsonb_typeof(settings -> 'retention' -> 'hot_days') = 'number'
                    THEN trunc((settings -> 'retention' ->> 'hot_days')::numeric)::integer END
        FROM tenants WHERE id = asked), 90))));
END;

--
-- Raw SQL operation
--

CREATE FUNCTION archive_violations(at_most integer)
RETURNS TABLE (segment uuid, quarter date, moved bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET TimeZone = 'UTC' AS $$
DECLARE
    mine uuid := nullif(current_setting('rls.tenant_id', true), '')::uuid;
    cut timestamptz := archive_cut(mine);
    first timestamptz;
    batch uuid := new_uuid7();
    n bigint;
BEGIN
    SELECT coalesce(v.fixed_at, v.last_seen) INTO first FROM violations v
    WHERE v.tenant_id = mine AND v.status = 'fixed' AND coalesce(v.fixed_at, v.last_seen) < cut
    ORDER BY coalesce(v.fixed_at, v.last_seen) LIMIT 1;
    IF first IS NULL THEN
        RETURN;
    END IF;
    PERFORM archive_partition('violations_history', first);
    WITH due AS MATERIALIZED (
        SELECT v.id FROM violations v
        WHERE v.tenant_id = mine AND v.status = 'fixed' AND coalesce(v.fixed_at, v.last_seen) >= first
          AND coalesce(v.fixed_at, v.last_seen)
              < least(cut, date_trunc('quarter', first) + interval '3 months')
        ORDER BY coalesce(v.fixed_at, v.last_seen) LIMIT least(at_most, 20000) FOR UPDATE SKIP LOCKED
    ),
    gone AS (DELETE FROM violations v USING due WHERE v.id = due.id RETURNING v.*)
    INSERT INTO violations_history (tenant_id, id, policy_id, resource_id, severity, severity_rank, reason, first_seen,
                                    last_seen, fixed_at, policy_version, source, closed_at, segment_id)
    SELECT g.tenant_id, g.id, g.policy_id, g.resource_id, g.severity, g.severity_rank, g.reason, g.first_seen,
           g.last_seen, g.fixed_at, g.policy_version, g.source, coalesce(g.fixed_at, g.last_seen), batch
    FROM gone g;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT batch, date_trunc('quarter', first)::date, n WHERE n > 0;
END $$;
REVOKE EXECUTE ON FUNCTION archive_violations(integer) FROM PUBLIC;

CREATE FUNCTION archive_action_events(at_most integer)
RETURNS TABLE (segment uuid, quarter date, moved bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET TimeZone = 'UTC' AS $$
DECLARE
    mine uuid := nullif(current_setting('rls.tenant_id', true), '')::uuid;
    cut timestamptz := archive_cut(mine);
    first timestamptz;
    batch uuid := new_uuid7();
    n bigint;
BEGIN
    SELECT e.ts INTO first FROM action_events e JOIN actions a ON a.id = e.action_id AND a.tenant_id = mine
    WHERE e.tenant_id = mine AND e.ts < cut AND a.updated_at < cut
      AND a.status IN ('completed', 'failed', 'rolled_back')
    ORDER BY e.ts, e.id LIMIT 1;
    IF first IS NULL THEN
        RETURN;
    END IF;
    PERFORM archive_partition('action_events_history', first);
    WITH due AS MATERIALIZED (
        SELECT e.id FROM action_events e JOIN actions a ON a.id = e.action_id AND a.tenant_id = mine
        WHERE e.tenant_id = mine AND e.ts >= first
          AND e.ts < least(cut, date_trunc('quarter', first) + interval '3 months')
          AND a.updated_at < cut AND a.status IN ('completed', 'failed', 'rolled_back')
        ORDER BY e.ts, e.id LIMIT least(at_most, 20000) FOR UPDATE OF e SKIP LOCKED
    ),
    gone AS (DELETE FROM action_events e USING due WHERE e.id = due.id RETURNING e.*)
    INSERT INTO action_events_history (tenant_id, id, action_id, ts, message, segment_id)
    SELECT g.tenant_id, g.id, g.action_id, g.ts, g.message, batch FROM gone g;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN QUERY SELECT batch, date_trunc('quarter', first)::date, n WHERE n > 0;
END $$;
REVOKE EXECUTE ON FUNCTION archive_action_events(integer) FROM PUBLIC;


-- archive.0002_holds
--
-- Create model LegalHold
--
CREATE TABLE "legal_holds" ("id" uuid NOT NULL PRIMARY KEY, "area" text DEFAULT '' NOT NULL, "reason" text NOT NULL, "placed_by" text NOT NULL, "placed_at" timestamp with time zone DEFAULT (now()) NOT NULL, "released_by" text DEFAULT '' NOT NULL, "released_at" timestamp with time zone NULL, "release_reason" text DEFAULT '' NOT NULL, "tenant_id" uuid NOT NULL);
ALTER TABLE "legal_holds" ADD CONSTRAINT "legal_holds_tenant_id_f14d1212_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "legal_holds_recent" ON "legal_holds" ("tenant_id", "placed_at" DESC, "id" DESC);

-- audit.0004_seal
--
-- Create model PlatformCheckpoint
--
CREATE TABLE "audit_platform_checkpoints" ("size" bigint NOT NULL PRIMARY KEY, "root" bytea NOT NULL, "peaks" bytea NOT NULL, "note" text NOT NULL, "object_key" text NOT NULL, "version_id" text DEFAULT '' NOT NULL, "sealed_at" timestamp with time zone DEFAULT (now()) NOT NULL, "anchored_at" timestamp with time zone NULL);
--
-- Create model AuditNode
--
CREATE TABLE "audit_nodes" ("level" smallint NOT NULL, "position" bigint NOT NULL, "hash" bytea NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "level", "position"));
--
-- Create model AuditChain
--
CREATE TABLE "audit_chains" ("id" uuid NOT NULL PRIMARY KEY, "size" bigint DEFAULT 0 NOT NULL, "peaks" bytea DEFAULT '\x'::bytea NOT NULL, "read_xid" xid8 DEFAULT '0' NOT NULL, "read_id" uuid DEFAULT '00000000000000000000000000000000'::uuid NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model AuditCheckpoint
--
CREATE TABLE "audit_checkpoints" ("size" bigint NOT NULL, "root" bytea NOT NULL, "note" text NOT NULL, "object_key" text NOT NULL, "version_id" text DEFAULT '' NOT NULL, "sealed_at" timestamp with time zone DEFAULT (now()) NOT NULL, "anchored_at" timestamp with time zone NULL, "platform_size" bigint NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "size"));
--
-- Create model AuditLeaf
--
CREATE TABLE "audit_leaves" ("seq" bigint NOT NULL, "audit_id" uuid NOT NULL, "leaf" bytea NOT NULL, "tenant_id" uuid NOT NULL, CONSTRAINT "audit_leaves_once" UNIQUE ("tenant_id", "audit_id"), PRIMARY KEY ("tenant_id", "seq"));
ALTER TABLE "audit_nodes" ADD CONSTRAINT "audit_nodes_tenant_id_51943aa3_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "audit_chains" ADD CONSTRAINT "audit_chains_tenant_id_e0422678_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "audit_chains" ADD CONSTRAINT "audit_chains_tenant_key" UNIQUE ("tenant_id");
ALTER TABLE "audit_checkpoints" ADD CONSTRAINT "audit_checkpoints_tenant_id_0db75469_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
CREATE INDEX "audit_checkpoints_unfinished" ON "audit_checkpoints" ("tenant_id") WHERE "platform_size" IS NULL;
ALTER TABLE "audit_leaves" ADD CONSTRAINT "audit_leaves_tenant_id_b9d48c08_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- audit.0005_seal_state
--
-- Raw SQL operation
--

CREATE FUNCTION audit_seal_state() RETURNS TABLE (waiting bigint, oldest timestamptz, anchored_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT count(*), min(w.since), (SELECT max(p.anchored_at) FROM audit_platform_checkpoints p)
    FROM (
        SELECT r.created_at AS since
        FROM tenants t
        LEFT JOIN audit_chains c ON c.tenant_id = t.id
        CROSS JOIN LATERAL (
            SELECT a.created_at FROM audits a
            WHERE a.tenant_id = t.id AND (a.xid, a.id) > (
                coalesce(c.read_xid, '0'::xid8), coalesce(c.read_id, '00000000-0000-0000-0000-000000000000'::uuid))
            ORDER BY a.xid LIMIT 1000
        ) r
        UNION ALL
        SELECT k.sealed_at FROM audit_checkpoints k WHERE k.platform_size IS NULL
        UNION ALL
        SELECT k.sealed_at FROM audit_platform_checkpoints k WHERE k.anchored_at IS NULL
    ) w;
END;
REVOKE EXECUTE ON FUNCTION audit_seal_state() FROM PUBLIC;


-- audit.0006_purges
--
-- Create model AuditPurge
--
CREATE TABLE "audit_purges" ("id" uuid NOT NULL PRIMARY KEY, "purged_id" uuid NOT NULL, "size" bigint DEFAULT 0 NOT NULL, "certificate" text DEFAULT '' NOT NULL, "sha256" text DEFAULT '' NOT NULL, "began_at" timestamp with time zone DEFAULT (now()) NOT NULL, "ended_at" timestamp with time zone NULL, "platform_size" bigint NULL);
CREATE INDEX "audit_purges_of" ON "audit_purges" ("purged_id", "began_at");

-- tenancy.0007_listing
--
-- Add field listing to cloudaccount
--
ALTER TABLE "cloud_accounts" ADD COLUMN "listing" text DEFAULT 'describe' NOT NULL;
--
-- Create constraint cloud_accounts_listing_check on model cloudaccount
--
ALTER TABLE "cloud_accounts" ADD CONSTRAINT "cloud_accounts_listing_check" CHECK ("listing" IN ('describe', 'config', 'explorer'));

-- findings.0013_recommendation_orders
--
-- Add field savings_order to recommendation
--
ALTER TABLE "recommendations" ADD COLUMN "savings_order" numeric GENERATED ALWAYS AS (COALESCE("savings", 0)) STORED;
--
-- Create index recommendations_by_saving on F(tenant), OrderBy(F(savings_order), descending=True), OrderBy(F(id), descending=True) on model recommendation
--
CREATE INDEX "recommendations_by_saving" ON "recommendations" ("tenant_id", "savings_order" DESC, "id" DESC);
--
-- Create index recommendations_resource on field(s) tenant, resource_id of model recommendation
--
CREATE INDEX "recommendations_resource" ON "recommendations" ("tenant_id", "resource_id") WHERE "resource_id" IS NOT NULL;

-- costs.0001_initial
--
-- Create model CostDay
--
CREATE TABLE "cost_timeseries" ("tenant_id" uuid NOT NULL, "service" text NOT NULL, "resource_id" text NULL, "day" date NOT NULL, "amount" numeric NOT NULL, PRIMARY KEY ("tenant_id", "service", "day"));
CREATE INDEX "cost_timeseries_recent" ON "cost_timeseries" ("tenant_id", "service", "day" DESC);

-- costs.0002_hypertable
--
-- Create hypertable costday by day
--
-- (no-op)

-- costs.0003_lines
--
-- Create model Budget
--
CREATE TABLE "cost_budgets" ("id" uuid NOT NULL PRIMARY KEY, "name" text NOT NULL, "scope" text DEFAULT 'tenant' NOT NULL, "scope_key" text DEFAULT '' NOT NULL, "scope_value" text DEFAULT '' NOT NULL, "period" text DEFAULT 'month' NOT NULL, "amount" numeric NOT NULL, "thresholds" integer[] DEFAULT '{80,100}'::int4[]::integer[] NOT NULL, "on_forecast" boolean DEFAULT true NOT NULL, "status" text DEFAULT 'active' NOT NULL, "created_by" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model BudgetAlert
--
CREATE TABLE "cost_budget_alerts" ("id" uuid NOT NULL PRIMARY KEY, "period_start" date NOT NULL, "kind" text DEFAULT 'actual' NOT NULL, "threshold" integer NOT NULL, "amount" numeric NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "budget_id" uuid NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CostAnomaly
--
CREATE TABLE "cost_anomalies" ("id" uuid NOT NULL PRIMARY KEY, "service" text NOT NULL, "first_day" date NOT NULL, "last_day" date NOT NULL, "direction" text DEFAULT 'up' NOT NULL, "expected" numeric NOT NULL, "actual" numeric NOT NULL, "impact" numeric NOT NULL, "score" numeric DEFAULT 0 NOT NULL, "currency" text DEFAULT '' NOT NULL, "causes" jsonb DEFAULT '[]'::jsonb NOT NULL, "status" text DEFAULT 'open' NOT NULL, "reason" text DEFAULT '' NOT NULL, "decided_by" text DEFAULT '' NOT NULL, "detected_at" timestamp with time zone DEFAULT (now()) NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CostAnomalyEvent
--
CREATE TABLE "cost_anomaly_events" ("id" bigserial NOT NULL PRIMARY KEY, "ts" timestamp with time zone DEFAULT (now()) NOT NULL, "actor" text DEFAULT '' NOT NULL, "from_status" text DEFAULT '' NOT NULL, "to_status" text NOT NULL, "note" text DEFAULT '' NOT NULL, "anomaly_id" uuid NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CostLine
--
CREATE TABLE "cost_lines" ("id" bigserial NOT NULL PRIMARY KEY, "line_key" uuid NOT NULL, "occurrence" integer DEFAULT 1 NOT NULL, "import_run_id" uuid NULL, "resource_id" text NULL, "day" date NOT NULL, "provider" text NOT NULL, "billing_account_id" text NOT NULL, "billing_account_name" text NULL, "sub_account_id" text NULL, "sub_account_name" text NULL, "billing_period_start" date NOT NULL, "billing_period_end" date NULL, "charge_period_start" timestamp with time zone NOT NULL, "charge_period_end" timestamp with time zone NULL, "charge_category" text DEFAULT 'Usage' NOT NULL, "charge_class" text NULL, "charge_description" text NULL, "charge_frequency" text NULL, "service_name" text NOT NULL, "service_category" text NULL, "service_subcategory" text NULL, "service_provider_name" text NULL, "host_provider_name" text NULL, "invoice_issuer_name" text NULL, "invoice_id" text NULL, "resource_native_id" text NULL, "resource_name" text NULL, "resource_type" text NULL, "region_id" text NULL, "region_name" text NULL, "availability_zone" text NULL, "sku_id" text NULL, "sku_meter" text NULL, "sku_price_id" text NULL, "pricing_category" text NULL, "pricing_quantity" numeric NULL, "pricing_unit" text NULL, "list_unit_price" numeric NULL, "contracted_unit_price" numeric NULL, "consumed_quantity" numeric NULL, "consumed_unit" text NULL, "commitment_discount_id" text NULL, "commitment_discount_name" text NULL, "commitment_discount_category" text NULL, "commitment_discount_type" text NULL, "commitment_discount_status" text NULL, "commitment_discount_quantity" numeric NULL, "commitment_discount_unit" text NULL, "capacity_reservation_id" text NULL, "capacity_reservation_status" text NULL, "allocated_resource_id" text NULL, "billed_cost" numeric NOT NULL, "effective_cost" numeric NULL, "list_cost" numeric NULL, "contracted_cost" numeric NULL, "billing_currency" text NOT NULL, "tags" jsonb DEFAULT '{}'::jsonb NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CostPeriod
--
CREATE TABLE "cost_periods" ("id" uuid NOT NULL PRIMARY KEY, "provider" text NOT NULL, "billing_account_id" text NOT NULL, "billing_period_start" date NOT NULL, "billing_account_name" text DEFAULT '' NOT NULL, "lines" bigint DEFAULT 0 NOT NULL, "totals" jsonb DEFAULT '{}'::jsonb NOT NULL, "last_day" date NULL, "revision" integer DEFAULT 1 NOT NULL, "import_run_id" uuid NULL, "changed_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CostRollup
--
CREATE TABLE "cost_rollups" ("day" date NOT NULL, "currency" text NOT NULL, "billed" numeric DEFAULT 0 NOT NULL, "effective" numeric DEFAULT 0 NOT NULL, "lines" bigint DEFAULT 0 NOT NULL, "provider" text NOT NULL, "service" text NOT NULL, "account" text DEFAULT '' NOT NULL, "region" text DEFAULT '' NOT NULL, "category" text DEFAULT '' NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "day", "service", "account", "region", "category", "provider", "currency"));
--
-- Create model CostSettings
--
CREATE TABLE "cost_settings" ("id" uuid NOT NULL PRIMARY KEY, "currency" text DEFAULT '' NOT NULL, "tag_keys" text[] DEFAULT '{}'::text[] NOT NULL, "updated_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model CostTagRollup
--
CREATE TABLE "cost_tag_rollups" ("day" date NOT NULL, "currency" text NOT NULL, "billed" numeric DEFAULT 0 NOT NULL, "effective" numeric DEFAULT 0 NOT NULL, "lines" bigint DEFAULT 0 NOT NULL, "key" text NOT NULL, "value" text DEFAULT '' NOT NULL, "service" text NOT NULL, "account" text DEFAULT '' NOT NULL, "category" text DEFAULT '' NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "key", "day", "value", "service", "account", "category", "currency"));
--
-- Create model UnitMetric
--
CREATE TABLE "cost_unit_metrics" ("metric" text NOT NULL, "day" date NOT NULL, "quantity" numeric NOT NULL, "tenant_id" uuid NOT NULL, PRIMARY KEY ("tenant_id", "metric", "day"));
--
-- Create index cost_timeseries_by_day on F(tenant_id), F(day) on model costday
--
CREATE INDEX "cost_timeseries_by_day" ON "cost_timeseries" ("tenant_id", "day");
--
-- Create index cost_budgets_by_name on field(s) tenant, name, id of model budget
--
CREATE INDEX "cost_budgets_by_name" ON "cost_budgets" ("tenant_id", "name", "id");
--
-- Create constraint cost_budgets_scope_check on model budget
--
ALTER TABLE "cost_budgets" ADD CONSTRAINT "cost_budgets_scope_check" CHECK ("scope" IN ('tenant', 'service', 'account', 'region', 'provider', 'tag'));
--
-- Create constraint cost_budgets_period_check on model budget
--
ALTER TABLE "cost_budgets" ADD CONSTRAINT "cost_budgets_period_check" CHECK ("period" IN ('month', 'quarter', 'year'));
--
-- Create constraint cost_budgets_status_check on model budget
--
ALTER TABLE "cost_budgets" ADD CONSTRAINT "cost_budgets_status_check" CHECK ("status" IN ('active', 'ended'));
--
-- Create constraint cost_budgets_amount_check on model budget
--
ALTER TABLE "cost_budgets" ADD CONSTRAINT "cost_budgets_amount_check" CHECK ("amount" > 0);
--
-- Create constraint cost_budgets_tenant_id_id_key on model budget
--
ALTER TABLE "cost_budgets" ADD CONSTRAINT "cost_budgets_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint cost_budget_alerts_kind_check on model budgetalert
--
ALTER TABLE "cost_budget_alerts" ADD CONSTRAINT "cost_budget_alerts_kind_check" CHECK ("kind" IN ('actual', 'forecast'));
--
-- Create constraint cost_budget_alerts_once on model budgetalert
--
ALTER TABLE "cost_budget_alerts" ADD CONSTRAINT "cost_budget_alerts_once" UNIQUE ("tenant_id", "budget_id", "period_start", "kind", "threshold");
--
-- Create constraint cost_budget_alerts_budget_fk on model budgetalert
--
ALTER TABLE "cost_budget_alerts" ADD CONSTRAINT "cost_budget_alerts_budget_fk" FOREIGN KEY ("tenant_id", "budget_id") REFERENCES "cost_budgets" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index cost_anomalies_recent on F(tenant), OrderBy(F(last_day), descending=True), OrderBy(F(id), descending=True) on model costanomaly
--
CREATE INDEX "cost_anomalies_recent" ON "cost_anomalies" ("tenant_id", "last_day" DESC, "id" DESC);
--
-- Create index cost_anomalies_status on field(s) tenant, status of model costanomaly
--
CREATE INDEX "cost_anomalies_status" ON "cost_anomalies" ("tenant_id", "status");
--
-- Create constraint cost_anomalies_status_check on model costanomaly
--
ALTER TABLE "cost_anomalies" ADD CONSTRAINT "cost_anomalies_status_check" CHECK ("status" IN ('open', 'acknowledged', 'dismissed', 'expected', 'withdrawn'));
--
-- Create constraint cost_anomalies_tenant_id_id_key on model costanomaly
--
ALTER TABLE "cost_anomalies" ADD CONSTRAINT "cost_anomalies_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint cost_anomalies_key on model costanomaly
--
ALTER TABLE "cost_anomalies" ADD CONSTRAINT "cost_anomalies_key" UNIQUE ("tenant_id", "service", "first_day", "direction");
--
-- Create index cost_anomaly_events_of on field(s) tenant, anomaly, id of model costanomalyevent
--
CREATE INDEX "cost_anomaly_events_of" ON "cost_anomaly_events" ("tenant_id", "anomaly_id", "id");
--
-- Create constraint cost_anomaly_events_anomaly_fk on model costanomalyevent
--
ALTER TABLE "cost_anomaly_events" ADD CONSTRAINT "cost_anomaly_events_anomaly_fk" FOREIGN KEY ("tenant_id", "anomaly_id") REFERENCES "cost_anomalies" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create index cost_lines_scope on field(s) tenant, billing_account_id, billing_period_start, provider of model costline
--
CREATE INDEX "cost_lines_scope" ON "cost_lines" ("tenant_id", "billing_account_id", "billing_period_start", "provider");
--
-- Create index cost_lines_by_day on field(s) tenant, day, id of model costline
--
CREATE INDEX "cost_lines_by_day" ON "cost_lines" ("tenant_id", "day", "id");
--
-- Create index cost_lines_by_resource on field(s) tenant, resource_native_id, day of model costline
--
CREATE INDEX "cost_lines_by_resource" ON "cost_lines" ("tenant_id", "resource_native_id", "day") WHERE "resource_native_id" IS NOT NULL;
--
-- Create index cost_periods_recent on F(tenant), OrderBy(F(changed_at), descending=True), F(id) on model costperiod
--
CREATE INDEX "cost_periods_recent" ON "cost_periods" ("tenant_id", "changed_at" DESC, "id");
--
-- Create constraint cost_periods_key on model costperiod
--
ALTER TABLE "cost_periods" ADD CONSTRAINT "cost_periods_key" UNIQUE ("tenant_id", "provider", "billing_account_id", "billing_period_start");
--
-- Create constraint cost_settings_tenant_key on model costsettings
--
ALTER TABLE "cost_settings" ADD CONSTRAINT "cost_settings_tenant_key" UNIQUE ("tenant_id");
ALTER TABLE "cost_budgets" ADD CONSTRAINT "cost_budgets_tenant_id_c6fd1b07_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_budget_alerts" ADD CONSTRAINT "cost_budget_alerts_budget_id_3ecd033c_fk_cost_budgets_id" FOREIGN KEY ("budget_id") REFERENCES "cost_budgets" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_budget_alerts" ADD CONSTRAINT "cost_budget_alerts_tenant_id_d45ab18e_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_anomalies" ADD CONSTRAINT "cost_anomalies_tenant_id_f5f909ef_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_anomaly_events" ADD CONSTRAINT "cost_anomaly_events_anomaly_id_0ce1161f_fk_cost_anomalies_id" FOREIGN KEY ("anomaly_id") REFERENCES "cost_anomalies" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_anomaly_events" ADD CONSTRAINT "cost_anomaly_events_tenant_id_4613fb87_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_lines" ADD CONSTRAINT "cost_lines_tenant_id_c88aed68_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_periods" ADD CONSTRAINT "cost_periods_tenant_id_af0ac223_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_rollups" ADD CONSTRAINT "cost_rollups_tenant_id_4444a8c2_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_settings" ADD CONSTRAINT "cost_settings_tenant_id_27efe6f0_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_tag_rollups" ADD CONSTRAINT "cost_tag_rollups_tenant_id_b94aa814_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "cost_unit_metrics" ADD CONSTRAINT "cost_unit_metrics_tenant_id_7cc969dd_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;

-- costs.0004_account_names
--
-- Add field account_names to costsettings
--
ALTER TABLE "cost_settings" ADD COLUMN "account_names" jsonb DEFAULT '{}'::jsonb NOT NULL;

-- costs.0005_known_resource_index
--
-- Create index cost_lines_by_known_resource on field(s) tenant, resource_id, day of model costline
--
CREATE INDEX "cost_lines_by_known_resource" ON "cost_lines" ("tenant_id", "resource_id", "day") WHERE "resource_id" IS NOT NULL;

-- reports.0001_initial
--
-- Create model Report
--
CREATE TABLE "reports" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "period_from" date NOT NULL, "period_to" date NOT NULL, "status" text DEFAULT 'queued' NOT NULL, "job_id" uuid NULL, "object_key" text DEFAULT '' NOT NULL, "version_id" text DEFAULT '' NOT NULL, "sha256" text DEFAULT '' NOT NULL, "size" bigint NULL, "manifest" jsonb DEFAULT '{}'::jsonb NOT NULL, "error" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "finished_at" timestamp with time zone NULL, "requested_by" uuid NULL);
ALTER TABLE "reports" ADD CONSTRAINT "reports_tenant_id_883fb1f2_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "reports" ADD CONSTRAINT "reports_requested_by_a81ed14a_fk_users_id" FOREIGN KEY ("requested_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "reports" ADD CONSTRAINT "reports_status_check" CHECK ("status" IN ('queued', 'running', 'succeeded', 'failed', 'cancelled'));
ALTER TABLE "reports" ADD CONSTRAINT "reports_tenant_id_id_key" UNIQUE ("tenant_id", "id");
ALTER TABLE "reports" ADD CONSTRAINT "reports_requested_by_fk" FOREIGN KEY ("tenant_id", "requested_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
CREATE INDEX "reports_recent" ON "reports" ("tenant_id", "created_at" DESC, "id" DESC);

-- reports.0002_framework
--
-- Add field framework to report
--
ALTER TABLE "reports" ADD COLUMN "framework_id" uuid NULL;
--
-- Create constraint reports_framework_fk on model report
--
ALTER TABLE "reports" ADD CONSTRAINT "reports_framework_fk" FOREIGN KEY ("tenant_id", "framework_id") REFERENCES "frameworks" ("tenant_id", "id") ON DELETE NO ACTION;
ALTER TABLE "reports" ADD CONSTRAINT "reports_framework_id_67f1b76f_fk_frameworks_id" FOREIGN KEY ("framework_id") REFERENCES "frameworks" ("id") ON DELETE NO ACTION;

-- reports.0003_scope
--
-- Add field scope to report
--
ALTER TABLE "reports" ADD COLUMN "scope" jsonb DEFAULT '{}'::jsonb NOT NULL;

-- notices.0001_initial
--
-- Create model Notice
--
CREATE TABLE "notices" ("id" uuid NOT NULL PRIMARY KEY, "code" text NOT NULL, "key" text DEFAULT '' NOT NULL, "title" text NOT NULL, "text" text DEFAULT '' NOT NULL, "path" text DEFAULT '/' NOT NULL, "payload" jsonb DEFAULT '{}'::jsonb NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model WebhookEndpoint
--
CREATE TABLE "webhook_endpoints" ("id" uuid NOT NULL PRIMARY KEY, "name" text NOT NULL, "url" text NOT NULL, "codes" text[] DEFAULT '{}'::text[] NOT NULL, "is_active" boolean DEFAULT true NOT NULL, "inactive_reason" text DEFAULT '' NOT NULL, "salt" bytea DEFAULT '\x'::bytea NOT NULL, "former_salt" bytea NULL, "former_until" timestamp with time zone NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "created_by" uuid NULL, "tenant_id" uuid NOT NULL);
--
-- Create model Delivery
--
CREATE TABLE "notice_deliveries" ("id" uuid NOT NULL PRIMARY KEY, "channel" text NOT NULL, "address" text NOT NULL, "status" text DEFAULT 'pending' NOT NULL, "attempts" integer DEFAULT 0 NOT NULL, "not_before" timestamp with time zone DEFAULT (now()) NOT NULL, "error" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "finished_at" timestamp with time zone NULL, "tenant_id" uuid NOT NULL, "user_id" uuid NULL, "notice_id" uuid NOT NULL, "endpoint_id" uuid NULL);
--
-- Create model DeliveryAttempt
--
CREATE TABLE "notice_attempts" ("id" bigserial NOT NULL PRIMARY KEY, "number" integer DEFAULT 1 NOT NULL, "delivered" boolean DEFAULT false NOT NULL, "code" text DEFAULT '' NOT NULL, "duration_ms" integer DEFAULT 0 NOT NULL, "error" text DEFAULT '' NOT NULL, "at" timestamp with time zone DEFAULT (now()) NOT NULL, "delivery_id" uuid NOT NULL, "tenant_id" uuid NOT NULL);
--
-- Create model Mute
--
CREATE TABLE "notice_mutes" ("id" uuid NOT NULL PRIMARY KEY, "family" text NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "tenant_id" uuid NOT NULL, "user_id" uuid NOT NULL, CONSTRAINT "notice_mutes_user_family_key" UNIQUE ("tenant_id", "user_id", "family"));
--
-- Create constraint notices_tenant_id_id_key on model notice
--
ALTER TABLE "notices" ADD CONSTRAINT "notices_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint notices_subject_key on model notice
--
CREATE UNIQUE INDEX "notices_subject_key" ON "notices" ("tenant_id", "code", "key") WHERE NOT ("key" = '');
--
-- Create index webhook_endpoints_recent on F(tenant), OrderBy(F(created_at), descending=True), OrderBy(F(id), descending=True) on model webhookendpoint
--
CREATE INDEX "webhook_endpoints_recent" ON "webhook_endpoints" ("tenant_id", "created_at" DESC, "id" DESC);
--
-- Create constraint webhook_endpoints_tenant_id_id_key on model webhookendpoint
--
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint webhook_endpoints_created_by_fk on model webhookendpoint
--
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_created_by_fk" FOREIGN KEY ("tenant_id", "created_by") REFERENCES "users" ("tenant_id", "id") ON DELETE NO ACTION;
--
-- Create index notice_deliveries_recent on F(tenant), OrderBy(F(created_at), descending=True), OrderBy(F(id), descending=True) on model delivery
--
CREATE INDEX "notice_deliveries_recent" ON "notice_deliveries" ("tenant_id", "created_at" DESC, "id" DESC);
--
-- Create index notice_deliveries_of_user on F(tenant), F(user), OrderBy(F(created_at), descending=True), OrderBy(F(id), descending=True) on model delivery
--
CREATE INDEX "notice_deliveries_of_user" ON "notice_deliveries" ("tenant_id", "user_id", "created_at" DESC, "id" DESC);
--
-- Create index notice_deliveries_of_notice on field(s) tenant, notice of model delivery
--
CREATE INDEX "notice_deliveries_of_notice" ON "notice_deliveries" ("tenant_id", "notice_id");
--
-- Create index notice_deliveries_due on field(s) tenant, not_before of model delivery
--
CREATE INDEX "notice_deliveries_due" ON "notice_deliveries" ("tenant_id", "not_before") WHERE "status" = 'pending';
--
-- Create constraint notice_deliveries_channel_check on model delivery
--
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_channel_check" CHECK ("channel" IN ('email', 'webhook'));
--
-- Create constraint notice_deliveries_status_check on model delivery
--
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_status_check" CHECK ("status" IN ('pending', 'delivered', 'failed'));
--
-- Create constraint notice_deliveries_tenant_id_id_key on model delivery
--
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_tenant_id_id_key" UNIQUE ("tenant_id", "id");
--
-- Create constraint notice_deliveries_notice_fk on model delivery
--
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_notice_fk" FOREIGN KEY ("tenant_id", "notice_id") REFERENCES "notices" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create constraint notice_deliveries_user_fk on model delivery
--
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users" ("tenant_id", "id") ON DELETE CASCADE;
--
-- Create constraint notice_deliveries_endpoint_fk on model delivery
--
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_endpoint_fk" FOREIGN KEY ("tenant_id", "endpoint_id") REFERENCES "webhook_endpoints" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "notices" ADD CONSTRAINT "notices_tenant_id_e840529e_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_created_by_e93cd314_fk_users_id" FOREIGN KEY ("created_by") REFERENCES "users" ("id") ON DELETE NO ACTION;
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_tenant_id_d59f169c_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_tenant_id_15251627_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_user_id_05c89f0e_fk_users_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_notice_id_6096bd88_fk_notices_id" FOREIGN KEY ("notice_id") REFERENCES "notices" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_deliveries" ADD CONSTRAINT "notice_deliveries_endpoint_id_f3cef423_fk_webhook_endpoints_id" FOREIGN KEY ("endpoint_id") REFERENCES "webhook_endpoints" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_attempts" ADD CONSTRAINT "notice_attempts_delivery_id_7123d5b4_fk_notice_deliveries_id" FOREIGN KEY ("delivery_id") REFERENCES "notice_deliveries" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_attempts" ADD CONSTRAINT "notice_attempts_tenant_id_a6d758d6_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_attempts" ADD CONSTRAINT "notice_attempts_delivery_fk" FOREIGN KEY ("tenant_id", "delivery_id") REFERENCES "notice_deliveries" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX "notice_attempts_of_delivery" ON "notice_attempts" ("tenant_id", "delivery_id", "id");
ALTER TABLE "notice_mutes" ADD CONSTRAINT "notice_mutes_tenant_id_1aee2d3b_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_mutes" ADD CONSTRAINT "notice_mutes_user_id_6d1c450f_fk_users_id" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE;
ALTER TABLE "notice_mutes" ADD CONSTRAINT "notice_mutes_user_fk" FOREIGN KEY ("tenant_id", "user_id") REFERENCES "users" ("tenant_id", "id") ON DELETE CASCADE;

-- jobs.0001_initial
--
-- Create model Job
--
CREATE TABLE "jobs" ("id" uuid NOT NULL PRIMARY KEY, "tenant_id" uuid NOT NULL, "type" text NOT NULL, "queue" text NOT NULL, "params" jsonb DEFAULT '{}'::jsonb NOT NULL, "idempotency_key" text NOT NULL, "status" text DEFAULT 'queued' NOT NULL, "attempts" integer DEFAULT 0 NOT NULL, "max_attempts" integer DEFAULT 5 NOT NULL, "not_before" timestamp with time zone DEFAULT (now()) NOT NULL, "sent_at" timestamp with time zone NULL, "lease_token" uuid NULL, "lease_until" timestamp with time zone NULL, "cancel_requested" boolean DEFAULT false NOT NULL, "progress_done" bigint DEFAULT 0 NOT NULL, "progress_total" bigint NULL, "progress_note" text DEFAULT '' NOT NULL, "result" jsonb NULL, "error" text DEFAULT '' NOT NULL, "created_by" text DEFAULT '' NOT NULL, "created_at" timestamp with time zone DEFAULT (now()) NOT NULL, "started_at" timestamp with time zone NULL, "finished_at" timestamp with time zone NULL);
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_tenant_id_817b1f3e_fk_tenants_id" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id") ON DELETE CASCADE;
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_status_check" CHECK ("status" IN ('queued', 'running', 'succeeded', 'failed', 'cancelled'));
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_idempotency_key" UNIQUE ("tenant_id", "idempotency_key");
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_tenant_id_id_key" UNIQUE ("tenant_id", "id");
CREATE INDEX "jobs_recent" ON "jobs" ("tenant_id", "created_at" DESC, "id" DESC);
CREATE INDEX "jobs_unfinished" ON "jobs" ("not_before") WHERE "status" IN ('queued', 'running');

-- jobs.0002_due
--
-- Raw SQL operation
--

CREATE FUNCTION jobs_due(quiet interval, at_most integer)
RETURNS TABLE (id uuid, tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT j.id, j.tenant_id FROM jobs j
    WHERE (
        j.status = 'queued' AND j.not_before <= now() AND (j.sent_at IS NULL OR j.sent_at < now() - quiet)
    ) OR (
        j.status = 'running' AND j.lease_until < now() AND (j.sent_at IS NULL OR j.sent_at < now() - quiet)
    )
    ORDER BY j.not_before, j.id LIMIT at_most;
END;
REVOKE EXECUTE ON FUNCTION jobs_due(interval, integer) FROM PUBLIC;


-- core.0003_schema_version
--
-- Schema version 1.0.0
--
INSERT INTO schema_version (version) VALUES ('1.0.0');

-- core.0004_schema_1_1_0
--
-- Schema version 1.1.0
--
INSERT INTO schema_version (version) VALUES ('1.1.0');

-- core.0005_schema_1_2_0
--
-- Schema version 1.2.0
--
INSERT INTO schema_version (version) VALUES ('1.2.0');

-- core.0006_schema_1_3_0
--
-- Schema version 1.3.0
--
INSERT INTO schema_version (version) VALUES ('1.3.0');
