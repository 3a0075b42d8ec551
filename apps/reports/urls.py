from django.urls import path

from .views import ReportCreate, ReportDetail, ReportDownload, ReportList

app_name = "reports"
urlpatterns = [
    path("reports/", ReportList.as_view(), name="report-list"),
    path("reports/new/", ReportCreate.as_view(), name="report-create"),
    path("reports/<uuid:pk>/", ReportDetail.as_view(), name="report-detail"),
    path("reports/<uuid:pk>/download/", ReportDownload.as_view(), name="report-download"),
]
