from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "annotator.api"

    def ready(self) -> None:
        from annotator.api import schema  # noqa: F401, PLC0415 - it registers itself once apps are loaded
