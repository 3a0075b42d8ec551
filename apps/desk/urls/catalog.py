"""The catalog's pages, with those that also show what other rooms know."""

from django.urls import path

from apps.catalog.urls import urlpatterns as own_pages

from ..views.estate import PolicyDetail, ResourceDetail

app_name = "catalog"
urlpatterns = [
    *own_pages,
    path("resources/<str:pk>/", ResourceDetail.as_view(), name="resource-detail"),
    path("policies/<str:pk>/", PolicyDetail.as_view(), name="policy-detail"),
]
