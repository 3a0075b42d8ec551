"""The catalog's own pages. `apps.desk.urls.catalog` adds those that also show findings."""

from django.urls import path

from .views.imports import ImportCreate, ImportDetail
from .views.lists import ImportList, PolicyList, ResourceList
from .views.policies import PolicyParameters, PolicySwitch

urlpatterns = [
    path("resources/", ResourceList.as_view(), name="resource-list"),
    path("policies/", PolicyList.as_view(), name="policy-list"),
    path("policies/<str:pk>/parameters/", PolicyParameters.as_view(), name="policy-parameters"),
    path("policies/<str:pk>/switch/", PolicySwitch.as_view(), name="policy-switch"),
    path("imports/", ImportList.as_view(), name="import-list"),
    path("imports/new/", ImportCreate.as_view(), name="import-create"),
    path("imports/<uuid:pk>/", ImportDetail.as_view(), name="import-detail"),
]
