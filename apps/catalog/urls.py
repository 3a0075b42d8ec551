"""The catalog's own pages. `apps.desk.urls.catalog` adds those that also show findings."""

from django.urls import path

from .views.accounts import (
    AccountChange,
    AccountCreate,
    AccountDetail,
    AccountDisconnect,
    AccountDiscover,
    AccountList,
    AccountTest,
)
from .views.frameworks import (
    ControlMap,
    FrameworkImport,
    FrameworkInstall,
    FrameworkRetention,
    MappingEnd,
    MappingList,
)
from .views.imports import ImportCreate, ImportDetail
from .views.lists import ImportList, PolicyList, ResourceList
from .views.policies import PolicyParameters, PolicySwitch

urlpatterns = [
    path("resources/", ResourceList.as_view(), name="resource-list"),
    path("policies/", PolicyList.as_view(), name="policy-list"),
    path("policies/<str:pk>/parameters/", PolicyParameters.as_view(), name="policy-parameters"),
    path("policies/<str:pk>/switch/", PolicySwitch.as_view(), name="policy-switch"),
    path("accounts/", AccountList.as_view(), name="account-list"),
    path("accounts/new/", AccountCreate.as_view(), name="account-create"),
    path("accounts/<uuid:pk>/", AccountDetail.as_view(), name="account-detail"),
    path("accounts/<uuid:pk>/change/", AccountChange.as_view(), name="account-change"),
    path("accounts/<uuid:pk>/test/", AccountTest.as_view(), name="account-test"),
    path("accounts/<uuid:pk>/discover/", AccountDiscover.as_view(), name="account-discover"),
    path("accounts/<uuid:pk>/disconnect/", AccountDisconnect.as_view(), name="account-disconnect"),
    path("imports/", ImportList.as_view(), name="import-list"),
    path("imports/new/", ImportCreate.as_view(), name="import-create"),
    path("imports/<uuid:pk>/", ImportDetail.as_view(), name="import-detail"),
    path("frameworks/mappings/", MappingList.as_view(), name="mapping-list"),
    path("frameworks/mappings/<uuid:pk>/end/", MappingEnd.as_view(), name="mapping-end"),
    path("frameworks/import/", FrameworkImport.as_view(), name="framework-import"),
    path("frameworks/install/", FrameworkInstall.as_view(), name="framework-install"),
    path("frameworks/<uuid:pk>/retention/", FrameworkRetention.as_view(), name="framework-retention"),
    path("frameworks/controls/<uuid:pk>/map/", ControlMap.as_view(), name="control-map"),
]
