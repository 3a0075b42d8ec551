"""The API's addresses: a router per room, under /api/v1/, its schema and its documentation."""

from __future__ import annotations

from csp.decorators import csp_update
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from apps.actions import api as actions
from apps.archive import api as archive
from apps.audit import api as audit
from apps.catalog import api as catalog
from apps.catalog import api_accounts as accounts
from apps.catalog import api_imports as imports
from apps.core.problems import no_such_endpoint
from apps.costs import api as costs
from apps.costs import api_inbox as inbox
from apps.costs import api_shares as shares
from apps.findings import api as findings
from apps.findings import api_exceptions as exceptions
from apps.findings import api_frameworks as frameworks
from apps.findings import api_past as past
from apps.findings import api_policies as trials
from apps.jobs import api as jobs
from apps.notices import api as notices
from apps.reports import api as reports
from apps.tenancy import api as tenancy

Routes = list[tuple[str, type, str]]

TENANCY: Routes = [("tokens", tenancy.TokenViewSet, "token")]
NOTICES: Routes = [
    ("webhooks", notices.EndpointViewSet, "webhook"),
    ("deliveries", notices.DeliveryViewSet, "delivery"),
]
JOBS: Routes = [("jobs", jobs.JobViewSet, "job")]
AUDIT: Routes = [
    ("audits/checkpoints", audit.CheckpointViewSet, "checkpoint"),
    ("audits/verifications", audit.VerificationViewSet, "verification"),
    ("audits", audit.AuditViewSet, "audit"),
]
CATALOG: Routes = [
    ("resources", catalog.ResourceViewSet, "resource"),
    ("policies/preview", trials.PreviewViewSet, "preview"),
    ("policies/<str:policy_id>/preview", trials.StoredPreviewViewSet, "policy-preview"),
    ("policies/<str:policy_id>/explanations", trials.PairExplanationViewSet, "policy-explanation"),
    ("policies/<str:policy_id>/compiled", trials.CompiledViewSet, "policy-compiled"),
    ("policies/<str:policy_id>/versions", catalog.PolicyVersionViewSet, "policy-version"),
    ("policies", catalog.PolicyViewSet, "policy"),
    ("imports/<uuid:run_id>/refusals", imports.ImportRefusalViewSet, "import-refusal"),
    ("imports", imports.ImportViewSet, "import"),
    ("accounts/<uuid:account_id>/test", accounts.AccountTestViewSet, "account-test"),
    ("accounts", accounts.CloudAccountViewSet, "account"),
]
FINDINGS: Routes = [
    ("violations/as-of/counts", past.PastCountsViewSet, "past-count"),
    ("violations/as-of", past.PastViolationViewSet, "past-violation"),
    ("exceptions/as-of", past.PastExceptionViewSet, "past-exception"),
    ("frameworks/<uuid:framework_id>/controls", frameworks.ControlsViewSet, "framework-control"),
    ("frameworks", frameworks.FrameworkViewSet, "framework"),
    ("controls", frameworks.ControlViewSet, "control"),
    ("mappings", frameworks.MappingViewSet, "mapping"),
    ("violations/latest-open", findings.LatestOpenViewSet, "latest-open"),
    (
        "violations/<uuid:violation_id>/explanation",
        trials.ViolationExplanationViewSet,
        "violation-explanation",
    ),
    ("violations/<uuid:violation_id>/events", findings.ViolationEventViewSet, "violation-event"),
    ("violations/export", findings.ViolationExportViewSet, "violation-export"),
    ("violations", findings.ViolationViewSet, "violation"),
    ("exceptions", exceptions.ExceptionViewSet, "exception"),
    ("recommendations", findings.RecommendationViewSet, "recommendation"),
    ("scans/<uuid:scan_id>/errors", findings.EvaluationErrorViewSet, "scan-error"),
    ("scans", findings.ScanViewSet, "scan"),
]
COSTS: Routes = [
    ("costs/lines", costs.CostLineViewSet, "cost-line"),
    ("costs/periods", costs.CostPeriodViewSet, "cost-period"),
    ("costs/explorer", costs.ExplorerViewSet, "cost-explorer"),
    ("costs/forecast", costs.ForecastViewSet, "cost-forecast"),
    ("costs/allocation", shares.AllocationViewSet, "cost-allocation"),
    ("costs/metrics", shares.MetricViewSet, "cost-metric"),
    ("costs/anomalies/<uuid:anomaly_id>/events", inbox.AnomalyEventViewSet, "anomaly-event"),
    ("costs/anomalies", inbox.AnomalyViewSet, "anomaly"),
    ("costs/budgets/<uuid:budget_id>/alerts", inbox.BudgetAlertViewSet, "budget-alert"),
    ("costs/budgets", inbox.BudgetViewSet, "budget"),
    ("costs", costs.CostViewSet, "cost"),
]
ACTIONS: Routes = [
    ("actions/needing-approval", actions.NeedingApprovalViewSet, "needing-approval"),
    ("actions/kinds", actions.ActionKindViewSet, "action-kind"),
    ("actions/<uuid:action_id>/events", actions.ActionEventViewSet, "action-event"),
    ("actions/<uuid:action_id>/targets", actions.ActionTargetViewSet, "action-target"),
    ("actions/<uuid:action_id>/approvals", actions.ActionApprovalViewSet, "action-approval"),
    ("actions/<uuid:action_id>/evidence", actions.ActionEvidenceViewSet, "action-evidence"),
    ("actions", actions.ActionViewSet, "action"),
]
ARCHIVE: Routes = [("legal-holds", archive.LegalHoldViewSet, "legal-hold")]
REPORTS: Routes = [("reports", reports.ReportViewSet, "report")]


def _urls(routes: Routes) -> list[URLPattern | URLResolver]:
    router = SimpleRouter(use_regex_path=False)
    for prefix, viewset, name in routes:
        router.register(prefix, viewset, basename=name)
    return list(router.urls)


v1: list[URLPattern | URLResolver] = [
    path(
        "costs/settings/",
        costs.CostSettingsViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="cost-settings",
    ),
    path(
        "retention/",
        archive.RetentionViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="retention",
    ),
    path("me/", tenancy.MeViewSet.as_view({"get": "retrieve"}), name="me"),
    path(
        "exceptions/rules/",
        exceptions.ExceptionRulesViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="exception-rules",
    ),
    path(
        "me/notices/",
        notices.PreferencesViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="notice-preferences",
    ),
    path(
        "reports/<uuid:pk>/download/",
        reports.ReportDownloadViewSet.as_view({"get": "retrieve"}),
        name="report-download",
    ),
    path(
        "actions/<uuid:action_id>/evidence/<int:number>/",
        actions.EvidenceDownloadViewSet.as_view({"get": "retrieve"}),
        name="action-evidence-download",
    ),
    *(
        path("", include(_urls(routes)))
        for routes in (TENANCY, NOTICES, JOBS, AUDIT, CATALOG, FINDINGS, COSTS, ACTIONS, ARCHIVE, REPORTS)
    ),
    re_path(r"^[\s\S]*$", no_such_endpoint, name="nothing"),
]

# Swagger UI writes style attributes; its scripts are files of our own.
docs = csp_update({"style-src": ["'unsafe-inline'"]})(
    SpectacularSwaggerSplitView.as_view(url_name="api:schema")
)

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/", include(v1)),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", docs, name="docs"),
]
