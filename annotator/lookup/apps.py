from django.apps import AppConfig


class LookupConfig(AppConfig):
    name = "annotator.lookup"

    def ready(self) -> None:
        from annotator.jobs.scopes import register_scope  # noqa: PLC0415
        from annotator.lookup.access import (  # noqa: PLC0415
            may_touch_jobs_of,
            place_of_dictionaries,
        )

        register_scope("dictionaries", may_touch_jobs_of, place_of_dictionaries)
