"""settings.CELERY as the module of names that Celery reads."""

from django.conf import settings

globals().update(settings.CELERY)
