from django.urls import path

from .views import ActionDetail, ActionList, NeedingApproval

app_name = "actions"
urlpatterns = [
    path("actions/", ActionList.as_view(), name="action-list"),
    path("actions/needing-approval/", NeedingApproval.as_view(), name="needing-approval"),
    path("actions/<uuid:pk>/", ActionDetail.as_view(), name="action-detail"),
]
