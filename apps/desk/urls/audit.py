from django.urls import path

from ..views.audit import AuditList
from ..views.audit_seal import AuditSeal, AuditVerify

app_name = "audit"
urlpatterns = [
    path("audit/", AuditList.as_view(), name="audit-list"),
    path("audit/seal/", AuditSeal.as_view(), name="seal"),
    path("audit/seal/verify/", AuditVerify.as_view(), name="verify"),
]
