from django.urls import path

from ..views.audit import AuditList

app_name = "audit"
urlpatterns = [path("audit/", AuditList.as_view(), name="audit-list")]
