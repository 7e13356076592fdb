from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "annotator.config"
    verbose_name = "Settings"

    def ready(self) -> None:
        from annotator.config import checks  # noqa: F401, PLC0415 - registers the checks
