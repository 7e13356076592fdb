"""The Celery application. Job rows are the truth; a message only says which row to look at."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.config.settings")

app = Celery("sd-curator")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
