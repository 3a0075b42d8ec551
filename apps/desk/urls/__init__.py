from django.urls import path

from ..views.home import Home
from ..views.search import Search

app_name = "desk"
urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("search/", Search.as_view(), name="search"),
]
