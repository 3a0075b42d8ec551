from django.urls import path

from .views.detail import (
    ActionCancel,
    ActionDetail,
    ActionProgress,
    ActionRetry,
    ActionRollBack,
    EvidenceDownload,
    EvidenceVerify,
)
from .views.lists import ActionList, NeedingApproval
from .views.proposing import PolicyRemediation, Propose, ProposeForViolation, ProposeForViolations

app_name = "actions"
urlpatterns = [
    path("actions/", ActionList.as_view(), name="action-list"),
    path("actions/needing-approval/", NeedingApproval.as_view(), name="needing-approval"),
    path("actions/new/", Propose.as_view(), name="propose"),
    path("actions/new/for-violations/", ProposeForViolations.as_view(), name="propose-violations"),
    path("actions/new/for-violation/<uuid:pk>/", ProposeForViolation.as_view(), name="propose-violation"),
    path("actions/<uuid:pk>/", ActionDetail.as_view(), name="action-detail"),
    path("actions/<uuid:pk>/progress/", ActionProgress.as_view(), name="action-progress"),
    path("actions/<uuid:pk>/cancel/", ActionCancel.as_view(), name="action-cancel"),
    path("actions/<uuid:pk>/retry/", ActionRetry.as_view(), name="action-retry"),
    path("actions/<uuid:pk>/roll-back/", ActionRollBack.as_view(), name="action-roll-back"),
    path("actions/<uuid:pk>/evidence/verify/", EvidenceVerify.as_view(), name="evidence-verify"),
    path("actions/<uuid:pk>/evidence/<int:number>/", EvidenceDownload.as_view(), name="evidence-download"),
    path("policies/<str:pk>/remediation/", PolicyRemediation.as_view(), name="policy-remediation"),
]
