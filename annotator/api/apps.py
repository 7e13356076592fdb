from importlib import import_module

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "annotator.api"

    def ready(self) -> None:
        import_module("annotator.api.schema")  # its extension registers itself
