"""Who may do what in the admin: approvers and admins come in, and then the role's permission decides."""

from __future__ import annotations

from apps.core.permissions import Permission

from .row import DECIDE, MANAGE, VIEW, Row, form, get, post


def model(
    label: str,
    kind: str,
    view: Permission = VIEW,
    *,
    add: Permission | None = None,
    change: Permission | None = None,
) -> list[Row]:
    """The five addresses of a model's admin. Without `add` or `change` nobody does; nobody ever deletes."""
    name, at = f"admin:{label}", {"object_id": kind}
    route = f"admin/{label.replace('_', '/', 1)}/<path:object_id>/"
    return [
        get(f"{name}_changelist", view),
        Row(f"{name}_add", "GET", add or view, nobody=add is None),
        get(f"{name}_change", view, object_id=kind),
        Row(f"{name}_change", "POST", change or view, at, nobody=change is None),
        get(f"{name}_history", view, object_id=kind),
        Row(f"{name}_delete", "POST", view, at, nobody=True),
        get(route, None),  # a redirect to the form, whoever asks
    ]


ROWS: list[Row] = [
    get("admin:index"),
    get("admin:search"),
    get("admin:app_list", app_label="label:catalog"),
    # No form of ours completes a field, and Django refuses whoever names none.
    Row("admin:autocomplete", "GET", VIEW, nobody=True),
    get("admin:jsi18n"),
    get("admin:login", None),
    post("admin:logout", None),
    get("admin/(?P<url>.*)$", VIEW),
    *model("tenancy_user", "user", MANAGE, add=MANAGE, change=MANAGE),
    *model("tenancy_apitoken", "token", MANAGE),
    *form("admin:tenancy_apitoken_revoke", MANAGE, object_id="token"),
    *model("notices_webhookendpoint", "endpoint", MANAGE, add=MANAGE, change=MANAGE),
    *form("admin:notices_webhookendpoint_secret", MANAGE, object_id="endpoint"),
    *form("admin:notices_webhookendpoint_test", MANAGE, object_id="endpoint"),
    *model("notices_delivery", "delivery", MANAGE),
    *form("admin:notices_delivery_again", MANAGE, object_id="delivery"),
    *model("tenancy_tenant", "tenant", MANAGE, change=MANAGE),
    *model("tenancy_cloudaccount", "account", MANAGE, change=MANAGE),
    *form("admin:tenancy_cloudaccount_disconnect", MANAGE, object_id="account"),
    *model("catalog_resource", "resource"),
    *model("catalog_policy", "policy", change=MANAGE),
    *model("catalog_importrun", "import"),
    *model("findings_policyexception", "exception"),
    *form("admin:findings_policyexception_approve", DECIDE, object_id="exception"),
    *form("admin:findings_policyexception_reject", DECIDE, object_id="exception"),
    *form("admin:findings_policyexception_revoke", DECIDE, object_id="exception"),
    *model("findings_violation", "violation"),
    *model("findings_scanrun", "scan"),
    *model("findings_recommendation", "recommendation"),
    *model("actions_action", "action"),
    *form("admin:actions_action_approve", DECIDE, object_id="action"),
    *form("admin:actions_action_reject", DECIDE, object_id="action"),
    *model("actions_actionrule", "action_rule", MANAGE, add=MANAGE, change=MANAGE),
    *model("reports_report", "report"),
    *model("jobs_job", "job"),
    *model("audit_audit", "audit"),
]
