from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "annotator.api"

    def ready(self) -> None:
        pass
