from django.urls import path

from .views.exceptions import (
    ExceptionClose,
    ExceptionCreate,
    ExceptionDetail,
    ExceptionList,
    ExceptionPreview,
    ExceptionRulesPage,
)
from .views.frameworks import ControlDetail, FrameworkDetail, FrameworkList
from .views.policies import (
    PolicyCompare,
    PolicyCompiled,
    PolicyExplain,
    PolicyPaste,
    PolicyPreview,
    PolicyScan,
    ResourceScan,
)
from .views.savings import RecommendationDecide, RecommendationDetail, RecommendationList, SavingsScan
from .views.scans import ScanCreate, ScanDetail, ScanList
from .views.violations import LatestOpenList, ViolationDetail, ViolationList

app_name = "findings"
urlpatterns = [
    path("violations/", ViolationList.as_view(), name="violation-list"),
    path("violations/latest/", LatestOpenList.as_view(), name="latest-open"),
    path("violations/<uuid:pk>/", ViolationDetail.as_view(), name="violation-detail"),
    path("exceptions/", ExceptionList.as_view(), name="exception-list"),
    path("exceptions/new/", ExceptionCreate.as_view(), name="exception-create"),
    path("exceptions/preview/", ExceptionPreview.as_view(), name="exception-preview"),
    path("exceptions/rules/", ExceptionRulesPage.as_view(), name="exception-rules"),
    path("exceptions/<uuid:pk>/close/", ExceptionClose.as_view(), name="exception-close"),
    path("exceptions/<uuid:pk>/", ExceptionDetail.as_view(), name="exception-detail"),
    path("scans/", ScanList.as_view(), name="scan-list"),
    path("scans/new/", ScanCreate.as_view(), name="scan-create"),
    path("scans/<uuid:pk>/", ScanDetail.as_view(), name="scan-detail"),
    path("policies/new/from-text/", PolicyPaste.as_view(), name="policy-paste"),
    path("policies/<str:pk>/preview/", PolicyPreview.as_view(), name="policy-preview"),
    path("policies/<str:pk>/compiled/", PolicyCompiled.as_view(), name="policy-compiled"),
    path("policies/<str:pk>/compare/", PolicyCompare.as_view(), name="policy-compare"),
    path("policies/<str:pk>/explain/", PolicyExplain.as_view(), name="policy-explain"),
    path("policies/<str:pk>/scan/", PolicyScan.as_view(), name="policy-scan"),
    path("resources/<str:pk>/scan/", ResourceScan.as_view(), name="resource-scan"),
    path("frameworks/", FrameworkList.as_view(), name="framework-list"),
    path("frameworks/<uuid:pk>/", FrameworkDetail.as_view(), name="framework-detail"),
    path("frameworks/controls/<uuid:pk>/", ControlDetail.as_view(), name="control-detail"),
    path("recommendations/", RecommendationList.as_view(), name="recommendation-list"),
    path("recommendations/scan/", SavingsScan.as_view(), name="savings-scan"),
    path("recommendations/<uuid:pk>/", RecommendationDetail.as_view(), name="recommendation-detail"),
    path("recommendations/<uuid:pk>/decide/", RecommendationDecide.as_view(), name="recommendation-decide"),
]
