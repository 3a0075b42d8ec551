from django.urls import path

from ..views.jobs import JobCancel, JobDetail, JobList, JobProgress

app_name = "jobs"
urlpatterns = [
    path("jobs/", JobList.as_view(), name="job-list"),
    path("jobs/<uuid:pk>/", JobDetail.as_view(), name="job-detail"),
    path("jobs/<uuid:pk>/progress/", JobProgress.as_view(), name="job-progress"),
    path("jobs/<uuid:pk>/cancel/", JobCancel.as_view(), name="job-cancel"),
]
